"""The counts of a Markov chain, and the tables of shares made of them."""

import numpy as np
import tensorflow as tf


class NGrams:
    """Numbers of n-grams, and how often each one occurred.

    Args:
        keys: Integers `(known,)`, the numbers, sorted. Defaults to none.
        counts: Integers `(known,)`, how often each occurred.
    """

    def __init__(self, keys=(), counts=()):
        self._keys = np.array(keys, "int64")
        self._counts = np.array(counts, "int64")
        self._new = []

    def add(self, keys):
        """Counts n-grams.

        Args:
            keys: Int64 array `(count,)`, a number for each occurrence.
        """
        self._new.append(keys)

    def unique(self):
        """All n-grams so far.

        Returns:
            Two int64 arrays `(known,)`: their numbers, sorted, and counts.
        """
        if self._new:
            keys, counts = np.unique(
                np.concatenate(self._new), return_counts=True
            )
            # The counts of those that were known before are added up.
            merged, places = np.unique(
                np.concatenate([self._keys, keys]), return_inverse=True
            )
            self._counts = np.bincount(
                places, np.concatenate([self._counts, counts])
            ).astype("int64")
            self._keys, self._new = merged, []
        return self._keys, self._counts


class Table:
    """The tokens that follow each context of one length, with their shares.

    A sparse matrix, row by row. Row r is the context `contexts[r]`; the tokens
    that followed it, and their shares, are in `tokens` and `shares` from
    `first[r]` to `first[r + 1]`:

        share(c w) = (count(c w) - taken(c w)) / count(c)
        back(c) = taken(c) / count(c)
    """

    def __init__(self):
        def variable(dtype):
            return tf.Variable(
                np.zeros(0, dtype), shape=[None], trainable=False
            )

        self.contexts = variable("int64")  # (rows,), sorted
        self.first = variable("int32")  # (rows + 1,)
        self.tokens = variable("int32")  # (n-grams,)
        self.shares = variable("float32")  # (n-grams,)
        self.back = variable("float32")  # (rows,)

    def fill(self, keys, counts, vocabulary_size, smoothing):
        """Makes the table of n-grams.

        Args:
            keys: Int64 array `(n-grams,)`, their numbers, sorted: context *
                vocabulary_size + token.
            counts: Int64 array like `keys`.
            vocabulary_size: Integer.
            smoothing: `"kneser_ney"` or `"witten_bell"`.
        """
        # The n-grams of a context are next to each other.
        contexts, first, followers = np.unique(
            keys // vocabulary_size, return_index=True, return_counts=True
        )  # followers: how many different tokens follow
        rows = np.repeat(np.arange(len(contexts)), followers)  # (n-grams,)
        totals = np.bincount(rows, counts, len(contexts))  # count(c)
        if smoothing == "kneser_ney":
            # taken(c w) = d, Ney's estimate of the best discount, from how
            # many n-grams occurred once and twice: d = n_1 / (n_1 + 2 n_2)
            once, twice = (counts == 1).sum(), (counts == 2).sum()
            discount = once / max(once + 2 * twice, 1)
            discount = min(max(discount, 0.1), 0.9)
            kept, taken = counts - discount, followers * discount
        else:
            # taken(c) = the number of different followers, added to count(c)
            totals = totals + followers
            kept, taken = counts, followers
        self.contexts.assign(contexts)
        self.first.assign(np.append(first, len(keys)).astype("int32"))
        self.tokens.assign((keys % vocabulary_size).astype("int32"))
        self.shares.assign((kept / totals[rows]).astype("float32"))
        self.back.assign((taken / np.maximum(totals, 1)).astype("float32"))

    def mix(self, contexts, is_whole, shorter):
        """Mixes the shares of contexts with the probabilities of shorter ones.

            p(w | c) = share(c w) + back(c) * shorter(w)

        The plain algorithm, of which the code does all rows at once:

            for row, context in enumerate(contexts):
                if is_whole[row] and context in table:
                    shorter[row] *= back[context]
                    for token, share in table[context]:
                        shorter[row, token] += share

        Args:
            contexts: Int64 tensor `(rows,)`.
            is_whole: Boolean tensor `(rows,)`, whether the context has all of
                its tokens.
            shorter: Float tensor `(rows, vocabulary_size)`, probabilities by
                the contexts without their oldest token.

        Returns:
            Float tensor like `shorter`.
        """
        # Look the contexts up: `known` has one more, so that an empty table
        # can be looked up too.
        size = tf.size(self.contexts)
        known = tf.concat([self.contexts, tf.constant([-1], "int64")], 0)
        places = tf.searchsorted(self.contexts, contexts)
        places = tf.minimum(places, tf.maximum(size - 1, 0))
        found = is_whole & (tf.gather(known, places) == contexts) & (size > 0)
        places = tf.boolean_mask(places, found)  # (found rows,)
        # Shares of the tokens that followed: (found rows, vocabulary_size)
        spans = tf.ragged.range(
            tf.gather(self.first, places), tf.gather(self.first, places + 1)
        )
        rows = tf.cast(spans.value_rowids(), "int32")
        tokens = tf.gather(self.tokens, spans.flat_values)
        shares = tf.scatter_nd(
            tf.stack([rows, tokens], axis=1),
            tf.gather(self.shares, spans.flat_values),
            (tf.size(places), tf.shape(shorter)[1]),
        )
        # share(c w) + back(c) * shorter(w), in the rows that were found.
        back = tf.gather(self.back, places)[:, None]  # (found rows, 1)
        mixed = shares + back * tf.boolean_mask(shorter, found)
        return tf.tensor_scatter_nd_update(shorter, tf.where(found), mixed)
