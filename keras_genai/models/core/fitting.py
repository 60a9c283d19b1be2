"""Training as Keras has it: what is passed takes effect, or is refused."""

import contextlib
import inspect
import math
import re
import warnings

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_genai import replicas

# Where `compile` may choose: batches between two returns to Python.
STEPS_PER_EXECUTION = 8


class Fitting(keras.Model):
    """A `keras.Model` with a loss of its own, and checks before its steps.

    A family gives `train_step` and `test_step`, and `check`, which sees each
    batch first: in `fit`, `evaluate`, `train_on_batch` and `test_on_batch`,
    whether or not XLA compiles the steps.
    """

    learning_rate = 1e-3  # of the optimizer that `compile` is not given
    xla = False  # whether XLA compiles the steps of `fit` on a CPU too
    objective = "a loss of its own"  # in words, for whoever gives another
    prediction = None  # what `compile(metrics=...)` compares, in words
    pads = False  # whether examples have places where nothing is predicted
    _before_steps = False

    @classmethod
    def make_optimizer(cls, learning_rate):
        """The optimizer that suits the family.

        Args:
            learning_rate: Float, or
                `keras.optimizers.schedules.LearningRateSchedule`.

        Returns:
            `keras.optimizers.Optimizer`.
        """
        return keras.optimizers.Adam(learning_rate)

    def compile(
        self,
        optimizer=None,
        steps_per_execution=None,
        jit_compile=None,
        metrics=None,
        weighted_metrics=None,
        **kwargs,
    ):
        """Chooses the optimizer.

        Args:
            optimizer: `keras.optimizers.Optimizer` or its name, or `None` for
                that of `make_optimizer` with the family's `learning_rate`.
            steps_per_execution: Integer >= 1, batches between two returns to
                Python, where callbacks and the progress bar are; or `None`
                for 8, which trains small networks up to a third faster than
                1, but for 1 where TensorFlow cannot do more (eagerly and on
                several devices) and where a callback looks at each batch.
                `fit` takes fewer where a number of steps is no multiple.
            jit_compile: Boolean, whether XLA compiles the steps, or `"auto"`
                for Keras's choice, which is yes on a GPU; or `None` for that
                and, where it is faster for the family, yes on a CPU too.
            metrics: List of metrics, as for `keras.Model.compile`, of what
                the family predicts: an autoencoder's reconstructions, or the
                logits of a language model.
            weighted_metrics: As `metrics`, weighted by `sample_weight`.
            **kwargs: `run_eagerly` and the like, for `keras.Model.compile`.

        Raises:
            ValueError: If a loss is given, or metrics of a family that
                predicts nothing.
        """
        if optimizer is None:
            optimizer = self.make_optimizer(self.learning_rate)
        self._compile(
            steps_per_execution,
            jit_compile,
            metrics,
            weighted_metrics,
            optimizer=optimizer,
            **kwargs,
        )
        self._check_precision()
        # Slots must exist before `load_model` can fill them.
        self.optimizer.build(self.trainable_variables)

    def _compile(
        self,
        steps_per_execution=None,
        jit_compile=None,
        metrics=None,
        weighted_metrics=None,
        **kwargs,
    ):
        for name in ("loss", "loss_weights"):
            given = kwargs.pop(name, None)
            if given is not None:
                raise ValueError(
                    f"{type(self).__name__} is trained by {self.objective}, "
                    f"and takes no `{name}`. Received: {name}={given!r}"
                )
        if (metrics or weighted_metrics) and self.prediction is None:
            raise ValueError(
                f"{type(self).__name__} predicts nothing that a metric could "
                "compare with a target; callbacks and "
                "keras_genai.evaluate_samples measure what it generates. "
                f"Received: metrics={metrics or weighted_metrics}"
            )
        # As they were given, for `get_compile_config`: another machine may
        # have other devices.
        self._given = {
            "steps_per_execution": steps_per_execution,
            "jit_compile": jit_compile,
        }
        self._given_metrics = {
            name: list(given)
            for name, given in (
                ("metrics", metrics),
                ("weighted_metrics", weighted_metrics),
            )
            if given
        }
        single = not (kwargs.get("run_eagerly") or tf.distribute.has_strategy())
        if steps_per_execution is None:
            steps_per_execution = STEPS_PER_EXECUTION if single else 1
        self._most_steps = steps_per_execution
        if self.pads:  # a metric must not count them: their weight is 0
            both = [*(metrics or []), *(weighted_metrics or [])]
            metrics, weighted_metrics = None, both or None
        super().compile(
            steps_per_execution=steps_per_execution,
            jit_compile="auto" if jit_compile is None else jit_compile,
            metrics=metrics,
            weighted_metrics=weighted_metrics,
            **kwargs,
        )
        if jit_compile is None and self.xla and single:
            # Where XLA cannot be (TensorFlow's determinism), Keras would warn.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                self.jit_compile = True

    def _check_precision(self):
        muon = isinstance(self.optimizer, keras.optimizers.Muon)
        if muon and self.variable_dtype == "float64":
            raise ValueError(
                "Keras's Muon, the optimizer that this family takes unless "
                "told otherwise, does not work in float64: give compile "
                'another, such as optimizer="adam", or the model '
                'dtype="float32". '
                f"Received: dtype {self.dtype_policy.name}"
            )

    def get_compile_config(self):
        if not self.compiled:
            return None
        return {
            "optimizer": keras.saving.serialize_keras_object(self.optimizer),
            **self._given,
            **{
                name: keras.saving.serialize_keras_object(metrics)
                for name, metrics in self._given_metrics.items()
            },
        }

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))

    def scaled(self, optimizer):
        """The optimizer, scaling its loss where networks need it.

        Keras does so with a model's one optimizer; a GAN has two.

        Args:
            optimizer: `keras.optimizers.Optimizer`.

        Returns:
            `keras.optimizers.Optimizer`.
        """
        scales = keras.optimizers.LossScaleOptimizer
        if self.dtype_policy.name != "mixed_float16":
            return optimizer
        return optimizer if isinstance(optimizer, scales) else scales(optimizer)

    def minimize(self, loss, tape, network=None, optimizer=None):
        """Takes one step of an optimizer down the gradient of a loss.

        Args:
            loss: Float scalar tensor, this replica's share of it, as from
                `keras_genai.replicas.batch_mean`.
            tape: `tf.GradientTape` that recorded it.
            network: What is to learn, or `None` for the whole model.
            optimizer: `keras.optimizers.Optimizer`, or `None` for the model's
                own.
        """
        network = self if network is None else network
        optimizer = self.optimizer if optimizer is None else optimizer
        variables = network.trainable_variables
        # Scaled up where 16 bits would lose small gradients; `apply` undoes it.
        start = optimizer.scale_loss(ops.ones_like(loss))
        gradients = tape.gradient(loss, variables, output_gradients=start)
        gradients = replicas.whole_gradients(gradients, optimizer)
        optimizer.apply(gradients, variables)

    def say_once(self, sentence):
        """Prints a sentence, the first time that the model has to say it."""
        said = vars(self).setdefault("_said", set())
        if sentence not in said:
            said.add(sentence)
            print(sentence)

    def check(self, data):
        """Refuses a batch that the steps would not work on.

        Args:
            data: What `fit` was given, in Keras's form: what the model works
                on, or a tuple of it, targets and sample weights.

        Returns:
            The same, of the types that the steps work on.

        Raises:
            ValueError: If shapes or types are others. What lies outside its
                range is refused when it arrives, by
                `tf.errors.InvalidArgumentError`, which `fit` and its like
                turn into a `ValueError`.
        """
        return data

    def weighed(self, losses, data):
        """Losses times the sample weights of a batch, if it has any.

        Args:
            losses: Float tensor `(batch, ...)`.
            data: A batch, as from `check`.

        Returns:
            Float tensor like `losses`.
        """
        _, _, weights = keras.utils.unpack_x_y_sample_weight(data)
        if weights is None:
            return losses
        missing = len(losses.shape) - len(weights.shape)
        return losses * ops.reshape(
            weights, (*ops.shape(weights), *[1] * missing)
        )

    def results(self):
        """What a step reports.

        Returns:
            Dictionary: name -> float tensor, one a metric.
        """
        results = self.get_metrics_result()
        if replicas.on_several_machines():
            # Keras averages over the first axis there.
            return {name: value[None] for name, value in results.items()}
        return results

    @property
    def _users_metrics(self):
        """What `compile(metrics=...)` was given, as a list of one or none."""
        given = getattr(self, "_compile_metrics", None)
        return [] if given is None else [given]

    def compare(self, targets, predictions, data):
        """Updates the metrics that `compile` was given.

        Args:
            targets: Tensor.
            predictions: Tensor, what the family predicts of them.
            data: The batch, as from `check`, with its sample weights.
        """
        _, _, weights = keras.utils.unpack_x_y_sample_weight(data)
        for metrics in self._users_metrics:
            metrics.update_state(targets, predictions, weights)

    # --- The loops -----------------------------------------------------------

    def fit(self, x=None, *args, callbacks=None, **kwargs):
        """Trains as `keras.Model.fit` does, with data that know their epoch.

        A data set from `keras_genai.image_dataset` is shuffled by (seed,
        epoch). `fit` tells it the epoch, so that a run resumed by
        `keras.callbacks.BackupAndRestore` sees what an unbroken one would.

        Args:
            x: What `keras.Model.fit` takes, a `tf.data.Dataset` above all.
            *args: As in `keras.Model.fit`.
            callbacks: Callback, or list of callbacks.
            **kwargs: As in `keras.Model.fit`.

        Returns:
            A `keras.callbacks.History`.

        Raises:
            ValueError: If the images have another shape, type or range than
                the model works on, or are not finite.
        """
        given = _by_name(keras.Model.fit, self, x, *args, **kwargs)
        given["callbacks"] = callbacks
        if isinstance(x, tf.data.Dataset):
            # A data set shuffles itself; Keras warns where it is asked to.
            given.setdefault("shuffle", False)
        ours = []
        if hasattr(x, "set_epoch"):
            follow = keras.callbacks.LambdaCallback(
                on_epoch_begin=lambda epoch, logs: x.set_epoch(epoch)
            )
            ours.append(follow)
        _stand_in_for_targets(given)
        if isinstance(given.get("validation_data"), (tuple, list)):
            held_out = dict(zip(_BATCH, given["validation_data"], strict=False))
            _stand_in_for_targets(held_out)
            given["validation_data"] = tuple(held_out.values())
        self._execute_steps(
            given.get("steps_per_epoch"), given.get("validation_steps"), given
        )
        given["callbacks"] = _joined(callbacks, ours)
        self._tell_which_way_is_better(given["callbacks"])
        with refusals_as_value_errors():
            return super().fit(**given)

    def evaluate(self, x=None, *args, callbacks=None, **kwargs):
        """Evaluates as `keras.Model.evaluate` does.

        A data set from `keras_genai.image_dataset` is read as in its first
        epoch, so that what is drawn for it is the same every time.

        Args:
            x: What `keras.Model.evaluate` takes, a `tf.data.Dataset` above
                all.
            *args: As in `keras.Model.evaluate`.
            callbacks: Callback, or list of callbacks.
            **kwargs: As in `keras.Model.evaluate`.

        Returns:
            Dictionary of Python floats, one a metric, under the names that
            `fit` reports, unless `return_dict=False`.

        Raises:
            ValueError: As `fit`.
        """
        kwargs.setdefault("return_dict", True)
        given = _by_name(keras.Model.evaluate, self, x, *args, **kwargs)
        given["callbacks"] = callbacks
        if hasattr(x, "set_epoch"):
            x.set_epoch(0)
        if not given.get("_use_cached_eval_dataset"):  # not inside of `fit`
            _stand_in_for_targets(given)
            self._execute_steps(given.get("steps"), None, given)
        given["callbacks"] = _joined(callbacks, [])
        with refusals_as_value_errors():
            return super().evaluate(**given)

    def train_on_batch(self, *args, **kwargs):
        with refusals_as_value_errors():
            return super().train_on_batch(*args, **kwargs)

    def test_on_batch(self, *args, **kwargs):
        with refusals_as_value_errors():
            return super().test_on_batch(*args, **kwargs)

    def _execute_steps(self, steps, validation_steps, given):
        """Chooses how many steps an execution has, so that none is too many.

        Keras runs whole executions: of 8 steps each, ten steps would be 16.
        """
        most = self._most_steps
        if self._given["steps_per_execution"] is None and any(
            map(_looks_at_batches, tf.nest.flatten(given["callbacks"] or []))
        ):
            most = 1
        numbers = (
            steps,
            validation_steps,
            keras.config.max_steps_per_epoch(),
        )
        common = math.gcd(*(number or 0 for number in numbers))
        count = max(n for n in range(1, most + 1) if common % n == 0)
        if count != self.steps_per_execution:
            self.steps_per_execution = count
            self.train_function = self.test_function = None

    def _tell_which_way_is_better(self, callbacks):
        """Tells callbacks with a monitor, which do not know our metrics."""
        known = {metric.name: metric for metric in self.metrics}
        for callback in getattr(callbacks, "callbacks", callbacks):
            name = str(getattr(callback, "monitor", "")).removeprefix("val_")
            if name in known and getattr(callback, "mode", None) == "auto":
                way = getattr(known[name], "_direction", "down")
                callback.mode = "max" if way == "up" else "min"

    def _maybe_symbolic_build(self, *args, **kwargs):
        """Under a strategy Keras builds what is not built, by one batch.

        Every family is built in `__init__`, and not every one is called on
        what `fit` is given.
        """

    def _make_function(self, step_function):
        # XLA leaves assertions out. What Keras compiles by it is wrapped by
        # `_autoconvert_optionals`, outside of which a batch can be checked.
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


_BATCH = "x", "y", "sample_weight"


def _by_name(method, model, *args, **kwargs):
    """The arguments of a method of the model's, each by its name."""
    bound = inspect.signature(method).bind(model, *args, **kwargs)
    named = dict([*bound.arguments.items()][1:])
    return {**named.pop("kwargs", {}), **named}


def _stand_in_for_targets(given):
    """Has Keras heed weights beside arrays, where it would need targets.

    Args:
        given: Dictionary, what `fit` or `evaluate` was given; changed.

    Raises:
        ValueError: If labels are names, of which Keras knows nothing.
    """
    targets = given.get("y")
    if targets is None and given.get("sample_weight") is not None:
        given["y"] = np.zeros((len(given["x"]), 0), "float32")
    kind = getattr(getattr(targets, "dtype", None), "kind", None)
    if kind in ("U", "S", "O"):
        raise ValueError(
            "Expected labels that are integers, from 0 on: of names "
            "np.unique(names, return_inverse=True)[1]. "
            f"Received: y={targets!r:.80}"
        )


def _looks_at_batches(callback):
    """Whether a callback does something at each batch."""
    if isinstance(callback, keras.callbacks.ProgbarLogger):
        return False
    if getattr(callback, "looks_at_executions", False):  # of this package
        return False
    # What may be asked for every so many batches, and was not.
    for name in ("save_freq", "update_freq"):
        if getattr(callback, name, None) == "epoch":
            return False
    return not all(
        getattr(getattr(callback, name), "_is_default", False)
        for name in (
            *("on_batch_begin", "on_train_batch_begin", "on_test_batch_begin"),
            *("on_batch_end", "on_train_batch_end", "on_test_batch_end"),
        )
    )


class _ProgressBar(keras.callbacks.ProgbarLogger):
    """Keras's, but it counts no further than to the last batch.

    With several steps an execution Keras counts whole executions, and would
    show 40 of 36 steps.
    """

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(self._within(batch), logs)

    def on_test_batch_end(self, batch, logs=None):
        super().on_test_batch_end(self._within(batch), logs)

    def _within(self, batch):
        return batch if self.target is None else min(batch, self.target - 1)


def _joined(callbacks, ours):
    """The user's callbacks, ours and a progress bar, if there is none."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        for callback in ours:
            callbacks.append(callback)
        return callbacks
    theirs = tf.nest.flatten(callbacks or [])
    if any(isinstance(each, keras.callbacks.ProgbarLogger) for each in theirs):
        return [*theirs, *ours]
    return [*theirs, *ours, _ProgressBar()]


@contextlib.contextmanager
def refusals_as_value_errors():
    """Raises what `check` found when a batch arrived as a `ValueError`."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        # In a graph the parts of a message are in brackets; eagerly they are
        # lines, and strings are bytes.
        message = str(error)
        traced = re.search(r"assertion failed: (.*Received: .*)", message)
        eager = re.search(
            r"Summarized data: (b['\"].*Received: .*)", message, re.S
        )
        if traced:
            message = traced[1].replace("] [", " ").strip("[]")
        elif eager:
            lines = eager[1].splitlines()
            message = " ".join(
                re.sub(r"^b(['\"])(.*)\1$", r"\2", x) for x in lines
            )
        else:
            raise
        raise ValueError(message) from None
