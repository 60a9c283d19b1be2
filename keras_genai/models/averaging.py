"""A second set of weights for a network, which averages of them are kept in."""

import keras


class OtherWeights(keras.Layer):
    """A network with weights of its own, which needs no config to be copied.

    Keras copies a network by its config. One that has none, a subclass in
    a notebook or a lambda, is called here with other weights instead.

    Args:
        network: `keras.Layer`, built. Its weights are what these start from.

    Call arguments:
        inputs: What the network takes.
    """

    def __init__(self, network, **kwargs):
        super().__init__(**kwargs)
        self._network = lambda: network  # it is not a part of this
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
