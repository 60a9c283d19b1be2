"""Attention, and the blocks of Transformers."""

from keras import layers, ops

from keras_genai.checks import check_choice
from keras_genai.layers.dropout import Dropout
from keras_genai.layers.positions import (
    NoPositions,
    RelativePositions,
    RotaryPositions,
)
from keras_genai.layers.seeds import normal


class Attention(layers.Layer):
    """Each query takes a mean of values, weighted by how their keys fit it.

        softmax(query key^T / sqrt(head_dim)) value        for each head

    Queries, keys and values come from the same tokens (self-attention), or
    keys and values come from a context (cross-attention). Causal attention
    gives a weight of 0 to all tokens after the query.

    `keras.ops.dot_product_attention` is not used: on a CPU it is not faster at
    the sizes of this package, and it has no dropout of the weights.

    Args:
        hidden_dim: Integer, the size of the vectors, a multiple of
            `num_heads`.
        num_heads: Integer, heads of queries.
        max_length: Integer, how many places have positions.
        seeds: Iterator of integers, as from `layer_seeds`.
        num_key_value_heads: Integer that divides `num_heads`, heads of keys
            and values, or `None` for `num_heads`.
        causal: Boolean. Defaults to `True`.
        cross: Boolean, whether keys and values come from a context. Defaults
            to `False`.
        positions: `"rotary"` or `"relative"`; or `"none"` or `"learned"`, if
            attention itself does not know the places.
        qk_norm: Boolean, whether queries and keys are normalised.
        use_bias: Boolean, whether the products have biases.
        dropout: Float in [0, 1), the share of the weights that is dropped.
        num_layers: Integer, the depth of the network, which makes the first
            weights of the output smaller, or `None`.

    Call arguments:
        x: Float tensor `(batch, length, hidden_dim)`.
        context: Float tensor `(batch, context_length, hidden_dim)`, for
            cross-attention only.
        cache: Pair of float tensors `(batch, key_value_heads, limit,
            head_dim)`, the keys and values before `position`, or `None`. The
            new ones are written into it. For cross-attention it is the result
            of `keys_and_values` for the context.
        position: Integer, the place of the first token of `x`.
        key_mask: Boolean tensor `(batch, keys)`, `False` for pads, or `None`.
        training: Boolean, whether dropout is on.

    Returns:
        Pair: float tensor like `x`, and the new cache or `None`.

    Example:
        >>> attention = Attention(6, 3, max_length=5, seeds=iter(range(9)))
        >>> attention(ops.ones((2, 5, 6)))[0].shape
        TensorShape([2, 5, 6])

    Reference:
        Vaswani et al., Attention is all you need, 2017, section 3.2.
    """

    def __init__(
        self,
        hidden_dim,
        num_heads,
        max_length,
        seeds,
        num_key_value_heads=None,
        causal=True,
        cross=False,
        positions="none",
        qk_norm=False,
        use_bias=False,
        dropout=0.0,
        num_layers=None,
    ):
        super().__init__()
        if cross and (causal or positions != "none"):
            raise ValueError(
                "Cross-attention sees the whole context, without places: it "
                'takes causal=False and positions="none". '
                f"Received: causal={causal}, positions={positions!r}"
            )
        self.num_heads = num_heads
        self.num_key_value_heads = num_key_value_heads or num_heads
        self.head_dim = hidden_dim // num_heads
        self.causal = causal
        self.positions = self._make_positions(positions, max_length, seeds)
        self.qk_normalization = None
        if qk_norm:
            self.qk_normalization = layers.RMSNormalization(epsilon=1e-6)
        keys_and_values = 2 * self.num_key_value_heads * self.head_dim
        self.project_context = None
        if cross:
            self.project = dense(hidden_dim, use_bias, seeds)
            self.project_context = dense(keys_and_values, use_bias, seeds)
        else:  # one product for all three is faster
            both = hidden_dim + keys_and_values
            self.project = dense(both, use_bias, seeds)
        self.merge = dense(hidden_dim, use_bias, seeds, num_layers)
        self.drop = Dropout(dropout, seed=next(seeds))

    def build(self, x_shape):
        self.project.build(x_shape)
        if self.project_context is not None:
            self.project_context.build(x_shape)
        self.merge.build((*x_shape[:2], self.num_heads * self.head_dim))
        if self.qk_normalization is not None:
            self.qk_normalization.build((None, None, None, self.head_dim))

    def call(
        self,
        x,
        context=None,
        cache=None,
        position=0,
        key_mask=None,
        training=False,
    ):
        # Queries, keys and values, each (batch, its heads, length, head_dim).
        if self.project_context is None:
            query, key, value = self._project_all(x, position)
            if cache is not None:
                # The new keys and values take their places after the old.
                keys, values = cache
                key = ops.slice_update(keys, (0, 0, position, 0), key)
                value = ops.slice_update(values, (0, 0, position, 0), value)
                cache = key, value
        else:
            query = self._split(x, self.project, self.num_heads)
            query = self._normalized(query)
            # A context stays the same: its keys and values are made once.
            key, value = cache = cache or self.keys_and_values(context)
        # The mean of the values, with weights (batch, heads, length, keys).
        weights = self._weights(query, key, position, key_mask)
        weights = self.drop(weights, training=training)
        out = ops.matmul(weights, self._for_each_head(value))
        # The heads side by side, and a product that mixes them.
        out = ops.transpose(out, (0, 2, 1, 3))  # (batch, length, heads, dim)
        batch, length = ops.shape(x)[:2]
        out = ops.reshape(out, (batch, length, self.num_heads * self.head_dim))
        return self.merge(out), cache  # (batch, length, hidden_dim)

    def weights_of(self, x):
        """The weights of self-attention, for pictures.

        Args:
            x: Float tensor `(batch, length, hidden_dim)`.

        Returns:
            Float tensor `(batch, heads, length, length)`; rows sum to 1.
        """
        query, key, _ = self._project_all(x, 0)
        return self._weights(query, key, 0)

    def keys_and_values(self, context):
        """Keys and values of a context, for cross-attention.

        Args:
            context: Float tensor `(batch, context_length, hidden_dim)`.

        Returns:
            Pair of float tensors `(batch, key_value_heads, context_length,
            head_dim)`.
        """
        num_heads = 2 * self.num_key_value_heads
        both = self._split(context, self.project_context, num_heads)
        key, value = ops.split(both, 2, axis=1)
        return self._normalized(key), value

    def _project_all(self, x, position):
        """Queries, keys and values of the same tokens."""
        key_heads = self.num_key_value_heads
        all_heads = self.num_heads + 2 * key_heads
        heads = self._split(x, self.project, all_heads)
        both, value = ops.split(heads, (self.num_heads + key_heads,), axis=1)
        # Queries and keys are normalised and turned: together is faster.
        both = self.positions.turn(self._normalized(both), position)
        query, key = ops.split(both, (self.num_heads,), axis=1)
        return query, key, value  # each (batch, its heads, length, head_dim)

    def _weights(self, query, key, position, key_mask=None):
        """softmax((query key^T + scores of places) / sqrt(head_dim))."""
        key = self._for_each_head(key)
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))
        num_keys = ops.shape(key)[2]
        scores = scores + self.positions.scores(query, num_keys, position)
        scores = scores / self.head_dim**0.5  # (batch, heads, length, keys)
        # No weight for later tokens and for pads.
        allowed = None
        if self.causal:
            places = position + ops.arange(ops.shape(query)[2])
            allowed = ops.arange(num_keys)[None] <= places[:, None]
        if key_mask is not None:
            is_token = key_mask[:, None, None]  # (batch, 1, 1, keys)
            allowed = is_token if allowed is None else allowed & is_token
        if allowed is not None:
            scores = ops.where(allowed, scores, ops.cast(-1e9, scores.dtype))
        if scores.shape[-1] == 1:  # Keras's softmax warns of a single key
            return ops.ones_like(scores)
        return ops.softmax(scores, axis=-1)

    def _split(self, x, project, num_heads):
        """(batch, length, hidden_dim) -> (batch, heads, length, head_dim)."""
        # The sizes are those of x: in ONNX a product of it has none.
        batch, length = ops.shape(x)[:2]
        shape = (batch, length, num_heads, self.head_dim)
        return ops.transpose(ops.reshape(project(x), shape), (0, 2, 1, 3))

    def _normalized(self, heads):
        if self.qk_normalization is None:
            return heads
        return self.qk_normalization(heads)

    def _for_each_head(self, shared):
        """Repeats keys or values for each head of queries that shares them."""
        groups = self.num_heads // self.num_key_value_heads
        return shared if groups == 1 else ops.repeat(shared, groups, axis=1)

    def _make_positions(self, name, max_length, seeds):
        known = ("learned", "none", "relative", "rotary")
        check_choice("positions", name, known)
        if name == "rotary":
            return RotaryPositions(max_length, self.head_dim)
        if name == "relative":
            distances = self.add_weight(
                (self.num_heads, max_length, self.head_dim),
                normal(seeds, self.head_dim**-0.5),
                name="distances",
            )
            return RelativePositions(distances)
        return NoPositions()


class FeedForward(layers.Layer):
    """Two layers for each token: one to a wider vector, one back.

        narrow(gelu(widen(x)))                  plain
        narrow(silu(gate(x)) * widen(x))        SwiGLU

    Args:
        hidden_dim: Integer, the size of the vectors.
        intermediate_dim: Integer, the size between the layers.
        seeds: Iterator of integers, as from `layer_seeds`.
        gated: Boolean, whether it is SwiGLU. Defaults to `False`.
        use_bias: Boolean. Defaults to `False`.
        num_layers: Integer, the depth of the network, or `None`.

    Reference:
        Shazeer, GLU variants improve Transformer, 2020.
    """

    def __init__(
        self,
        hidden_dim,
        intermediate_dim,
        seeds,
        gated=False,
        use_bias=False,
        num_layers=None,
    ):
        super().__init__()
        self.gated = gated
        self.widen = dense(intermediate_dim, use_bias, seeds)
        if gated:
            self.gate = dense(intermediate_dim, use_bias, seeds)
        self.narrow = dense(hidden_dim, use_bias, seeds, num_layers)

    def build(self, x_shape):
        self.widen.build(x_shape)
        if self.gated:
            self.gate.build(x_shape)
        self.narrow.build((*x_shape[:2], self.widen.units))

    def call(self, x):
        if self.gated:
            return self.narrow(ops.silu(self.gate(x)) * self.widen(x))
        return self.narrow(ops.gelu(self.widen(x), approximate=True))


class Block(layers.Layer):
    """A block of a Transformer.

        x <- x + attention(norm(x))
        x <- x + feed_forward(norm(x))

    Args:
        attention: `Attention`.
        feed_forward: `FeedForward`.
        normalizations: Pair of layers.
        dropout: Layer that drops a share of each addition.
    """

    def __init__(self, attention, feed_forward, normalizations, dropout):
        super().__init__()
        self.attention = attention
        self.feed_forward = feed_forward
        self.normalizations = normalizations
        self.drop = dropout

    def build(self, x_shape):
        for layer in (self.attention, self.feed_forward, *self.normalizations):
            layer.build(x_shape)

    def call(self, x, cache=None, position=0, training=False):
        first, second = self.normalizations
        attended, cache = self.attention(
            first(x), cache=cache, position=position, training=training
        )
        x = x + self.drop(attended, training=training)
        out = self.feed_forward(second(x))
        x = x + self.drop(out, training=training)
        return x, cache  # (batch, length, hidden_dim)


def dense(units, use_bias, seeds, num_layers=None, name=None):
    """A product with small first weights.

    Each block of a Transformer adds to a sum twice. So that the sum does not
    grow with the depth, the products that are added to it have first weights
    that are smaller by `1 / sqrt(2 * num_layers)`.

    Args:
        units: Integer, the size of the output.
        use_bias: Boolean.
        seeds: Iterator of integers, as from `layer_seeds`.
        num_layers: Integer, the depth, where the output is added to the sum,
            or `None`.
        name: String, or `None`.

    Returns:
        `keras.layers.Dense`.

    Reference:
        Radford et al., Language models are unsupervised multitask learners,
        2019, section 2.3.
    """
    scale = 1.0 if num_layers is None else (2 * num_layers) ** -0.5
    return layers.Dense(
        units,
        use_bias=use_bias,
        kernel_initializer=normal(seeds, 0.02 * scale),
        name=name,
    )
