"""PixelCNN: pixels one after another, each given those before it."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_genai.checks import check_at_least_one, check_choice
from keras_genai.distributions import Bernoulli, DiscretizedLogisticMixture
from keras_genai.layers import layer_seeds
from keras_genai.models.autoregressive.gated_convolutions import (
    GatedBlock,
    MaskedConv2D,
    dense,
)
from keras_genai.models.autoregressive.pixel_caches import PixelCaches
from keras_genai.models.autoregressive.pixels_in_out import (
    LIKELIHOODS,
    PixelsInOut,
)
from keras_genai.models.core.checks import check_image_shape
from keras_genai.models.core.condition import ClassCondition
from keras_genai.replicas import batch_mean


@keras.saving.register_keras_serializable("keras_genai")
class PixelCNN(PixelCaches, PixelsInOut):
    """Gated PixelCNN: the likelihood of an image, pixel by pixel, exactly.

    Pixels are taken row by row, from the left to the right, and the
    probability of an image is the product over its pixels, each given those
    before it:

        log p(x) = sum_i log p(x_i | x_1, ..., x_(i-1))
        loss = -log p(x), nats an image

    Convolutions with masked kernels do not see later pixels, so that one pass
    scores all pixels. There are two stacks of them: one sees all rows above,
    the other sees the pixels on the left in the row itself and the output of
    the first. Layers are gated, `tanh(a) * sigmoid(b)`.

    Sampling goes pixel by pixel through the same loop as text and music, and
    keeps the results of earlier pixels: in total it costs about as much as one
    pass over the image.

    Args:
        image_shape: `(height, width, channels)`. Defaults to `(28, 28, 1)`.
        num_classes: Integer >= 1 for a model of images given their labels, or
            `None`.
        likelihood: `"bernoulli"` (default), of pixels that are 0 or 1; or
            `"discretized_logistic_mixture"`, of 8-bit pixels.
        num_mixtures: Integer >= 1, logistics of a mixture. Defaults to `5`.
        width: Integer >= 1, channels of each stack. Defaults to `16`.
        dilations: Integers >= 1, one a layer: how far apart its kernel's taps
            are. Defaults to `(1, 2, 1, 4, 1, 2)`.
        kernel_size: Odd integer >= 3, of all layers but the first. Defaults
            to `3`.
        first_kernel_size: Odd integer >= 3. Defaults to `13`: a wide kernel on
            pixels costs little.
        head_width: Integer >= 1, channels before the last layer. Defaults to
            `64`.
        seed: Integer, or `None` for one drawn at random.
        **kwargs: `name` and the like, for `keras.Model`.

    Call arguments:
        images: Float tensor `(batch, height, width, channels)`, in [0, 1]; in
            a conditional model a pair of them and integer labels `(batch,)`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> model = PixelCNN((8, 8, 1), width=4, dilations=(1, 2), seed=0)
        >>> model.generate(3, seed=0).shape
        (3, 8, 8, 1)

    Reference:
        van den Oord et al., Conditional image generation with PixelCNN
        decoders, 2016; Salimans et al., PixelCNN++, 2017 (the mixture);
        Ramachandran et al., Fast generation for convolutional autoregressive
        models, 2017 (the caches).
    """

    recipe = {
        "kind": "annealed",
        "default": {
            "batch_size": 8,
            "epochs": 15,
            "binarize": "dynamic",
            "learning_rate": 4e-3,
        },
        "quick": {"split": "train[:1000]", "epochs": 3},
    }

    learning_rate = 4e-3

    def __init__(
        self,
        image_shape=(28, 28, 1),
        num_classes=None,
        likelihood="bernoulli",
        num_mixtures=5,
        width=16,
        dilations=(1, 2, 1, 4, 1, 2),
        kernel_size=3,
        first_kernel_size=13,
        head_width=64,
        seed=None,
        **kwargs,
    ):
        super().__init__(seed=seed, **kwargs)
        check_image_shape(image_shape)
        check_at_least_one(
            num_mixtures=num_mixtures, width=width, head_width=head_width
        )
        for dilation in dilations:
            check_at_least_one(dilations=dilation)
        for name, size in (
            ("kernel_size", kernel_size),
            ("first_kernel_size", first_kernel_size),
        ):
            if not isinstance(size, int) or size < 3 or size % 2 == 0:
                raise ValueError(
                    f"`{name}` must be an odd integer, 3 or more. "
                    f"Received: {name}={size!r}"
                )
        check_choice("likelihood", likelihood, LIKELIHOODS)
        self.image_shape = tuple(image_shape)
        if num_classes is not None:
            self.condition = ClassCondition(num_classes)
        self.likelihood = likelihood
        self.num_mixtures = num_mixtures
        self.width = width
        self.dilations = tuple(dilations)
        self.kernel_size = kernel_size
        self.first_kernel_size = first_kernel_size
        self.head_width = head_width

        seeds = layer_seeds(seed, "pixelcnn")
        size, initial = first_kernel_size, {"seeds": seeds, "strict": True}
        self.first_vertical = MaskedConv2D(width, size, "above", **initial)
        self.first_horizontal = MaskedConv2D(width, size, "left", **initial)
        # A bias for each place, for all images: digits are in the middle.
        self.places = self.add_weight(
            (*self.image_shape[:2], 2 * width), "zeros", name="places"
        )
        self.blocks = [
            GatedBlock(
                width,
                kernel_size,
                dilation,
                num_classes,
                seeds,
                last=number == len(dilations),
            )
            for number, dilation in enumerate(dilations, start=1)
        ]
        self.widen = dense(head_width, seeds)
        channels, k = self.image_shape[2], num_mixtures
        self.head = dense(
            channels
            if likelihood == "bernoulli"
            # Of each channel logits, locations and log-scales; for each pair
            # the weight of the earlier one in the later one's location.
            else k * (3 * channels + channels * (channels - 1) // 2),
            seeds,
            name="head",
        )
        images = np.zeros((1, *self.image_shape), "float32")
        self.outputs_of(images, self.condition.example(1))  # makes the weights
        self.built = True

        self.loss_tracker = keras.metrics.Mean("loss", dtype="float64")
        self.bits_per_dim = keras.metrics.Mean("bits_per_dim", dtype="float64")

    @classmethod
    def make_optimizer(cls, learning_rate):
        """Muon for the matrices, Adam for all else.

        Kernels are stored as matrices from their inputs to their outputs.

        Args:
            learning_rate: Float, or
                `keras.optimizers.schedules.LearningRateSchedule`.

        Returns:
            `keras.optimizers.Muon`.

        Reference:
            Jordan et al., Muon: an optimizer for hidden layers in neural
            networks, 2024.
        """
        return keras.optimizers.Muon(
            learning_rate,
            adam_beta_2=0.99,
            weight_decay=0.0,
            adam_weight_decay=0.0,
        )

    @property
    def metrics(self):
        return [self.loss_tracker, self.bits_per_dim]

    def call(self, inputs, training=False):
        """The mean of each pixel, given those before it."""
        images, labels = self.condition.split(inputs)
        return self.pixels(images, labels).mean

    def outputs_of(self, images, labels=None):
        """The network's outputs for each pixel, given those before it.

        Args:
            images: Float tensor `(batch, height, width, channels)`, in
                [0, 1].
            labels: For a conditional model only: integer tensor `(batch,)`.

        Returns:
            Float tensor `(batch, height, width, n)`.
        """
        self.condition.expect(labels)
        x = images - 0.5  # (batch, height, width, channels)
        places = ops.cast(self.places, self.compute_dtype)
        for_above, for_left = ops.split(places, 2, axis=-1)
        above = self.first_vertical(x)  # (batch, height, width, self.width)
        left = self.first_horizontal(x) + above + for_left
        above = above + for_above
        for block in self.blocks:
            above, left = block(above, left, labels)
        return self._last(left)

    def _last(self, left):
        # (batch, height, width, width of the stack) -> (..., n)
        outputs = self.head(ops.relu(self.widen(ops.relu(left))))
        return ops.cast(outputs, "float32")

    def pixels(self, images, labels=None):
        """p(x_i | those before it) for all pixels, with these before them.

        Args:
            images: Float tensor `(batch, height, width, channels)`, in
                [0, 1].
            labels: For a conditional model only: integer tensor `(batch,)`.

        Returns:
            `keras_genai.distributions.Distribution` of that shape.
        """
        return self._pixels(self.outputs_of(images, labels), images)

    def _pixels(self, outputs, images):
        """A distribution of outputs `(..., n)` and pixels `(..., channels)`.

        Each channel is given the channels before it too.
        """
        if self.likelihood == "bernoulli":
            return Bernoulli(outputs)
        channels, k = self.image_shape[2], self.num_mixtures
        *front, count = ops.shape(outputs)
        # Three rows of k numbers a channel, and one for each pair of channels.
        parts = ops.reshape(outputs, (*front, count // k, k))
        logits, location, log_scale, pairs = ops.split(
            parts, (channels, 2 * channels, 3 * channels), axis=-2
        )
        shifts, pair = [], 0
        for channel in range(channels):
            shift = ops.zeros_like(location[..., 0, :])
            for earlier in range(channel):
                slope = ops.tanh(pairs[..., pair, :])
                seen = images[..., earlier, None] - 0.5
                shift, pair = shift + slope * seen, pair + 1
            shifts.append(shift)
        # Locations start in the middle, scales near 1/16.
        location = location + ops.stack(shifts, axis=-2) + 0.5
        return DiscretizedLogisticMixture(logits, location, log_scale - 2.75)

    def train_step(self, data):
        images, labels = self.unpack(data)
        with tf.GradientTape() as tape:
            # One pass scores all pixels, each given those before it.
            losses = -self.pixels(images, labels).log_prob(images)  # (batch,)
            losses = self.weighed(losses, data)
            loss = batch_mean(losses)

        self.minimize(loss, tape)
        return self._report(losses)

    def test_step(self, data):
        images, labels = self.unpack(data)
        losses = -self.pixels(images, labels).log_prob(images)
        return self._report(self.weighed(losses, data))

    def _report(self, losses):
        self.loss_tracker.update_state(losses)
        self.bits_per_dim.update_state(
            losses / (np.prod(self.image_shape) * np.log(2.0))
        )
        return self.results()

    def get_config(self):
        return {
            **super().get_config(),
            "image_shape": self.image_shape,
            "num_classes": self.num_classes,
            "likelihood": self.likelihood,
            "num_mixtures": self.num_mixtures,
            "width": self.width,
            "dilations": self.dilations,
            "kernel_size": self.kernel_size,
            "first_kernel_size": self.first_kernel_size,
            "head_width": self.head_width,
        }
