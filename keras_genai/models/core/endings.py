"""The last layer of a network: outputs that it can never give."""

import keras
import numpy as np

# Layers and operations that only change the shape of their inputs.
_PASSES_ON = (
    *("Reshape", "Flatten", "Permute", "Identity", "Dropout", "Cropping2D"),
    *("Transpose", "Squeeze", "ExpandDims"),
)
_NOT_NEGATIVE = ("relu", "relu6", "softplus", "sigmoid", "softmax")
_SQUASHING = (*_NOT_NEGATIVE, "hard_sigmoid", "tanh", "hard_tanh")


def last_activation(network):
    """The function that a network ends in, by name.

    The search passes layers that only change the shape, looks in networks
    inside of networks, and among operations of `keras.ops`.

    Args:
        network: `keras.Layer`.

    Returns:
        String, `"linear"` if Keras's last layer has no function; `None` if the
        last layer is not one of Keras's, so that its function is not known.

    Example:
        >>> last_activation(keras.layers.Dense(1, activation="tanh"))
        'tanh'
    """
    if isinstance(network, keras.Sequential):
        found = (
            layer
            for layer in reversed(network.layers)
            if type(layer).__name__ not in _PASSES_ON
        )
        return last_activation(next(found, keras.layers.Identity()))
    if isinstance(network, keras.Model):
        if not getattr(network, "outputs", None):
            return None
        tensor = network.outputs[0]
        while type(tensor._keras_history.operation).__name__ in _PASSES_ON:
            tensor = tensor._keras_history.operation.input
        return last_activation(tensor._keras_history.operation)
    if isinstance(getattr(network, "layer", None), keras.Layer):  # wrapped
        return last_activation(network.layer)
    activation = getattr(network, "activation", None)
    if activation is not None:
        return getattr(activation, "__name__", type(activation).__name__)
    name = type(network).__name__
    if name.lower() in _SQUASHING:
        return name.lower()
    is_keras = type(network).__module__.startswith("keras.")
    return "linear" if is_keras and name != "Lambda" else None


def check_logits(network, make, what):
    """Refuses a network that ends in a squashing function.

    Args:
        network: `keras.Layer` that gives logits.
        make: Function of a scale: the network's outputs for probes of this
            size, an array. Called if the function of the last layer is not
            known.
        what: String, name of the network in the message.

    Raises:
        ValueError: If it does, by its last layer or by its outputs.
    """
    name = last_activation(network)
    if name in _SQUASHING:
        raise ValueError(
            f"{what} must end in logits; the losses apply the sigmoid. "
            f"Received: {network.name!r}, which ends in activation={name!r}"
        )
    if name is not None:
        return
    # Outputs are squashed if they always stay in [0, 1] or [-1, 1], and large
    # probes reach the ends of that range.
    found = _probe(make)
    for low, high in ((0.0, 1.0), (-1.0, 1.0)):
        inside = low <= found.min() and found.max() <= high
        ends = np.minimum(abs(found - low), abs(found - high)).min()
        if inside and ends < 1e-3 and np.ptp(found) > 0:
            raise ValueError(
                f"{what} must end in logits; the losses apply the sigmoid. "
                f"Received: {network.name!r}, whose outputs stay in "
                f"[{low:g}, {high:g}]"
            )


def check_signs(network, make):
    """Refuses a generator that makes no pixel below 0.

    Args:
        network: `keras.Layer` that makes images in [-1, 1].
        make: As for `check_logits`.

    Raises:
        ValueError: If it does not, by its last layer or by its outputs.
    """
    name = last_activation(network)
    found = _probe(make) if name is None else np.zeros(1)
    if name in _NOT_NEGATIVE or (found.min() >= 0 and found.max() > 0):
        raise ValueError(
            "The generator must make images in [-1, 1], as a last layer with "
            f"activation='tanh' does. Received: {network.name!r}, which makes "
            "no pixel below 0"
        )


def _probe(make):
    return np.concatenate([np.ravel(make(scale)) for scale in (1.0, 1e2, 1e4)])


def probes(*shape):
    """Normal noise to show a network, the same each time."""
    return np.random.default_rng(0).normal(size=shape).astype("float32")
