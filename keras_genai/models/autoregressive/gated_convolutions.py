"""Gated masked convolutions, which do not see later pixels."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops


class GatedBlock(layers.Layer):
    """A layer of both stacks: gated, and added to its input.

    A vector of the label is added before the gates. Only the horizontal stack
    of the last layer is used.
    """

    def __init__(
        self, width, kernel_size, dilation, num_classes, seeds, last=False
    ):
        super().__init__()
        convolution = {"dilation": dilation, "seeds": seeds}
        self.vertical = MaskedConv2D(
            2 * width, kernel_size, "above", **convolution
        )
        self.horizontal = MaskedConv2D(
            2 * width, kernel_size, "left", **convolution
        )
        self.link = dense(2 * width, seeds)
        self.add_left = dense(width, seeds, zero=True)
        self.add_above = None if last else dense(width, seeds, zero=True)
        self.num_classes = num_classes
        if num_classes is not None:
            self.label_vectors = layers.Dense(
                4 * width, use_bias=False, kernel_initializer="zeros"
            )

    def call(self, above, left, labels=None):
        above, link = self._above(above, self.vertical(above), labels)
        return above, self._left(left, self.horizontal(left), link)

    def _above(self, above, sums, labels):
        """The vertical stack, and its input to the horizontal one."""
        link = self.link(sums)
        if labels is not None:
            one_hot = ops.one_hot(labels, self.num_classes)
            vectors = self.label_vectors(one_hot)[:, None, None]
            for_above, for_left = ops.split(vectors, 2, axis=-1)
            sums, link = sums + for_above, link + for_left
        if self.add_above is not None:
            above = above + self.add_above(_gated(sums))
        return above, link

    def _left(self, left, sums, link):
        return left + self.add_left(_gated(sums + link))

    # The same in pieces, for sampling: a row of the vertical stack, then the
    # row's pixels of the horizontal one. The caches hold as much as kernels
    # reach.

    def initial_state(self, batch_size, row_length):
        width, reach = self.link.units // 2, self.vertical.reach + 1

        def zeros(*shape):
            return tf.zeros((batch_size, *shape), self.compute_dtype)

        return {
            "rows": zeros(reach, row_length, width),
            "link": zeros(1, row_length, 2 * width),
            "left": zeros(1, reach, width),
        }

    def next_row(self, above, kept, labels=None):
        rows = pushed(kept["rows"], above, axis=1)
        reach = self.vertical.reach
        padded = tf.pad(rows, [(0, 0), (0, 0), (reach, reach), (0, 0)])
        sums = self.vertical.inside(padded)
        above, link = self._above(above, sums, labels)
        nothing = tf.zeros_like(kept["left"])
        return above, {"rows": rows, "link": link, "left": nothing}

    def next_pixel(self, left, kept, column):
        seen = pushed(kept["left"], left, axis=2)
        link = kept["link"][:, :, column, None]
        left = self._left(left, self.horizontal.inside(seen), link)
        return left, {**kept, "left": seen}


class MaskedConv2D(layers.Layer):
    """A convolution that does not see later pixels.

    The mask leaves a part of the kernel, each time that it is applied: a mask
    that was written into the weights once would be trained away by the first
    step.

    Args:
        filters: Integer >= 1.
        kernel_size: Odd integer >= 3.
        sees: `"above"`, the rows above and the row itself, by a square
            kernel; or `"left"`, the pixels on the left and the pixel itself,
            by a kernel of one row.
        seeds: Iterator of integers, for the initial weights.
        dilation: Integer >= 1. Defaults to `1`.
        strict: Boolean. Whether the row, or the pixel, itself is left out, as
            it must be once, at the first layer. Defaults to `False`.

    Call arguments:
        x: Float tensor `(batch, height, width, channels)`.

    Returns:
        Float tensor `(batch, height, width, filters)`.
    """

    def __init__(
        self, filters, kernel_size, sees, seeds, dilation=1, strict=False
    ):
        super().__init__()
        self.filters = filters
        self.dilation = dilation
        half = kernel_size // 2
        self.reach = half * dilation
        places = np.arange(kernel_size) - half
        self.mask = np.zeros((kernel_size, kernel_size), "bool")
        self.mask[places < 0 if strict else places <= 0] = True
        if sees == "left":
            self.mask = self.mask.T[:1]
        self.initializer = normal(seeds, self.mask.size / self.mask.sum())

    def build(self, x_shape):
        taps, channels = self.mask.size, x_shape[-1]
        # As a matrix, which Muon needs.
        self.kernel = self.add_weight(
            (taps * channels, self.filters), self.initializer, name="kernel"
        )
        self.bias = self.add_weight((self.filters,), "zeros", name="bias")

    def call(self, x):
        (above, below), (left, right) = self._margins()
        x = ops.pad(x, [(0, 0), (above, 0), (left, max(right, 0)), (0, 0)])
        height, width = ops.shape(x)[1:3]
        # If the mask ends before the pixel itself, the input is shifted too.
        return self.inside(x[:, : height + below, : width + min(right, 0)])

    def inside(self, x):
        """The convolution at places with all their inputs, without margins.

        Args:
            x: Float tensor `(batch, height, width, channels)`.

        Returns:
            Float tensor, smaller by the span of the mask.
        """
        shape = (*self.mask.shape, x.shape[-1], self.filters)
        dtype = self.compute_dtype  # sampling calls this from outside `call`
        kernel = ops.reshape(ops.cast(self.kernel, dtype), shape)
        x = ops.conv(
            ops.cast(x, dtype),
            kernel[self._span()],  # without the masked zeros
            padding="valid",
            dilation_rate=self.dilation,
        )
        return x + ops.cast(self.bias, dtype)

    def _span(self):
        """The part of the kernel that the mask leaves, a rectangle."""
        return tuple(
            slice(places[0], places[-1] + 1)
            for places in (
                np.flatnonzero(self.mask.any(axis=axis)) for axis in (1, 0)
            )
        )

    def _margins(self):
        """How far that reaches beyond a pixel: above and below, left, right."""
        return [
            (
                (size // 2 - span.start) * self.dilation,
                (span.stop - 1 - size // 2) * self.dilation,
            )
            for size, span in zip(self.mask.shape, self._span(), strict=True)
        ]


def _gated(x):
    value, gate = ops.split(x, 2, axis=-1)
    return ops.tanh(value) * ops.sigmoid(gate)


def pushed(kept, new, axis):
    """The cache without its oldest entry, and the newest at the end."""
    oldest = [slice(None)] * axis + [slice(1, None)]
    return tf.concat([kept[tuple(oldest)], new], axis=axis)


def dense(units, seeds, zero=False, name=None):
    initializer = "zeros" if zero else normal(seeds)
    return layers.Dense(units, kernel_initializer=initializer, name=name)


def normal(seeds, scale=1.0):
    """Keeps the variance if the mask leaves `1 / scale` of the inputs."""
    return keras.initializers.VarianceScaling(scale, seed=next(seeds))
