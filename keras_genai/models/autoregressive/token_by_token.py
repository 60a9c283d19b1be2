"""What makes its samples a token at a time: text, music and pixels."""

import dataclasses
import functools

import tensorflow as tf

from keras_genai import sampling
from keras_genai.models.core.base import GenerativeModel


class TokenByToken(GenerativeModel):
    """A model that says what the next token is, given those before it.

    A family gives what `sampling.run_loop` asks of it: `vocabulary_size`,
    `max_sequence_length`, `initial_state` and `extend`, and `read_again` where
    it looks back on so many tokens alone.
    """

    compiled_loop = True  # whether XLA compiles the loop of `generate`
    max_sequence_length = None
    end_token_id = -1  # none

    def run_loop(self, loop, until, choice, num_beams=1):
        """Runs `sampling.run_loop` as one graph, kept for the next time.

        Args:
            loop: `sampling.Loop`.
            until: Integer, the place before which to stop.
            choice: `sampling.Choice`.
            num_beams: Integer >= 1.

        Returns:
            `sampling.Loop`.
        """
        inputs = (
            *_values(loop),
            tf.constant(until),
            _values(choice.tensors()),
        )
        # One graph a length of prompts, rounded up. XLA has one for each number
        # of texts, too; without it, one graph takes any number.
        count, room = loop.tokens.shape
        key = (room, num_beams, count if self.compiled_loop else None)
        if key not in self._loops:
            specs = inputs
            if not self.compiled_loop:
                specs = (*_values(_of_any_number(loop)), *inputs[-2:])
            self._loops[key] = tf.function(
                functools.partial(self._loop, num_beams),
                jit_compile=self.compiled_loop,
                autograph=False,
            ).get_concrete_function(*specs)
        return sampling.Loop(*self._loops[key](*inputs))

    @functools.cached_property
    def _loops(self):
        return {}

    def _loop(self, num_beams, *inputs):
        *loop, until, choice = inputs
        loop = sampling.run_loop(
            self,
            sampling.Loop(*loop),
            until,
            sampling.Choice(*choice),
            self.end_token_id,
            num_beams,
        )
        return _values(loop)


def _of_any_number(loop):
    """The form of a loop, whatever the number of its texts."""

    def spec(tensor, batch_axis=0):
        shape = tensor.shape.as_list()
        if shape:
            shape[batch_axis] = None
        return tf.TensorSpec(shape, tensor.dtype)

    specs = tf.nest.map_structure(spec, vars(loop))
    return sampling.Loop(**{**specs, "uniform": spec(loop.uniform, 1)})


def _values(record):
    """The fields of a dataclass, as a tuple that a graph can take."""
    return tuple(
        getattr(record, field.name) for field in dataclasses.fields(record)
    )
