"""TokenByToken: models whose samples are made a token at a time."""

import dataclasses
import functools

import tensorflow as tf

from keras_genai import sampling
from keras_genai.models.core.base import GenerativeModel


class TokenByToken(GenerativeModel):
    """A model of the next token, of text, music or pixels.

    A family has the attributes and methods that `sampling.run_loop` calls:
    `vocabulary_size`, `max_sequence_length`, `initial_state` and `extend`; and
    `read_again` where `max_sequence_length` limits how far it looks back.
    """

    compiled_loop = True  # whether XLA compiles the loop of `generate`
    max_sequence_length = None
    end_token_id = -1  # no such token

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
        # A graph for each length, which is a power of two, and with XLA for
        # each number of texts. Without XLA one graph takes any number.
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
    """The shapes of a loop, for any number of texts."""

    def spec(tensor, batch_axis=0):
        shape = tensor.shape.as_list()
        if shape:
            shape[batch_axis] = None
        return tf.TensorSpec(shape, tensor.dtype)

    specs = tf.nest.map_structure(spec, vars(loop))
    return sampling.Loop(**{**specs, "uniform": spec(loop.uniform, 1)})


def _values(record):
    """The fields of a dataclass as a tuple, which a graph can take."""
    return tuple(
        getattr(record, field.name) for field in dataclasses.fields(record)
    )
