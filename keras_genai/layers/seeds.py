"""Seeds and initializers of networks."""

import random

import keras


def layer_seeds(seed, network):
    """Seeds for the initializers and dropouts of a network, all different.

    Args:
        seed: Integer, or `None` for seeds drawn at random.
        network: String; networks of different names get other seeds.

    Yields:
        Integers in [0, 2**31).

    Example:
        >>> seeds = layer_seeds(0, "generator")
        >>> next(seeds) == next(seeds)
        False
    """
    stream = random.Random(None if seed is None else f"{network} {seed}")
    while True:
        yield stream.randrange(2**31)


def glorot(seeds):
    """Glorot's uniform initializer, with the next of `layer_seeds`."""
    return keras.initializers.GlorotUniform(seed=next(seeds))


def he(seeds):
    """He's normal initializer, with the next of `layer_seeds`."""
    return keras.initializers.HeNormal(seed=next(seeds))


def normal(seeds, stddev=0.02):
    """A normal initializer around 0, with the next of `layer_seeds`.

    Args:
        seeds: Iterator of integers.
        stddev: Float. Defaults to `0.02`.

    Returns:
        `keras.initializers.RandomNormal`.
    """
    return keras.initializers.RandomNormal(stddev=stddev, seed=next(seeds))
