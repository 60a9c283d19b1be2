"""From noise or logits to samples."""

import dataclasses
import statistics

import numpy as np
import tensorflow as tf


def seeded_noise(num_samples, latent_dim, seed):
    """Draws standard normal noise that depends on the seed alone.

    The draw is stateless, so that the same seed gives the same noise in a
    notebook, under `tf.function` and inside an exported SavedModel.

    Args:
        num_samples: Integer, or integer scalar tensor.
        latent_dim: Integer, width of the noise.
        seed: Integer, or integer scalar tensor.

    Returns:
        Float tensor `(num_samples, latent_dim)`, unbounded.

    Example:
        >>> seeded_noise(2, 3, seed=0).shape
        TensorShape([2, 3])
    """
    return tf.random.stateless_normal((num_samples, latent_dim), (seed, 0))


def seeded_labels(num_samples, num_classes, seed):
    """Draws labels, all equally likely, that depend on the seed alone.

    Args:
        num_samples: Integer, or integer scalar tensor.
        num_classes: Integer >= 1.
        seed: Integer, or integer scalar tensor, which may be that of
            `seeded_noise` too.

    Returns:
        Int32 tensor `(num_samples,)` in [0, num_classes).

    Example:
        >>> seeded_labels(4, 10, seed=0).shape
        TensorShape([4])
    """
    return tf.random.stateless_uniform(
        (num_samples,), (seed, 1), 0, num_classes, "int32"
    )


# --- Walks in latent space ---------------------------------------------------


def interpolate(start, end, num_steps, method="spherical"):
    """Walks from one code to another.

    In many dimensions the codes of N(0, 1) lie near a sphere, and a straight
    line cuts through its empty inside: the spherical walk turns from one
    direction to the other, and goes from one length to the other, evenly.

    Args:
        start: Float array `(latent_dim,)`.
        end: Float array `(latent_dim,)`.
        num_steps: Integer >= 2, codes on the way, with both ends.
        method: `"spherical"` (default) or `"linear"`.

    Returns:
        Float32 array `(num_steps, latent_dim)`.

    Raises:
        ValueError: If there are fewer than two steps, or no such method.

    Example:
        >>> interpolate(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 3).round(2)
        array([[1.  , 0.  ],
               [0.71, 0.71],
               [0.  , 1.  ]], dtype=float32)

    Reference:
        White, Sampling generative networks, 2016, section 2.1.
    """
    if num_steps < 2 or method not in ("spherical", "linear"):
        raise ValueError(
            "Expected two steps or more, `spherical` or `linear`. "
            f"Received: num_steps={num_steps}, method={method!r}"
        )
    start, end = (np.asarray(code, "float64") for code in (start, end))
    share = np.linspace(0.0, 1.0, num_steps)[:, None]
    straight = (1.0 - share) * start + share * end
    lengths = np.linalg.norm(start), np.linalg.norm(end)
    if method == "linear" or not min(lengths) > 0:
        return straight.astype("float32")
    first, last = start / lengths[0], end / lengths[1]
    angle = np.arccos(np.clip(first @ last, -1.0, 1.0))
    if np.sin(angle) < 1e-6:  # one direction, or opposite ones
        return straight.astype("float32")
    turning = (
        np.sin((1.0 - share) * angle) * first + np.sin(share * angle) * last
    )
    length = (1.0 - share) * lengths[0] + share * lengths[1]
    return (length * turning / np.sin(angle)).astype("float32")


def latent_grid(num_columns, coverage=0.98):
    """Codes of a plane on a grid, as dense as N(0, 1) is.

    Args:
        num_columns: Integer >= 2, codes along each of the two axes.
        coverage: Float in (0, 1), probability between the first column and
            the last. Defaults to `0.98`.

    Returns:
        Float32 array `(num_columns ** 2, 2)`, row by row, the second latent
        falling from row to row as in a diagram.

    Example:
        >>> latent_grid(2, coverage=0.5).round(2)
        array([[-0.67,  0.67],
               [ 0.67,  0.67],
               [-0.67, -0.67],
               [ 0.67, -0.67]], dtype=float32)

    Reference:
        Kingma and Welling, 2014, figure 4.
    """
    tail = (1.0 - coverage) / 2
    quantiles = [
        statistics.NormalDist().inv_cdf(share)
        for share in np.linspace(tail, 1.0 - tail, num_columns)
    ]
    first, second = np.meshgrid(quantiles, quantiles[::-1])
    return np.stack([first, second], axis=-1).reshape(-1, 2).astype("float32")


# --- Tokens, one after another -----------------------------------------------


@dataclasses.dataclass(frozen=True)
class Choice:
    """How the next token is chosen from its logits.

    Attributes:
        temperature: Float >= 0 that logits are divided by; 0 is the likeliest.
        top_k: Integer >= 0, tokens that are drawn from; 0 for all.
        top_p: Float in (0, 1], probability that they make up together.
        min_p: Float in [0, 1], how likely they must be, as a share of the
            likeliest.
        repetition_penalty: Float > 0 that the logits of tokens seen before
            are divided by where they are positive, and else multiplied by.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0

    @classmethod
    def asked(cls, vocabulary_size, **asked):
        """The choice that a caller asks for.

        Args:
            vocabulary_size: Integer; a `top_k` beyond it is all of it.
            **asked: Attributes, of which `None` is the default: off.

        Returns:
            `Choice`, checked.

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
            ValueError: If one of them is.
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
        ):
            if not fits:
                raise ValueError(
                    f"`{name}` must be {expected}. "
                    f"Received: {name}={getattr(self, name)}"
                )

    def tensors(self):
        """The same as scalar tensors, which a compiled loop takes."""
        return Choice(
            tf.constant(self.temperature, "float32"),
            tf.constant(self.top_k, "int32"),
            tf.constant(self.top_p, "float32"),
            tf.constant(self.min_p, "float32"),
            tf.constant(self.repetition_penalty, "float32"),
        )


def asked_choice(temperature, top_k, top_p):
    """The choice that an export is asked for, which its graph checks.

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
        uniform: Float tensor `(batch,)` in [0, 1): where in the cumulated
            probabilities the draw falls.
        choice: `Choice`, of numbers or of scalar tensors.
        seen: Boolean tensor like `logits`: tokens that are penalised, or
            `None`.

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
    cumulated = tf.cumsum(tf.nn.softmax(scaled), axis=1)
    below = (
        cumulated
        <= tf.convert_to_tensor(uniform)[:, None] * (cumulated[:, -1:])
    )
    drawn = tf.reduce_sum(tf.cast(below, "int32"), axis=1)
    drawn = tf.minimum(drawn, tf.shape(logits)[1] - 1)
    likeliest = tf.argmax(logits, 1, "int32")
    return tf.where(choice.temperature > 0, drawn, likeliest)


def restrict(logits, top_k=0, top_p=1.0, min_p=0.0):
    """Leaves the likeliest tokens, by each of three rules.

    Args:
        logits: Float tensor `(batch, vocabulary_size)`.
        top_k: Integer, so many are left; 0 for all.
        top_p: Float, the fewest that have this probability together.
        min_p: Float, those at least this many times as likely as the
            likeliest. The likeliest is left whatever the rules.

    Returns:
        Float tensor like `logits`, `-inf` for those that are not left.

    Example:
        >>> restrict(tf.constant([[0.0, 2.0, 1.0]]), top_k=2).numpy()
        array([[-inf,   2.,   1.]], dtype=float32)
    """
    logits = tf.convert_to_tensor(logits)
    shape = tf.shape(logits)
    in_order, tokens = tf.math.top_k(logits, logits.shape[1])
    probabilities = tf.nn.softmax(in_order)
    before = tf.cumsum(probabilities, axis=1, exclusive=True)
    rank = tf.range(shape[1])
    left = (
        ((top_k == 0) | (rank < top_k))
        & ((before < top_p) | (top_p >= 1))
        & (probabilities >= min_p * probabilities[:, :1])
    ) | (rank == 0)
    rows = tf.repeat(tf.range(shape[0])[:, None], shape[1], axis=1)
    places = tf.stack([rows, tokens], axis=2)
    return tf.scatter_nd(places, tf.where(left, in_order, -np.inf), shape)


def best_beams(logits, scores, ended, end_token_id, num_beams):
    """Keeps the likeliest texts, each with one more token.

    Args:
        logits: Float tensor `(batch * num_beams, vocabulary_size)`, the beams
            of a text beside one another.
        scores: Float tensor `(batch * num_beams,)`, log-probability of what
            was made of each.
        ended: Boolean tensor like `scores`. An ended beam goes on with the
            end token, at no cost.
        end_token_id: Integer.
        num_beams: Integer >= 1.

    Returns:
        Three tensors `(batch * num_beams,)`, the best beam of a text first:
        int32 tokens; the int32 row that each goes on from; float scores.

    Example:
        >>> logits = np.log([[0.5, 0.4, 0.1], [0.9, 0.05, 0.05]])
        >>> tokens, rows, scores = best_beams(
        ...     logits, np.log([0.5, 0.4]), [False, False], 2, num_beams=2
        ... )
        >>> tokens.numpy(), rows.numpy(), np.exp(scores).round(2)
        (array([0, 0], dtype=int32), array([1, 0], dtype=int32),
         array([0.36, 0.25]))

    Reference:
        Lowerre, The Harpy speech recognition system, 1976.
    """
    logits = tf.convert_to_tensor(logits)
    size = logits.shape[1]
    stays = tf.one_hot(end_token_id, size, 0.0, -np.inf, dtype=logits.dtype)
    gains = tf.where(
        tf.convert_to_tensor(ended)[:, None], stays, tf.nn.log_softmax(logits)
    )
    totals = tf.convert_to_tensor(scores)[:, None] + gains
    totals = tf.reshape(totals, (-1, num_beams * size))
    scores, places = tf.math.top_k(totals, num_beams)
    firsts = tf.range(tf.shape(totals)[0])[:, None] * num_beams
    rows = firsts + places // size
    return tuple(
        tf.reshape(each, (-1,)) for each in (places % size, rows, scores)
    )


@dataclasses.dataclass
class Loop:
    """Where a generation stands.

    Attributes:
        tokens: Int32 tensor `(batch, room)`: what was given, and what was made.
        given: Boolean tensor `(batch, room)`: tokens that were there from the
            first, and are read as they are; of a prompt, those on the left.
        ends: Int32 tensor `(batch,)`, the place where each text ends at last.
        place: Int32 scalar tensor, the place of the token to read next.
        position: Int32 scalar tensor, tokens that the state has room for and
            holds already.
        state: Nested tensors of the model, batch first.
        uniform: Float tensor `(room, batch)`, one number in [0, 1) a draw.
            They are drawn before the loop, because the same seed draws others
            where XLA compiles it.
        seen: Boolean tensor `(batch, vocabulary_size)`, tokens read so far.
        ended: Boolean tensor `(batch,)`, whether nothing more is made.
        scores: Float tensor `(batch,)`, log-probability of what was made, if
            beams are searched.
    """

    tokens: tf.Tensor
    given: tf.Tensor
    ends: tf.Tensor
    place: tf.Tensor
    position: tf.Tensor
    state: object
    uniform: tf.Tensor
    seen: tf.Tensor
    ended: tf.Tensor
    scores: tf.Tensor


def start_loop(
    model,
    tokens,
    given,
    max_new_tokens,
    seed=0,
    num_beams=1,
    state=None,
    padding=0,
):
    """Begins a loop.

    Args:
        model: What has `initial_state` and `vocabulary_size`.
        tokens: Int32 tensor `(batch, room)`, prompts from the left on; with
            beams each of them `num_beams` times.
        given: Boolean tensor `(batch, room)`, which tokens are there. The
            first of each row must be.
        max_new_tokens: Integer, or integer scalar tensor.
        seed: Integer, or integer scalar tensor.
        num_beams: Integer >= 1.
        state: What the model knows before the first token, or `None` for its
            `initial_state`.
        padding: Integer, how many of the last rows nobody asked for. Nothing
            is drawn for them, so that the others come out as without them.

    Returns:
        `Loop`.
    """
    batch_size, room = tf.unstack(tf.shape(tokens))
    asked = batch_size - padding
    uniform = tf.random.stateless_uniform((room, asked), (seed, 0))
    first = tf.range(batch_size) % num_beams == 0
    return Loop(
        tokens=tokens,
        given=given,
        ends=tf.reduce_sum(tf.cast(given, "int32"), axis=1) + max_new_tokens,
        place=tf.constant(0),
        position=tf.constant(0),
        state=model.initial_state(batch_size) if state is None else state,
        uniform=tf.pad(uniform, [(0, 0), (0, padding)]),
        seen=tf.zeros((batch_size, model.vocabulary_size), "bool"),
        ended=tf.equal(max_new_tokens, 0) | (tf.range(batch_size) >= asked),
        # All beams of a text begin alike, and one of them is enough.
        scores=tf.where(first, 0.0, -np.inf),
    )


def lay_out(prompts, max_new_tokens):
    """Lays prompts out beside one another, with room for what will be made.

    Args:
        prompts: List of int32 arrays, none empty.
        max_new_tokens: Integer >= 0.

    Returns:
        Pair of tensors `(batch, room)`, where the room is a power of two, so
        that few shapes are compiled: int32 tokens, and booleans, which of
        them are given.
    """
    room = 64
    while room < max(map(len, prompts)) + max_new_tokens:
        room *= 2
    tokens = np.zeros((len(prompts), room), "int32")
    given = np.zeros(tokens.shape, "bool")
    for row, prompt in enumerate(prompts):
        tokens[row, : len(prompt)] = prompt
        given[row, : len(prompt)] = True
    return tf.constant(tokens), tf.constant(given)


def run_loop(model, loop, until, choice, end_token_id=-1, num_beams=1):
    """Reads token after token, and writes the next where there is none yet.

    Prompts of different lengths go through together: each is read up to its
    end and then gone on from; and so do rows of which tokens are given here
    and there. When the model can look back no further, it reads the newer half
    of what it held again, and the loop goes on. It stops early when all texts
    have ended.

    Args:
        model: What has `initial_state`, `extend` and `max_sequence_length`,
            and where that is no `None`, `read_again`.
        loop: `Loop`.
        until: Integer scalar tensor, the place before which to stop; all
            tokens before it are there then.
        choice: `Choice`, how a token is drawn where `num_beams` is 1.
        end_token_id: Integer, what ends a text; -1 for nothing.
        num_beams: Integer >= 1. Of more, the likeliest are kept and nothing is
            drawn.

    Returns:
        `Loop`.
    """
    limit = model.max_sequence_length
    batch_size = loop.tokens.shape[0] or tf.shape(loop.tokens)[0]
    room = loop.tokens.shape[1]
    if limit is not None and room is not None and room <= limit:
        limit = None  # which cannot be reached
    each_row = tf.range(batch_size)

    def goes_on(place, position, tokens, state, seen, ended, scores):
        return (place + 1 < until) & ~tf.reduce_all(ended)

    def step(place, position, tokens, state, seen, ended, scores):
        token_ids = tf.slice(tokens, (0, place), (-1, 1))
        logits, state = model.extend(token_ids, state, position)
        logits = tf.cast(logits[:, -1], "float32")
        seen = seen | tf.one_hot(token_ids[:, 0], seen.shape[1], True, False)
        place += 1
        there = tf.slice(tokens, (0, place), (-1, 1))[:, 0]
        given = tf.slice(loop.given, (0, place), (-1, 1))[:, 0]
        if num_beams == 1:
            uniform = tf.slice(loop.uniform, (place, 0), (1, -1))[0]
            made = next_tokens(logits, uniform, choice, seen)
        else:
            made, rows, totals = best_beams(
                logits, scores, ended, end_token_id, num_beams
            )
            scores = tf.where(given, scores, totals)
            rows = tf.where(given, each_row, rows)
            tokens, state, seen, ended = tf.nest.map_structure(
                lambda each: tf.gather(each, rows),
                (tokens, state, seen, ended),
            )
        newest = tf.where(given, there, made)
        tokens = tf.tensor_scatter_nd_update(
            tokens,
            tf.stack([each_row, tf.fill((batch_size,), place)], axis=1),
            newest,
        )
        ended |= ~given & (newest == end_token_id)
        ended |= place + 1 >= loop.ends
        return place, position + 1, tokens, state, seen, ended, scores

    def read_again(place, position, tokens, state, *rest):
        kept = limit // 2
        newest = tf.slice(tokens, (0, place - kept), (-1, kept))
        state = model.read_again(newest, state)
        return place, tf.constant(kept), tokens, state, *rest

    def up_to_the_limit(*values):
        # A loop in a loop: XLA copies what a branch returns, and would copy
        # the whole state at each token.
        values = tf.cond(
            values[1] == limit,
            lambda: read_again(*values),
            lambda: values,
        )
        return tf.while_loop(
            lambda *now: goes_on(*now) & (now[1] < limit), step, values
        )

    names = ("place", "position", "tokens", "state", "seen", "ended", "scores")
    values = tf.while_loop(
        goes_on,
        step if limit is None else up_to_the_limit,
        tuple(getattr(loop, name) for name in names),
    )
    return dataclasses.replace(loop, **dict(zip(names, values, strict=True)))
