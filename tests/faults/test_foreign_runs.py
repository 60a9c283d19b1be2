"""A run's folder from someone else: nothing outside is written or deleted."""

import os
import shutil

import pytest

import keras_genai
from keras_genai.callbacks import Checkpoints
from keras_genai.cli import main
from keras_genai.files import remove_leftovers
from keras_genai.recipes import get_recipe
from keras_genai.runs import Run
from keras_genai.runs.folder import RunFolder


@pytest.fixture
def new(tmp_path):
    """A run that was just begun."""
    return Run.create(tmp_path / "run", get_recipe("gan"), seed=0)


@pytest.fixture
def outside(tmp_path):
    """A folder that is none of the run's business, with all it may be after."""
    folder = tmp_path / "outside"
    for name in (
        *("thesis.txt", "epoch_001.keras", "epoch_002.keras", "seed_0.png"),
        *("replaced/thesis.txt", "export/thesis.txt", "run/thesis.txt"),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("years of work")
    return folder


@pytest.fixture(scope="module")
def models():
    dcgan, wgan = (
        family((8, 8, 1), latent_dim=2, width=2, seed=0)
        for family in (keras_genai.DCGAN, keras_genai.WGANGP)
    )
    wider = keras_genai.DCGAN((8, 8, 1), latent_dim=2, width=3, seed=0)
    for model in (dcgan, wgan, wider):
        model.compile()
    return dcgan, wgan, wider


# --- Nothing but an empty new run is ever removed ----------------------------


def gone(run):
    """Names a source that is not there."""
    record = run.record()
    record["recipe"]["source"] = str(run.folder / "gone.npz")
    run.write_record({**record, "status": "started"})


@pytest.mark.parametrize(
    "name",
    ["checkpoints/epoch_001.keras", "model.keras", "notes.txt", "history.csv"],
)
def test_a_run_with_something_in_it_is_not_removed(new, name, contents, capsys):
    gone(new)
    (new.folder / name).parent.mkdir(exist_ok=True)
    (new.folder / name).write_text("epoch,loss\n")
    before = contents(new.folder)
    assert main(["train", "--resume", str(new.folder)]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "gone.npz" in told
    assert contents(new.folder) == before


def test_an_empty_new_run_is_removed(new):
    gone(new)
    with pytest.raises(ValueError, match=r"gone\.npz"):
        Run.open(new.folder).train()
    assert list(new.folder.parent.iterdir()) == []


def test_an_empty_new_run_gives_way_to_the_one_that_it_replaced(new, contents):
    (new.folder / "notes").write_text("old")
    before = contents(new.folder)
    with pytest.raises(ValueError, match="no such"):
        Run.create(
            new.folder,
            get_recipe("gan").__class__("GAN", source="no such"),
            seed=1,
            overwrite=True,
        ).train()
    assert contents(new.folder) == before


def test_only_what_is_free_gives_way_to_what_was_replaced(new, contents):
    # Aside is a run, and at its place a folder of which all names look free.
    new._put_aside()
    for left in (".run.json-a1b2c3d4/thesis.txt", ".lock/thesis.txt"):
        (new.folder / left).parent.mkdir(parents=True)
        (new.folder / left).write_text("years of work")
        before = contents(new.folder)
        new._bring_back_replaced()
        assert contents(new.folder) == before
        shutil.rmtree(new.folder)
    new._bring_back_replaced()
    assert new.record()["seed"] == 0


# --- No link is followed for writing -----------------------------------------


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_lock_that_is_a_link(new, outside, link, contents):
    before = contents(outside)
    link(outside / "thesis.txt", new.folder / ".lock")
    with new.locked():
        assert "process" in (new.folder / ".lock").read_text()
    (new.folder / ".lock").symlink_to(outside / "not there")
    with new.locked():
        pass
    assert contents(outside) == before


@pytest.mark.parametrize(
    "name",
    [
        *("checkpoints", "samples", "tensorboard", "tensorboard/train"),
        *("evaluation", "generated", "comparisons", "export/variables"),
        *("samples.gif", ".export-a1b2c3d4", ".lock", "history.csv"),
    ],
)
def test_a_folder_that_is_a_link(new, outside, name, contents, capsys):
    before = contents(outside)
    (new.folder / name).parent.mkdir(exist_ok=True)
    (new.folder / name).symlink_to(outside)
    for command in ("train --resume", "evaluate"):
        assert main([*command.split(), str(new.folder)]) == 2
        told = capsys.readouterr().err
        assert told.count("\n") == 1 and str(new.folder / name) in told
    assert contents(outside) == before
    assert (new.folder / name).is_symlink()


@pytest.mark.parametrize("name", ["samples/epoch_000.png", "history.csv"])
def test_a_pipe(new, name):
    (new.folder / name).parent.mkdir(exist_ok=True)
    os.mkfifo(new.folder / name)
    with pytest.raises(ValueError, match="pipes"), new.locked():
        pass
    if name == "history.csv":
        with pytest.raises(ValueError, match="history is broken: it is no"):
            new.history()


def test_a_file_that_is_a_link_is_replaced(new, outside, contents):
    before = contents(outside)
    record = new.record()
    for name in ("run.json", "history.csv", "history.png", "model.keras"):
        (new.folder / name).unlink(missing_ok=True)
        (new.folder / name).symlink_to(outside / "thesis.txt")
    new.write_record(record)
    assert not new.record_path.is_symlink()
    new.history_path.unlink()
    new.history_path.symlink_to(outside / "history.csv")
    with pytest.raises(ValueError, match="history is broken"):
        new._forget_unfinished_epochs(0)
    (outside / "history.csv").write_text("epoch,d_loss\n0,1.0\n")
    new.draw_history()
    new._forget_unfinished_epochs(0)
    assert new.history_path.read_bytes() == b""
    assert not new.history_path.is_symlink()
    (outside / "history.csv").unlink()
    assert contents(outside) == before


def test_what_a_killed_writer_left_is_no_link(tmp_path, new, outside, contents):
    # `replaced` would come back, `export` and what is beside it be deleted.
    before = contents(outside)
    aside = new.folder / ".export-a1b2c3d4"
    aside.symlink_to(outside)
    remove_leftovers(new.folder)
    (tmp_path / ".run-a1b2c3d4").symlink_to(outside)
    new._forget_replaced()
    shutil.rmtree(outside / "export")
    shutil.rmtree(outside / "replaced")
    kept = {name: before[name] for name in before if name in contents(outside)}
    remove_leftovers(new.folder)
    new._bring_back_replaced()
    assert contents(outside) == kept and aside.is_symlink()


def test_samples_and_comparisons_do_not_follow_a_link(
    new, outside, tmp_path, contents, capsys
):
    before = contents(outside)
    new.history_path.write_text("epoch,d_loss\n0,1.0\n")
    shutil.copytree(new.folder, tmp_path / "other")
    for name in ("generated", "comparisons"):
        (new.folder / name).symlink_to(outside)
    for command in (
        ["generate", str(new.folder)],
        ["compare", str(new.folder), str(tmp_path / "other")],
    ):
        assert main(command) == 2
        told = capsys.readouterr().err
        assert told.count("\n") == 1 and "link in a run" in told
    assert contents(outside) == before


@pytest.mark.parametrize("split", ["../../outside/x", "/tmp/x", "a/b"])
def test_a_split_that_is_a_path(new, outside, split, contents):
    before = contents(outside)
    record = new.record()
    with pytest.raises(ValueError, match="name of a split"):
        new.evaluate(split)
    vae = get_recipe("vae").__class__("VAE", validation_split=split)
    other = Run.create(new.folder.parent / "vae", vae, seed=0)
    with pytest.raises(ValueError, match="name of a split"):
        other.evaluate()
    assert new.record() == record and contents(outside) == before


# --- A folder that is taken away while a run is trained ----------------------


def deleted(folder):
    shutil.rmtree(folder)


def renamed(folder):
    folder.rename(folder.with_name("elsewhere"))


def linked_away(folder):
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to(folder.with_name("elsewhere"))


def exchanged(folder):
    folder.rename(folder.with_name("elsewhere"))
    folder.mkdir()


def a_part_linked_away(folder):
    folder.with_name("elsewhere").mkdir()
    (folder / "checkpoints").symlink_to(folder.with_name("elsewhere"))


def history_deleted(folder):
    (folder / "history.csv").unlink()


@pytest.mark.parametrize(
    "take, reason",
    [
        *((each, "moved away or replaced") for each in (deleted, renamed)),
        *(
            (each, "moved away or replaced")
            for each in (linked_away, exchanged)
        ),
        (a_part_linked_away, "links to other"),
        (history_deleted, "history was deleted"),
    ],
)
def test_a_folder_that_is_taken_away(
    new, models, take, reason, monkeypatch, contents, capsys
):
    import keras
    import numpy as np

    pixels = np.zeros((4, 4, 4, 1), "uint8")
    data = keras_genai.image_dataset(pixels, batch_size=4, seed=0)
    taken = []

    def fit(model, *args, **arguments):
        """Epochs without steps."""
        found = keras.callbacks.CallbackList(arguments["callbacks"][:2])
        found.on_train_begin()
        for epoch in range(4):
            if epoch == 2:
                take(new.folder)
                taken.append(contents(new.folder.parent))
            found.on_epoch_end(epoch, {"loss": 1.0})

    monkeypatch.setattr(keras.Model, "fit", fit)
    monkeypatch.setattr(
        "keras_genai.runs.run.opened",
        lambda *_: (get_recipe("gan"), data, None, models[0]),
    )
    sampler = keras.callbacks.Callback()
    monkeypatch.setattr(Run, "_sampler", lambda *_: sampler)
    assert main(["train", "--resume", str(new.folder)]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and reason in told
    left = contents(new.folder.parent)
    if take in (a_part_linked_away, history_deleted):
        assert new.record()["status"] == "training"
        return
    # Nothing was written there, or anywhere else.
    assert left == taken[0]
    if take is not deleted:
        kept = RunFolder(new.folder.with_name("elsewhere"))
        assert kept.record()["status"] == "training"
        assert kept.history()["epoch"] == [0, 1]


# --- Checkpoints that are none -----------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("other", [1, 2], ids=["another family", "wider"])
def test_a_checkpoint_of_another_model(models, other, tmp_path, capsys):
    model = models[0]
    model.save(tmp_path / "epoch_001.keras")
    expected = model.get_weights()
    models[other].save(tmp_path / "epoch_002.keras")
    for name in ("epoch_².keras", "epoch_٣.keras", "epoch_7.keras"):
        (tmp_path / name).write_bytes(b"no checkpoint")
    (tmp_path / "epoch_004.keras").mkdir()
    os.mkfifo(tmp_path / "epoch_005.keras")
    assert Checkpoints(tmp_path).restore(model) == 1
    told = capsys.readouterr().out
    assert "Expected a checkpoint of this DCGAN" in told
    assert str(tmp_path / "epoch_002.keras") in told
    assert (tmp_path / "epoch_002.keras.damaged").is_file()
    for weight, value in zip(model.get_weights(), expected, strict=True):
        assert (weight == value).all()

    (tmp_path / "epoch_001.keras").unlink()
    (tmp_path / "epoch_002.keras.damaged").rename(tmp_path / "epoch_002.keras")
    with pytest.raises(
        ValueError, match=r"no checkpoint is complete.*epoch_002"
    ):
        Checkpoints(tmp_path).restore(model)
    assert (tmp_path / "epoch_002.keras").is_file()
