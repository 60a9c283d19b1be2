"""MarkovChain: the next token by counting what followed the last few."""

import keras
import numpy as np
import tensorflow as tf

from keras_genai.losses import next_token_losses
from keras_genai.models.autoregressive.language_model import LanguageModel
from keras_genai.models.core.checks import check_at_least_one

SMOOTHINGS = ("kneser_ney", "witten_bell")


@keras.saving.register_keras_serializable("keras_genai")
class MarkovChain(LanguageModel):
    """Markov chain of some order, with smoothed probabilities.

    Training counts: how often did each token follow each context of 0, 1, ...,
    `order` tokens? A context of n tokens then mixes what followed it with what
    the context of n - 1 expects, so that nothing is impossible:

        p_n(w | c) = (count(c w) - taken(c w)) / count(c)
                     + taken(c) / count(c) * p_(n-1)(w | c')

    where c' is c without its oldest token, and below n = 0 all tokens are
    equally likely. Kneser and Ney take the same discount from every count, and
    give shorter contexts the number of different tokens that came before in
    place of counts: a token that follows in one place alone ("Francisco") is
    no likely token elsewhere. Witten and Bell mix by how many different tokens
    followed. One epoch of tiled windows is all that it learns from; a window's
    first tokens count in the shorter contexts that they have.

    Args:
        vocabulary_size: Integer >= 1, or `None` for the tokenizer's.
        tokenizer: `keras_genai.data.tokenizers.Tokenizer`, or `None`.
        order: Integer >= 1, tokens that the chain looks back on. Defaults to
            `3`.
        smoothing: `"kneser_ney"` (default) or `"witten_bell"`.
        seed: Integer, or `None` for one drawn at random.
        **kwargs: `name` and the like, for `keras.Model`.

    Call arguments:
        token_ids: Integer tensor `(batch, length)`.

    Raises:
        ValueError: If an argument is out of its range, or if there are too
            many contexts of that order to number them.

    Example:
        >>> model = MarkovChain(vocabulary_size=3, order=1)
        >>> model.compile()
        >>> token_ids = np.array([[0, 1, 0, 1, 0, 1]])
        >>> _ = model.fit(token_ids, (token_ids + 1) % 2, verbose=0)
        >>> model.transition_matrix()[0].round(2)
        array([0.01, 0.98, 0.01], dtype=float32)

    Reference:
        Markov, An example of statistical investigation of the text "Eugene
        Onegin", 1913; Kneser and Ney, Improved backing-off for m-gram
        language modeling, 1995; Chen and Goodman, An empirical study of
        smoothing techniques, 1999.
    """

    recipe = {
        "kind": "text",
        "default": {
            "epochs": 1,
            "sequence_length": 1024,
            "windows": "tiled",
            "model_arguments": {"order": 5},
        },
        "quick": {"split": "train[:200000]"},
        "also_called": ("ngram",),
    }

    compiled_loop = False  # XLA knows no tables of unknown length

    def __init__(
        self,
        vocabulary_size=None,
        tokenizer=None,
        order=3,
        smoothing="kneser_ney",
        seed=None,
        **kwargs,
    ):
        super().__init__(vocabulary_size, tokenizer, None, seed, **kwargs)
        check_at_least_one(order=order)
        if smoothing not in SMOOTHINGS:
            raise ValueError(
                f"Expected `smoothing` among {', '.join(SMOOTHINGS)}. "
                f"Received: smoothing={smoothing!r}"
            )
        if self.vocabulary_size ** (order + 1) >= 2**63:
            raise ValueError(
                "Contexts are numbered in 64 bits, and there are too many of "
                f"them. Received: order={order}, vocabulary_size="
                f"{self.vocabulary_size}"
            )
        self.order = order
        self.smoothing = smoothing
        self._ngrams = [_NGrams() for _ in range(order + 1)]
        self._tables = [_Table() for _ in range(order + 1)]
        self._counted = self._estimated = 0  # tokens, in each of the two
        self._estimate()
        self.built = True

    def compile(self, **kwargs):
        """Nothing is optimised: counting is NumPy's, a batch at a time.

        Args:
            **kwargs: For `keras.Model.compile`.

        Raises:
            ValueError: Under a strategy of several devices.
        """
        if tf.distribute.get_strategy().num_replicas_in_sync > 1:
            raise ValueError(
                "A MarkovChain counts in NumPy, where one device is: it needs "
                "no strategy. Received: a strategy of "
                f"{tf.distribute.get_strategy().num_replicas_in_sync} replicas"
            )
        super().compile(**{"run_eagerly": True, **kwargs})

    def check(self, data):
        _, _, weights = keras.utils.unpack_x_y_sample_weight(data)
        if weights is not None:
            raise ValueError(
                "A MarkovChain counts each token once, and takes no "
                "`sample_weight`. Received: weights beside token ids"
            )
        return super().check(data)

    def fit(self, *args, **kwargs):
        history = super().fit(*args, **kwargs)
        self._estimate()
        return history

    def train_step(self, data):
        token_ids, targets = self.unpack(data)
        # A batch is scored before it is counted, as if it were held out; by
        # tables that are made anew each time that twice as much is known.
        if self._counted >= 2 * self._estimated:
            self._estimate()
        logits = self(token_ids)
        losses, known = next_token_losses(logits, targets)
        for n, ngrams in enumerate(self._ngrams):
            contexts, there = self._contexts(token_ids, n)
            keys = contexts * self.vocabulary_size + tf.cast(targets, "int64")
            ngrams.add(keys.numpy()[(there & (targets >= 0)).numpy()])
        self._counted += int(tf.reduce_sum(known))
        return self._report(logits, losses, known, data)

    def test_step(self, data):
        self._estimate()
        return super().test_step(data)

    def call(self, token_ids, training=False):
        shape = tf.shape(token_ids)
        probabilities = tf.fill(
            (shape[0] * shape[1], self.vocabulary_size),
            1.0 / self.vocabulary_size,
        )
        for n, table in enumerate(self._tables):
            contexts, there = self._contexts(token_ids, n)
            probabilities = table.mix(
                tf.reshape(contexts, (-1,)),
                tf.reshape(there, (-1,)),
                probabilities,
            )
        return tf.reshape(tf.math.log(probabilities), (*tf.unstack(shape), -1))

    def _contexts(self, token_ids, n):
        """Numbers of the n tokens up to each, and whether there are so many.

        A token that is not there is -1.
        """
        token_ids = tf.cast(token_ids, "int64")
        length = tf.shape(token_ids)[1]
        padded = tf.pad(token_ids, [(0, 0), (n, 0)], constant_values=-1)
        number = tf.zeros_like(token_ids)
        there = tf.ones_like(token_ids, "bool")
        for age in range(n - 1, -1, -1):  # the oldest first
            token = padded[:, n - age :][:, :length]
            number = number * self.vocabulary_size + token
            there &= token >= 0
        return number, there

    # Generation: what is remembered is the last `order` tokens.

    def initial_state(self, batch_size):
        return tf.fill((batch_size, self.order), -1)

    def extend(self, token_ids, state, position):
        known = tf.concat([state, token_ids], axis=1)
        logits = self(known)[:, self.order :]
        return logits, known[:, -self.order :]

    def transition_matrix(self):
        """Probabilities of each token after each, by the last token alone.

        Returns:
            Float32 NumPy array `(vocabulary_size, vocabulary_size)`; rows sum
            to 1.
        """
        every = tf.range(self.vocabulary_size)[:, None]
        probabilities = tf.fill(
            (self.vocabulary_size,) * 2, 1.0 / self.vocabulary_size
        )
        for n, table in enumerate(self._tables[:2]):
            contexts, there = self._contexts(every, n)
            probabilities = table.mix(
                contexts[:, 0], there[:, 0], probabilities
            )
        return probabilities.numpy()

    def count_params(self):
        """How many sequences of tokens are known, of all lengths.

        Returns:
            Integer.
        """
        self._estimate()
        return sum(int(tf.size(table.tokens)) for table in self._tables)

    def _estimate(self):
        """Makes the tables of what was counted, if they are not yet."""
        if self._counted == self._estimated > 0:
            return
        for n, table in enumerate(self._tables):
            keys, counts = self._ngrams[n].unique()
            if self.smoothing == "kneser_ney" and n < self.order:
                # In how many places an n-gram stands: how many different
                # tokens come before it.
                longer, _ = self._ngrams[n + 1].unique()
                shorter = longer % self.vocabulary_size ** (n + 1)
                keys, counts = np.unique(shorter, return_counts=True)
            table.fill(keys, counts, self.vocabulary_size, self.smoothing)
        self._estimated = self._counted

    # Counts are no weights of fixed shape; they are saved by themselves.

    def save_own_variables(self, store):
        super().save_own_variables(store)
        for n, ngrams in enumerate(self._ngrams):
            store[f"keys_{n}"], store[f"counts_{n}"] = ngrams.unique()

    def load_own_variables(self, store):
        names = [
            f"{part}_{n}"
            for n in range(self.order + 1)
            for part in ("keys", "counts")
        ]
        arrays = {name: np.array(store[name]) for name in names}
        for n in range(self.order + 1):
            self._ngrams[n] = _NGrams(
                arrays[f"keys_{n}"], arrays[f"counts_{n}"]
            )
        self._counted = int(arrays["counts_0"].sum())
        self._estimate()
        others = set(store.keys()) - set(names)
        super().load_own_variables({key: store[key] for key in others})

    def get_config(self):
        config = super().get_config()
        del config["max_sequence_length"]  # there is none
        return {**config, "order": self.order, "smoothing": self.smoothing}


class _NGrams:
    """Numbers of n-grams, each with how often it was there."""

    def __init__(self, keys=(), counts=()):
        self._keys = np.array(keys, "int64")
        self._counts = np.array(counts, "int64")
        self._new = []

    def add(self, keys):
        self._new.append(keys)

    def unique(self):
        if self._new:
            keys, counts = np.unique(
                np.concatenate(self._new), return_counts=True
            )
            # Both are sorted: counts of those known are added up.
            merged, places = np.unique(
                np.concatenate([self._keys, keys]), return_inverse=True
            )
            self._counts = np.bincount(
                places, np.concatenate([self._counts, counts])
            ).astype("int64")
            self._keys, self._new = merged, []
        return self._keys, self._counts


class _Table:
    """What follows each context of one length: a sparse matrix, row by row."""

    def __init__(self):
        def variable(dtype):
            return tf.Variable(
                np.zeros(0, dtype), shape=[None], trainable=False
            )

        self.contexts = variable("int64")  # sorted
        self.first = variable("int32")  # of each context, in the next two
        self.tokens = variable("int32")
        self.shares = variable("float32")  # what is left of the counts
        self.back = variable("float32")  # the share of the shorter context

    def fill(self, keys, counts, vocabulary_size, smoothing):
        """Takes n-grams, sorted, and how often each was there."""
        contexts, first, kinds = np.unique(
            keys // vocabulary_size, return_index=True, return_counts=True
        )
        rows = np.repeat(np.arange(len(contexts)), kinds)
        totals = np.bincount(rows, counts, len(contexts))
        if smoothing == "kneser_ney":
            # Ney's estimate of the best discount, from those seen once, twice.
            once, twice = (counts == 1).sum(), (counts == 2).sum()
            discount = once / max(once + 2 * twice, 1)
            discount = min(max(discount, 0.1), 0.9)
            left, taken = counts - discount, kinds * discount
        else:
            totals = totals + kinds
            left, taken = counts, kinds
        self.contexts.assign(contexts)
        self.first.assign(np.append(first, len(keys)).astype("int32"))
        self.tokens.assign((keys % vocabulary_size).astype("int32"))
        self.shares.assign((left / totals[rows]).astype("float32"))
        self.back.assign((taken / np.maximum(totals, 1)).astype("float32"))

    def mix(self, contexts, there, shorter):
        """Probabilities by these contexts, given those by shorter ones.

        Args:
            contexts: Int64 tensor `(rows,)`.
            there: Boolean tensor `(rows,)`, whether the context is whole.
            shorter: Float tensor `(rows, vocabulary_size)`.

        Returns:
            Float tensor like `shorter`.
        """
        count = tf.size(self.contexts)
        if_any = tf.maximum(count - 1, 0)
        rows = tf.minimum(tf.searchsorted(self.contexts, contexts), if_any)
        known = tf.concat([self.contexts, tf.constant([-1], "int64")], 0)
        found = there & (tf.gather(known, rows) == contexts) & (count > 0)
        rows = tf.boolean_mask(rows, found)
        starts = tf.gather(self.first, rows)
        spans = tf.ragged.range(starts, tf.gather(self.first, rows + 1))
        where = tf.stack(
            [
                tf.cast(spans.value_rowids(), "int32"),
                tf.gather(self.tokens, spans.flat_values),
            ],
            axis=1,
        )
        followed = tf.scatter_nd(
            where,
            tf.gather(self.shares, spans.flat_values),
            (tf.size(rows), tf.shape(shorter)[1]),
        )
        places = tf.where(found)
        mixed = followed + tf.gather(self.back, rows)[
            :, None
        ] * tf.boolean_mask(shorter, found)
        return tf.tensor_scatter_nd_update(shorter, places, mixed)
