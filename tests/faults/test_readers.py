"""Files without an end, and of sizes that nobody needs, are not read."""

import json
import os
import re
import socket
import struct
import threading
import time
import zipfile

import keras
import numpy as np
import pytest
from fuzz_loaders import copy_model

import keras_genai
from keras_genai import archives
from keras_genai.callbacks import Checkpoints
from keras_genai.data import texts, tokenizers
from keras_genai.data.music import chorales, cleaning
from keras_genai.files import open_regular

SECONDS = 5


def error_of(call):
    """The error that a call raises, which must not wait for anything."""
    errors = []

    def run():
        try:
            call()
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(SECONDS)
    assert not thread.is_alive(), "it waits"
    return errors[0] if errors else None


# --- Regular files -----------------------------------------------------------


def a_socket(path, monkeypatch):
    monkeypatch.chdir(path.parent)  # whose whole path may be too long
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(path.name)


KINDS = {
    "a pipe": lambda path, _: os.mkfifo(path),
    "a socket": a_socket,
    "a device": lambda path, _: path.symlink_to("/dev/zero"),
    "a folder": lambda path, _: path.mkdir(),
}
READERS = {
    "model.keras": keras_genai.load_model,
    "text.txt": keras_genai.load_text,
    "data.npz": keras_genai.load_images,
    "tokenizer.json": keras_genai.load_tokenizer,
    "score.mid": keras_genai.read_midi,
    "scores.mid": keras_genai.load_scores,
    "any": open_regular,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", READERS)
def test_only_regular_files_are_read(tmp_path, name, kind, monkeypatch):
    path = tmp_path / name
    KINDS[kind](path, monkeypatch)
    error = error_of(lambda: READERS[name](path))
    assert isinstance(error, ValueError) and str(path) in str(error)
    # A folder of texts or scores is one of the sources.
    if kind != "a folder":
        assert "Expected a regular file" in str(error)
        assert f"{str(path)!r}, {kind}" in str(error)


@pytest.mark.parametrize(
    "suffix, load",
    [
        (".png", keras_genai.load_images),
        (".txt", keras_genai.load_text),
        (".mid", keras_genai.load_scores),
    ],
)
def test_pipes_in_folders_are_left_out(tmp_path, suffix, load, capsys):
    pipe = tmp_path / f"pipe{suffix}"
    os.mkfifo(pipe)
    (tmp_path / f"link{suffix}").symlink_to(pipe)
    (tmp_path / f"nowhere{suffix}").symlink_to(tmp_path / "nothing")
    error = error_of(lambda: load(tmp_path))
    assert "2 pipes, sockets and devices, 1 broken links" in str(error)


def test_pipes_among_checkpoints_and_in_the_cache(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    callback = Checkpoints(tmp_path)
    callback.set_model(model)
    callback.on_epoch_end(0)
    os.mkfifo(tmp_path / "epoch_002.keras")
    assert callback.restore(model) == 1
    assert (tmp_path / "epoch_002.keras").is_fifo()  # nobody's checkpoint
    os.mkfifo(tmp_path / "bwv1.6.npz")
    assert error_of(lambda: chorales._cached(tmp_path / "bwv1.6.npz")) is None


def test_a_link_to_a_file_is_that_file(tmp_path):
    (tmp_path / "text").write_text("to be\n")
    (tmp_path / "link.txt").symlink_to(tmp_path / "text")
    assert keras_genai.load_text(tmp_path / "link.txt").texts == ("to be",)


@pytest.mark.parametrize(
    "arrays",
    [
        {"images": np.full((2, 4, 4), 2.0)},
        {"images": np.zeros((2, 4, 4), "uint8"), "labels": np.arange(3)},
        {"images": np.zeros((4, 4), "uint8")},
        {"images": np.zeros((0, 4, 4), "uint8")},
    ],
    ids=["floats", "labels", "one", "none"],
)
def test_what_is_wrong_in_a_file_names_it(tmp_path, arrays):
    path = tmp_path / "data.npz"
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=re.escape(repr(str(path)))):
        keras_genai.load_images(path)


@pytest.mark.parametrize(
    "load", [keras_genai.load_text, keras_genai.load_scores]
)
def test_an_unknown_split_names_its_source(tmp_path, load):
    path = tmp_path / "a_file"
    path.write_text("to be\n")
    with pytest.raises(ValueError, match=f"split='tset'.*{path.name}"):
        load(path, "tset")


# --- Names of models ---------------------------------------------------------


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    model = keras_genai.GPT(
        vocabulary_size=7, num_layers=1, num_heads=1, hidden_dim=4, seed=0
    )
    model.compile()
    model.save(path)
    return path


@pytest.mark.parametrize(
    "name", ["x.h5", "x.hdf5", "x.KERAS", "x.keras.h5", "x", "x.keras "]
)
def test_a_model_is_what_its_name_says(saved, tmp_path, name):
    """HDF5 with a zip behind it: checked as the one, read as the other."""
    import h5py

    path = tmp_path / name
    with h5py.File(path, "w") as file:
        file["numbers"] = np.zeros(3)
    path.write_bytes(path.read_bytes() + saved.read_bytes())
    assert zipfile.is_zipfile(path)
    message = rf"ends in '\.keras'.*{re.escape(repr(str(path)))}"
    with pytest.raises(ValueError, match=message):
        keras_genai.load_model(path)
    with pytest.raises(ValueError, match=message):
        keras_genai.load_model(str(path))


def test_a_folder_is_no_model(saved, tmp_path):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(saved) as archive:
        archive.extractall(path)
    with pytest.raises(ValueError, match=r"regular file.*keras', a folder"):
        keras_genai.load_model(path)


def test_a_link_is_judged_by_its_own_name(saved, tmp_path):
    (tmp_path / "link.h5").symlink_to(saved)
    with pytest.raises(ValueError, match=r"ends in '\.keras'"):
        keras_genai.load_model(tmp_path / "link.h5")
    blob = tmp_path / "blob"
    blob.write_bytes(saved.read_bytes())
    (tmp_path / "link.keras").symlink_to(blob)
    assert keras_genai.load_model(tmp_path / "link.keras").num_layers == 1


# --- Sizes -------------------------------------------------------------------


def crafted(saved, path, change, metadata=None):
    """A model with a changed config."""
    copy_model(saved, path, change, metadata)
    return path


def many_layers(config):
    config["num_layers"] = 201


def many_in_a_row(config):
    relu = {"class_name": "Activation", "module": "keras.layers"}
    config["x"] = {
        "class_name": "Sequential",
        "module": "keras",
        "config": {"layers": [relu] * 201},
    }


def many_objects(config):
    config["x"] = [{"class_name": "Dense", "module": "keras.layers"}] * 5000


def long_name(config):
    config["name"] = "a" * archives.MAX_CONFIG_BYTES


@pytest.mark.parametrize(
    "change, reason",
    [
        (many_layers, "num_layers=201, above 200"),
        (many_in_a_row, "layers=201, above 200"),
        (many_objects, r"5,00\d objects, above 5,000"),
        (long_name, r"config\.json has 4,19\d,\d{3} bytes, above 4,194,304"),
        (lambda config: config.update(order=10**9), "order=1,000,000,000, "),
    ],
)
def test_configs_that_take_minutes(saved, tmp_path, change, reason):
    path = crafted(saved, tmp_path / "model.keras", change)
    with pytest.raises(ValueError, match=f"{reason}.*{path.name}"):
        keras_genai.load_model(path)


def test_metadata_is_bounded_too(saved, tmp_path):
    path = tmp_path / "model.keras"
    crafted(saved, path, lambda config: None, " " * (2**22 + 1))
    with pytest.raises(ValueError, match=r"metadata\.json has 4,194,305"):
        keras_genai.load_model(path)


def test_as_many_layers_as_that_are_let_through(saved, tmp_path):
    path = tmp_path / "model.keras"
    crafted(saved, path, lambda config: config.update(num_layers=200))
    archives.check_keras_archive(path)


def test_merges_are_each_once():
    with pytest.raises(ValueError, match=r"1,000 merges, 2 different ones"):
        keras_genai.BytePairTokenizer([(97, 97), (98, 97)] * 500)


def test_a_large_file_of_a_tokenizer(tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_bytes(b" " * (tokenizers.MAX_BYTES + 1))
    message = rf"4,194,304 bytes at most.*{path.name}' of 4,194,305"
    with pytest.raises(ValueError, match=message):
        keras_genai.load_tokenizer(path)


def test_only_tokenizers_are_made_of_a_tokenizers_file(tmp_path, monkeypatch):
    made = []
    dense = keras.layers.Dense(2)
    monkeypatch.setattr(
        type(dense), "from_config", lambda config: made.append(config)
    )
    path = tmp_path / "tokenizer.json"
    saved = keras.saving.serialize_keras_object(dense)
    for name in (None, "Dense", "keras_genai>GPT", "keras_genai>LabelPlanes"):
        path.write_text(json.dumps({**saved, "registered_name": name}))
        with pytest.raises(
            ValueError, match=rf"is not a tokenizer.*{path.name}"
        ):
            keras_genai.load_tokenizer(path)
    assert not made


def test_each_kind_of_tokenizer_is_loaded(tmp_path):
    path = tmp_path / "tokenizer.json"
    for tokenizer in (
        keras_genai.CharacterTokenizer("abc"),
        keras_genai.BytePairTokenizer([(97, 98)]),
        keras_genai.MusicTokenizer([60], [72]),
    ):
        tokenizer.save(path)
        loaded = keras_genai.load_tokenizer(path)
        assert type(loaded) is type(tokenizer)
        assert loaded.get_config() == tokenizer.get_config()


@pytest.mark.parametrize(
    "load",
    [
        keras_genai.load_images,
        keras_genai.load_scores,
        lambda name: keras_genai.load_text(io_path(name)),
    ],
)
@pytest.mark.parametrize("name", ["\0" * 10**6, "a" * 4097, "a\0b"], ids=len)
def test_a_long_name_is_not_shown(load, name):
    with pytest.raises(ValueError, match=f"{len(name):,} characters") as caught:
        load(name)
    assert len(str(caught.value)) < 300


def io_path(name):
    class Named(os.PathLike):
        def __fspath__(self):
            return name

    return Named()


def test_a_large_text(tmp_path):
    path = tmp_path / "text.txt"
    with path.open("wb") as file:
        file.truncate(texts.MAX_TEXT_BYTES + 1)  # without a block on disk
    message = r"1,073,741,824 bytes at most.*text\.txt' of 1,073,741,825"
    with pytest.raises(ValueError, match=message):
        keras_genai.load_text(path)


def midi(track, more=b""):
    header = b"MThd" + struct.pack(">LHHH", 6, 0, 1, 480)
    track += b"\0\xff\x2f\0"
    return header + more + b"MTrk" + struct.pack(">L", len(track)) + track


def notes(count):
    return b"\0\x90\x3c\x40" + b"\x01\x3c\0\0\x3c\x40" * count + b"\x01\x3c\0"


@pytest.mark.parametrize(
    "content, reason",
    [
        (midi(notes(6)), "more than 8 notes and instruments"),
        # A number that would take hours to be put together.
        (midi(b"\xff" * 2**21), "more than 4 bytes"),
        (bytes(2**22 + 1), "4,194,304 bytes at most.* of 4,194,305"),
        # Chunks that would be copied again and again.
        (midi(b"", b"skip\0\0\0\0" * 2**18), "no notes"),
    ],
    ids=["notes", "number", "bytes", "chunks"],
)
def test_scores_that_take_minutes(tmp_path, monkeypatch, content, reason):
    monkeypatch.setattr(cleaning, "MAX_MESSAGES", 8)
    path = tmp_path / "score.mid"
    path.write_bytes(content)
    started = time.monotonic()
    with pytest.raises(ValueError, match=reason) as caught:
        keras_genai.read_midi(path)
    assert path.name in str(caught.value)
    assert time.monotonic() - started < SECONDS
    path.write_bytes(midi(notes(2)))
    assert len(keras_genai.read_midi(path)) == 1
