"""Interfaces of Keras that it does not document, and why each is needed.

All were read in Keras 3.15. If another version does not have one, the test
that is named here fails.
"""

import contextlib

import keras
import tensorflow as tf


class ChecksBeforeSteps(keras.Model):
    """Calls `check` on each batch before a step that XLA compiles.

    XLA leaves assertions out. `_autoconvert_optionals` wraps the function that
    Keras compiles with XLA; outside of it a batch can be checked. Tests:
    `habits/test_fit_arguments.py`.
    """

    _before_steps = False

    def _maybe_symbolic_build(self, *args, **kwargs):
        """Skips Keras's building of a model, under a strategy, by one batch.

        Every family is built in `__init__`, and some cannot be called on the
        data of `fit`.
        """

    def _make_function(self, step_function):
        self._before_steps = True
        try:
            function = super()._make_function(step_function)
        finally:
            self._before_steps = False
        # TensorFlow counts the traces of this line of Keras over all models,
        # and warns after five in forty executions, although no function is
        # traced twice. Each model must have its own count.
        for traced in (cell.cell_contents for cell in function.__closure__):
            if hasattr(traced, "_key_for_call_stats"):
                traced._key_for_call_stats = traced._python_function
        return function

    def _autoconvert_optionals(self, step_func):
        step = super()._autoconvert_optionals(step_func)
        if not self._before_steps:  # of `predict`
            return step

        @tf.autograph.experimental.do_not_convert
        def check(data):
            return self.check(data)

        def checked_step(data):
            return step(self.distribute_strategy.run(check, args=(data,)))

        return checked_step


def is_default(method):
    """Whether a callback has Keras's empty method and does not override it.

    Keras marks empty methods, so that it need not call them at each batch.
    Tests: `habits/test_fit_arguments.py`.
    """
    return getattr(method, "_is_default", False)


def users_metrics(model):
    """The metrics of `compile(metrics=...)`: a list of length 0 or 1.

    Keras makes one `CompileMetrics` of them, which its own `train_step`
    updates. Tests: `habits/test_fit_arguments.py`.
    """
    given = getattr(model, "_compile_metrics", None)
    return [] if given is None else [given]


def say_direction(metric, direction):
    """Sets the better direction of a metric, `"up"` or `"down"`.

    Keras's own metrics have a class attribute for it. Tests: `test_gan.py`.
    """
    metric._direction = direction


def direction(metric):
    """The better direction of a metric: `"up"` or `"down"`."""
    return getattr(metric, "_direction", "down")


def validates(given):
    """Whether `evaluate` was called by `fit`, by its arguments.

    In this case `fit` has checked them. Tests: `habits/test_fit_arguments.py`.
    """
    return bool(given.get("_use_cached_eval_dataset"))


def safe_mode():
    """A context in which Keras's safe mode is on, always.

    Tests: `faults/test_archives.py`.
    """
    from keras.src.saving.serialization_lib import SafeModeScope

    return SafeModeScope(True)


def remember_attributes_of_optimizers():
    """Stops Keras from making an optimizer in each save, for its attributes.

    Keras lists the attributes of all optimizers, and keeps the list, but under
    a wrong name (`get_attr_skipset`). So each save makes an optimizer, whose
    two variables have new names, and TensorFlow keeps 35 KiB for each name.
    Tests: `test_callbacks.py`.
    """
    with contextlib.suppress(
        ImportError, AttributeError
    ):  # they may be renamed
        from keras.src.backend.common import global_state
        from keras.src.saving import saving_lib

        global_state.set_global_attribute(
            "saving_attr_skiplist_Optimizer",
            saving_lib.get_attr_skipset("Optimizer"),
        )
