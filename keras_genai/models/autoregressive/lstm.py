"""LSTMLanguageModel: what was read is kept in two vectors a layer."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from keras_genai.layers import Dropout, glorot, layer_seeds
from keras_genai.models.autoregressive.language_model import LanguageModel
from keras_genai.models.core.checks import check_at_least_one


@keras.saving.register_keras_serializable("keras_genai")
class LSTMLanguageModel(LanguageModel):
    """Long short-term memory, in layers, from token ids to logits of the next.

    A token goes in, the memory changes, and from the memory comes what is
    likely next. It can look back without limit, on what it has not forgotten;
    in training as far as the window begins.

    Args:
        vocabulary_size: Integer >= 1, or `None` for the tokenizer's.
        tokenizer: `keras_genai.data.tokenizers.Tokenizer`, or `None`.
        embedding_dim: Integer >= 1, width of a token's vector. Defaults to
            `128`.
        num_layers: Integer >= 1. Defaults to `2`.
        hidden_dim: Integer >= 1, width of the memory. Defaults to `256`.
        dropout: Float in [0, 1), of what goes into each layer and into the
            last product. Defaults to `0.0`.
        tied_embeddings: Boolean. Whether tokens come out by the vectors that
            they go in by, behind a projection to their width. Defaults to
            `False`.
        seed: Integer, or `None` for one drawn at random.
        **kwargs: `name` and the like, for `keras.Model`.

    Call arguments:
        token_ids: Integer tensor `(batch, length)`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> model = LSTMLanguageModel(vocabulary_size=7, hidden_dim=8, seed=0)
        >>> model(np.zeros((2, 5), "int32")).shape
        TensorShape([2, 5, 7])

    Reference:
        Hochreiter and Schmidhuber, Long short-term memory, 1997; Graves,
        Generating sequences with recurrent neural networks, 2013.
    """

    recipe = {
        "kind": "text",
        "default": {
            "batch_size": 32,
            "epochs": 8,
            "sequence_length": 100,
            "learning_rate": 5e-3,
        },
        "quick": {
            "split": "train[:200000]",
            "epochs": 3,
            "steps_per_epoch": 60,
        },
        "also_called": ("rnn",),
    }

    learning_rate = 5e-3
    xla = True

    def __init__(
        self,
        vocabulary_size=None,
        tokenizer=None,
        embedding_dim=128,
        num_layers=2,
        hidden_dim=256,
        dropout=0.0,
        tied_embeddings=False,
        seed=None,
        **kwargs,
    ):
        super().__init__(vocabulary_size, tokenizer, None, seed, **kwargs)
        check_at_least_one(
            embedding_dim=embedding_dim,
            num_layers=num_layers,
            hidden_dim=hidden_dim,
        )
        self.embedding_dim = embedding_dim
        self.num_layers = num_layers
        self.hidden_dim = hidden_dim
        self.dropout = dropout
        self.tied_embeddings = tied_embeddings

        seeds = layer_seeds(seed, "lstm")
        self.token_embedding = layers.Embedding(
            self.vocabulary_size,
            embedding_dim,
            keras.initializers.RandomNormal(
                stddev=embedding_dim**-0.5, seed=next(seeds)
            ),
            name="token_embedding",
        )
        self.drops = [
            Dropout(dropout, seed=next(seeds)) for _ in range(num_layers + 1)
        ]
        self.recurrences = [
            LSTM(hidden_dim, seeds, name=f"lstm_{index}")
            for index in range(num_layers)
        ]
        self.head = layers.Dense(
            embedding_dim if tied_embeddings else self.vocabulary_size,
            kernel_initializer=glorot(seeds),
            name="head",
        )
        self(np.zeros((1, 1), "int32"))  # makes the weights

    @classmethod
    def make_optimizer(cls, learning_rate):
        """Adam, whose steps are cut where back through time they explode."""
        return keras.optimizers.Adam(learning_rate, global_clipnorm=1.0)

    def call(self, token_ids, training=False):
        state = self.initial_state(ops.shape(token_ids)[0])
        return self._read(token_ids, state, training)[0]

    def extend(self, token_ids, state, position):
        return self._read(token_ids, state)

    def _read(self, token_ids, state, training=False):
        x = self.token_embedding(token_ids)  # (batch, length, embedding_dim)
        new_state = []
        for drop, recurrence, memory in zip(
            self.drops, self.recurrences, state, strict=False
        ):
            x = drop(x, training=training)
            x, memory = recurrence(x, memory)
            new_state.append(memory)
        x = self.head(self.drops[-1](x, training=training))
        if self.tied_embeddings:
            vectors = ops.transpose(self.token_embedding.embeddings)
            x = ops.matmul(x, ops.cast(vectors, x.dtype))
        return ops.cast(x, "float32"), new_state

    def initial_state(self, batch_size):
        zeros = ops.zeros((batch_size, self.hidden_dim), self.compute_dtype)
        return [(zeros, zeros) for _ in self.recurrences]

    def network_signatures(self):
        functions = super().network_signatures()
        logits, _ = functions["logits"]
        # A text at a time: LiteRT has no loop over batches of any size.
        token_ids = tf.TensorSpec((1, None), "int32", "token_ids")
        return {**functions, "logits": (logits, [token_ids])}

    def get_config(self):
        config = super().get_config()
        del config["max_sequence_length"]  # there is none
        names = (
            *("embedding_dim", "num_layers", "hidden_dim", "dropout"),
            "tied_embeddings",
        )
        return {**config, **{name: getattr(self, name) for name in names}}


class LSTM(layers.Layer):
    """A layer of long short-term memory, all times of a window in one call.

        i, f, g, o = x W + h U + b        input, forget, new, output
        c <- sigmoid(f) c + sigmoid(i) tanh(g)
        h <- sigmoid(o) tanh(c)

    What can be done for all times at once is: the product with `W` before the
    recurrence, and the gradients of `W` and `U` after it. It has the weights
    and the results of `keras.layers.LSTM`, which does both a time at a time.
    """

    def __init__(self, hidden_dim, seeds, name=None):
        super().__init__(name=name)
        self.hidden_dim = hidden_dim
        self.seeds = [next(seeds) for _ in range(2)]

    def build(self, input_shape):
        kernel, recurrent_kernel = self.seeds
        width = 4 * self.hidden_dim
        self.kernel = self.add_weight(
            (input_shape[-1], width),
            keras.initializers.GlorotUniform(kernel),
            name="kernel",
        )
        self.recurrent_kernel = self.add_weight(
            (self.hidden_dim, width),
            keras.initializers.Orthogonal(seed=recurrent_kernel),
            name="recurrent_kernel",
        )
        self.bias = self.add_weight((width,), _remembers, name="bias")

    def call(self, x, state):
        x = ops.matmul(x, self.kernel) + self.bias
        h, last_h, last_c = recur(
            ops.transpose(x, (1, 0, 2)),  # (length, batch, 4 * hidden_dim)
            ops.cast(self.recurrent_kernel, x.dtype),
            *state,
        )
        return ops.transpose(h, (1, 0, 2)), (last_h, last_c)


def _remembers(shape, dtype=None):
    """Forget gates begin open (Jozefowicz et al., 2015)."""
    part = shape[0] // 4
    return ops.concatenate(
        [
            ops.zeros(part, dtype),
            ops.ones(part, dtype),
            ops.zeros(2 * part, dtype),
        ]
    )


@tf.custom_gradient
def recur(x, kernel, h, c):
    """Runs the recurrence, and back through time for its gradient.

    Args:
        x: Float tensor `(length, batch, 4 * hidden_dim)`, what the inputs add
            to the gates `i, f, g, o`.
        kernel: Float tensor `(hidden_dim, 4 * hidden_dim)`.
        h: Float tensor `(batch, hidden_dim)`.
        c: Float tensor like `h`.

    Returns:
        Three float tensors: `h` after each time, `(length, batch,
        hidden_dim)`; the last `h`; the last `c`.

    Reference:
        Hochreiter and Schmidhuber, 1997; Gers et al., Learning to forget,
        2000; Werbos, Backpropagation through time, 1990.
    """
    length, width = tf.shape(x)[0], kernel.shape[0]

    def array(factor=1):
        shape = (x.shape[1], factor * width)
        return tf.TensorArray(x.dtype, length, element_shape=shape)

    def forward(time, h, c, all_h, all_c, all_gates):
        gates = x[time] + tf.matmul(h, kernel)
        i, f, g, o = tf.split(gates, 4, axis=1)
        i, f, o = tf.sigmoid(i), tf.sigmoid(f), tf.sigmoid(o)
        g = tf.tanh(g)
        all_h, all_c = all_h.write(time, h), all_c.write(time, c)  # before
        all_gates = all_gates.write(time, tf.concat([i, f, g, o], axis=1))
        c = f * c + i * g
        return time + 1, o * tf.tanh(c), c, all_h, all_c, all_gates

    _, last_h, last_c, *arrays = tf.while_loop(
        lambda time, *_: time < length,
        forward,
        (0, h, c, array(), array(), array(4)),
    )
    before_h, before_c, gates = (each.stack() for each in arrays)
    after_h = tf.concat([before_h[1:], last_h[None]], axis=0)

    def gradient(of_h, of_last_h, of_last_c):
        i, f, g, o = tf.split(gates, 4, axis=2)
        after_c = tf.concat([before_c[1:], last_c[None]], axis=0)
        shown = tf.tanh(after_c)
        # How gates move c, and the output gate h; and how c moves h.
        slopes_c = tf.concat(
            [g * i * (1 - i), before_c * f * (1 - f), i * (1 - g * g)], axis=2
        )
        slopes_h = shown * o * (1 - o)
        slopes = o * (1 - shown * shown)

        def backward(time, of_h_now, of_c, of_gates):
            of_h_now += of_h[time]
            of_c += of_h_now * slopes[time]
            now = tf.concat(
                [
                    tf.tile(of_c, (1, 3)) * slopes_c[time],
                    of_h_now * slopes_h[time],
                ],
                axis=1,
            )
            of_gates = of_gates.write(time, now)
            of_h_before = tf.matmul(now, kernel, transpose_b=True)
            return time - 1, of_h_before, of_c * f[time], of_gates

        _, of_first_h, of_first_c, of_gates = tf.while_loop(
            lambda time, *_: time >= 0,
            backward,
            (length - 1, of_last_h, of_last_c, array(4)),
        )
        of_gates = of_gates.stack()
        of_kernel = tf.matmul(
            tf.reshape(before_h, (-1, width)),
            tf.reshape(of_gates, (-1, 4 * width)),
            transpose_a=True,
        )
        return of_gates, of_kernel, of_first_h, of_first_c

    return (after_h, last_h, last_c), gradient
