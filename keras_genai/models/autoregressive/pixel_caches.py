"""PixelCaches: results of earlier pixels, kept while PixelCNN samples.

The network sees, from the pixel x that is next, two regions:

    v v v v v      v: the vertical stack, all rows above
    v v v v v      h: the horizontal stack, the row on the left
    h h x . .      .: pixels that are not drawn yet

So the vertical stack changes only when a row ends, and the horizontal one with
each pixel. A cache keeps as much of each layer's input as the kernel reaches,
and drops the rest:

    kept "rows"    the last rows of the vertical stack, of every layer
    kept "link"    a row of the input from the vertical to the horizontal stack
    kept "left"    the last pixels of the horizontal stack, of every layer

    a row ends:    push it onto "rows", compute one row of each layer, refill
                   "link", empty "left"
    a pixel ends:  push it onto "left", compute one pixel of each layer
"""

import tensorflow as tf
from keras import ops

from keras_genai.models.autoregressive.gated_convolutions import pushed


class PixelCaches:
    """Computes the next pixel from the caches of those before it."""

    def initial_state(self, batch_size, labels=None):
        _, width, channels = self.image_shape

        def zeros(*shape, dtype="float32"):
            return tf.zeros((batch_size, *shape), dtype)

        return {
            # The rows above, one at a time, and the pixels on the left.
            "rows": zeros(self.first_vertical.reach, width, channels),
            "row": zeros(1, width, channels),
            "pixel": zeros(channels),
            "first": zeros(1, width, self.width, dtype=self.compute_dtype),
            "outputs": zeros(self.head.units),
            "blocks": [
                block.initial_state(batch_size, width) for block in self.blocks
            ],
            "labels": () if labels is None else (labels,),
        }

    def extend(self, token_ids, state, position):
        """Takes in one colour, and gives logits for the next one.

        Args:
            token_ids: Int32 tensor `(batch, 1)`, the colour before.
            state: As from `initial_state`.
            position: Int32 scalar tensor, which colour of the image is next.

        Returns:
            Pair: float32 tensor `(batch, 1, vocabulary_size)`, and the state.
        """
        channels = self.image_shape[2]
        pixel, channel = position // channels, position % channels
        value = tf.cast(token_ids, "float32") / (self.vocabulary_size - 1) - 0.5
        before = tf.range(channels) == (position - 1) % channels
        state = {**state, "pixel": tf.where(before, value, state["pixel"])}
        state = tf.cond(
            channel == 0, lambda: self._begin_pixel(pixel, state), lambda: state
        )
        pixels = self._pixels(state["outputs"], state["pixel"] + 0.5)
        if self.likelihood == "bernoulli":
            ones = tf.gather(pixels.logits, channel, axis=-1)
            logits = tf.stack([tf.zeros_like(ones), ones], axis=-1)
        else:
            levels = tf.range(256, dtype="float32")[:, None, None] / 255.0
            logits = pixels.log_prob_per_dimension(levels)
            logits = tf.transpose(tf.gather(logits, channel, axis=-1))
        return logits[:, None], state

    def _begin_pixel(self, pixel, state):
        """Reads the previous pixel, and computes the outputs for this one."""
        width = self.image_shape[1]
        column = pixel % width
        row = pushed(state["row"], state["pixel"][:, None, None], axis=2)
        row = tf.where(pixel == 0, 0.0, row)  # no pixel on the left
        state = {**state, "row": row}
        state = tf.cond(
            column == 0,
            lambda: self._begin_row(pixel // width, state),
            lambda: state,
        )
        reach = self.first_horizontal.reach
        seen = tf.pad(state["row"], [(0, 0), (0, 0), (reach, 0), (0, 0)])
        left = self.first_horizontal.inside(seen[:, :, -reach:])
        left = left + state["first"][:, :, column, None]
        blocks = []
        for block, kept in zip(self.blocks, state["blocks"], strict=True):
            left, kept = block.next_pixel(left, kept, column)
            blocks.append(kept)
        outputs = self._last(left)[:, 0, 0]
        return {**state, "outputs": outputs, "blocks": blocks}

    def _begin_row(self, number, state):
        """Lets the vertical stack see the row that has been finished."""
        rows = pushed(state["rows"], state["row"], axis=1)
        reach = self.first_vertical.reach
        sides = [(0, 0), (0, 0), (reach, reach), (0, 0)]
        above = self.first_vertical.inside(tf.pad(rows, sides))
        places = ops.cast(self.places, self.compute_dtype)[number]
        for_above, for_left = tf.split(places, 2, axis=-1)
        first, above = above + for_left, above + for_above
        blocks = []
        for block, kept in zip(self.blocks, state["blocks"], strict=True):
            above, kept = block.next_row(above, kept, *state["labels"])
            blocks.append(kept)
        return {
            **state,
            "rows": rows,
            "row": tf.zeros_like(state["row"]),
            "first": first,
            "blocks": blocks,
        }
