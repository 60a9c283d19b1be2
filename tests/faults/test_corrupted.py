"""What is damaged is named, and nothing is written over it."""

import json
import re

import numpy as np
import pytest
from PIL import Image

import keras_genai
from keras_genai.callbacks import Checkpoints
from keras_genai.runs import Run

pytestmark = pytest.mark.slow


def flip(path, place=0.5, count=8):
    """Turns a few bytes over."""
    data = bytearray(path.read_bytes())
    start = int(place * len(data))
    for index in range(start, min(start + count, len(data))):
        data[index] ^= 0xFF
    path.write_bytes(data)


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path):
    path.write_bytes(b"")


DAMAGE = [flip, truncate, empty]


def in_it(path):
    return re.escape(str(path))


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_gives_way_to_the_one_before(run, damage, capsys):
    last = run.checkpoints / "epoch_002.keras"
    damage(last)
    damaged = last.read_bytes()
    run.train(epochs=3)
    output = capsys.readouterr().out
    assert str(last) in output and "Going on from" in output
    assert "epoch_001.keras instead" in output
    assert run.history()["epoch"] == [0, 1, 2]
    # It is kept, beside what took its place.
    assert last.with_name(f"{last.name}.damaged").read_bytes() == damaged
    assert sorted(path.name for path in run.checkpoints.iterdir()) == [
        *("epoch_002.keras", "epoch_002.keras.damaged", "epoch_003.keras"),
    ]


def test_only_one_of_several_machines_sets_it_aside(run, contents, capsys):
    last = run.checkpoints / "epoch_002.keras"
    flip(last)
    before = contents(run.folder)
    model = keras_genai.load_model(run.model_path)
    checkpoints = Checkpoints(run.checkpoints)
    assert checkpoints.restore(model, set_aside=False) == 1
    assert contents(run.folder) == before
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("damage", DAMAGE)
def test_no_whole_checkpoint_is_no_new_beginning(run, damage, contents):
    for path in run.checkpoints.iterdir():
        damage(path)
    before = contents(run.folder)
    message = f"no checkpoint is complete.*{in_it(run.checkpoints)}"
    with pytest.raises(ValueError, match=message):
        run.train(epochs=3)
    assert contents(run.folder) == before


def test_lost_checkpoints_are_no_new_beginning(run, contents):
    for path in run.checkpoints.iterdir():
        path.unlink()
    before = contents(run.folder)
    with pytest.raises(ValueError, match="2 epochs in its history, but no"):
        run.train(epochs=3)
    assert contents(run.folder) == before


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_model(run, damage, contents):
    damage(run.model_path)
    before = contents(run.folder)
    with pytest.raises(ValueError, match=in_it(run.model_path)):
        keras_genai.load_model(run.model_path)
    with pytest.raises(ValueError, match=in_it(run.model_path)):
        run.evaluate("train")
    assert contents(run.folder) == before


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"[]", b"\xff\xfe{}", b"null", b"{}", b"[" * 100_000),
        b'{"status": "complete"}',
    ],
)
def test_a_broken_record(run, content, contents):
    run.record_path.write_bytes(content)
    before = contents(run.folder)
    message = f"record is broken.*{in_it(run.record_path)}"
    for read in (run.record, run.train, run.evaluate):
        with pytest.raises(ValueError, match=message):
            read()
    assert contents(run.folder) == before


@pytest.mark.parametrize("field", ["seed", "recipe", "status", "seconds"])
def test_a_record_without_a_field(run, field, contents):
    record = run.record()
    record[field] = ["what"]
    run.write_record(record)
    before = contents(run.folder)
    with pytest.raises(ValueError, match=f"'{field}'.*run.json"):
        run.train(epochs=3)
    assert contents(run.folder) == before


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"\xff\xfe", "history is broken"),
        (b"epoch,loss\r\n0,0.5\r\n1,what\r\n", "history is broken"),
        (b"epoch,loss\r\n0,0.5\r\n5,0.5\r\n", "history is broken"),
        (b"epoch,loss\r\n0,0.5,7,8\r\n1\r\n", "history is broken"),
        (b"epoch,loss\r\n0,0.5\r\n1,0.", "history has 1 epochs"),
        (b"epoch,loss\r\n0,0.5,7\r\n1,0.5\r\n", "history is broken"),
        (b"", "history has 0 epochs"),
    ],
)
def test_a_broken_history(run, content, reason, contents):
    run.history_path.write_bytes(content)
    before = contents(run.folder)
    message = f"{reason}.*{in_it(run.history_path)}"
    with pytest.raises(ValueError, match=message):
        run.train(epochs=3)
    assert contents(run.folder) == before


def test_a_torn_last_line_of_the_history_is_one_that_is_not_there(run):
    whole = run.history()
    with run.history_path.open("a") as file:
        file.write("2,0.")
    assert run.history() == whole
    run.train(epochs=3)
    assert run.history()["epoch"] == [0, 1, 2]


def test_damaged_data(run, pixels, tmp_path, contents):
    record = run.record()
    copy = tmp_path / "copy.npz"
    copy.write_bytes(pixels.read_bytes())
    record["recipe"]["source"] = str(copy)
    run.write_record(record)
    truncate(copy)
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=in_it(copy)):
        run.train(epochs=3)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_pictures_scores_and_tokenizers(damage, tmp_path):
    picture = tmp_path / "pictures" / "one.png"
    picture.parent.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), "uint8")
    Image.fromarray(noise).save(picture)
    score = tmp_path / "score.mid"
    keras_genai.write_midi(
        keras_genai.Score([[60 + i] for i in range(9)]), score
    )
    tokenizer = tmp_path / "tokenizer.json"
    keras_genai.CharacterTokenizer("abc").save(tokenizer)
    for path, load in (
        (picture, lambda: keras_genai.load_images(picture.parent)),
        (score, lambda: keras_genai.read_midi(score)),
        (tokenizer, lambda: keras_genai.load_tokenizer(tokenizer)),
    ):
        load()
        damage(path)
        before = path.read_bytes()
        with pytest.raises(ValueError, match=in_it(path)):
            load()
        assert path.read_bytes() == before


def test_commands_say_so_in_one_line(run, capsys):
    from keras_genai.cli import main

    truncate(run.model_path)
    for command in ("evaluate", "export", "generate"):
        assert main([command, str(run.folder)]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and str(run.model_path) in error
    run.record_path.write_text(json.dumps([]))
    for command in ("evaluate", "generate"):
        assert main([command, str(run.folder)]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and str(run.record_path) in error


def test_what_a_killed_writer_left_is_cleared_away(run):
    left = run.folder / "samples" / ".epoch_003.png-a1b2c3d4"
    left.mkdir()
    (left / "epoch_003.png").write_bytes(b"half")
    theirs = run.folder / ".notes-a1b2c3d4"  # of the same form, but not ours
    theirs.mkdir()
    (theirs / "thesis.txt").write_text("years of work")
    # Killed between the two moves that replace an export.
    aside = run.folder / ".export-_2345678"
    aside.mkdir()
    run.export_path.rename(aside / "replaced")
    with Run.open(run.folder).locked():
        assert not left.exists() and not aside.exists()
        assert (run.export_path / "saved_model.pb").is_file()
    assert (theirs / "thesis.txt").read_text() == "years of work"
