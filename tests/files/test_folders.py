"""Folders as people have them: hidden files, links, splits, wrappers."""

import pytest

from keras_genai.data.folders import (
    are_strays,
    explain,
    list_folder,
    print_once,
)


def write(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def names(listing):
    """What is in each split, without the splits' own folders."""
    return {
        split: ["/".join(parts) for _, parts in found]
        for split, found in listing.splits.items()
    }


@pytest.mark.parametrize(
    "name",
    [
        *(".a.txt", "._a.txt", ".ipynb_checkpoints/a.txt", "__MACOSX/a.txt"),
        *("@eaDir/a.txt", "Thumbs.db", ".thumbnails/a.txt", "cats/.DS_Store"),
        *("cats/@eaDir/a.txt/b.txt", "desktop.ini", "__macosx/cats/a.txt"),
    ],
)
def test_what_is_hidden_is_left_out_and_said(tmp_path, name):
    write(tmp_path, "cats/a.txt", name)
    listing = list_folder(tmp_path, {".txt"})
    assert names(listing) == {"train": ["cats/a.txt"]}
    assert listing.describe_left_out() == "left out: 1 hidden"


def test_the_line_counts_what_is_left_out_and_is_printed_once(tmp_path, capsys):
    write(tmp_path, "a.txt", ".b.txt", "c.heic", "d.HEIC", "e.csv", "LICENCE")
    for _ in range(2):
        list_folder(tmp_path, {".txt"}).print_left_out()
    assert capsys.readouterr().out == (
        f"{tmp_path}: left out: 2 .heic, 1 hidden, 1 without a suffix, 1 .csv\n"
    )


def test_nothing_is_said_where_nothing_is_left_out(tmp_path, capsys):
    write(tmp_path, "a.txt", "B.TXT", "c/d.Txt")
    listing = list_folder(tmp_path, {".txt"})
    listing.print_left_out()
    assert capsys.readouterr().out == ""
    assert names(listing) == {"train": ["B.TXT", "a.txt", "c/d.Txt"]}
    assert not listing.has_splits


@pytest.mark.parametrize(
    "train, validation, test",
    [
        *[("train", "validation", "test"), ("Train", "Val", "Test")],
        *[("Training", "valid", "Testing"), ("TRAIN", "Validation", "TEST")],
        *[
            ("training_set", "val-data", "test_set"),
            ("trainset", "val", "test"),
        ],
    ],
)
def test_splits_have_their_usual_names(tmp_path, train, validation, test):
    write(tmp_path, f"{train}/a.txt", f"{validation}/b.txt", f"{test}/c.txt")
    listing = list_folder(tmp_path, {".txt"})
    assert listing.has_splits
    assert names(listing) == {
        "train": ["a.txt"],
        "validation": ["b.txt"],
        "test": ["c.txt"],
    }


@pytest.mark.parametrize(
    "pattern",
    [
        *["{}/{}", "data/{}/{}", "a/b/{}/{}", "{}/animals/{}"],
        *["seg_{}/{}", "seg_{0}/seg_{0}/{1}", "{0}/{0}/{1}", "x/my {}/{}"],
    ],
)
def test_a_single_folder_around_all_is_no_class(tmp_path, pattern):
    for split in ("train", "test"):
        for kind in ("cats", "dogs"):
            write(tmp_path, pattern.format(split, kind) + "/1.txt")
    found = names(list_folder(tmp_path, {".txt"}))
    assert list(found) == ["train", "test"]
    assert found["train"] == found["test"] == ["cats/1.txt", "dogs/1.txt"]


@pytest.mark.parametrize(
    "name", ["train_station", "tests", "bullet train", "value", "contest"]
)
def test_other_names_are_no_splits(tmp_path, name):
    write(tmp_path, f"{name}/a.txt", "ship/b.txt")
    listing = list_folder(tmp_path, {".txt"})
    assert not listing.has_splits and len(listing.splits["train"]) == 2


def test_one_name_that_ends_as_a_split_is_a_class(tmp_path):
    write(tmp_path, "bullet_train/a.txt", "steam_train/b.txt", "ship/c.txt")
    assert not list_folder(tmp_path, {".txt"}).has_splits


def test_strays_do_not_hide_that_a_folder_is_around_all(tmp_path):
    write(tmp_path, "0.txt", "all/1.txt", "all/a/2.txt", "all/b/3.txt")
    assert names(list_folder(tmp_path, {".txt"})) == {
        "train": ["0.txt", "1.txt", "a/2.txt", "b/3.txt"]
    }
    write(tmp_path, "all/4.txt")  # now they are no fewer
    found = names(list_folder(tmp_path, {".txt"}))["train"]
    assert "all/a/2.txt" in found and "all/4.txt" in found


def test_splits_may_lie_in_the_classes(tmp_path):
    write(tmp_path, "cats/train/1.txt", "cats/test/2.txt", "dogs/Train/3.txt")
    assert names(list_folder(tmp_path, {".txt"})) == {
        "train": ["cats/1.txt", "dogs/3.txt"],
        "test": ["cats/2.txt"],
    }


def test_a_folder_far_below_is_no_split(tmp_path):
    write(tmp_path, "a/x.txt", "b/notes/test/y.txt")
    assert list(list_folder(tmp_path, {".txt"}).splits) == ["train"]


def test_what_lies_beside_splits_is_left_out_or_trained_on(tmp_path):
    write(tmp_path, "more/a.txt", "cover.txt", "test/b.txt")
    assert names(list_folder(tmp_path, {".txt"})) == {
        "train": ["cover.txt", "more/a.txt"],
        "test": ["b.txt"],
    }
    write(tmp_path, "train/c.txt")
    listing = list_folder(tmp_path, {".txt"})
    assert names(listing) == {"train": ["c.txt"], "test": ["b.txt"]}
    assert "2 beside the folders of splits" in listing.describe_left_out()


def test_links_are_followed_but_not_in_circles(tmp_path):
    write(tmp_path / "elsewhere", "b.txt")
    write(tmp_path / "data", "cats/a.txt")
    (tmp_path / "data" / "dogs").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "cats" / "up").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "cats" / "c.txt").symlink_to(tmp_path / "gone")
    listing = list_folder(tmp_path / "data", {".txt"})
    assert names(listing) == {"train": ["cats/a.txt", "dogs/b.txt"]}
    assert listing.left_out == {"in a circle of links": 1, "broken links": 1}


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path, "poems/a.txt")
    assert list_folder("~/poems", {".txt"}).path == tmp_path / "poems"


def test_no_folder_and_no_such_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"a folder of tunes.*nowhere"):
        list_folder(tmp_path / "nowhere", {".mid"}, "tunes")
    with pytest.raises(ValueError, match=r"no tunes \(\.mid\).*which is empty"):
        list_folder(tmp_path, {".mid"}, "tunes")
    write(tmp_path, "a.kar", ".b.mid")
    with pytest.raises(ValueError, match=r"left out: 1 \.?\w+, 1 \.?\w+"):
        list_folder(tmp_path, {".mid"}, "tunes")


def test_strays_are_the_fewer():
    assert are_strays(1, 1) and are_strays(3, 100)
    assert not are_strays(0, 5) and not are_strays(100, 3)


def test_lines_are_printed_once(capsys):
    for _ in range(3):
        print_once("a line that nothing else prints")
    assert capsys.readouterr().out == "a line that nothing else prints\n"


@pytest.mark.parametrize("error", [EOFError(), KeyError(), ValueError("")])
def test_errors_without_a_message_get_words(error):
    assert len(explain(error).split()) > 2
    assert explain(ValueError("two\nlines")) == "two lines"
