"""MarkovChain: counts which tokens followed the last few."""

import keras
import numpy as np
import tensorflow as tf

from keras_genai.checks import check_at_least_one, check_choice
from keras_genai.losses import next_token_losses
from keras_genai.models.autoregressive.language_model import LanguageModel
from keras_genai.models.autoregressive.markov_tables import NGrams, Table

SMOOTHINGS = ("kneser_ney", "witten_bell")


@keras.saving.register_keras_serializable("keras_genai")
class MarkovChain(LanguageModel):
    """Markov chain of some order, with smoothed probabilities.

    Training counts how often each token followed each context of 0, 1, ...,
    `order` tokens. A context of n tokens then mixes its own counts with the
    probabilities of the context of n - 1 tokens, so that no token is
    impossible:

        p_n(w | c) = (count(c w) - taken(c w)) / count(c)
                     + taken(c) / count(c) * p_(n-1)(w | c')

    where c' is c without its oldest token, and below n = 0 all tokens are
    equally likely. Kneser and Ney take the same discount from every count. For
    shorter contexts they do not count how often a token followed, but after
    how many different tokens: one that only ever follows a single token
    ("Francisco") is not likely elsewhere. Witten and Bell mix by how many
    different tokens followed.

    It needs one epoch of tiled windows. The first tokens of a window count
    only in the shorter contexts that they have.

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

    compiled_loop = False  # XLA needs tables of a known length

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
        check_choice("smoothing", smoothing, SMOOTHINGS)
        if self.vocabulary_size ** (order + 1) >= 2**63:
            raise ValueError(
                "Contexts are numbered in 64 bits, and there are too many of "
                "them: a lower `order` has fewer. Received: "
                f"order={order}, vocabulary_size={self.vocabulary_size}"
            )
        self.order = order
        self.smoothing = smoothing
        self._ngrams = [NGrams() for _ in range(order + 1)]
        self._tables = [Table() for _ in range(order + 1)]
        self._counted = self._estimated = 0  # tokens, in each of the two
        self._estimate()
        self.built = True

    def compile(self, **kwargs):
        """Prepares to count, in NumPy and without a graph.

        Args:
            **kwargs: For `keras.Model.compile`.

        Raises:
            ValueError: Under a strategy of several devices.
        """
        if tf.distribute.get_strategy().num_replicas_in_sync > 1:
            raise ValueError(
                "A MarkovChain counts in NumPy, on one device: make it outside "
                "of the strategy. Received: a strategy of "
                f"{tf.distribute.get_strategy().num_replicas_in_sync} replicas"
            )
        super().compile(**{"run_eagerly": True, **kwargs})

    def call(self, token_ids, training=False):
        shape = tf.shape(token_ids)
        # Below n = 0 all tokens are equally likely.
        probabilities = tf.fill(
            (shape[0] * shape[1], self.vocabulary_size),
            1.0 / self.vocabulary_size,
        )  # (batch * length, vocabulary_size)
        # Longer contexts mix in their counts: p_0, p_1, ..., p_order.
        for n, table in enumerate(self._tables):
            contexts, is_whole = self._contexts(token_ids, n)
            probabilities = table.mix(
                tf.reshape(contexts, (-1,)),
                tf.reshape(is_whole, (-1,)),
                probabilities,
            )
        logits = tf.math.log(probabilities)
        return tf.reshape(logits, (*tf.unstack(shape), -1))

    def _contexts(self, token_ids, n):
        """The last n tokens up to each place, as a number in base V.

        V is the vocabulary size.

        Args:
            token_ids: Integer tensor `(batch, length)`; -1 for no token.
            n: Integer >= 0.

        Returns:
            Int64 tensor `(batch, length)`, and a boolean one, whether all of
            the n tokens are there.
        """
        token_ids = tf.cast(token_ids, "int64")
        length = tf.shape(token_ids)[1]
        padded = tf.pad(token_ids, [(0, 0), (n, 0)], constant_values=-1)
        number = tf.zeros_like(token_ids)
        is_whole = tf.ones_like(token_ids, "bool")
        for age in range(n - 1, -1, -1):  # the oldest token first
            token = padded[:, n - age :][:, :length]  # `age` places before
            number = number * self.vocabulary_size + token
            is_whole &= token >= 0
        return number, is_whole

    def train_step(self, data):
        token_ids, targets = self.unpack(data)
        # The batch is scored before it is counted, as if it were held out. The
        # tables are made again whenever twice as many tokens are counted.
        if self._counted >= 2 * self._estimated:
            self._estimate()
        logits = self(token_ids)
        losses, is_target = next_token_losses(logits, targets)
        # Count each target after its contexts of 0, 1, ..., `order` tokens.
        for n, ngrams in enumerate(self._ngrams):
            contexts, is_whole = self._contexts(token_ids, n)
            keys = contexts * self.vocabulary_size + tf.cast(targets, "int64")
            ngrams.add(keys.numpy()[(is_whole & (targets >= 0)).numpy()])
        self._counted += int(tf.reduce_sum(is_target))
        return self._report(logits, losses, is_target, data)

    def test_step(self, data):
        self._estimate()
        return super().test_step(data)

    # Generation: the last `order` tokens are kept; -1 means no token.

    def initial_state(self, batch_size):
        return tf.fill((batch_size, self.order), -1)

    def extend(self, token_ids, state, position):
        known = tf.concat([state, token_ids], axis=1)  # (batch, order + length)
        logits = self(known)[:, self.order :]
        return logits, known[:, -self.order :]

    def transition_matrix(self):
        """Probabilities of each token after each, by the last token only.

        Returns:
            Float32 NumPy array `(vocabulary_size, vocabulary_size)`; rows sum
            to 1.
        """
        every = tf.range(self.vocabulary_size)[:, None]
        probabilities = tf.fill(
            (self.vocabulary_size,) * 2, 1.0 / self.vocabulary_size
        )
        for n, table in enumerate(self._tables[:2]):
            contexts, is_whole = self._contexts(every, n)
            probabilities = table.mix(
                contexts[:, 0], is_whole[:, 0], probabilities
            )
        return probabilities.numpy()

    def count_params(self):
        """How many different sequences of tokens were counted.

        Returns:
            Integer.
        """
        self._estimate()
        return sum(int(tf.size(table.tokens)) for table in self._tables)

    def _estimate(self):
        """Makes the tables from the counts, if there are new ones."""
        if self._counted == self._estimated > 0:
            return
        for n, table in enumerate(self._tables):
            keys, counts = self._ngrams[n].unique()
            if self.smoothing == "kneser_ney" and n < self.order:
                # Not how often an n-gram occurred, but after how many
                # different tokens: each longer n-gram, once, without its
                # oldest token.
                longer, _ = self._ngrams[n + 1].unique()
                shorter = longer % self.vocabulary_size ** (n + 1)
                keys, counts = np.unique(shorter, return_counts=True)
            table.fill(keys, counts, self.vocabulary_size, self.smoothing)
        self._estimated = self._counted

    # Plumbing. Counts have no fixed shape as weights have; they are saved here.

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
            self._ngrams[n] = NGrams(arrays[f"keys_{n}"], arrays[f"counts_{n}"])
        self._counted = int(arrays["counts_0"].sum())
        self._estimate()
        others = set(store.keys()) - set(names)
        super().load_own_variables({key: store[key] for key in others})

    def get_config(self):
        config = super().get_config()
        del config["max_sequence_length"]  # it has no limit
        return {**config, "order": self.order, "smoothing": self.smoothing}
