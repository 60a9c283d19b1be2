"""Interfaces of Keras that it does not document, and why each is needed.

All were read in Keras 3.15, which `setup.cfg` asks for at least. Where a later
version no longer has one, the test that is named for it fails.
"""

import contextlib

import keras
import tensorflow as tf


class ChecksBeforeSteps(keras.Model):
    """Has `check` see each batch before a step that XLA compiles.

    XLA leaves assertions out. What Keras compiles by it is wrapped by
    `_autoconvert_optionals`, and outside of that a batch can be checked.
    Tests: `habits/test_fit_arguments.py`.
    """

    _before_steps = False

    def _maybe_symbolic_build(self, *args, **kwargs):
        """Under a strategy Keras builds what is not built, by one batch.

        Every family is built in `__init__`, and not every one is called on
        what `fit` is given.
        """

    def _make_function(self, step_function):
        self._before_steps = True
        try:
            function = super()._make_function(step_function)
        finally:
            self._before_steps = False
        # TensorFlow counts the traces of this line of Keras over all models,
        # and five in forty executions, of several steps each, are soon there,
        # with no function traced twice. Each is to be counted for itself.
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
    """Whether a method of a callback is the empty one of Keras.

    Keras marks those, to call no callback at each batch for nothing. Tests:
    `habits/test_fit_arguments.py`.
    """
    return getattr(method, "_is_default", False)


def users_metrics(model):
    """The metrics that `compile(metrics=...)` was given: a list of 0 or 1.

    Keras makes one `CompileMetrics` of them, which its own `train_step`
    updates. Tests: `habits/test_fit_arguments.py`.
    """
    given = getattr(model, "_compile_metrics", None)
    return [] if given is None else [given]


def say_direction(metric, direction):
    """Says which way a metric is better, `"up"` or `"down"`.

    Keras's metrics know it by a class attribute. Tests: `test_gan.py`.
    """
    metric._direction = direction


def direction(metric):
    """Which way a metric is better: `"up"` or `"down"`."""
    return getattr(metric, "_direction", "down")


def validates(given):
    """Whether `evaluate` was called by `fit`, by its arguments.

    `fit` then has checked them. Tests: `habits/test_fit_arguments.py`.
    """
    return bool(given.get("_use_cached_eval_dataset"))


def safe_mode():
    """A context in which Keras's safe mode is on, whatever a process set.

    Tests: `faults/test_archives.py`.
    """
    from keras.src.saving.serialization_lib import SafeModeScope

    return SafeModeScope(True)


def remember_attributes_of_optimizers():
    """Stops Keras's saving from making an optimizer to see what one has.

    Keras lists the attributes that every optimizer has once, and keeps the
    list under another name than it looks for (`get_attr_skipset`). So each
    save makes an optimizer, whose two variables have new names, of which
    TensorFlow keeps 35 KiB each for good. Tests: `test_callbacks.py`.
    """
    with contextlib.suppress(ImportError, AttributeError):  # names of its own
        from keras.src.backend.common import global_state
        from keras.src.saving import saving_lib

        global_state.set_global_attribute(
            "saving_attr_skiplist_Optimizer",
            saving_lib.get_attr_skipset("Optimizer"),
        )
