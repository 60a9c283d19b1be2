"""Training as in Keras: each argument takes effect, or is refused."""

import inspect
import math

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_genai import keras_private, replicas
from keras_genai.models.core.callback_lists import joined, looks_at_batches
from keras_genai.models.core.compiling import Compiling
from keras_genai.models.core.refusals import refusals_as_value_errors


class Fitting(keras_private.ChecksBeforeSteps, Compiling):
    """A `keras.Model` with a loss of its own, and checks before its steps.

    A family gives `train_step` and `test_step`, and `check`, which sees each
    batch first: in `fit`, `evaluate`, `train_on_batch` and `test_on_batch`,
    whether or not XLA compiles the steps.
    """

    def minimize(self, loss, tape, network=None, optimizer=None):
        """Takes one step of an optimizer down the gradient of a loss.

        Args:
            loss: Float scalar tensor, this replica's share of it, as from
                `keras_genai.replicas.batch_mean`.
            tape: `tf.GradientTape` that recorded it.
            network: The network to train, or `None` for the whole model.
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
        """Prints a sentence, but only the first time."""
        said = vars(self).setdefault("_said", set())
        if sentence not in said:
            said.add(sentence)
            print(sentence)

    def check(self, data):
        """Refuses a batch that the steps cannot use.

        Args:
            data: The argument of `fit`, in Keras's form: the inputs of the
                model, or a tuple of inputs, targets and sample weights.

        Returns:
            The same batch, in the types that the steps need.

        Raises:
            ValueError: If shapes or types are wrong. Values outside their
                range are refused when they arrive, by
                `tf.errors.InvalidArgumentError`, which `fit` and the similar
                methods turn into a `ValueError`.
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
        """The results that a step reports.

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
        """The metrics of `compile(metrics=...)`, in a list of length 1 or 0."""
        return keras_private.users_metrics(self)

    def compare(self, targets, predictions, data):
        """Updates the metrics that `compile` received.

        Args:
            targets: Tensor.
            predictions: Tensor, the family's predictions of them.
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
        `keras.callbacks.BackupAndRestore` sees the same batches as one without
        a break.

        Args:
            x: As in `keras.Model.fit`, most often a `tf.data.Dataset`.
            *args: As in `keras.Model.fit`.
            callbacks: Callback, or list of callbacks.
            **kwargs: As in `keras.Model.fit`.

        Returns:
            A `keras.callbacks.History`.

        Raises:
            ValueError: If the images do not have the shape, type and range
                that the model needs, or are not finite.
        """
        given = _by_name(keras.Model.fit, self, x, *args, **kwargs)
        given["callbacks"] = callbacks
        if isinstance(x, tf.data.Dataset):
            # A data set shuffles itself; Keras would warn about its own
            # shuffling.
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
        given["callbacks"] = joined(callbacks, ours)
        self._tell_which_way_is_better(given["callbacks"])
        with refusals_as_value_errors():
            return super().fit(**given)

    def evaluate(self, x=None, *args, callbacks=None, **kwargs):
        """Evaluates as `keras.Model.evaluate` does.

        A data set from `keras_genai.image_dataset` is read as in its first
        epoch, so that its random draws are the same every time.

        Args:
            x: As in `keras.Model.evaluate`, most often a `tf.data.Dataset`.
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
        if not keras_private.validates(given):
            _stand_in_for_targets(given)
            self._execute_steps(given.get("steps"), None, given)
        given["callbacks"] = joined(callbacks, [])
        with refusals_as_value_errors():
            return super().evaluate(**given)

    def train_on_batch(self, *args, **kwargs):
        with refusals_as_value_errors():
            return super().train_on_batch(*args, **kwargs)

    def test_on_batch(self, *args, **kwargs):
        with refusals_as_value_errors():
            return super().test_on_batch(*args, **kwargs)

    def _execute_steps(self, steps, validation_steps, given):
        """Chooses how many steps an execution has, so that no step is extra.

        Keras runs whole executions: of 8 steps each, ten steps would be 16.
        """
        most = self._most_steps
        if self._given["steps_per_execution"] is None and any(
            map(looks_at_batches, tf.nest.flatten(given["callbacks"] or []))
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
        """Sets the direction of monitors, which do not know our metrics."""
        known = {metric.name: metric for metric in self.metrics}
        for callback in getattr(callbacks, "callbacks", callbacks):
            name = str(getattr(callback, "monitor", "")).removeprefix("val_")
            if name in known and getattr(callback, "mode", None) == "auto":
                is_up = keras_private.direction(known[name]) == "up"
                callback.mode = "max" if is_up else "min"


_BATCH = "x", "y", "sample_weight"


def _by_name(method, model, *args, **kwargs):
    """The arguments of a method of the model's, each by its name."""
    bound = inspect.signature(method).bind(model, *args, **kwargs)
    named = dict([*bound.arguments.items()][1:])
    return {**named.pop("kwargs", {}), **named}


def _stand_in_for_targets(given):
    """Adds targets to arrays with weights, without which Keras drops them.

    Args:
        given: Dictionary, arguments of `fit` or `evaluate`; changed.

    Raises:
        ValueError: If labels are names, which Keras cannot use.
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
