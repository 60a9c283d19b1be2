"""Attention beside Keras's, with the same weights."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_genai.layers import Attention, layer_seeds

BATCH, LENGTH, KEYS, HEADS, DIM = 2, 5, 4, 3, 6
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(BATCH, LENGTH, DIM)).astype("float32")
CONTEXT = RANDOM.normal(size=(BATCH, KEYS, DIM)).astype("float32")
MASK = np.array([[True] * 3 + [False], [True] * 2 + [False] * 2])


def make(**arguments):
    """An attention layer with random weights and biases."""
    seeds = layer_seeds(0, "attention")
    layer = Attention(DIM, HEADS, LENGTH, seeds, use_bias=True, **arguments)
    layer.build((None, None, DIM))
    layer.set_weights(
        [RANDOM.normal(0, 0.5, weight.shape) for weight in layer.weights]
    )
    return layer


def keras_twin(layer):
    """`keras.layers.MultiHeadAttention` with the weights of a layer."""
    twin = keras.layers.MultiHeadAttention(HEADS, DIM // HEADS)
    twin.build((BATCH, LENGTH, DIM), (BATCH, KEYS, DIM))
    kernel, bias = (np.array(each) for each in layer.project.weights)
    if layer.project_context is not None:
        more = [np.array(each) for each in layer.project_context.weights]
        kernel = np.concatenate([kernel, more[0]], axis=1)
        bias = np.concatenate([bias, more[1]])
    weights = []
    for part, its_bias in zip(
        np.split(kernel, 3, axis=1), np.split(bias, 3), strict=True
    ):
        weights.append(part.reshape(DIM, HEADS, -1))
        weights.append(its_bias.reshape(HEADS, -1))
    out, out_bias = (np.array(each) for each in layer.merge.weights)
    twin.set_weights([*weights, out.reshape(HEADS, -1, DIM), out_bias])
    return twin


@pytest.mark.parametrize("causal", [True, False])
def test_self_attention_is_kerass(causal):
    layer = make(causal=causal)
    expected = keras_twin(layer)(X, X, use_causal_mask=causal)
    np.testing.assert_allclose(layer(X)[0], expected, atol=1e-5)


def test_cross_attention_is_kerass_and_sees_no_pads():
    layer = make(causal=False, cross=True)
    twin = keras_twin(layer)
    found, cache = layer(X, context=CONTEXT)
    np.testing.assert_allclose(found, twin(X, CONTEXT), atol=1e-5)
    masked, _ = layer(X, cache=cache, key_mask=MASK)
    expected = twin(X, CONTEXT, attention_mask=MASK[:, None])
    np.testing.assert_allclose(masked, expected, atol=1e-5)
    # Whatever stands in the place of a pad.
    other = np.where(MASK[..., None], CONTEXT, 100.0)
    np.testing.assert_allclose(
        layer(X, context=other, key_mask=MASK)[0], masked, atol=1e-5
    )


def test_what_would_be_ignored_is_refused():
    with pytest.raises(ValueError, match="'rotery'"):
        make(positions="rotery")
    with pytest.raises(ValueError, match="causal=True"):
        make(cross=True)
    with pytest.raises(ValueError, match="positions='rotary'"):
        make(cross=True, causal=False, positions="rotary")


def test_without_positions_and_order_tokens_are_a_set():
    layer = make(causal=False)
    order = RANDOM.permutation(LENGTH)
    np.testing.assert_allclose(
        layer(X[:, order])[0], np.array(layer(X)[0])[:, order], atol=1e-5
    )


@pytest.mark.parametrize("positions", ["none", "rotary", "relative"])
def test_token_by_token_is_all_at_once(positions):
    layer = make(positions=positions, num_key_value_heads=1, qk_norm=True)
    expected, _ = layer(X)
    shape = (BATCH, 1, LENGTH, DIM // HEADS)
    cache = ops.zeros(shape), ops.zeros(shape)
    for place in range(LENGTH):
        one, cache = layer(X[:, place : place + 1], cache=cache, position=place)
        np.testing.assert_allclose(
            one[:, 0], expected[:, place], atol=1e-5, err_msg=str(place)
        )
