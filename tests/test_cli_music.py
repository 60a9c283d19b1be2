"""The command line, for models of music."""

import json
import types
import wave

import numpy as np
import pytest
from test_cli import refused

from keras_genai import (
    SampleScores,
    Score,
    load_model,
    read_midi,
    write_midi,
)
from keras_genai.cli import main
from keras_genai.evaluation import music_measures
from keras_genai.runs import Run

pytestmark = pytest.mark.slow

LOWEST, HIGHEST = np.array([60, 48]), np.array([67, 55])
SMALL = ["--epochs", "1", "--steps-per-epoch", "2", "--batch-size", "2"]
SMALL += ["--num-layers", "1", "--num-heads", "2", "--hidden-dim", "8"]
SMALL += ["--sequence-length", "24", "--num-steps", "8", "--num-voices", "2"]
SMALL += ["--seed", "0"]


def write_scores(folder, count):
    """Scores of two voices: a note whenever a quarter begins."""
    random = np.random.default_rng(0)
    folder.mkdir()
    for number in range(count):
        events = np.full((16, 2), -1)
        events[::4] = random.integers(LOWEST, HIGHEST + 1, (4, 2))
        write_midi(Score(events), folder / f"{number}.mid")
    return folder


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    return write_scores(tmp_path_factory.mktemp("music") / "songs", 20)


@pytest.fixture(scope="module")
def finished(songs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "music"
    command = ["train", "music_transformer", "--data", str(songs)]
    assert main([*command, *SMALL, "--output", str(folder)]) == 0
    return folder


def test_a_run_leaves_all_that_came_of_it(finished, songs):
    assert {path.name for path in finished.iterdir()} == {
        *("run.json", "history.csv", "history.png", "samples"),
        *("checkpoints", "model.keras", "export"),
    }
    files = {path.name for path in (finished / "samples").iterdir()}
    assert files == {"epoch_001.mid", "epoch_001.png"}
    model = load_model(finished / "model.keras")
    [score] = model.generate(1, num_steps=8, seed=0)
    sample = read_midi(finished / "samples" / "epoch_001.mid", 2)
    np.testing.assert_array_equal(
        sample.pitches(), score.pitches()[: len(sample)]
    )
    record = json.loads((finished / "run.json").read_text())
    assert record["status"] == "complete"
    assert record["data"]["steps"] == 16 * 16  # of 20 pieces, 4 are held out
    assert record["data"]["source"] == f"{songs}/train"
    assert record["arguments"]["max_sequence_length"] == 24
    assert {"nats_per_step", "val_nats_per_step"} < set(record["final"])
    # The ranges of all that there is, so that what is held out can be read.
    assert model.tokenizer.lowest == LOWEST.tolist()
    assert model.tokenizer.highest == HIGHEST.tolist()


def test_run_and_export_compose_alike(finished, tmp_path, capsys):
    command = ["generate", "--num-samples", "2", "--num-steps", "12"]
    command += ["--seed", "3", "--top-k", "5"]
    model = load_model(finished / "model.keras")
    scores = model.generate(2, num_steps=12, top_k=5, seed=3)
    for source in (finished, finished / "export"):
        output = tmp_path / source.name / "made.mid"
        assert main([*command, str(source), "--output", str(output)]) == 0
        files = [output.with_name(f"made-{number}.mid") for number in (1, 2)]
        assert sorted(output.parent.iterdir()) == files
        assert str(files[1]) in capsys.readouterr().out
        for file, score in zip(files, scores, strict=True):
            read = read_midi(file, 2)
            np.testing.assert_array_equal(
                read.pitches(), score.pitches()[: len(read)]
            )


def test_run_and_export_harmonize_alike(finished, tmp_path):
    melody = Score([[50], [-1], [52], [-1], [-1], [48], [-1], [-1]])
    write_midi(melody, tmp_path / "melody.mid")
    command = ["generate", "--melody", str(tmp_path / "melody.mid")]
    command += ["--voice", "1", "--seed", "3"]
    made = []
    for source in (finished, finished / "export"):
        output = tmp_path / f"{source.name}.mid"
        assert main([*command, str(source), "--output", str(output)]) == 0
        made.append(output.read_bytes())
        score = read_midi(output, 2)
        assert score.voice(1) == melody
        assert score.voice(0).pitches().max() >= LOWEST[0]
    assert made[0] == made[1]


def test_a_run_is_heard(finished, tmp_path):
    output = tmp_path / "new" / "made.wav"
    command = ["generate", str(finished), "--num-steps", "4"]
    assert main([*command, "--output", str(output)]) == 0
    with wave.open(str(output)) as sound:
        assert 0 < sound.getnframes() <= sound.getframerate()
    assert list(output.parent.iterdir()) == [output]


def test_evaluate_measures_scores_beside_held_out_pieces(
    finished, songs, capsys
):
    assert main(["evaluate", str(finished), "--seed", "4"]) == 0
    output = capsys.readouterr().out
    results = Run.open(finished).record()["evaluation"]["validation"]
    model = load_model(finished / "model.keras")
    recipe = Run.open(finished).record()["recipe"]
    assert recipe["validation_split"] == "validation"

    from keras_genai import load_scores

    held_out = load_scores(songs, "validation", num_voices=2)
    assert len(held_out.scores) == 2
    nats = model.score(list(held_out.scores))
    # All are as long, so that the mean weighs them alike.
    assert results["nats_per_step_sliding"] == pytest.approx(np.mean(nats))
    assert results["nats_per_step"] > 0
    samples = results["samples"]
    assert (samples["num_samples"], samples["num_steps"]) == (2, 8)
    composed = model.generate(2, num_steps=8, seed=4)
    for name, value in music_measures(composed).items():
        assert samples["measures"][name]["value"] == pytest.approx(value)
        assert f"\n{name} " in output
    for name, value in music_measures(held_out).items():
        assert samples["measures"][name]["held_out"] == pytest.approx(value)
    assert "nats_per_step_sliding" in output


def test_few_files_are_all_trained_on(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Run, "finish", lambda run, model: {})  # no export
    songs, folder = write_scores(tmp_path / "few", 3), tmp_path / "run"
    command = ["train", "music_transformer", "--data", str(songs), *SMALL]
    command += ["--dropout", "0.1", "--tensorboard", "--output", str(folder)]
    assert main(command) == 0
    record = Run.open(folder).record()
    assert record["recipe"]["validation_split"] is None
    assert record["arguments"]["dropout"] == 0.1  # which GPT is handed
    assert "val_loss" not in Run.open(folder).history()
    assert any((folder / "tensorboard").rglob("events.*"))
    assert "has no scores" in refused(capsys, "evaluate", folder)


def test_what_does_not_fit_is_refused(
    finished, songs, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    command = ["train", "music_transformer", "--output", "new", *SMALL]
    for arguments, message in (
        (["--text", songs], "trained on music: --data FOLDER"),
        (["--data", songs, "--image-size", "8", "8"], "reads music"),
        (["--dataset", "mozart"], "Expected 'bach_chorales'"),
        (["--data", songs, "--num-heads", "3"], "must divide"),
    ):
        assert message in refused(capsys, *command, *arguments)
    for source in (finished, finished / "export"):
        for arguments, message in (
            (["--prompt", "la"], "makes music. Received: --prompt 'la'"),
            (["--labels", "1"], "makes music. Received: --labels [1]"),
            (["--num-samples", "0"], "one sample or more"),
            (["--output", "made.png"], ".mid or .wav"),
            (["--voice", "1"], "--melody FILE"),
            (["--melody", "none.mid"], "There is no such file"),
        ):
            assert message in refused(capsys, "generate", source, *arguments)
    export = finished / "export"
    message = refused(capsys, "generate", export, "--output", "made.wav")
    assert "no sound" in message
    message = refused(capsys, "generate", export, "--min-p", "0.1")
    assert "no such choice" in message
    assert list(tmp_path.iterdir()) == []

    write_midi(Score([[80]] + [[-1]] * 7), tmp_path / "high.mid")
    (tmp_path / "made-2.mid").write_bytes(b"mine")
    for source in (finished, export):
        command = ["generate", source, "--melody", "high.mid"]
        for arguments, message in (
            (["--voice", "2"], "[0, 2)"),
            (["--num-steps", "4"], "melody's end"),
            ([], "pitch"),
            (["--num-samples", "2", "--output", "made.mid"], "--overwrite"),
        ):
            assert message in refused(capsys, *command, *arguments)
    assert {path.name for path in tmp_path.iterdir()} == {
        *("high.mid", "made-2.mid")
    }
    assert (tmp_path / "made-2.mid").read_bytes() == b"mine"


def test_music_is_asked_of_no_other_model(tmp_path, capsys):
    path = tmp_path / "tiny.npz"
    np.savez(path, images=np.zeros((8, 8, 8), "uint8"))
    folder = tmp_path / "run"
    command = ["train", "vae", "--data", str(path), "--epochs", "1"]
    command += ["--networks", "dense", "--output", str(folder)]
    assert main(command) == 0
    for source in (folder, folder / "export"):
        message = refused(capsys, "generate", source, "--melody", "a.mid")
        assert "makes images. Received: --melody 'a.mid'" in message


def test_chorales_are_listed(no_tfds_sets, capsys):
    assert main(["list"]) == 0
    output = capsys.readouterr().out
    assert "    bach_chorales " in output
    assert "    music_transformer      quick " in output


def test_scores_are_sampled_every_period(tmp_path):
    asked = []

    def generate(*arguments, seed):
        asked.append((*arguments, seed))
        return [Score([[60], [62]]), Score([[64], [65]])]

    callback = SampleScores(tmp_path / "samples", 2, 2, period=3, seed=5)
    callback.set_model(types.SimpleNamespace(generate=generate))
    for epoch in range(7):
        callback.on_epoch_end(epoch)
    assert asked == [(2, 2, 5)] * 2
    assert {path.name for path in (tmp_path / "samples").iterdir()} == {
        *("epoch_003-1.mid", "epoch_003-2.mid", "epoch_003.png"),
        *("epoch_006-1.mid", "epoch_006-2.mid", "epoch_006.png"),
    }
    second = read_midi(tmp_path / "samples" / "epoch_006-2.mid", 1)
    assert second == Score([[64], [65]])
    with pytest.raises(ValueError, match="num_steps=0"):
        SampleScores(tmp_path, num_steps=0)
