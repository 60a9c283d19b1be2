"""Moving averages: of weights, in a second network, and of statistics.

A GAN's samples come from an average of its generator's weights, because each
step moves the weights back and forth. The average starts from the weights
themselves and moves with each step:

    average <- decay average + (1 - decay) value

All weights of the network are averaged, also the running means and variances
of its BatchNorm, which are averages themselves.
"""

import keras
from keras import ops


def warm_decay(decay, step):
    """A decay that grows to its full size.

    The first steps move far and should be forgotten fast: the decay is
    `(1 + step) / (10 + step)` until that reaches `decay`.

    Args:
        decay: Float in [0, 1).
        step: Integer tensor, the steps so far.

    Returns:
        Float32 scalar tensor.

    Example:
        >>> float(warm_decay(0.999, 8))
        0.5
    """
    step = ops.cast(step, "float32")
    return ops.minimum(decay, (1.0 + step) / (10.0 + step))


def move_averages(averages, values, decay):
    """Moves averages towards values.

    Args:
        averages: Iterable of float variables.
        values: Iterable of float tensors or variables of the same shapes.
        decay: Float or float scalar tensor in [0, 1], the share of the old
            averages that is kept.
    """
    for average, value in zip(averages, values, strict=True):
        kept = ops.cast(decay, average.dtype)
        average.assign(value + kept * (average - value))


def copy_network(network, inputs):
    """Copies a network: the same function, with weights of its own.

    Args:
        network: `keras.Layer`, built.
        inputs: Inputs of the network: a tensor, or a list of several.

    Returns:
        `keras.Layer`, named `averaged_...`, with the weights of the network.

    Example:
        >>> network = keras.Sequential([keras.layers.Dense(2)], name="g")
        >>> ones = keras.ops.ones((1, 3))
        >>> outputs = network(ones)
        >>> copy = copy_network(network, ones)
        >>> bool(keras.ops.all(copy(ones) == outputs)), copy.name
        (True, 'averaged_g')
    """
    name = f"averaged_{network.name}"
    try:
        copy = keras.models.clone_model(network)
    except Exception:  # any kind: the network has no config
        return OtherWeights(network, name=name)
    copy.name = name
    copy(inputs, training=True)  # builds
    # A clone draws weights of its own; the average starts from the trained.
    copy.set_weights(network.get_weights())
    return copy


class OtherWeights(keras.Layer):
    """A network with weights of its own, which needs no config to be copied.

    Keras copies a network by its config. One that has none, a subclass in
    a notebook or a lambda, is called here with other weights instead.

    Args:
        network: `keras.Layer`, built. The new weights start as copies of its
            weights.

    Call arguments:
        inputs: The inputs of the network.
    """

    def __init__(self, network, **kwargs):
        super().__init__(**kwargs)
        self._network = lambda: network  # not tracked as a part of this layer
        self._copies = [
            self.add_weight(
                shape=weight.shape,
                dtype=weight.dtype,
                initializer=lambda shape, dtype, value=weight: value.numpy(),
                trainable=weight.trainable,
                name=weight.name,
            )
            for weight in network.weights
        ]

    def call(self, inputs, training=False):
        network = self._network()
        copies = {
            id(weight): copy
            for weight, copy in zip(network.weights, self._copies, strict=True)
        }

        def values(variables):  # random states are the network's own
            return [copies.get(id(each), each).value for each in variables]

        outputs, _ = network.stateless_call(
            values(network.trainable_variables),
            values(network.non_trainable_variables),
            inputs,
            training=training,
        )
        return outputs
