"""A damaged `run.json` is refused in one line, by every command."""

import copy
import json
import re

import pytest

from keras_genai.cli import main
from keras_genai.recipes import RECIPES
from keras_genai.runs import new_record
from keras_genai.runs.record import MAX_BYTES, read_record

BIG = 2**70


@pytest.fixture(scope="module")
def complete():
    """What a run wrote that was trained and evaluated."""
    return {
        **new_record(RECIPES["vae"]["default"], 0),
        "status": "complete",
        "strategy": None,
        "tensorboard": False,
        "arguments": {"latent_dim": 2},
        "data": {"source": "mnist_5k/train", "images": 9, "digest": "ab"},
        "alarms": [{"epoch": 2, "name": "mode_collapse", "seen": "so"}],
        "final": {"epoch": 2, "loss": float("nan")},
        "evaluation": {
            "test": {
                "loss": 1.0,
                "samples": {"measures": {"kid": {"value": None}}},
            }
        },
    }


def with_value(record, path, value):
    """A copy, in which a place has another value, or is not there (`...`)."""
    record = copy.deepcopy(record)
    *parents, last = path.split(".")
    place = record
    for name in parents:
        place = place[name]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return record


# Place -> what it may not be; `...` is missing.
WRONG = {
    "status": [..., None, "done", [], {}],
    "recipe": [..., None, [], "vae", {}],
    "seed": [..., None, 4.5, "0", True, BIG, -BIG, [0]],
    "deterministic": [..., None, 0, "no"],
    "offline": [..., None, 1],
    "seconds": [..., None, "1", -1, float("nan"), float("inf"), 10**400, True],
    "versions": [..., None, []],
    "strategy": ["all", 1, []],
    "tensorboard": [None, 1],
    "arguments": [None, []],
    "data": [None, [], {"source": 1}, {"source": "here", "digest": None}],
    "alarms": [None, {}, "none"],
    "final": [
        None,
        [],
        {},
        {"loss": 1},
        {"epoch": 2.5},
        {"epoch": 2, "loss": "low"},
    ],
    "evaluation": [None, [], {"test": []}, {"test": {"samples": []}}],
    "evaluation.test.samples": [
        *({"measures": None}, {"measures": {"kid": 1}}),
        {"measures": {"kid": {}}},
    ],
    "recipe.family": [..., None, [], "VEA"],
    "recipe.source": [None, 1, []],
    "recipe.epochs": [None, 4.5, 0, -1, BIG, True, "2"],
    "recipe.batch_size": [None, 8.0, 0, {}],
    "recipe.model_arguments": [None, [], "width=2"],
    "recipe.learning_rate": [None, "x", -1, float("nan"), 10**400],
    "recipe.image_size": [28, [28.5, 28], "28", {}],
    "recipe.augment": [[], "flip"],
    "recipe.skip_broken": [None, 0],
    "recipe.unheard_of": [1],
}
CASES = [(place, value) for place in WRONG for value in WRONG[place]]


@pytest.mark.parametrize("place, value", CASES)
def test_what_it_may_not_be(complete, place, value):
    data = json.dumps(with_value(complete, place, value)).encode()
    with pytest.raises(ValueError) as caught:
        read_record(data)
    told = str(caught.value)
    assert "\n" not in told and len(told) < 1000
    # It says what is wrong: the place itself, or the table that it is in.
    assert any(part in told for part in [*place.split("."), "family"])


def test_what_it_may_be(complete):
    for record in (complete, new_record(RECIPES["gpt"]["quick"], -1)):
        data = json.dumps(record).encode()
        assert json.dumps(read_record(data)).encode() == data
    # What older versions left out of a recipe has its default.
    older = with_value(complete, "recipe.skip_broken", ...)
    del older["final"]["loss"]  # which is no number
    assert read_record(json.dumps(older).encode()) == older


def test_every_recipe_can_be_read_again():
    for presets in RECIPES.values():
        for recipe in presets.values():
            record = new_record(recipe, 2**63 - 1)
            assert read_record(json.dumps(record).encode()) == record


def test_how_much_it_may_hold(complete):
    nested = [[]]
    for _ in range(100):
        nested = [nested]
    deep = with_value(complete, "arguments.nested", nested)
    with pytest.raises(ValueError, match="nested in more than 32 levels"):
        read_record(json.dumps(deep).encode())
    with pytest.raises(ValueError, match=f"larger than {MAX_BYTES:,} bytes"):
        read_record(json.dumps(complete).encode().ljust(MAX_BYTES + 1))
    assert read_record(json.dumps(complete).encode().ljust(MAX_BYTES))


@pytest.mark.parametrize(
    "place, value",
    [
        *(("final", []), ("evaluation", []), ("alarms", None)),
        *(("seed", BIG), ("recipe.epochs", 4.5), ("data", {"digest": 1})),
        *(("recipe.batch_size", None), ("recipe.model_arguments", [])),
    ],
)
@pytest.mark.parametrize(
    "command",
    [
        *("train --resume RUN --epochs 3", "evaluate RUN", "generate RUN"),
        "compare RUN OTHER",
    ],
)
def test_commands_say_so_in_one_line(
    complete, command, place, value, tmp_path, capsys, contents
):
    for name, record in (
        ("other", complete),
        ("run", with_value(complete, place, value)),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(json.dumps(record))
    before = contents(tmp_path)
    folders = {"RUN": str(tmp_path / "run"), "OTHER": str(tmp_path / "other")}
    assert main([folders.get(word, word) for word in command.split()]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert re.search(r"record is broken.*run.run\.json", told)
    assert contents(tmp_path) == before


def test_a_complete_run_without_final_numbers(complete, tmp_path, capsys):
    record = with_value(complete, "final", ...)
    (tmp_path / "run.json").write_text(json.dumps(record))
    for epochs in ([], ["--epochs", "3"]):
        assert main(["train", "--resume", str(tmp_path), *epochs]) == 2
        told = capsys.readouterr().err
        assert told.count("\n") == 1
        assert re.search(r"record is broken.*'final'.*run\.json", told)


@pytest.mark.slow
@pytest.mark.parametrize("place, value", [("final", ...), ("alarms", None)])
def test_without_a_record_a_model_is_exported_and_shown(
    run, place, value, monkeypatch
):
    from keras_genai.demo import served
    from keras_genai.export import check as exports

    # Neither reads it: what was trained is not lost with its record.
    run.write_record(with_value(run.record(), place, value))
    monkeypatch.setattr(exports, "checked_export", lambda *_: 0.0)
    assert main(["export", str(run.folder)]) == 0
    assert served.load(run.folder).family == "DCGAN"
