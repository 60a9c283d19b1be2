"""The argument `dtype` of every family: the precision of its networks.

Layers take their precision from Keras's global policy when they are made, and
networks are made in many places. So `GenerativeModel` wraps the `__init__` of
each family: while it runs, the policy is the one that was asked for.
"""

import functools
import inspect

import keras


def with_dtype(make):
    """Gives an `__init__` the argument `dtype`, for all layers it makes.

    Args:
        make: Function, the `__init__` of a family.

    Returns:
        Function with the same arguments, and `dtype`.
    """

    @functools.wraps(make)
    def __init__(self, *args, dtype=None, **kwargs):
        if keras.config.floatx() != "float32":
            raise ValueError(
                "Random numbers, losses and pictures are float32 here, which "
                'keras.config.set_floatx changes. Give it "float32" again, and '
                "the precision of networks as an argument, "
                f'dtype="{keras.config.floatx()}". '
                f"Received: floatx {keras.config.floatx()}"
            )
        before = keras.config.dtype_policy()
        try:
            if dtype is not None:
                keras.config.set_dtype_policy(keras.dtype_policies.get(dtype))
            make(self, *args, **kwargs)
        finally:
            keras.config.set_dtype_policy(before)

    # `help`, the command line and Keras itself read this signature.
    signature = inspect.signature(make)
    *own, last = signature.parameters.values()
    if "dtype" not in signature.parameters:
        own.append(inspect.Parameter("dtype", last.KEYWORD_ONLY, default=None))
    __init__.__signature__ = signature.replace(parameters=[*own, last])
    return __init__
