"""The command line, for models of text."""

import json

import pytest
from test_cli import refused

from keras_genai import MarkovChain, load_model
from keras_genai.cli import main
from keras_genai.runs import Run

pytestmark = pytest.mark.slow

TEXT = "the cat sat on the mat; the dog sat on the log.\n" * 30
SMALL = ["--epochs", "1", "--batch-size", "8", "--seed", "0"]
SMALL += ["--sequence-length", "12", "--prompt", "the"]


@pytest.fixture(scope="module")
def text_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "tiny.txt"
    path.write_text(TEXT)
    return str(path)


@pytest.fixture(scope="module")
def finished(text_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "gpt"
    arguments = ["train", "gpt", "--text", text_file, "--output", str(folder)]
    arguments += ["--num-layers", "1", "--hidden-dim", "16"]
    assert main([*arguments, *SMALL]) == 0
    return folder


def test_a_run_leaves_all_that_came_of_it(finished, text_file):
    assert {path.name for path in finished.iterdir()} == {
        *("run.json", "history.csv", "history.png", "samples"),
        *("checkpoints", "model.keras", "export"),
    }
    sample = (finished / "samples" / "epoch_001.txt").read_text()
    assert sample.startswith("the")
    record = json.loads((finished / "run.json").read_text())
    assert record["status"] == "complete"
    assert record["data"]["characters"] == int(0.9 * len(TEXT))
    assert record["data"]["source"] == f"{text_file}/train"
    assert record["recipe"]["sequence_length"] == 12
    assert record["arguments"]["max_sequence_length"] == 12
    assert {"bits_per_character", "val_bits_per_character"} < set(
        record["final"]
    )


@pytest.mark.parametrize(
    "options", [["--prompt", "x = 1"], ["--prompt=x = 1"], ["--prompt", "="]]
)
def test_a_prompt_may_have_an_equals_sign(
    options, text_file, tmp_path, monkeypatch
):
    monkeypatch.setattr(Run, "train", lambda run, *choices: None)
    monkeypatch.setattr(Run, "finish", lambda run, model: None)
    folder = tmp_path / "run"
    arguments = ["train", "gpt", "--text", text_file, "--output", str(folder)]
    assert main([*arguments, *options]) == 0
    prompt = options[-1].removeprefix("--prompt=")
    assert Run.open(folder).record()["recipe"]["prompt"] == prompt


def test_run_and_export_go_on_from_a_prompt_alike(finished, capsys):
    command = ["generate", "--prompt", "the ", "--max-new-tokens", "30"]
    texts = []
    for source in (finished, finished / "export"):
        assert main([*command, "--seed", "3", str(source)]) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
    assert texts[0].startswith("the ")
    model = load_model(finished / "model.keras")
    assert texts[0] == model.generate("the ", 30, seed=3) + "\n"


def test_a_run_is_asked_for_all_that_generate_takes(finished, capsys):
    model = load_model(finished / "model.keras")
    command = ["generate", str(finished), "--prompt", "the "]
    command += ["--max-new-tokens", "20", "--seed", "3"]
    beams = ["--num-beams", "3", "--length-penalty", "0.7"]
    assert main([*command, *beams]) == 0
    expected = model.generate("the ", 20, num_beams=3, length_penalty=0.7)
    assert capsys.readouterr().out == expected + "\n"
    more = ["--min-p", "0.2", "--repetition-penalty", "1.3", "--stop", "t"]
    assert main([*command, *more]) == 0
    expected = model.generate(
        "the ", 20, min_p=0.2, repetition_penalty=1.3, stop="t", seed=3
    )
    assert capsys.readouterr().out == expected + "\n"
    command[1] = finished / "export"
    assert "no such choice" in refused(capsys, *command, "--min-p", "0.2")


def test_evaluate_prints_bits_of_held_out_text(finished, capsys):
    assert main(["evaluate", str(finished)]) == 0
    output = capsys.readouterr().out
    assert "bits_per_character_sliding" in output
    record = json.loads((finished / "run.json").read_text())
    assert record["evaluation"]["validation"]["bits_per_character"] > 0


def test_a_chain_is_trained_and_exported(text_file, tmp_path):
    folder = tmp_path / "markov"
    command = ["train", "markov", "--text", text_file, "--order", "3"]
    command += ["--sequence-length", "100", "--output", str(folder)]
    assert main(command) == 0
    model = load_model(folder / "model.keras")
    assert isinstance(model, MarkovChain) and model.order == 3
    assert (folder / "export" / "saved_model.pb").is_file()


def test_what_does_not_fit_is_refused(finished, text_file, tmp_path, capsys):
    new = tmp_path / "new"
    for arguments, message in (
        (["--data", text_file], "trained on --text FILE"),
        (["--text", text_file, "--image-size", "8", "8"], "reads text"),
        (["--text", tmp_path / "none.txt"], "does not exist"),
        (["--text", text_file, "--num-heads", "3"], "must divide"),
    ):
        command = ["train", "gpt", "--output", new, *arguments]
        assert message in refused(capsys, *command)
        assert not new.exists()
    command = ["train", "dcgan", "--output", new, "--text", text_file]
    assert "trained on images" in refused(capsys, *command)
    assert "--prompt TEXT" in refused(capsys, "generate", finished)
    command = ["generate", finished, "--prompt"]
    assert "an empty string" in refused(capsys, *command, "")
    command += ["the", "--temperature=-1"]
    assert "`temperature` must be" in refused(capsys, *command)
