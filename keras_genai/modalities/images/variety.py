"""Whether samples are as varied as real images."""

import math

import numpy as np

from keras_genai.evaluation.pairs import mean_distance


class ModeCollapse:
    """Compares how far samples are from each other with real images.

    Args:
        doctor: `TrainingDoctor`, with real images as its `reference`.
    """

    def __init__(self, doctor):
        self._doctor = doctor
        self._real = self._spread(doctor.reference)
        self._was_varied = False

    def __call__(self, at_end):
        yield "mode_collapse", self._seen(at_end)

    def _seen(self, at_end):
        doctor = self._doctor
        images = doctor.model.generate(doctor.num_samples, seed=doctor.seed)
        spread, kinds = self._spread(images)
        real_spread, real_kinds = self._real
        alike = spread < 0.5 * real_spread
        of_few_kinds = kinds < 0.5 * real_kinds
        self._was_varied |= not (alike or of_few_kinds)
        warms_up = not self._was_varied and doctor.steps < doctor.warm_up_steps
        if warms_up and not at_end:
            return None
        if alike:
            return (
                f"samples are {spread:.3g} apart on average, real images "
                f"{real_spread:.3g}"
            )
        if of_few_kinds:
            return (
                f"samples fall into {kinds:.1f} classes, real images into "
                f"{real_kinds:.1f} (exponential of the entropy)"
            )

    def _spread(self, images):
        """Mean distance of two images, and the effective number of classes."""
        extractor = self._doctor.extractor
        if extractor is None:
            pixels = np.asarray(images)
            scale = 255.0 if pixels.dtype == np.uint8 else 1.0
            points = pixels.reshape(len(pixels), -1) / scale
        else:
            points = extractor.features(images)
        spread = mean_distance(points)
        if getattr(extractor, "num_classes", None) is None:
            return spread, 1.0
        shares = np.bincount(extractor.classify(images)) / len(points)
        shares = shares[shares > 0]
        return spread, math.exp(-(shares * np.log(shares)).sum())
