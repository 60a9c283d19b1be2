"""Compiling as in Keras: each argument takes effect, or is refused."""

import warnings

import keras
import tensorflow as tf

# Where `compile` may choose: batches between two returns to Python.
STEPS_PER_EXECUTION = 8


class Compiling(keras.Model):
    """A `keras.Model` that brings its own loss and its own optimizer."""

    learning_rate = 1e-3  # if `compile` receives no optimizer
    xla = False  # whether XLA compiles the steps of `fit` on a CPU too
    objective = "a loss of its own"  # in words, for errors
    prediction = None  # in words, compared by `compile(metrics=...)`
    pads = False  # whether examples have places where nothing is predicted

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
                Python, where callbacks and the progress bar are; or `None` for
                8, which trains small networks up to a third faster than 1, but
                for 1 where TensorFlow cannot do more (eagerly and on several
                devices) and where a callback looks at each batch. `fit` uses
                fewer if the number of steps is not a multiple.
            jit_compile: Boolean, whether XLA compiles the steps, or `"auto"`
                for Keras's choice, `True` on a GPU; or `None` for Keras's
                choice and, if the family is faster with XLA, `True` on a CPU
                too.
            metrics: List of metrics, as for `keras.Model.compile`, of the
                family's predictions: an autoencoder's reconstructions, or the
                logits of a language model.
            weighted_metrics: As `metrics`, weighted by `sample_weight`.
            **kwargs: `run_eagerly` and the like, for `keras.Model.compile`.

        Raises:
            ValueError: If a loss is given, or metrics of a family without
                predictions.
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
                f"{type(self).__name__} has no predictions that a metric could "
                "compare with targets; callbacks and "
                "keras_genai.evaluate_samples measure its samples. "
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
            # Under TensorFlow's determinism XLA cannot work; Keras would warn.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                self.jit_compile = True

    def _check_precision(self):
        muon = isinstance(self.optimizer, keras.optimizers.Muon)
        if muon and self.variable_dtype == "float64":
            raise ValueError(
                "Keras's Muon, the default optimizer of this family, does "
                "not work in float64: give compile "
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
        """The optimizer, which scales its loss if the networks need it.

        Keras does this for the single optimizer of a model; a GAN has two.

        Args:
            optimizer: `keras.optimizers.Optimizer`.

        Returns:
            `keras.optimizers.Optimizer`.
        """
        scales = keras.optimizers.LossScaleOptimizer
        if self.dtype_policy.name != "mixed_float16":
            return optimizer
        return optimizer if isinstance(optimizer, scales) else scales(optimizer)
