"""Pixels in, pixels out: the tasks of a model of pixels in order."""

import keras
import numpy as np
import tensorflow as tf

from keras_genai import sampling
from keras_genai.export.saved_model import graph
from keras_genai.models.autoregressive.token_by_token import TokenByToken
from keras_genai.models.core.batches import after, check_image_batch, packed
from keras_genai.models.core.checks import check_image_array, check_num_samples
from keras_genai.models.core.condition import SEED

LIKELIHOODS = ("bernoulli", "discretized_logistic_mixture")


class PixelsInOut(TokenByToken):
    """Scores images, draws and completes them, and exports all three.

    The model must have `image_shape`, `condition`, `likelihood`, `pixels`,
    `initial_state` and `extend`, as `PixelCNN` does. A token is a colour of a
    pixel, row by row. An extra token without meaning comes before the first
    one.
    """

    @property
    def vocabulary_size(self):
        return 2 if self.likelihood == "bernoulli" else 256

    def check(self, data):
        data = check_image_batch(data, self, 0, 1)
        if self.likelihood != "bernoulli":
            return data
        images, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
        return packed(_check_binary(images), labels, weights)

    def log_prob(self, images, labels=None):
        """The exact log-probability of images.

        Args:
            images: Float array `(batch, height, width, channels)`, in [0, 1].
            labels: Integer array `(batch,)`, for a conditional model only.

        Returns:
            Float32 NumPy array `(batch,)`, nats an image.

        Raises:
            ValueError: If the images have another shape or range, or labels
                are missing.
        """
        images = check_image_array(images, self.image_shape)
        labels = self.condition.array(labels, len(images))
        return self._run("log_prob", images, labels)["log_prob"]

    def generate(self, num_samples=None, seed=None, labels=None):
        """Generates images, pixel by pixel.

        Args:
            num_samples: Integer >= 0. May be left out if `labels` is an array.
            seed: Integer: the same seed gives the same images. Each image has
                draws of its own: more samples leave the first ones unchanged.
                `None` draws a seed from the model's own generator.
            labels: For a conditional model only: integer array
                `(num_samples,)`; one integer, for all of them; or `None` to
                draw labels evenly.

        Returns:
            Float32 NumPy array `(num_samples, height, width, channels)`, in
            [0, 1].

        Raises:
            ValueError: If `num_samples` is negative or missing, or labels are
                out of range.
        """
        num_samples = self.condition.count(num_samples, labels)
        check_num_samples(num_samples)
        seed = self._seed(seed)
        labels = self.condition.given(labels, num_samples, lambda: seed)
        blank = np.zeros((num_samples, *self.image_shape), "float32")
        return self._complete(blank, np.zeros_like(blank), labels, seed)

    def complete(self, images, known, seed=None, labels=None):
        """Draws the pixels of images that are not known.

        They are drawn in order, each given those before it, known or drawn;
        known pixels that come later are kept, but do not influence the drawn
        ones.

        Args:
            images: Float array `(batch, height, width, channels)`, in [0, 1].
            known: Boolean array `(height, width)` or `(batch, height, width)`:
                which pixels are kept. The values of `images` at other pixels
                are ignored.
            seed: Integer, as in `generate`.
            labels: Integer array `(batch,)`, for a conditional model only.

        Returns:
            Float32 NumPy array like `images`.

        Raises:
            ValueError: If the shapes do not agree, if all pixels are known, or
                if labels are missing.
        """
        images = check_image_array(images, self.image_shape)
        known = np.asarray(known)
        shape = images.shape[:3]
        if known.dtype != bool or known.shape not in (shape, shape[1:]):
            raise ValueError(
                f"Expected `known` to be booleans {shape[1:]} or {shape}. "
                f"Received: shape {known.shape} and type {known.dtype}"
            )
        if known.all():
            raise ValueError(
                "Expected images with a hole: some pixels that are not known. "
                "Received: known=True everywhere"
            )
        known = np.broadcast_to(known[..., None], images.shape)
        if self.likelihood == "bernoulli":
            grey = known & (images != 0) & (images != 1)
            if grey.any():
                raise ValueError(
                    "Expected known pixels that are 0 or 1. "
                    f"Received: {grey.sum()} others"
                )
        labels = self.condition.array(labels, len(images))
        return self._complete(images, known, labels, self._seed(seed))

    def _complete(self, images, known, labels, seed):
        complete = self._compiled_function("complete")
        made = complete(
            tf.constant(images, "float32"),
            tf.constant(known, "bool"),
            *([] if labels is None else [tf.constant(labels)]),
            tf.constant(seed, "int32"),
        )
        return made["images"].numpy()

    def signatures(self):
        def generate(num_samples, labels, seed):
            images = tf.zeros((num_samples, *self.image_shape))
            known = tf.zeros_like(images, "bool")
            told = () if labels is None else (labels,)
            return complete(images, known, *told, seed)

        def complete(images, known, *labels_and_seed):
            *told, seed = labels_and_seed
            count, size = tf.shape(images)[0], np.prod(self.image_shape)
            levels = tf.round(images * (self.vocabulary_size - 1))
            tokens = tf.reshape(tf.cast(levels, "int32"), (count, size))
            given = tf.reshape(known, (count, size))
            loop = sampling.start_loop(
                self,
                tf.pad(tokens, [(0, 0), (1, 0)]),
                tf.pad(given, [(0, 0), (1, 0)], constant_values=True),
                size,
                seed,
                state=self.initial_state(count, *told),
            )
            loop = sampling.run_loop(self, loop, size + 1, sampling.Choice())
            made = tf.cast(loop.tokens[:, 1:], "float32")
            made = made / (self.vocabulary_size - 1)
            return {"images": tf.reshape(made, (count, *self.image_shape))}

        def log_prob(images, labels=None):
            return {"log_prob": self.pixels(images, labels).log_prob(images)}

        shape = (None, *self.image_shape)
        images = tf.TensorSpec(shape, "float32", "images")
        known = tf.TensorSpec(shape, "bool", "known")
        told = self.condition.specs
        # One graph, shared with the functions that generate: its loop is most
        # of an export.
        complete = graph(complete, [images, known, *told, SEED])
        return {
            **self.condition.generate_signatures(generate),
            "complete": (complete, [images, known, *told, SEED]),
            "log_prob": (log_prob, [images, *told]),
        }

    def network_signatures(self):
        signatures = self.signatures()
        _, specs = signatures["log_prob"]

        def outputs(images, labels=None):
            return {"outputs": self.outputs_of(images, labels)}

        return {**signatures, "outputs": (outputs, specs)}


def _check_binary(images):
    grey = (images != 0) & (images != 1)
    assertion = tf.debugging.Assert(
        ~tf.reduce_any(grey),
        [
            "Expected pixels that are 0 or 1, as image_dataset(..., "
            "binarize='dynamic') gives; for grey ones there is likelihood="
            "'discretized_logistic_mixture'. Received: other pixels, so many:",
            tf.reduce_sum(tf.cast(grey, "int32")),
        ],
    )
    return after(assertion, images)
