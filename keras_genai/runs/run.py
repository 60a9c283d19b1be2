"""A run: training and evaluation in one folder."""

import contextlib
import dataclasses
import time
from pathlib import Path

from keras_genai.export import check_saved_model
from keras_genai.export.check import checked_export
from keras_genai.files import complete_or_absent
from keras_genai.modalities import get_modality
from keras_genai.recipes import recipe_from_record
from keras_genai.runs.folder import RunFolder
from keras_genai.runs.machines import (
    check_same_epochs,
    lost_machines_told,
    opened,
)
from keras_genai.runs.measuring import bounds


class Run(RunFolder):
    """The folder of a run: training and evaluation.

    It holds `run.json` (every argument, the data's source and digest,
    versions, seconds, final numbers), `history.csv` and `history.png`,
    `samples/` and `samples.gif`, `checkpoints/`, `model.keras`, `export/`,
    and, once they are needed, `evaluation/`, `generated/` and `comparisons/`.

    Files for TensorBoard are in `tensorboard/`, if the user asked for them.

    Args:
        folder: Path of the folder.
    """

    def train(
        self,
        epochs=None,
        tensorboard=False,
        strategy=None,
        deterministic=False,
        offline=False,
    ):
        """Trains, from the start or from the last finished epoch.

        Args:
            epochs: Integer, epochs in all, or `None` for the recipe's.
            tensorboard: Boolean. Whether `tensorboard/` is written, now and
                whenever the run is resumed.
            strategy: String for `keras_genai.replicas.get_strategy`, now and
                whenever the run is resumed, or `None` for the run's own. On
                several machines the others `follow` this one, the chief.
            deterministic: Boolean. Whether the run repeats bit for bit from
                here on, even if it was not created so.
            offline: Boolean. Whether the network is not used, from here on.

        Returns:
            The trained model.

        Raises:
            ImportError: If TensorBoard is asked for and not installed.
            KeyboardInterrupt: If it was interrupted; the next `train`
                continues from the last finished epoch.
            FloatingPointError: If it diverged.
            ConnectionError: If the connection to another machine is lost.
            OSError: If the folder is deleted, moved away or replaced during
                training: the run ends after that epoch.
            ValueError: If the data have changed, if no checkpoint is complete,
                if several machines would not train the same epochs, if another
                process works in the folder, or if the folder holds links to
                other folders. After such an error the record is unchanged; a
                new run that has only its record is removed.
        """
        with self.locked():
            record = self.record()
            if strategy is not None:
                record["strategy"] = strategy
            record["deterministic"] |= deterministic
            record["offline"] |= offline
            return self._train(record, epochs, tensorboard)

    def _train(self, record, epochs, tensorboard):
        import keras

        from keras_genai.callbacks import (
            Checkpoints,
            RaiseOnNaN,
            TensorBoard,
            TrainingDoctor,
        )

        checkpoints = Checkpoints(self.checkpoints)
        try:
            recipe, dataset, validation, model = opened(record, epochs)
            training = get_modality(recipe.makes).training
            callbacks = [self._sampler(recipe)]
            tensorboard |= record.get("tensorboard", False)
            if tensorboard:
                held_out = dataset if validation is None else validation
                shown = training.tensorboard_arguments(
                    recipe, model, held_out.examples
                )
                callbacks.append(
                    TensorBoard(self.folder / "tensorboard", **shown)
                )
            epochs_done = checkpoints.restore(model)
            check_same_epochs(model, epochs_done, recipe.epochs)
        except Exception:
            if record["status"] == "started":
                self._forget_if_new()
            raise

        self._forget_unfinished_epochs(epochs_done)
        record |= {
            "status": "training",
            "recipe": dataclasses.asdict(recipe),
            "tensorboard": tensorboard,
            # Also those that the recipe leaves to their defaults.
            "arguments": {
                name: value
                for name, value in model.get_config().items()
                if name not in model.network_names
            },
            "data": {
                "source": dataset.examples.source,
                dataset.examples.unit: len(dataset.examples),
                "digest": dataset.examples.digest,
            },
        }
        self.write_record(record)
        self._forget_replaced()
        doctor = TrainingDoctor(**training.doctor_arguments(dataset.examples))
        log = keras.callbacks.CSVLogger(self.history_path, append=True)
        started, earlier = time.monotonic(), record["seconds"]

        def check_place(epoch, logs):
            self.check_place()
            if not self.history_path.is_file():
                raise OSError(
                    "The history was deleted while the run was trained. "
                    f"Received: {str(self.history_path)!r}"
                )

        def take_down():
            if log.csv_file is not None:  # the callback ends with the fit
                log.csv_file.close()
            self.check_place()
            # A clock that was set back must not reduce the time.
            record["seconds"] = earlier + max(0, time.monotonic() - started)
            alarms = [alarm._asdict() for alarm in doctor.alarms]
            record["alarms"] = record.get("alarms", []) + alarms
            self.write_record(record)
            self.draw_history()

        try:
            with lost_machines_told():
                model.fit(
                    dataset,
                    validation_data=validation,
                    epochs=recipe.epochs,
                    initial_epoch=epochs_done,
                    # First check whether the folder still exists. Checkpoints
                    # come last, so that an epoch with a checkpoint is
                    # completely recorded.
                    callbacks=[
                        keras.callbacks.LambdaCallback(
                            on_epoch_end=check_place
                        ),
                        *(log, *callbacks, doctor, RaiseOnNaN()),
                        checkpoints,
                    ],
                )
        except BaseException as error:
            record["status"] = _STATUS_AFTER.get(type(error), "training")
            # For example on a full disk this fails too; the first error is the
            # one to raise.
            with contextlib.suppress(OSError, ValueError):
                take_down()
            raise
        record["status"] = "trained"
        take_down()
        with complete_or_absent(self.model_path) as partial:
            model.save(partial)
        return model

    def _sampler(self, recipe):
        return get_modality(recipe.makes).training.sampler(recipe, self.folder)

    def finish(self, model):
        """Exports the model, checks the export and writes the final numbers.

        Args:
            model: The trained model.

        Returns:
            Dictionary of the final numbers.
        """
        import tensorflow as tf

        with self.locked():
            try:
                difference = checked_export(
                    model,
                    self.export_path,
                    lambda partial: check_saved_model(partial, model),
                )
            except tf.errors.OpError as error:  # most often a full disk
                raise OSError(
                    f"The export cannot be written: {error.message}. "
                    f"Received: {str(self.export_path)!r}"
                ) from error
            history = self.history()
            if not history:
                raise self._broken_history("it has no epoch")
            final = {name: values[-1] for name, values in history.items()}
            final["epoch"] = int(final["epoch"]) + 1
            final["export_difference"] = difference
            self.write_record(
                {**self.record(), "status": "complete", "final": final}
            )
        return final

    def evaluate(
        self, split=None, k=500, num_samples=None, seed=0, offline=False
    ):
        """Evaluates the trained model on held-out data, and records it.

        Samples of images are measured if the data have classes: they are
        compared with the split, and training images give the floor. The
        measures and their picture are also in the folder's
        `evaluation/SPLIT.json` and `.png`. Scores are compared with the pieces
        of the split.

        Args:
            split: String, the split to evaluate on, or `None` for the
                recipe's `validation_split`, or else `"test"`.
            k: Integer >= 1, codes an image for the importance-weighted bound
                of a VAE.
            num_samples: Integer, how many samples are measured, or `None` for
                as many as the split has, 10,000 images or 256 scores at most.
            seed: Integer, seed of the samples and their intervals.
            offline: Boolean. Whether the network is not used, even if the run
                was created with it.

        Returns:
            Dictionary: the metrics of the model's `evaluate`; the bounds of a
            VAE with their standard errors, nats an example, and the better one
            in bits a dimension if its likelihood is discrete; the bits a
            character of a language model that slides over the text, or nats a
            step over the scores; under `"samples"` the result of
            `SampleEvaluation.to_dict`, or the `music_measures`.

        Raises:
            ValueError: If there is no such split, it has fewer images than
                `num_samples`, or `k` is below 1; if another process works in
                the folder, or the folder holds links to other folders.
        """
        with self.locked():
            return self._evaluate(split, k, num_samples, seed, offline)

    def _evaluate(self, split, k, num_samples, seed, offline):
        import tensorflow as tf

        from keras_genai.models import load_model

        record = self.record()
        if record["deterministic"]:
            tf.config.experimental.enable_op_determinism()
        recipe = recipe_from_record(record["recipe"])
        split = split or recipe.validation_split or "test"
        if Path(split).name != split:  # files have its name
            raise ValueError(
                f"Expected the name of a split. Received: split={split!r}"
            )
        model = load_model(self.model_path)
        offline |= record["offline"]
        dataset = recipe.dataset(record["seed"], offline, split, like=model)
        measured, report = get_modality(recipe.makes).training.measure(
            model,
            recipe,
            dataset.examples,
            lambda: recipe.dataset(record["seed"], offline).examples,
            num_samples,
            seed,
        )
        results = {
            **model.evaluate(dataset),
            **bounds(model, recipe, dataset, k),
            **measured,
        }
        if report is not None:
            report.save(self.folder / "evaluation" / split)
            print(report)
        evaluations = {**record.get("evaluation", {}), split: results}
        self.write_record({**record, "evaluation": evaluations})
        return results

    def draw_history(self):
        """Writes `history.png`, if there is a history."""
        from keras_genai.plotting import plot_history

        history = self.history()
        if history:
            with complete_or_absent(self.folder / "history.png") as partial:
                plot_history(history).savefig(partial)

    def _forget_unfinished_epochs(self, done):
        """Cuts the history back to the checkpoint, or refuses to continue."""
        lines = self._history_lines()
        logged = len(lines) - 1
        # A run that was killed between the log and its first checkpoint has
        # logged one epoch, and starts again.
        if not done and logged > 1:
            raise ValueError(
                f"The run has {logged} epochs in its history, but no "
                "checkpoint to resume from. No file was changed. "
                f"Received: {str(self.checkpoints)!r}"
            )
        kept = lines[: done + 1] if done else []
        finished = len(self._parsed(kept).get("epoch", []))
        if finished < done:
            raise ValueError(
                f"The history has {finished} epochs, and the checkpoint "
                f"is of epoch {done}. No file was changed. "
                f"Received: {str(self.history_path)!r}"
            )
        if self.history_path.is_file():  # without an incomplete line
            with complete_or_absent(self.history_path) as partial:
                partial.write_bytes("".join(kept).encode())


# The status after these exceptions; after others it is still "training".
_STATUS_AFTER = {
    KeyboardInterrupt: "interrupted",
    FloatingPointError: "diverged",
}
