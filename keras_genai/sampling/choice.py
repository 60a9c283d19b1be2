"""How the next token is chosen from its logits."""

import dataclasses

import numpy as np
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Choice:
    """How the next token is chosen from its logits.

    Attributes:
        temperature: Float >= 0. Logits are divided by it; 0 takes the
            likeliest token.
        top_k: Integer >= 0. Only so many of the likeliest tokens are drawn
            from; 0 for all.
        top_p: Float in (0, 1]. Only the fewest tokens that have this
            probability together are drawn from.
        min_p: Float in [0, 1]. Only tokens with at least this share of the
            likeliest one's probability are drawn from.
        repetition_penalty: Float > 0. Positive logits of tokens seen before
            are divided by it, negative ones multiplied.
        length_penalty: Float. Beams are ranked by their log-probability over
            `length ** length_penalty`. Above 0 it favours long texts.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    length_penalty: float = 0.0

    @classmethod
    def asked(cls, vocabulary_size, **asked):
        """Makes a choice from a caller's arguments, and checks it.

        Args:
            vocabulary_size: Integer. A larger `top_k` means all tokens.
            **asked: Attributes. `None` means the default, which is off.

        Returns:
            `Choice`.

        Raises:
            ValueError: If one of them is out of range.

        Example:
            >>> Choice.asked(65, top_k=1000, top_p=None).top_k
            65
        """
        asked = {
            name: value.item() if isinstance(value, np.generic) else value
            for name, value in asked.items()
            if value is not None
        }
        if isinstance(asked.get("top_k"), int):
            asked["top_k"] = min(asked["top_k"], vocabulary_size)
        choice = cls(**asked)
        choice.check(vocabulary_size)
        return choice

    def check(self, vocabulary_size):
        """Refuses choices that are out of range.

        Args:
            vocabulary_size: Integer.

        Raises:
            ValueError: If one of its attributes is out of range.
        """
        for name, fits, expected in (
            ("temperature", self.temperature >= 0, "0 or more"),
            (
                "top_k",
                isinstance(self.top_k, int)
                and 0 <= self.top_k <= vocabulary_size,
                f"an integer in [0, {vocabulary_size}]",
            ),
            ("top_p", 0 < self.top_p <= 1, "in (0, 1]"),
            ("min_p", 0 <= self.min_p <= 1, "in [0, 1]"),
            ("repetition_penalty", self.repetition_penalty > 0, "above 0"),
            ("length_penalty", np.isfinite(self.length_penalty), "finite"),
        ):
            if not fits:
                raise ValueError(
                    f"`{name}` must be {expected}. "
                    f"Received: {name}={getattr(self, name)}"
                )

    def tensors(self):
        """Returns the same choice as scalar tensors, for a compiled loop."""
        return Choice(
            tf.constant(self.temperature, "float32"),
            tf.constant(self.top_k, "int32"),
            tf.constant(self.top_p, "float32"),
            tf.constant(self.min_p, "float32"),
            tf.constant(self.repetition_penalty, "float32"),
            tf.constant(self.length_penalty, "float32"),
        )


def asked_choice(temperature, top_k, top_p):
    """Makes a choice from the arguments of an export; the graph checks it.

    Args:
        temperature: Scalar float tensor, 0 or more.
        top_k: Scalar int32 tensor, 0 or more.
        top_p: Scalar float tensor in (0, 1].

    Returns:
        `Choice` of these tensors. If one is out of range, the graph raises
        `tf.errors.InvalidArgumentError`.

    Example:
        >>> choice = asked_choice(*map(tf.constant, (0.8, 40, 0.95)))
        >>> int(choice.top_k)
        40
    """
    tf.debugging.Assert(
        (temperature >= 0) & (top_k >= 0) & (top_p > 0) & (top_p <= 1),
        [
            "Expected temperature and top_k of 0 or more, top_p in (0, 1]. "
            "Received:",
            *(temperature, top_k, top_p),
        ],
    )
    return Choice(temperature, top_k, top_p)


def next_tokens(logits, uniform, choice, seen=None):
    """Draws a token for each row of logits.

    Args:
        logits: Float tensor `(batch, vocabulary_size)`.
        uniform: Float tensor `(batch,)` in [0, 1): the place of the draw in
            the cumulative probabilities.
        choice: `Choice`, of numbers or of scalar tensors.
        seen: Boolean tensor like `logits`: tokens to penalise, or `None`.

    Returns:
        Int32 tensor `(batch,)`.

    Example:
        >>> logits = tf.constant([[0.0, 5.0, 4.0], [1.0, 0.0, 0.0]])
        >>> next_tokens(logits, [0.5, 0.5], Choice(temperature=0.0)).numpy()
        array([1, 0], dtype=int32)
    """
    if seen is not None:
        penalty = choice.repetition_penalty
        weaker = tf.where(logits > 0, logits / penalty, logits * penalty)
        logits = tf.where(seen, weaker, logits)
    scaled = logits / tf.maximum(choice.temperature, 1e-6)
    restricted = (choice.top_k > 0) | (choice.top_p < 1) | (choice.min_p > 0)
    scaled = tf.cond(
        tf.convert_to_tensor(restricted),
        lambda: restrict(scaled, choice.top_k, choice.top_p, choice.min_p),
        lambda: scaled,
    )
    # The draw is the first token at which the cumulative probability passes
    # the uniform number.
    cumulated = tf.cumsum(tf.nn.softmax(scaled), axis=1)
    uniform = tf.convert_to_tensor(uniform)[:, None]  # (batch, 1)
    is_before = cumulated <= uniform * cumulated[:, -1:]
    drawn = tf.reduce_sum(tf.cast(is_before, "int32"), axis=1)
    drawn = tf.minimum(drawn, tf.shape(logits)[1] - 1)
    likeliest = tf.argmax(logits, 1, "int32")
    return tf.where(choice.temperature > 0, drawn, likeliest)


def restrict(logits, top_k=0, top_p=1.0, min_p=0.0):
    """Keeps the likeliest tokens, by three rules, one after another.

    `top_p` counts the probabilities of the tokens that `top_k` keeps, which sum
    to 1, as in the library transformers.

    Args:
        logits: Float tensor `(batch, vocabulary_size)`.
        top_k: Integer, number of tokens to keep; 0 for all.
        top_p: Float: of these, the fewest that have this probability together
            are kept.
        min_p: Float: of these, the ones with at least this share of the
            likeliest one's probability are kept. The likeliest token is always
            kept.

    Returns:
        Float tensor like `logits`, `-inf` for tokens that are not kept.

    Example:
        >>> restrict(tf.constant([[0.0, 2.0, 1.0]]), top_k=2).numpy()
        array([[-inf,   2.,   1.]], dtype=float32)
    """
    logits = tf.convert_to_tensor(logits)
    shape = tf.shape(logits)
    # (batch, vocabulary_size): the likeliest first
    in_order, tokens = tf.math.top_k(logits, logits.shape[1])
    rank = tf.range(shape[1])
    in_order = tf.where((top_k == 0) | (rank < top_k), in_order, -np.inf)
    probabilities = tf.nn.softmax(in_order)
    before = tf.cumsum(probabilities, axis=1, exclusive=True)
    is_kept = (
        ((before < top_p) | (top_p >= 1))
        & (probabilities >= min_p * probabilities[:, :1])
    ) | (rank == 0)
    # Back in the order of the vocabulary.
    rows = tf.repeat(tf.range(shape[0])[:, None], shape[1], axis=1)
    places = tf.stack([rows, tokens], axis=2)
    return tf.scatter_nd(places, tf.where(is_kept, in_order, -np.inf), shape)


def best_beams(
    logits,
    scores,
    ended,
    end_token_id,
    num_beams,
    lengths=None,
    length_penalty=0.0,
):
    """Keeps the likeliest texts, each with one more token.

    Args:
        logits: Float tensor `(batch * num_beams, vocabulary_size)`, the beams
            of a text in a row.
        scores: Float tensor `(batch * num_beams,)`, log-probability of each
            beam's generated tokens.
        ended: Boolean tensor like `scores`. An ended beam goes on with the
            end token, at no cost.
        end_token_id: Integer.
        num_beams: Integer >= 1.
        lengths: Int32 tensor like `scores`: generated tokens of each beam,
            with this one, or `None` if all have the same length.
        length_penalty: Float, or scalar tensor. Beams are ranked by their
            score over `length ** length_penalty`.

    Returns:
        Three tensors `(batch * num_beams,)`, the best beam of a text first:
        int32 tokens; the int32 row of the beam that each continues; float
        scores.

    Example:
        >>> logits = np.log([[0.5, 0.4, 0.1], [0.9, 0.05, 0.05]])
        >>> tokens, rows, scores = best_beams(
        ...     logits, np.log([0.5, 0.4]), [False, False], 2, num_beams=2
        ... )
        >>> tokens.numpy(), rows.numpy(), np.exp(scores).round(2)
        (array([0, 0], dtype=int32), array([1, 0], dtype=int32),
         array([0.36, 0.25]))

    Reference:
        Lowerre, The Harpy speech recognition system, 1976; Wu et al., Google's
        neural machine translation system, 2016, section 7 (lengths).
    """
    logits = tf.convert_to_tensor(logits)
    size = logits.shape[1]
    # log p(beam, token) = log p(beam) + log p(token | beam)
    stays = tf.one_hot(end_token_id, size, 0.0, -np.inf, dtype=logits.dtype)
    gains = tf.where(
        tf.convert_to_tensor(ended)[:, None], stays, tf.nn.log_softmax(logits)
    )
    totals = tf.convert_to_tensor(scores)[:, None] + gains
    ranked = totals
    if lengths is not None:
        lengths = tf.cast(lengths, totals.dtype)
        ranked = totals / (lengths**length_penalty)[:, None]
    # (batch, num_beams * vocabulary_size): all continuations of a text
    totals, ranked = (
        tf.reshape(each, (-1, num_beams * size)) for each in (totals, ranked)
    )
    _, places = tf.math.top_k(ranked, num_beams)
    scores = tf.gather(totals, places, batch_dims=1)
    firsts = tf.range(tf.shape(totals)[0])[:, None] * num_beams
    rows = firsts + places // size
    return tuple(
        tf.reshape(each, (-1,)) for each in (places % size, rows, scores)
    )
