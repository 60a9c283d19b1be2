"""Folders of images: classes, splits, what is left out, what is broken."""

import re
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from keras_genai import image_dataset, load_images
from keras_genai.data import pictures


def save(path, level=0, size=(4, 6), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(size, level, "uint8")).save(path, **options)


def save_all(folder, names):
    """Images whose grey level is their place in the list."""
    for level, name in enumerate(names):
        save(folder / name, level)


def by_level(found):
    """Dictionary: grey level -> name of its class."""
    levels = found.images[:, 0, 0, 0].tolist()
    if found.labels is None:
        return dict.fromkeys(levels)
    classes = [found.class_names[label] for label in found.labels]
    return dict(sorted(zip(levels, classes, strict=True)))


# --- Classes and splits ------------------------------------------------------


def test_hidden_folders_are_no_classes(tmp_path, capsys):
    names = ["cats/a.png", "dogs/b.png", ".ipynb_checkpoints/a.png"]
    names += ["__MACOSX/cats/._a.png", "cats/@eaDir/a.png", "dogs/._b.png"]
    save_all(tmp_path, names)
    found = load_images(tmp_path)
    assert found.class_names == ("cats", "dogs")
    assert by_level(found) == {0: "cats", 1: "dogs"}
    assert capsys.readouterr().out == f"{tmp_path}: left out: 4 hidden\n"


def test_a_linked_class_is_there(tmp_path):
    save(tmp_path / "elsewhere" / "b.png", 1)
    save(tmp_path / "data" / "cats" / "a.png", 0)
    (tmp_path / "data" / "dogs").symlink_to(tmp_path / "elsewhere")
    assert by_level(load_images(tmp_path / "data")) == {0: "cats", 1: "dogs"}


@pytest.mark.parametrize("train, test", [("Training", "Testing"), ("t", "val")])
def test_what_is_held_out_is_not_trained_on(tmp_path, train, test):
    save_all(tmp_path, [f"{train}/cats/a.png", f"{test}/dogs/b.png"])
    held_out = "validation" if test == "val" else "test"
    assert by_level(load_images(tmp_path))[0]
    assert len(load_images(tmp_path)) == 1
    assert list(by_level(load_images(tmp_path, held_out))) == [1]


def test_class_names_are_those_of_all_splits(tmp_path):
    names = ["train/cats/a.png", "valid/dogs/b.png", "Test/ants/c.png"]
    save_all(tmp_path, names)
    train, validation, test = (
        load_images(tmp_path, split)
        for split in ("train", "validation", "test")
    )
    for found in (train, validation, test):
        assert found.class_names == ("ants", "cats", "dogs")
    assert by_level(train) == {0: "cats"}
    assert by_level(validation) == {1: "dogs"}
    assert by_level(test) == {2: "ants"}


def test_one_level_too_many(tmp_path):
    save_all(tmp_path, ["animals/cats/a.png", "animals/dogs/b.png"])
    assert by_level(load_images(tmp_path)) == {0: "cats", 1: "dogs"}


def test_folders_in_a_class_belong_to_it(tmp_path):
    save_all(tmp_path, ["cats/2024/a.png", "cats/2025/b.png", "dogs/c.png"])
    assert by_level(load_images(tmp_path)) == {
        0: "cats",
        1: "cats",
        2: "dogs",
    }


def test_a_stray_image_does_not_take_the_labels_away(tmp_path, capsys):
    save_all(tmp_path, ["cats/a.png", "dogs/b.png", "cover.png"])
    assert by_level(load_images(tmp_path)) == {0: "cats", 1: "dogs"}
    assert "left out: 1 beside the folders of classes" in (
        capsys.readouterr().out
    )


def test_many_images_beside_one_folder_are_no_strays(tmp_path, capsys):
    save_all(tmp_path, ["a.png", "b.png", "c.png", "more/d.png"])
    found = load_images(tmp_path)
    assert len(found) == 4 and found.labels is None
    assert "no labels, since 3 images lie beside" in capsys.readouterr().out


def test_classes_that_are_numbers_sort_as_numbers(tmp_path):
    save_all(tmp_path, [f"{number}/a.png" for number in (10, 2, 1, 100)])
    found = load_images(tmp_path)
    assert found.class_names == ("1", "2", "10", "100")
    assert by_level(found) == {0: "10", 1: "2", 2: "1", 3: "100"}


def test_a_class_of_other_files_vanishes_and_they_are_said(tmp_path, capsys):
    save_all(tmp_path, ["cats/a.png", "dogs/b.png"])
    (tmp_path / "birds").mkdir()
    (tmp_path / "birds" / "c.heic").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    assert load_images(tmp_path).class_names == ("cats", "dogs")
    assert "left out: 1 .heic" in capsys.readouterr().out


@pytest.mark.parametrize(
    "suffix, kind",
    [
        *((".jfif", "JPEG"), (".jpe", "JPEG"), (".JPG", "JPEG")),
        *((".tif", "TIFF"), (".TIFF", "TIFF"), (".dib", "DIB")),
        *((".pgm", "PPM"), (".ppm", "PPM"), (".apng", "PNG")),
    ],
)
def test_other_suffixes_are_read(tmp_path, suffix, kind):
    save(tmp_path / f"a{suffix}", 90, (16, 16), format=kind)
    found = load_images(tmp_path)
    assert np.abs(found.images.astype(int) - 90).max() <= 1


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    save(tmp_path / "photos" / "a.png", 3)
    found = load_images("~/photos")
    assert list(by_level(found)) == [3]
    assert found.source == "~/photos/train"


# --- Broken files ------------------------------------------------------------


def break_some(folder):
    save_all(folder, [f"cats/{n}.png" for n in range(4)])
    whole = (folder / "cats" / "0.png").read_bytes()
    (folder / "cats" / "torn.png").write_bytes(whole[: len(whole) // 2])
    (folder / "cats" / "empty.jpg").write_bytes(b"")
    (folder / "cats" / "page.gif").write_bytes(b"<html>not found</html>")


def test_one_error_names_all_broken_files_and_why(tmp_path):
    break_some(tmp_path)
    with pytest.raises(ValueError) as caught:
        load_images(tmp_path)
    message = str(caught.value)
    assert message.startswith(
        "3 of 7 images cannot be decoded; `skip_broken=True` skips them "
        "(--skip-broken on the command line). Received: "
    )
    for name in ("torn.png", "empty.jpg", "page.gif"):
        assert re.search(rf"{name}' \(\w+ \w+ [^()]+\)", message), message
    assert "\n" not in message


def test_broken_files_are_passed_over_with_a_line_each(tmp_path, capsys):
    break_some(tmp_path)
    found = load_images(tmp_path, skip_broken=True)
    assert sorted(by_level(found)) == [0, 1, 2, 3]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert all(re.match(r"Skipping .+: \w+ \w+", line) for line in lines)


def test_an_error_without_a_message_gets_words(tmp_path, monkeypatch):
    def fail(path, background):
        raise EOFError

    save(tmp_path / "a.png")
    monkeypatch.setattr(pictures, "decode", fail)
    with pytest.raises(ValueError, match=r"a\.png' \(the file ends too early"):
        load_images(tmp_path)


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_class_that_cannot_be_read_vanishes_everywhere(
    tmp_path, split, capsys
):
    names = ["train/ants/a.png", "train/cats/b.png", "test/cats/c.png"]
    save_all(tmp_path, [*names, "test/dogs/d.png", "train/dogs/e.png"])
    (tmp_path / "train" / "ants" / "a.png").write_bytes(b"x")
    (tmp_path / "train" / "dogs" / "e.png").write_bytes(b"x")
    found = load_images(tmp_path, split, skip_broken=True)
    assert found.class_names == ("cats", "dogs")
    levels = {"train": {1: "cats"}, "test": {2: "cats", 3: "dogs"}}
    assert by_level(found) == levels[split]


def test_a_folder_of_broken_images_has_none(tmp_path):
    (tmp_path / "a.png").write_bytes(b"x")
    with pytest.raises(ValueError, match="no images that can be read"):
        load_images(tmp_path, skip_broken=True)


# --- One image, an archive ---------------------------------------------------


def test_one_image_is_refused_with_the_remedy(tmp_path):
    save(tmp_path / "photo.jpg")
    with pytest.raises(ValueError, match="one image: give the folder"):
        load_images(tmp_path / "photo.jpg")
    for shape in ((64, 64, 3), (48, 64, 4), (28, 28, 1)):
        with pytest.raises(ValueError, match=r"one image is image\[None\]"):
            load_images(np.zeros(shape, "uint8"))
    with pytest.raises(ValueError, match=r"one image is image\[None\]"):
        load_images(Image.new("L", (8, 8)))
    with pytest.raises(ValueError, match=r"one name or path.*a folder"):
        load_images([str(tmp_path / "photo.jpg")] * 2)


@pytest.mark.parametrize(
    "name, remedy", [("a.zip", "unpack it"), ("a.npy", r"np\.load\(path\)")]
)
def test_other_files_are_refused_with_the_remedy(tmp_path, name, remedy):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ValueError, match=remedy):
        load_images(tmp_path / name)


@pytest.mark.parametrize("source", [None, 3, {"train": 1}, iter([])])
def test_what_is_no_source_is_refused(source):
    with pytest.raises(ValueError, match=type(source).__name__):
        load_images(source)


# --- Size and memory ---------------------------------------------------------


@pytest.mark.parametrize("size", [5, np.int64(5), (5, 5), [5, 5]])
def test_an_integer_is_both_sides(tmp_path, size):
    save(tmp_path / "a.png", 7, (9, 12))
    found = load_images(tmp_path, image_size=size)
    assert found.image_shape == (5, 5, 1) and (found.images == 7).all()
    (batch,) = image_dataset(tmp_path, image_size=size, value_range=(0, 255))
    assert batch.shape == (1, 5, 5, 1)


@pytest.mark.parametrize(
    "size", [0, -3, True, 2.5, "64", (5,), (5, 5, 3), (5, 0), (5, 2.5)]
)
def test_other_sizes_are_refused(size):
    with pytest.raises(ValueError, match=r"one integer for both.*image_size="):
        load_images(np.zeros((2, 8, 8), "uint8"), image_size=size)


def test_images_wait_their_turn_and_no_more_than_a_few(tmp_path, monkeypatch):
    """Threads decode ahead, in order, and hold a handful at once."""
    save_all(tmp_path, [f"{n:03}.png" for n in range(60)])
    decoded, decode = [], pictures.decode

    def counting(path, background):
        decoded.append(path)
        return decode(path, background)

    monkeypatch.setattr(pictures, "decode", counting)
    monkeypatch.setattr(pictures.os, "cpu_count", lambda: 3)
    decoder = pictures._Decoder(pictures_store(), (255, 255, 255))
    files = [(tmp_path / f"{n:03}.png", None) for n in range(60)]
    levels = []
    for pixels, _ in decoder.decode_all(files, skip_broken=False):
        assert len(decoded) <= len(levels) + 7
        levels.append(int(pixels[0, 0, 0]))
    assert levels == list(range(60))


def pictures_store():
    from keras_genai.data.store import Store

    return Store(None, "memory")


@pytest.mark.parametrize("cache", ["memory", "disk"])
def test_the_bar_counts_what_is_decoded(tmp_path, monkeypatch, capsys, cache):
    from keras_genai.data.store import Store

    save_all(tmp_path, [f"{n}.png" for n in range(6)])
    fill = Store.fill
    monkeypatch.setattr(
        Store,
        "fill",
        lambda self, examples, count, show_from: fill(self, examples, count, 5),
    )
    found = load_images(tmp_path, cache=cache)
    assert isinstance(found.images, np.memmap) == (cache == "disk")
    assert "6/6" in capsys.readouterr().out


@pytest.mark.parametrize("cache, most", [("disk", 0.5), ("memory", 1.5)])
def test_no_second_copy_is_held(tmp_path, monkeypatch, cache, most):
    monkeypatch.setattr(pictures.os, "cpu_count", lambda: 2)
    for level in range(60):
        save(tmp_path / f"{level}.png", level, (200, 200))
    load_images(tmp_path, "train[:1]")  # what is imported is no copy
    tracemalloc.start()
    try:
        found = load_images(tmp_path, cache=cache)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found) == 60
    assert peak < most * found.images.nbytes


def test_decoded_images_are_not_resized_in_silence(tmp_path):
    save(tmp_path / "a.png")
    found = load_images(tmp_path)
    assert image_dataset(found, image_size=(4, 6)).examples is found
    with pytest.raises(ValueError, match=r"decoded already.*image_size=8"):
        image_dataset(found, image_size=8)


def test_arrays_go_to_disk_on_request():
    pixels = np.arange(2 * 4 * 4, dtype="uint8").reshape(2, 4, 4)
    disk = load_images(pixels, cache="disk")
    assert isinstance(disk.images, np.memmap)
    assert disk.digest == load_images(pixels).digest
