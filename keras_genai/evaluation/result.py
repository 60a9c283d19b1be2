"""The result of an evaluation of samples: table, record, picture."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np

from keras_genai.evaluation.verdict import verdict
from keras_genai.files import complete_or_absent
from keras_genai.tables import aligned


@dataclasses.dataclass(frozen=True)
class SampleEvaluation:
    """The measures of samples, and all that is needed to repeat them.

    Attributes:
        measures: Tuple of `Measure`.
        num_samples: Integer, number of samples, of held-out images and of
            images of the floor.
        seed: Integer.
        k: Integer, neighbours of precision and recall.
        extractor: String, name of the extractor.
        extractor_accuracy: Float, its accuracy on the reference, or `None`.
        reference: Dictionary of the source, the count and the digest.
        training: The same for the training images, or `None`.
        samples_digest: String, digest of the pixels of the samples.
        class_names: Tuple of strings, empty if classes are unknown.
        class_shares: Dictionary: `"samples"`, `"reference"` -> shares of
            the classes; empty if classes are unknown.
        shown: Array of samples: the ones most like copies, or without training
            images the first ones.
        nearest: Array of the nearest training image of each, or `None`.
    """

    measures: tuple
    num_samples: int
    seed: int
    k: int
    extractor: str
    extractor_accuracy: float | None
    reference: dict
    training: dict | None
    samples_digest: str
    class_names: tuple
    class_shares: dict
    shown: np.ndarray = dataclasses.field(repr=False)
    nearest: np.ndarray | None = dataclasses.field(repr=False)

    def __getitem__(self, name):
        """The `Measure` of that name."""
        for measure in self.measures:
            if measure.name == name:
                return measure
        known = ", ".join(measure.name for measure in self.measures)
        raise KeyError(f"{name!r}, which is not among {known}")

    def __str__(self):
        """A table with a line for each measure, and the verdict."""
        rows = [("measure", "value", "95 % interval", "floor", "better")]
        for measure in self.measures:
            interval = ""
            if measure.low is not None:
                interval = f"{_number(measure.low)} .. {_number(measure.high)}"
            floor = "" if measure.floor is None else _number(measure.floor)
            rows.append(
                (
                    measure.name,
                    _number(measure.value),
                    interval,
                    floor,
                    measure.better,
                )
            )
        table = aligned(rows, left=(0, 4))
        return f"{table}\n{self._about()}\n{self.verdict}"

    @property
    def verdict(self):
        """One sentence on the distance, the recall and copies."""
        distance = self.measures[0]
        known = {measure.name: measure.value for measure in self.measures}
        return verdict(
            distance.value,
            distance.floor,
            known["recall"],
            known.get("memorised_share"),
        )

    def _about(self):
        accuracy = ""
        if self.extractor_accuracy is not None:
            accuracy = f" (accuracy {self.extractor_accuracy:.2%})"
        return (
            f"{self.num_samples:,} samples, seed {self.seed}, against as many "
            f"of {self.reference['source']} ({self.reference['digest']})\n"
            f"in the features of {self.extractor}{accuracy}"
        )

    def to_dict(self):
        """Returns all but the pictures, in a form that JSON can hold.

        Returns:
            Dictionary. Numbers that are not finite are `None`.
        """
        record = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in ("shown", "nearest")
        }
        record["measures"] = {
            measure.name: {
                name: _finite(value)
                for name, value in dataclasses.asdict(measure).items()
                if name != "name"
            }
            for measure in self.measures
        }
        record["class_names"] = list(self.class_names)
        return record

    def figure(self):
        """Draws the measures beside their floors, the classes, and samples.

        Returns:
            matplotlib `Figure`, which a notebook shows.
        """
        from keras_genai.plotting import plot_evaluation

        return plot_evaluation(
            self.measures,
            self.class_shares,
            self.class_names,
            self.shown,
            self.nearest,
        )

    def save(self, path):
        """Writes `path.json` and `path.png`: both whole, or neither.

        Args:
            path: Path without an ending.
        """
        path = Path(path)
        with (
            complete_or_absent(path.with_name(f"{path.name}.json")) as record,
            complete_or_absent(path.with_name(f"{path.name}.png")) as picture,
        ):
            text = json.dumps(self.to_dict(), indent=2, allow_nan=False)
            record.write_text(text + "\n")
            self.figure().savefig(picture)


def _number(value):
    return (
        f"{value:.4g}" if abs(value) >= 1e-3 or value == 0 else f"{value:.1e}"
    )


def _finite(value):
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
