"""Runs on several machines: shared steps, and machines without files."""

import contextlib
import dataclasses
from pathlib import Path

from keras_genai.recipes import recipe_from_record


def opened(record, epochs=None):
    """Opens the data of a run and builds its model, the same everywhere.

    Args:
        record: Dictionary, the record of the run.
        epochs: Integer, epochs in all, or `None` for the recipe's.

    Returns:
        Four: the recipe, the data to train on, those to validate on or
        `None`, and the compiled model.

    Raises:
        ValueError: If the data are no longer those of the record.
    """
    import tensorflow as tf

    from keras_genai.replicas import get_strategy

    recipe = recipe_from_record(record["recipe"])
    if epochs is not None:
        recipe = dataclasses.replace(recipe, epochs=epochs)
    if record["deterministic"]:
        tf.config.experimental.enable_op_determinism()
    # Before all else: later TensorFlow cannot connect to other machines.
    strategy = get_strategy(record.get("strategy"))
    dataset = recipe.dataset(record["seed"], record["offline"])
    _check_same_data(record, dataset.examples)
    validation = recipe.validation_dataset(
        record["seed"], record["offline"], dataset
    )
    if validation is None and recipe.validation_split is not None:
        recipe = dataclasses.replace(recipe, validation_split=None)
    with strategy.scope():
        model = recipe.model(dataset, record["seed"])
    return recipe, dataset, validation, model


def follow(record, epochs=None, folder=None):
    """Trains as one of several machines; another machine writes the files.

    Args:
        record: Dictionary, the record of the run, as the chief has it.
        epochs: Integer, epochs in all, or `None` for the recipe's.
        folder: Path of the run's folder, which this machine must be able to
            read, if the run is resumed; or `None` for a new one.

    Raises:
        ConnectionError: If the connection to another machine is lost.
        ValueError: As `check_same_epochs`.
    """
    from keras_genai.callbacks import Checkpoints, RaiseOnNaN

    recipe, dataset, validation, model = opened(record, epochs)
    done = 0
    if folder is not None:
        checkpoints = Checkpoints(Path(folder) / "checkpoints")
        done = checkpoints.restore(model, set_aside=False)
    check_same_epochs(model, done, recipe.epochs)
    with lost_machines_told():
        model.fit(
            dataset,
            validation_data=validation,
            epochs=recipe.epochs,
            initial_epoch=done,
            callbacks=[RaiseOnNaN()],
            verbose=0,
        )


def check_same_epochs(model, done, epochs):
    """Refuses to train if the machines of a run would train different epochs.

    A machine with an old view of the shared folder would resume from another
    checkpoint, with weights that differ from those of the other machines.

    Args:
        model: The model, made in the strategy's scope.
        done: Integer, the epochs that this machine has done.
        epochs: Integer, the number of epochs in all.

    Raises:
        ValueError: If they differ, on every machine.
        ConnectionError: If the connection to another machine is lost.
    """
    import tensorflow as tf

    strategy = model.distribute_strategy
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return

    @tf.function
    def gathered():
        replica = tf.distribute.get_replica_context()
        return replica.all_gather(tf.constant([[done, epochs]]), axis=0)

    with lost_machines_told():
        found = strategy.run(gathered)
    rows = strategy.experimental_local_results(found)[0].numpy().tolist()
    if any(row != rows[0] for row in rows):
        raise ValueError(
            "The machines of a run must begin and end with the same "
            "epochs: give each the same --epochs, and a folder in which it "
            "sees the same checkpoints. Received, one for each machine: "
            + ", ".join(f"done={d} of epochs={e}" for d, e in rows)
        )


@contextlib.contextmanager
def lost_machines_told():
    """Replaces a long error of TensorFlow by one line.

    Raises:
        ConnectionError: If the connection to another machine is lost.
    """
    import tensorflow as tf

    try:
        yield
    except (
        tf.errors.UnavailableError,
        tf.errors.AbortedError,
        tf.errors.DeadlineExceededError,
    ) as error:
        raise ConnectionError(
            "Another machine of the run is gone. Every finished epoch is "
            "kept: start all of them again, each with --resume."
        ) from error


def _check_same_data(record, examples):
    before = record.get("data")
    if before and before.get("digest") != examples.digest:
        raise ValueError(
            "The data have changed since the run was started. "
            f"Expected: {before.get('source')} with digest "
            f"{before.get('digest')}. "
            f"Received: {examples.source} with digest {examples.digest}"
        )
