"""LSTMLanguageModel: each layer keeps two vectors of the tokens so far."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from keras_genai.checks import check_at_least_one
from keras_genai.layers import Dropout, glorot, layer_seeds
from keras_genai.models.autoregressive.language_model import LanguageModel
from keras_genai.models.autoregressive.lstm_layer import LSTM


@keras.saving.register_keras_serializable("keras_genai")
class LSTMLanguageModel(LanguageModel):
    """Long short-term memory, in layers, from token ids to logits of the next.

    Each token changes the memory, and the memory predicts the next token. The
    memory has no limit of length, but it forgets. In training it starts empty
    at the beginning of each window.

    Args:
        vocabulary_size: Integer >= 1, or `None` for the tokenizer's.
        tokenizer: `keras_genai.data.tokenizers.Tokenizer`, or `None`.
        embedding_dim: Integer >= 1, width of a token's vector. Defaults to
            `128`.
        num_layers: Integer >= 1. Defaults to `2`.
        hidden_dim: Integer >= 1, width of the memory. Defaults to `256`.
        dropout: Float in [0, 1), the share that is dropped of the inputs of
            each layer and of the last product. Defaults to `0.0`.
        tied_embeddings: Boolean. Whether the logits are products with the
            embeddings of the tokens, after a projection to their width.
            Defaults to `False`.
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
        """Adam, with gradients clipped: through time they can explode."""
        return keras.optimizers.Adam(learning_rate, global_clipnorm=1.0)

    def call(self, token_ids, training=False):
        state = self.initial_state(ops.shape(token_ids)[0])
        logits, _ = self._read(token_ids, state, training)
        return logits  # (batch, length, vocabulary_size)

    def _read(self, token_ids, state, training=False):
        """Logits after each token, and the memory after the last one."""
        x = self.token_embedding(token_ids)  # (batch, length, embedding_dim)
        new_state = []
        # Each layer reads the outputs of the one below it, and its own memory.
        for drop, recurrence, memory in zip(
            self.drops[:-1], self.recurrences, state, strict=True
        ):
            x = drop(x, training=training)
            x, memory = recurrence(x, memory)  # (batch, length, hidden_dim)
            new_state.append(memory)
        # The last product: a logit for each token of the vocabulary.
        x = self.head(self.drops[-1](x, training=training))
        if self.tied_embeddings:  # x is (batch, length, embedding_dim)
            vectors = ops.transpose(self.token_embedding.embeddings)
            x = ops.matmul(x, ops.cast(vectors, x.dtype))
        return ops.cast(x, "float32"), new_state

    # Generation: only the memory is kept of the tokens before.

    def initial_state(self, batch_size):
        zeros = ops.zeros((batch_size, self.hidden_dim), self.compute_dtype)
        return [(zeros, zeros) for _ in self.recurrences]  # h and c

    def extend(self, token_ids, state, position):
        return self._read(token_ids, state)

    def network_signatures(self):
        functions = super().network_signatures()
        logits, _ = functions["logits"]
        # A text at a time: LiteRT has no loop over batches of any size.
        token_ids = tf.TensorSpec((1, None), "int32", "token_ids")
        return {**functions, "logits": (logits, [token_ids])}

    def get_config(self):
        config = super().get_config()
        del config["max_sequence_length"]  # it has no limit
        names = (
            *("embedding_dim", "num_layers", "hidden_dim", "dropout"),
            "tied_embeddings",
        )
        return {**config, **{name: getattr(self, name) for name in names}}
