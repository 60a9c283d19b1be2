"""MusicTransformer: GPT with relative attention, on scores of some voices."""

import keras
import tensorflow as tf

from keras_genai.models.autoregressive.gpt import GPT
from keras_genai.models.autoregressive.music_in_out import MusicInOut
from keras_genai.models.autoregressive.score_rules import ScoreRules


@keras.saving.register_keras_serializable("keras_genai")
class MusicTransformer(MusicInOut, GPT):
    """Transformer with relative attention, for music in some voices.

    A score is read as groups of tokens: an event of each voice, then the time
    until the next group. Music repeats itself at a distance, a bar or a phrase
    later, rather than at a fixed place. A learned vector for each distance
    tells attention where to look.

    Each token is drawn only from those that a score can have next: no note of
    another voice, no note in the place of a time. A voice that is given is
    kept by the same rules (`ScoreRules`).

    Args:
        tokenizer: `keras_genai.MusicTokenizer`.
        max_sequence_length: Integer >= 1, tokens that attention reaches: as
            many as the windows of the training have, because the vector of
            a distance that never occurs is not trained. Defaults to `256`,
            about ten bars.
        num_layers: Integer >= 1. Defaults to `3`.
        num_heads: Integer >= 1, divides `hidden_dim`. Defaults to `4`.
        hidden_dim: Integer >= 1. Defaults to `96`.
        positions: As in `GPT`. Defaults to `"relative"`.
        seed: Integer, or `None` for one drawn at random.
        **kwargs: The other arguments of `GPT`.

    Call arguments:
        token_ids: Integer tensor `(batch, length)`, `length` at most
            `max_sequence_length`.

    Raises:
        ValueError: If the tokenizer is missing, and as `GPT` raises it.

    Example:
        >>> from keras_genai import MusicTokenizer
        >>> tokenizer = MusicTokenizer(lowest=[60, 48], highest=[72, 60])
        >>> model = MusicTransformer(tokenizer, num_layers=1, seed=0)
        >>> [score] = model.generate(1, num_steps=8, seed=0)
        >>> score.num_voices
        2

    Reference:
        Huang et al., Music Transformer, 2018.
    """

    recipe = {
        "kind": "music",
        "quick": {"epochs": 3, "steps_per_epoch": 50, "num_steps": 64},
        "also_called": ("music",),
    }

    hands_on = True

    def __init__(
        self,
        tokenizer=None,
        max_sequence_length=256,
        num_layers=3,
        num_heads=4,
        hidden_dim=96,
        positions="relative",
        seed=None,
        **kwargs,
    ):
        if not (hasattr(tokenizer, "slots") or isinstance(tokenizer, dict)):
            raise ValueError(
                "Expected `tokenizer` to be a MusicTokenizer. "
                f"Received: tokenizer={tokenizer!r}"
            )
        super().__init__(
            tokenizer=tokenizer,
            max_sequence_length=max_sequence_length,
            num_layers=num_layers,
            num_heads=num_heads,
            hidden_dim=hidden_dim,
            positions=positions,
            seed=seed,
            **kwargs,
        )
        self.rules = ScoreRules(self.tokenizer)

    # Generation. The state is that of GPT, keys and values, and that of the
    # rules: the place in the score, and the given events.

    def initial_state(self, batch_size):
        return self._state_of(self.rules.start(batch_size))

    def _state_of(self, rules):
        """The state before the first token, from that of the rules.

        Args:
            rules: The state of `ScoreRules` before the first token.

        Returns:
            Dictionary of nested tensors, each batch first.
        """
        batch_size = tf.shape(rules["slot"])[0]
        return {"caches": super().initial_state(batch_size), "rules": rules}

    def extend(self, token_ids, state, position):
        logits, caches = super().extend(token_ids, state["caches"], position)
        rules, masked = state["rules"], []
        # After each token in turn: tokens that are not allowed get a
        # probability of 0.
        for index in range(token_ids.shape[1]):
            rules = self.rules.advance(token_ids[:, index], rules)
            allowed = self.rules.allowed(rules)  # (batch, vocabulary_size)
            masked.append(tf.where(allowed, logits[:, index], -1e9))
        logits = tf.stack(masked, axis=1)  # (batch, length, vocabulary_size)
        return logits, {"caches": caches, "rules": rules}

    def read_again(self, token_ids, state):
        caches = super().initial_state(tf.shape(token_ids)[0])
        if token_ids.shape[1]:
            _, caches = super().extend(token_ids, caches, 0)
        return {**state, "caches": caches}  # the place in the score stays
