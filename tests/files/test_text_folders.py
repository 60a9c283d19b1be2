"""Folders of texts: splits, what is hidden, what is broken, few of them."""

import dataclasses

import pytest

from keras_genai import load_text, text_dataset
from keras_genai.cli import main
from keras_genai.recipes import get_recipe
from keras_genai.runs import Run

POEM = "Tyger Tyger, burning bright,\nIn the forests of the night;\n"


def write(folder, *names, text=POEM):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}{name}")


def names_of(folder, split):
    """The names at the ends of the texts of a split."""
    texts = load_text(folder, split).texts
    return {text.rpartition("\n")[2] for text in texts}


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("train", "validation", "test"),
        ("Training", "valid", "Testing"),
        ("TRAIN", "val", "Test"),
    ],
)
def test_folders_of_splits_are_the_splits(train, validation, test, tmp_path):
    for folder, count in ((train, 5), (validation, 2), (test, 3)):
        write(tmp_path / folder, *(f"{folder}{i}.txt" for i in range(count)))
    assert names_of(tmp_path, "train") == {f"{train}{i}.txt" for i in range(5)}
    assert names_of(tmp_path, "test") == {f"{test}{i}.txt" for i in range(3)}
    assert names_of(tmp_path, "validation[:1]") == {f"{validation}0.txt"}
    assert len(load_text(tmp_path, "train+validation+test").texts) == 10


def test_one_text_a_split_is_cut_by_characters(tmp_path):
    write(tmp_path, "train/a.txt", "test/b.txt")
    assert load_text(tmp_path, "train[:5]").texts == ("Tyger",)
    assert names_of(tmp_path, "test") == {"test/b.txt"}
    with pytest.raises(ValueError, match="The split has no text"):
        load_text(tmp_path, "validation")


def test_the_rest_of_a_folder_is_said(tmp_path, capsys):
    names = ["a.txt", "b.TXT", "more/c.md", "more/d.Text"]
    write(tmp_path, *names)
    write(tmp_path, ".hidden.txt", "._a.txt", ".ipynb_checkpoints/a.txt")
    write(tmp_path, "__MACOSX/a.txt", "cover.jpg", "b.pdf", "c.pdf")
    assert names_of(tmp_path, "train") == set(names)
    assert load_text(tmp_path)
    output = capsys.readouterr().out
    assert output.count("left out") == 1
    for part in ("2 .pdf", "1 .jpg", "hidden"):
        assert part in output


def test_links_to_folders_are_followed(tmp_path):
    write(tmp_path / "elsewhere", "b.txt")
    write(tmp_path / "texts", "a.txt")
    link = tmp_path / "texts" / "more"
    link.symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert names_of(tmp_path / "texts", "train") == {"a.txt", "b.txt"}


def test_broken_files_are_told_together(tmp_path, capsys):
    write(tmp_path, *(f"{number}.txt" for number in range(12)))
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "wide.txt").write_bytes("abc".encode("utf-16-le"))
    with pytest.raises(ValueError, match="2 of 14 files cannot") as refused:
        load_text(tmp_path)
    for part in ("latin.txt", "wide.txt", "skip_broken=True", "--skip-broken"):
        assert part in str(refused.value)
    capsys.readouterr()
    corpus = load_text(tmp_path, "train+validation+test", skip_broken=True)
    assert len(corpus.texts) == 12
    output = capsys.readouterr().out
    assert "left out: 2 of 14 files" in output and "latin.txt" in output
    dataset = text_dataset(tmp_path, skip_broken=True)
    assert len(dataset.examples.texts) == 10


def test_where_all_are_broken_nothing_is_left(tmp_path):
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    with pytest.raises(ValueError, match="has no text"):
        load_text(tmp_path, skip_broken=True)


def test_a_folder_without_texts_is_refused(tmp_path):
    (tmp_path / "a.pdf").write_bytes(b"%PDF")
    with pytest.raises(ValueError, match=r"no texts \(\.md, \.text, \.txt\)"):
        load_text(tmp_path)


def recipe_for(folder):
    return dataclasses.replace(
        get_recipe("markov"), source=str(folder), sequence_length=8
    )


def test_three_poems_are_trained_on_without_validation(tmp_path, capsys):
    write(tmp_path, "a.txt", "b.txt", "c.txt")
    recipe = recipe_for(tmp_path)
    train = recipe.dataset(seed=0)
    assert names_of(tmp_path, "train") == {"a.txt", "b.txt", "c.txt"}
    assert train.examples.texts == load_text(tmp_path).texts
    assert recipe.validation_dataset(seed=0, like=train) is None
    assert "No validation" in capsys.readouterr().out
    model = recipe.model(train, seed=0)
    assert "val_loss" not in model.fit(train, verbose=0).history


def test_a_split_that_is_asked_for_must_be_there(tmp_path):
    write(tmp_path, "a.txt", "b.txt", "c.txt")
    recipe = recipe_for(tmp_path)
    recipe = dataclasses.replace(recipe, validation_split="test")
    with pytest.raises(ValueError, match="The split has no text"):
        recipe.validation_dataset(seed=0, like=recipe.dataset(seed=0))


def test_folders_with_splits_are_validated_as_they_say(tmp_path):
    write(tmp_path, "train/a.txt", "train/b.txt", "val/c.txt")
    recipe = recipe_for(tmp_path)
    train = recipe.dataset(seed=0)
    validation = recipe.validation_dataset(seed=0, like=train)
    assert validation.examples.texts == (POEM + "val/c.txt",)


def test_the_command_line_passes_over_broken_files(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(Run, "finish", lambda run, model: {})  # no export
    write(tmp_path / "poems", "a.txt", "b.txt")
    (tmp_path / "poems" / "c.txt").write_bytes(b"caf\xe9")
    command = ["train", "markov", "--text", str(tmp_path / "poems")]
    command += ["--sequence-length", "8", "--output", str(tmp_path / "run")]
    assert main(command) != 0
    assert "--skip-broken" in capsys.readouterr().err
    assert main([*command, "--skip-broken"]) == 0
    record = Run.open(tmp_path / "run").record()
    assert record["recipe"]["skip_broken"] is True
    assert record["recipe"]["validation_split"] is None
    assert record["data"]["characters"] == 2 * len(POEM) + 10
