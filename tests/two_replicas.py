"""Trains families on one device and on two, and prints the differences.

Sums are rounded in another order on two devices, and training multiplies what
that changes, by more on one processor than on another. So a second number
stands beside each difference: that of two trainings on one device, the second
of which begins with every weight moved by one rounding.

    python tests/two_replicas.py gan dcgan ...
    python tests/two_replicas.py --scaled-steps

The second takes steps with a scaled loss on gradients that are given.

Run by tests/test_replicas.py in a process of its own: how many devices there
are is decided before TensorFlow starts.
"""

import json
import sys

import keras
import numpy as np
import tensorflow as tf

import keras_genai
from keras_genai.replicas import (
    synchronize_batch_normalization,
    whole_gradients,
)

PARTS = "state", "history", "results"
ROUNDING = 2.0**-23  # of a number near 1 in 32 bits


def families():
    """Name -> (model of a seed, small data that it takes)."""
    import test_contract

    language_models = {
        **test_contract.LANGUAGE_MODELS,
        "dropping_lstm": lambda: keras_genai.LSTMLanguageModel(
            tokenizer=test_contract.TOKENIZER,
            embedding_dim=6,
            hidden_dim=8,
            dropout=0.2,
            seed=0,
        ),
    }
    return {
        **test_contract.MODELS,
        "music_transformer": (test_contract.composer, test_contract.scores),
        **{
            name: (make, test_contract.windows)
            for name, make in language_models.items()
        },
    }


def compiled(make_model, synchronized):
    """A model and all that it changes: weights, slots and states."""
    model = make_model()
    if synchronized:
        synchronize_batch_normalization(model)
    # XLA draws others from the same seeds.
    arguments = {"steps_per_execution": 1, "jit_compile": False}
    if type(model) is keras_genai.GAN:
        # Biases before BatchNorm have a gradient of 0; Adam makes steps of
        # its rounding.
        for player in "dg":
            arguments[f"{player}_optimizer"] = keras.optimizers.SGD(0.01, 0.9)
    model.compile(**arguments)
    optimizers = [
        value
        for value in vars(model).values()
        if isinstance(value, keras.optimizers.Optimizer)
    ]
    owners = model, *optimizers
    return model, [each for owner in owners for each in owner.variables]


def train(model, variables, data):
    """Values after training, what `fit` reported, and what `evaluate` does."""
    history = model.fit(data, epochs=2, verbose=0).history
    state = [variable.numpy() for variable in variables]
    results = model.evaluate(data, verbose=0)
    return state, list(history.values()), list(results.values())


def round_otherwise(weights):
    """Moves each weight up or down by one rounding of 32 bits."""
    random = np.random.default_rng(0)
    for weight in weights:
        up_or_down = random.choice([-1.0, 1.0], weight.shape)
        weight.assign(weight * (1.0 + ROUNDING * up_or_down))


def difference(one, other):
    """The greatest, of numbers above 1 in relation to them."""
    return max(
        float(np.max(np.abs(a - b) / np.maximum(1.0, np.abs(a)), initial=0.0))
        for a, b in zip(map(np.array, one), map(np.array, other), strict=True)
    )


def scaled_steps(strategy):
    """Weights and scales: after gradients to be clipped, and one too many."""
    with strategy.scope():
        weights = keras.Variable([1.0, 1.0])
        optimizer = keras.optimizers.LossScaleOptimizer(
            keras.optimizers.SGD(1.0, clipnorm=1.0), initial_scale=8.0
        )
        optimizer.build([weights])
    found = []
    for shares in ([[24.0, 0.0], [0.0, 32.0]], [[0.0, 0.0], [np.inf, 0.0]]):

        def step(shares=shares):
            replica = tf.distribute.get_replica_context()
            share = tf.constant(shares)[replica.replica_id_in_sync_group]
            gradients = whole_gradients([share], optimizer)
            optimizer.apply(gradients, [weights])

        tf.function(strategy.run)(tf.function(step))
        scale = optimizer.dynamic_scale.numpy().tolist()
        found.append([*weights.numpy().tolist(), scale])
    return found


def main(names, synchronized=True):
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * 2
    )
    # One for all: TensorFlow numbers what the replicas of a process exchange.
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    if "--scaled-steps" in sys.argv:
        print(json.dumps(scaled_steps(strategy)))
        return
    found, known = {}, families()
    for name in names:
        make_model, make_data = known[name]
        model, variables = compiled(make_model, synchronized)
        before = [variable.numpy() for variable in variables]
        on_one = train(model, variables, make_data())
        # Again, from weights that are rounded otherwise.
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)
        round_otherwise(model.trainable_variables)
        rounded = train(model, variables, make_data())
        with strategy.scope():
            model, variables = compiled(make_model, synchronized)
            on_two = train(model, variables, make_data())
        parts = zip(PARTS, on_one, on_two, rounded, strict=True)
        found[name] = {
            part: (difference(one, two), difference(one, other))
            for part, one, two, other in parts
        }
    print(json.dumps(found))


if __name__ == "__main__":
    local = "--local-statistics" in sys.argv
    names = [name for name in sys.argv[1:] if not name.startswith("--")]
    main(names, synchronized=not local)
