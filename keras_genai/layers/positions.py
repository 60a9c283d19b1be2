"""How attention knows the places of tokens.

A class for each way, with two methods: `turn` changes queries and keys by
their places, and `scores` adds to the products of queries and keys.
`Attention` calls both methods of any class.
"""

import numpy as np
from keras import ops


class NoPositions:
    """Attention does not know the places.

    The places may be in the embeddings, as in GPT-2, or have no meaning, as in
    sets.
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
        """The numbers that are added to the products of queries and keys.

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
        # A table, because XLA would compute sines again for each head.
        length = ops.shape(heads)[2]
        cos, sin = (
            ops.slice(each, (position, 0), (length, each.shape[1]))
            for each in self.turns
        )  # (length, head_dim / 2)
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
    """The angle by which each pair of numbers turns at each place.

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

        (a, b) -> (a cos - b sin, b cos + a sin)

    The product of two vectors then depends on their distance, and not on
    their places. The pairs are numbers i and i + head_dim / 2.

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
    """The product of each query with the vector of its distance to each key.

    Each query is multiplied with the vectors of all distances. Its row of
    products, the farthest distance first, is then shifted to the keys at these
    distances: rows are made longer by one, put one after another, and cut to
    their old length again. For three queries and keys, where a digit is
    a distance and x means nothing:

        2 1 0                                                  0 x x
        2 1 0   ---->   2 1 [0 . 2] [1 0 .] [2 1 0] .  ---->   1 0 x
        2 1 0                                                  2 1 0

    Nothing of the size `(queries, keys, head_dim)` is ever made.

    Args:
        query: Float tensor `(batch, heads, queries, head_dim)`.
        distances: Float tensor `(heads, keys, head_dim)`, a vector for each
            distance from 0 on.
        position: Integer, place of the first query among the keys.

    Returns:
        Float tensor `(batch, heads, queries, keys)`: for query i and key j the
        product with the vector of distance `position + i - j`. Where the key
        comes after the query, the number means nothing.

    Reference:
        Huang et al., 2018, section 3.4.1.
    """
    batch, heads, queries = ops.shape(query)[:3]
    keys = ops.shape(distances)[1]
    # The farthest distance first, as the first key is the farthest.
    table = ops.transpose(ops.flip(distances, axis=1), (0, 2, 1))
    rows = ops.matmul(query, table)  # (batch, heads, queries, keys)
    # Make rows longer by one, and put them one after another.
    rows = ops.pad(rows, [(0, 0), (0, 0), (0, 0), (0, 1)])
    rows = ops.reshape(rows, (batch, heads, queries * (keys + 1)))
    rows = ops.pad(rows, [(0, 0), (0, 0), (0, keys)])
    # Cut them to rows of the right length, from where query 0 has distance
    # `position` to key 0.
    rows = ops.slice(
        rows, (0, 0, keys - 1 - position), (batch, heads, queries * keys)
    )
    return ops.reshape(rows, (batch, heads, queries, keys))
