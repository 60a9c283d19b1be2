"""What attention knows of the places of tokens.

An object with two methods: `turn` changes queries and keys by their places,
and `scores` adds to the products of queries and keys. `Attention` asks it, and
does not know which it is.
"""

import numpy as np
from keras import ops


class NoPositions:
    """Attention does not know where tokens stand.

    Embeddings may say it, as in GPT-2, or nothing does, as for sets.
    """

    def turn(self, heads, position):
        """Changes queries and keys by their places.

        Args:
            heads: Float tensor `(batch, heads, length, head_dim)`.
            position: Integer, the place of the first.

        Returns:
            Float tensor like `heads`.
        """
        return heads

    def scores(self, query, num_keys, position):
        """What places add to the products of queries and keys.

        Args:
            query: Float tensor `(batch, heads, queries, head_dim)`.
            num_keys: Integer, the keys at the places from 0 on.
            position: Integer, the place of the first query.

        Returns:
            Float tensor `(batch, heads, queries, keys)`, or 0.
        """
        return 0


class RotaryPositions(NoPositions):
    """Pairs of numbers of queries and keys turn by an angle for each place.

    Args:
        length: Integer, places.
        head_dim: Integer, even.

    Reference:
        Su et al., 2021.
    """

    def __init__(self, length, head_dim):
        self.turns = rotary_turns(length, head_dim)

    def turn(self, heads, position):
        # Slices of a table: XLA would compute sines again for each head.
        length = ops.shape(heads)[2]
        cos, sin = (
            ops.slice(each, (position, 0), (length, each.shape[1]))
            for each in self.turns
        )
        return rotate(heads, cos, sin)


class RelativePositions(NoPositions):
    """Each distance between query and key has a learned vector.

    Args:
        distances: Float variable `(heads, length, head_dim)`, which belongs to
            the layer.

    Reference:
        Huang et al., 2018.
    """

    def __init__(self, distances):
        self.distances = distances

    def scores(self, query, num_keys, position):
        return relative_scores(query, self.distances[:, :num_keys], position)


def rotary_turns(length, head_dim):
    """By how much each pair of numbers turns at each place.

    Args:
        length: Integer, places.
        head_dim: Integer, even.

    Returns:
        Two float32 NumPy arrays `(length, head_dim / 2)`: the cosine and the
        sine of `place * 10000 ** (-2 * pair / head_dim)`.

    Reference:
        Su et al., 2021, equation 15.
    """
    half = head_dim // 2
    rates = 10_000.0 ** (-np.arange(half) / half)
    angles = np.arange(length)[:, None] * rates
    return np.cos(angles).astype("float32"), np.sin(angles).astype("float32")


def rotate(heads, cos, sin):
    """Turns pairs of numbers by an angle that grows with the place.

    The product of two vectors then depends on what they are and how far they
    stand apart, not on where.

    Args:
        heads: Float tensor `(batch, heads, length, head_dim)`.
        cos: Float tensor `(length, head_dim / 2)`.
        sin: Float tensor like `cos`.

    Returns:
        Float tensor like `heads`.

    Reference:
        Su et al., 2021, equation 34.
    """
    first, second = ops.split(heads, 2, axis=-1)
    cos, sin = ops.cast(cos, heads.dtype), ops.cast(sin, heads.dtype)
    return ops.concatenate(
        [first * cos - second * sin, second * cos + first * sin], axis=-1
    )


def relative_scores(query, distances, position=0):
    """What each query asks of each distance, laid out key by key.

    Each query is multiplied with the vector of each distance, and the row of
    products is then shifted to where the keys at these distances are: one row
    is read where the one before it ended, so that nothing of the size
    `(queries, keys, head_dim)` is ever made.

    Args:
        query: Float tensor `(batch, heads, queries, head_dim)`.
        distances: Float tensor `(heads, keys, head_dim)`, a vector a distance
            from 0 on.
        position: Integer, place of the first query among the keys.

    Returns:
        Float tensor `(batch, heads, queries, keys)`: of query i and key j the
        product with the vector of distance `position + i - j`. Where the key
        comes after the query it means nothing.

    Reference:
        Huang et al., 2018, section 3.4.1.
    """
    batch, heads, queries = ops.shape(query)[:3]
    keys = ops.shape(distances)[1]
    # The farthest first, so that keys and their distances run alike.
    table = ops.transpose(ops.flip(distances, axis=1), (0, 2, 1))
    rows = ops.matmul(query, table)  # (batch, heads, queries, keys)
    # In rows longer by one, as long as that, each stands one further left.
    rows = ops.pad(rows, [(0, 0), (0, 0), (0, 0), (0, 1)])
    rows = ops.reshape(rows, (batch, heads, queries * (keys + 1)))
    rows = ops.pad(rows, [(0, 0), (0, 0), (0, keys)])
    rows = ops.slice(
        rows, (0, 0, keys - 1 - position), (batch, heads, queries * keys)
    )
    return ops.reshape(rows, (batch, heads, queries, keys))
