"""LSTMLanguageModel: what was read is kept in two vectors a layer."""

import keras
import numpy as np
from keras import layers, ops

from keras_genai.layers import glorot, layer_seeds
from keras_genai.models.checks import check_at_least_one
from keras_genai.models.language_model import LanguageModel


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
            layers.Dropout(dropout, seed=next(seeds))
            for _ in range(num_layers + 1)
        ]
        self.recurrences = [
            layers.LSTM(
                hidden_dim,
                return_sequences=True,
                return_state=True,
                kernel_initializer=glorot(seeds),
                recurrent_initializer=keras.initializers.Orthogonal(
                    seed=next(seeds)
                ),
                name=f"lstm_{index}",
            )
            for index in range(num_layers)
        ]
        self.head = layers.Dense(
            embedding_dim if tied_embeddings else self.vocabulary_size,
            kernel_initializer=glorot(seeds),
            name="head",
        )
        self(np.zeros((1, 1), "int32"))  # makes the weights

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
            x, *memory = recurrence(x, initial_state=list(memory))
            new_state.append(tuple(memory))
        x = self.head(self.drops[-1](x, training=training))
        if self.tied_embeddings:
            x = ops.matmul(x, ops.transpose(self.token_embedding.embeddings))
        return x, new_state

    def initial_state(self, batch_size):
        zeros = ops.zeros((batch_size, self.hidden_dim), self.compute_dtype)
        return [(zeros, zeros) for _ in self.recurrences]

    def get_config(self):
        config = super().get_config()
        del config["max_sequence_length"]  # there is none
        names = (
            *("embedding_dim", "num_layers", "hidden_dim", "dropout"),
            "tied_embeddings",
        )
        return {**config, **{name: getattr(self, name) for name in names}}
