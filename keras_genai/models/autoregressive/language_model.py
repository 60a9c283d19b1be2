"""The base of language models: vocabulary, loss and units."""

import importlib

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_genai.checks import check_at_least_one
from keras_genai.losses import next_token_losses
from keras_genai.metrics import BitsPerCharacter, NatsPerStep, Perplexity
from keras_genai.models.autoregressive.text_in_out import TextInOut
from keras_genai.models.core.batches import (
    check_token_ids,
    check_weights,
    packed,
)
from keras_genai.replicas import total


class LanguageModel(TextInOut):
    """A model of the next token, given those before it.

        p(token_1, ..., token_n) = product over i of p(token_i | those before)

    A family has `call` for training, from token ids `(batch, length)` to
    logits `(batch, length, vocabulary_size)`; and for generation the same in
    steps: `initial_state(batch_size)`, and `extend(token_ids, state,
    position)`, which returns logits and the new state.

    Args:
        vocabulary_size: Integer >= 1, or `None` for the tokenizer's.
        tokenizer: `keras_genai.data.tokenizers.Tokenizer`,
            `keras_genai.MusicTokenizer`, or `None` for a model of ids only.
        max_sequence_length: Integer >= 1, tokens that the model can look back
            on, the newest included, or `None` where there is no limit.
        seed: Integer, or `None` for one drawn at random.
        **kwargs: `name` and the like, for `keras.Model`.

    Raises:
        ValueError: If there is no vocabulary, or if there are two sizes.
    """

    objective = "the cross-entropy of the next token"
    prediction = "logits of the next token"
    pads = True

    def __init__(
        self,
        vocabulary_size=None,
        tokenizer=None,
        max_sequence_length=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(seed=seed, **kwargs)
        if isinstance(tokenizer, dict):  # from `get_config`
            importlib.import_module(tokenizer["module"])  # registers its class
            tokenizer = keras.saving.deserialize_keras_object(tokenizer)
        if tokenizer is None:
            check_at_least_one(vocabulary_size=vocabulary_size)
        elif vocabulary_size not in (None, tokenizer.vocabulary_size):
            raise ValueError(
                "The model and its tokenizer must have one vocabulary. "
                f"Received: vocabulary_size={vocabulary_size} and a tokenizer "
                f"of {tokenizer.vocabulary_size} ids"
            )
        self.tokenizer = tokenizer
        self.vocabulary_size = vocabulary_size or tokenizer.vocabulary_size
        if max_sequence_length is not None:
            check_at_least_one(max_sequence_length=max_sequence_length)
        self.max_sequence_length = max_sequence_length
        self.loss_tracker = keras.metrics.Mean("loss", dtype="float64")
        self.perplexity = Perplexity()
        if hasattr(tokenizer, "steps_per_token"):  # of music
            self.cost = NatsPerStep(tokenizer.steps_per_token)
        else:
            self.cost = BitsPerCharacter(
                np.ones(self.vocabulary_size, "float32")
                if tokenizer is None
                else tokenizer.characters_per_token
            )

    @property
    def metrics(self):
        return [
            self.loss_tracker,
            self.perplexity,
            self.cost,
            *self._users_metrics,
        ]

    def unpack(self, data):
        """Takes token ids and targets from a batch.

        Args:
            data: A batch, as from `check`.

        Returns:
            Pair of int32 tensors `(batch, length)`.
        """
        token_ids, targets, _ = keras.utils.unpack_x_y_sample_weight(data)
        return token_ids, targets

    # One step: the mean loss of the next token, in nats, over all targets.

    def train_step(self, data):
        token_ids, targets = self.unpack(data)  # (batch, length) each
        with tf.GradientTape() as tape:
            # How likely is each next token, given those before it?
            logits = self(token_ids, training=True)
            # loss = -log p(target), 0 where there is no target
            losses, is_target = next_token_losses(logits, targets)
            # The mean over the targets of the whole batch, on all devices.
            count = total(ops.sum(is_target))
            loss = ops.sum(self.weighed(losses, data))
            loss = loss / ops.maximum(count, 1.0)
        # One step of the optimizer down the gradient.
        self.minimize(loss, tape)
        return self._report(logits, losses, is_target, data)

    def test_step(self, data):
        token_ids, targets = self.unpack(data)
        logits = self(token_ids, training=False)
        losses, is_target = next_token_losses(logits, targets)
        return self._report(logits, losses, is_target, data)

    def _report(self, logits, losses, is_target, data):
        """Updates all metrics, and returns their results."""
        token_ids, targets = self.unpack(data)
        # One by one, because Keras would average the tokens of a row first.
        self.loss_tracker.update_state(
            ops.reshape(self.weighed(losses, data), (-1,)),
            sample_weight=ops.reshape(is_target, (-1,)),
        )
        self.perplexity.update_state(losses, is_target)
        self.cost.update_state(losses, targets)
        if self._users_metrics:
            # Where there is no target, the weight is 0.
            weights = self.weighed(is_target, data)
            self.compare(
                ops.maximum(targets, 0), logits, (token_ids, targets, weights)
            )
        return self.results()

    # Generation.

    def initial_state(self, batch_size):
        """The state before the first token.

        Args:
            batch_size: Integer, or integer scalar tensor.

        Returns:
            Nested tensors, batch first, whose other sizes are fixed.
        """
        raise NotImplementedError

    def extend(self, token_ids, state, position):
        """Reads more tokens.

        Args:
            token_ids: Integer tensor `(batch, length)`.
            state: As from `initial_state` or `extend`.
            position: Integer scalar tensor, tokens read before these.

        Returns:
            Pair: logits `(batch, length, vocabulary_size)`, and the state
            after the last of them.
        """
        raise NotImplementedError

    def read_again(self, token_ids, state):
        """Forgets all but the newest tokens, to have room for more.

        Args:
            token_ids: Integer tensor `(batch, length)`, those to keep; the
                length may be 0.
            state: As from `extend`.

        Returns:
            The state after them, as if they were the first tokens.
        """
        state = self.initial_state(ops.shape(token_ids)[0])
        if token_ids.shape[1]:
            _, state = self.extend(token_ids, state, 0)
        return state

    # Plumbing.

    def check(self, data):
        token_ids, targets, weights = keras.utils.unpack_x_y_sample_weight(data)
        if targets is None:
            raise ValueError(
                "Expected pairs of token ids and targets, as text_dataset "
                "gives. Received: one tensor"
            )
        return packed(
            check_token_ids(token_ids, 0, self.vocabulary_size),
            check_token_ids(targets, -1, self.vocabulary_size),
            check_weights(weights),
        )

    def network_signatures(self):
        def logits(token_ids):
            return {"logits": self(token_ids, training=False)}

        token_ids = tf.TensorSpec((None, None), "int32", "token_ids")
        functions = {} if self.tokenizer is None else self.signatures()
        return {"logits": (logits, [token_ids]), **functions}

    def get_config(self):
        tokenizer = self.tokenizer
        if tokenizer is not None:
            tokenizer = keras.saving.serialize_keras_object(tokenizer)
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "tokenizer": tokenizer,
            "max_sequence_length": self.max_sequence_length,
        }
