"""A run: a recipe, trained into a folder that holds all that came of it."""

import csv
import dataclasses
import importlib.metadata
import json
import os
import platform
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from keras_genai.export import check_saved_model, complete_or_absent
from keras_genai.recipes import recipe_from_record
from keras_genai.version import __version__

_FEATURES = 64  # of the extractor that evaluates samples
_MOST_SCORES = 256  # composed to be measured, all at once


class Run:
    """The folder of a run.

    It holds `run.json` (every argument, the data's source and digest,
    versions, seconds, final numbers), `history.csv` and `history.png`,
    `samples/` and `samples.gif`, `checkpoints/`, `model.keras`, `export/`, and
    `evaluation/` once it was evaluated.

    What TensorBoard shows is in `tensorboard/`, where it was asked for.

    Args:
        folder: Path of the folder.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.record_path = self.folder / "run.json"
        self.history_path = self.folder / "history.csv"
        self.checkpoints = self.folder / "checkpoints"
        self.model_path = self.folder / "model.keras"
        self.export_path = self.folder / "export"
        self._replaced = None

    @classmethod
    def create(
        cls,
        folder,
        recipe,
        seed,
        deterministic=False,
        offline=False,
        overwrite=False,
    ):
        """Makes the folder of a new run.

        Args:
            folder: Path of the folder to make.
            recipe: `Recipe` to train.
            seed: Integer, seed of the weights, the data and the noise.
            deterministic: Boolean. Whether the run repeats bit for bit, by
                TensorFlow's op determinism.
            offline: Boolean. Whether the network is left alone.
            overwrite: Boolean. Whether a run that stands there is replaced,
                once the new one has its data and its model.

        Returns:
            `Run`.

        Raises:
            ValueError: If the folder exists and may not be replaced, or
                cannot be written to.
        """
        run = cls(folder)
        run._check_room(overwrite)
        try:
            run._make_room()
            run.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=run.folder):
                pass
        except OSError as error:
            raise ValueError(
                f"The output folder cannot be written to: {error}. Choose "
                f"another with --output. Received: {str(folder)!r}"
            ) from error
        run.write_record(
            {
                "status": "started",
                "recipe": dataclasses.asdict(recipe),
                "seed": seed,
                "deterministic": deterministic,
                "offline": offline,
                "seconds": 0.0,
                "versions": versions(),
            }
        )
        return run

    @classmethod
    def open(cls, folder):
        """Opens the folder of a run that was started before.

        Args:
            folder: Path of the folder.

        Returns:
            `Run`.

        Raises:
            ValueError: If it is not the folder of a run.
        """
        run = cls(folder)
        if not run.record_path.is_file():
            raise ValueError(
                "Expected the folder of a run, with a run.json in it. "
                f"Received: {str(folder)!r}"
            )
        return run

    def record(self):
        """Reads `run.json`.

        Returns:
            Dictionary.

        Raises:
            ValueError: If the file is broken.
        """
        try:
            return json.loads(self.record_path.read_text())
        except json.JSONDecodeError as error:
            raise ValueError(
                f"The record is broken: {error}. "
                f"Received: {str(self.record_path)!r}"
            ) from error

    def write_record(self, record):
        """Writes `run.json`, whole or not at all.

        Args:
            record: Dictionary that JSON can hold.
        """
        with complete_or_absent(self.record_path) as partial:
            partial.write_text(json.dumps(record, indent=2) + "\n")

    def history(self):
        """Reads `history.csv`.

        Returns:
            Dictionary: name -> list of floats, one an epoch.
        """
        if not self.history_path.is_file():
            return {}
        with self.history_path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        # Keras's logger writes "NA" for a validation that there was not.
        return {
            name: [float(row[name]) for row in rows]
            for name in (rows[0] if rows else ())
            if all(row[name] != "NA" for row in rows)
        }

    def train(self, epochs=None, tensorboard=False):
        """Trains, from the start or from the last epoch that was finished.

        Args:
            epochs: Integer, epochs in all, or `None` for the recipe's.
            tensorboard: Boolean. Whether `tensorboard/` is written, now and
                whenever the run is resumed.

        Returns:
            The trained model.

        Raises:
            ImportError: If TensorBoard is asked for and not installed.
            KeyboardInterrupt: If it was interrupted; `train` goes on from the
                last epoch that was finished.
            FloatingPointError: If it diverged.
        """
        import keras
        import tensorflow as tf

        from keras_genai.callbacks import RaiseOnNaN, TrainingDoctor

        record = self.record()
        if record["deterministic"]:
            tf.config.experimental.enable_op_determinism()
        recipe = recipe_from_record(record["recipe"])
        if epochs is not None:
            recipe = dataclasses.replace(recipe, epochs=epochs)
        try:
            dataset = recipe.dataset(record["seed"], record["offline"])
            _same_data(record, dataset.examples)
            validation = recipe.validation_dataset(
                record["seed"], record["offline"], dataset
            )
            model = recipe.model(dataset, record["seed"])
            callbacks = [self._sampler(recipe)]
            tensorboard |= record.get("tensorboard", False)
            if tensorboard:
                held_out = dataset if validation is None else validation
                callbacks.append(
                    self._tensorboard(recipe, model, held_out.examples)
                )
        except Exception:
            if record["status"] == "started":  # there is nothing to resume
                shutil.rmtree(self.folder)
                self._bring_back_replaced()
            raise

        self._forget_replaced()
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
        self._forget_unfinished_epochs()
        doctor = TrainingDoctor(getattr(dataset.examples, "images", None))
        log = keras.callbacks.CSVLogger(self.history_path, append=True)
        started, earlier = time.monotonic(), record["seconds"]
        try:
            model.fit(
                dataset,
                validation_data=validation,
                epochs=recipe.epochs,
                callbacks=[
                    log,
                    *callbacks,
                    doctor,
                    RaiseOnNaN(),
                    # Last, so that an epoch it has saved is wholly recorded.
                    keras.callbacks.BackupAndRestore(
                        self.checkpoints,
                        double_checkpoint=True,
                        delete_checkpoint=False,
                    ),
                ],
            )
            record["status"] = "trained"
        except KeyboardInterrupt:
            record["status"] = "interrupted"
            raise
        except FloatingPointError:
            record["status"] = "diverged"
            raise
        finally:
            if log.csv_file is not None:  # the callback ends with the fit
                log.csv_file.close()
            record["seconds"] = earlier + time.monotonic() - started
            alarms = [alarm._asdict() for alarm in doctor.alarms]
            record["alarms"] = record.get("alarms", []) + alarms
            self.write_record(record)
            self.draw_history()
        with complete_or_absent(self.model_path) as partial:
            model.save(partial)
        return model

    def _sampler(self, recipe):
        from keras_genai import callbacks

        samples = self.folder / "samples"
        if recipe.makes == "text":
            return callbacks.SampleText(samples, recipe.prompt)
        if recipe.makes == "music":
            return callbacks.SampleScores(samples, recipe.num_steps)
        return callbacks.SampleImages(samples, self.folder / "samples.gif")

    def _tensorboard(self, recipe, model, examples):
        from keras_genai.callbacks import TensorBoard

        folder = self.folder / "tensorboard"
        if recipe.makes == "text":
            return TensorBoard(folder, prompt=recipe.prompt)
        if not hasattr(model, "encode"):
            return TensorBoard(folder)
        labels = examples.labels
        return TensorBoard(
            folder,
            images=examples.images[:500] / np.float32(255),
            labels=None if labels is None else labels[:500],
        )

    def finish(self, model):
        """Exports the model, checks the export and writes the final numbers.

        Args:
            model: The trained model.

        Returns:
            Dictionary of the final numbers.
        """
        model.export(self.export_path)
        difference = check_saved_model(self.export_path, model)
        final = {name: values[-1] for name, values in self.history().items()}
        final["epoch"] = int(final["epoch"]) + 1
        final["export_difference"] = difference
        self.write_record(
            {**self.record(), "status": "complete", "final": final}
        )
        return final

    def evaluate(self, split=None, k=500, num_samples=None, seed=0):
        """Evaluates the trained model on held-out data, and records it.

        Samples of images are measured where the data have classes, against
        the split and with the training images for a floor; the measures and
        their picture are also in the folder's `evaluation/SPLIT.json` and
        `.png`. Scores are measured beside the pieces of the split.

        Args:
            split: String, the split to evaluate on, or `None` for the
                recipe's `validation_split`, and where there is none `"test"`.
            k: Integer >= 1, codes an image for the importance-weighted bound
                of a VAE.
            num_samples: Integer, how many samples are measured, or `None` for
                as many as the split has, 10,000 images or 256 scores at most.
            seed: Integer, seed of the samples and their intervals.

        Returns:
            Dictionary: what the model reports in `evaluate`; the bounds of
            a VAE with their standard errors, nats an example, and the better
            one in bits a dimension where its likelihood has bits; the bits a
            character of a language model that slides over the text, or nats a
            step over the scores; under `"samples"` what
            `SampleEvaluation.to_dict` returns, or the `music_measures`.

        Raises:
            ValueError: If there is no such split, it has fewer images than
                `num_samples`, or `k` is below 1.
        """
        from keras_genai import evaluation
        from keras_genai.models import load_model

        record = self.record()
        recipe = recipe_from_record(record["recipe"])
        split = split or recipe.validation_split or "test"
        model = load_model(self.model_path)
        dataset = recipe.dataset(
            record["seed"], record["offline"], split, like=model
        )
        samples = None
        if recipe.makes == "images":
            training = recipe.dataset(record["seed"], record["offline"])
            samples = _measured_samples(
                model, dataset.examples, training.examples, num_samples, seed
            )
        results = model.evaluate(dataset)
        # In tiles a window's first tokens have no context; sliding, they have.
        if recipe.makes == "text":
            results["bits_per_character_sliding"] = (
                evaluation.bits_per_character(model, dataset.examples.texts)
            )
        if recipe.makes == "music":
            scores = list(dataset.examples.scores)
            results["nats_per_step_sliding"] = float(
                np.average(model.score(scores), weights=list(map(len, scores)))
            )
            results["samples"] = _measured_scores(
                model, dataset.examples, num_samples, recipe.num_steps, seed
            )
        if hasattr(model, "log_weights"):
            for name, bound in (
                ("elbo", evaluation.elbo(model, dataset, k=10)),
                (
                    f"importance_weighted_bound_k{k}",
                    evaluation.importance_weighted_bound(model, dataset, k),
                ),
            ):
                results[name] = bound.nats
                results[f"{name}_standard_error"] = bound.standard_error
            results |= _bits(model, recipe, bound.nats)
        if samples is not None:
            samples.save(self.folder / "evaluation" / split)
            results["samples"] = samples.to_dict()
            print(samples)
        evaluations = {**record.get("evaluation", {}), split: results}
        self.write_record({**record, "evaluation": evaluations})
        return results

    def draw_history(self):
        """Writes `history.png`, if there is a history."""
        from keras_genai.plotting import plot_history

        history = self.history()
        if history:
            plot_history(history).savefig(self.folder / "history.png")

    def _forget_unfinished_epochs(self):
        # A run killed between the log and the checkpoint repeats an epoch.
        state = self.checkpoints / "training_metadata.json"
        done = json.loads(state.read_text())["epoch"] if state.exists() else 0
        if not self.history_path.is_file():
            return
        header, *rows = self.history_path.read_text().splitlines(True)
        kept = [row for row in rows if int(row.split(",")[0]) < done]
        if len(kept) < len(rows):
            with complete_or_absent(self.history_path) as partial:
                partial.write_text("".join([header, *kept] if kept else []))

    # A run that is to be replaced stays aside until the new one is sure to
    # start, and comes back if that is refused.

    def _check_room(self, overwrite):
        folder = self.folder
        if not folder.exists() or _is_empty(folder):
            return
        if not overwrite:
            raise ValueError(
                "The folder exists. Choose another with --output, continue "
                "its run with --resume, or start anew with --overwrite. "
                f"Received: {str(folder)!r}"
            )
        if not self.record_path.is_file():
            raise ValueError(
                "Only the folder of a run is ever overwritten; this one has "
                f"no run.json. Received: {str(folder)!r}"
            )

    def _make_room(self):
        if self.folder.exists() and not _is_empty(self.folder):
            aside = tempfile.mkdtemp(
                prefix=f".{self.folder.name}-", dir=self.folder.parent
            )
            self._replaced = Path(aside) / self.folder.name
            self.folder.rename(self._replaced)

    def _bring_back_replaced(self):
        if self._replaced is not None:
            self._replaced.rename(self.folder)
            self._replaced.parent.rmdir()
            self._replaced = None

    def _forget_replaced(self):
        if self._replaced is not None:
            shutil.rmtree(self._replaced.parent)
            self._replaced = None


def next_folder(root, name):
    """Names the folder of the next run: `root/name-001`, `-002`, ...

    Args:
        root: Path of the folder of all runs.
        name: String.

    Returns:
        `pathlib.Path` of a folder that does not exist.
    """
    number = 1
    while (folder := Path(root) / f"{name}-{number:03d}").exists():
        number += 1
    return folder


def versions():
    """Tells what a run was made with.

    Returns:
        Dictionary: name -> version, of Python, the machine and the packages.
    """
    packages = ("keras", "tensorflow", "tensorflow-datasets", "numpy")
    return {
        "keras_genai": __version__,
        **{name: importlib.metadata.version(name) for name in packages},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
    }


def _measured_samples(model, held_out, training, num_samples, seed):
    """The `SampleEvaluation` of a model, or `None` after a line that says why.

    What is wrong with `num_samples` is refused before anything is computed.
    """
    from keras_genai.evaluation import evaluate_samples

    count = num_samples or min(len(held_out), len(training))
    if training.labels is None or len(training.class_names) < 2:
        why = "the images have no classes to train a feature extractor on"
    elif num_samples is None and count <= _FEATURES:
        why = f"they are compared in {_FEATURES} features, with {count} images"
    else:
        return evaluate_samples(
            model, held_out, training, num_samples=num_samples, seed=seed
        )
    print(f"The samples are not evaluated: {why}.")
    return None


def _measured_scores(model, held_out, num_samples, num_steps, seed):
    """The measures of composed scores beside those of held-out pieces."""
    from keras_genai.evaluation import music_measures

    count = num_samples or min(len(held_out.scores), _MOST_SCORES)
    composed = music_measures(model.generate(count, num_steps, seed=seed))
    pieces = music_measures(held_out)
    measures = {
        name: {"value": value, "held_out": pieces[name]}
        for name, value in composed.items()
    }
    print(f"{'measure':32} {'composed':>10} {'held out':>10}")
    for name, measure in measures.items():
        value, piece = measure.values()
        print(f"{name:32} {value:10.3f} {piece:10.3f}")
    print(
        f"{count:,} scores of {num_steps} steps at most, seed {seed}, beside "
        f"{held_out.source} ({held_out.digest})"
    )
    return {
        "measures": measures,
        "num_samples": count,
        "num_steps": num_steps,
        "seed": seed,
        "reference": {
            "source": held_out.source,
            "scores": len(held_out.scores),
            "digest": held_out.digest,
        },
    }


def _bits(model, recipe, nats):
    """A bound in the unit that image families share, where it has bits."""
    from keras_genai import evaluation

    if model.likelihood == "discretized_logistic":
        return {
            "bits_per_dim": evaluation.bits_per_dim(nats, model.image_shape)
        }
    if model.likelihood == "bernoulli" and recipe.binarize:
        return {
            "bits_per_pixel_binary": evaluation.bits_per_pixel_binary(
                nats, model.image_shape
            )
        }
    return {}


def _is_empty(path):
    return path.is_dir() and not any(path.iterdir())


def _same_data(record, images):
    before = record.get("data")
    if before and before["digest"] != images.digest:
        raise ValueError(
            "The data are no longer those that the run was started with. "
            f"Expected: {before['source']} with digest {before['digest']}. "
            f"Received: {images.source} with digest {images.digest}"
        )
