"""What every model family shares: the seed, the whole of its state, export."""

import contextlib
import functools
import inspect
import re
import warnings

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_genai import export, replicas
from keras_genai.export.saved_model import graph

# Arguments that the signatures of more than one family take.
NUM_SAMPLES = tf.TensorSpec((), "int32", "num_samples")
SEED = tf.TensorSpec((), "int32", "seed")
# Where `compile` may choose: batches between two returns to Python.
STEPS_PER_EXECUTION = 8
_SIZES = ("image_shape", "latent_dim", "num_classes", "max_sequence_length")


class GenerativeModel(keras.Model):
    """A `keras.Model` that keeps all of its state and exports its samples.

    A family subclasses it, makes its networks in `__init__`, and gives
    `network_names`, `call`, `train_step`, `test_step`, `generate`,
    `signatures` and `get_config`; where one optimizer is not what it needs,
    also `compile`.

    Args:
        seed: Integer, or `None` for one drawn at random. Seeds the weights
            and every draw of training and `generate`.
        dtype: String or `keras.DTypePolicy` that the networks compute with:
            `"mixed_bfloat16"` or `"mixed_float16"`, quick on GPUs that have
            hardware for it; losses stay in 32 bits. `None` (default) for
            Keras's own, `keras.config.dtype_policy()`.
        **kwargs: `name` and the like, for `keras.Model`.
    """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            cls.__init__ = _with_dtype(cls.__init__)
        for name in ("signatures", "network_signatures", "_functions"):
            if name in vars(cls):
                setattr(cls, name, _traced_once(vars(cls)[name]))

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    makes = "images"  # or "text" or "music": what `generate` returns
    network_names = ()  # arguments and attributes that are networks
    learning_rate = 1e-3  # of the optimizer that `compile` is not given
    xla = False  # whether XLA compiles the steps of `fit` on a CPU too

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
        **kwargs,
    ):
        """Chooses the optimizer.

        Args:
            optimizer: `keras.optimizers.Optimizer` or its name, or `None` for
                that of `make_optimizer` with the family's `learning_rate`.
            steps_per_execution: Integer >= 1, batches between two returns to
                Python, where callbacks and the progress bar are; or `None`
                for 8, which trains small networks up to a third faster than
                1, but for 1 where TensorFlow cannot do more: eagerly and on
                several devices.
            jit_compile: Boolean, whether XLA compiles the steps, or `"auto"`
                for Keras's choice, which is yes on a GPU; or `None` for that
                and, where it is faster for the family, yes on a CPU too.
            **kwargs: `run_eagerly` and the like, for `keras.Model.compile`.
        """
        if optimizer is None:
            optimizer = self.make_optimizer(self.learning_rate)
        # As they were given, for `get_compile_config`: another machine may
        # have other devices.
        self._given = {
            "steps_per_execution": steps_per_execution,
            "jit_compile": jit_compile,
        }
        single = not (kwargs.get("run_eagerly") or tf.distribute.has_strategy())
        if steps_per_execution is None:
            steps_per_execution = STEPS_PER_EXECUTION if single else 1
        super().compile(
            optimizer=optimizer,
            steps_per_execution=steps_per_execution,
            jit_compile="auto" if jit_compile is None else jit_compile,
            **kwargs,
        )
        if jit_compile is None and self.xla and single:
            # Where XLA cannot be (TensorFlow's determinism), Keras would warn.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                self.jit_compile = True
        # Slots must exist before `load_model` can fill them.
        self.optimizer.build(self.trainable_variables)

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

    def results(self):
        """What a step reports.

        Returns:
            Dictionary: name -> float tensor, one a metric.
        """
        results = {metric.name: metric.result() for metric in self.metrics}
        if replicas.on_several_machines():
            # Keras averages over the first axis there.
            return {name: value[None] for name, value in results.items()}
        return results

    def get_config(self):
        networks = {
            name: keras.saving.serialize_keras_object(getattr(self, name))
            for name in self.network_names
        }
        return {
            **networks,
            "seed": self.seed,
            "name": self.name,
            "dtype": self.dtype_policy.name,
        }

    @classmethod
    def from_config(cls, config):
        networks = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in cls.network_names
            if name in config
        }
        return cls(**{**config, **networks})

    def get_compile_config(self):
        return {
            "optimizer": keras.saving.serialize_keras_object(self.optimizer),
            **self._given,
        }

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))

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
        if isinstance(x, tf.data.Dataset):
            # A data set shuffles itself; Keras warns where it is asked to.
            kwargs.setdefault("shuffle", False)
        ours = []
        if hasattr(x, "set_epoch"):
            follow = keras.callbacks.LambdaCallback(
                on_epoch_begin=lambda epoch, logs: x.set_epoch(epoch)
            )
            ours.append(follow)
        with _refusals_as_value_errors():
            return super().fit(
                x, *args, callbacks=_joined(callbacks, ours), **kwargs
            )

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
        if hasattr(x, "set_epoch"):
            x.set_epoch(0)
        with _refusals_as_value_errors():
            return super().evaluate(
                x,
                *args,
                callbacks=_joined(callbacks, []),
                **kwargs,
            )

    def _maybe_symbolic_build(self, *args, **kwargs):
        """Under a strategy Keras builds what is not built, by one batch.

        Every family is built in `__init__`, and not every one is called on
        what `fit` is given.
        """

    def _make_function(self, step_function):
        function = super()._make_function(step_function)
        # TensorFlow counts the traces of this line of Keras over all models,
        # and five in forty executions, of several steps each, are soon there,
        # with no function traced twice. Each is to be counted for itself.
        for traced in (cell.cell_contents for cell in function.__closure__):
            if hasattr(traced, "_key_for_call_stats"):
                traced._key_for_call_stats = traced._python_function
        return function

    def signatures(self):
        """The functions that `export` writes; each family gives its own.

        Returns:
            Dictionary: name -> (function of tensors that returns a dictionary
            of tensors, list of `tf.TensorSpec`). The first one is what is
            served by default. Callers get each function as a `tf.function`,
            which is traced once and kept.
        """
        raise NotImplementedError(
            f"{type(self).__name__} gives no `signatures` to export."
        )

    def example_request(self):
        """What an export is asked, to be compared with its model.

        Returns:
            Dictionary: arguments of the first of `signatures`.
        """
        return {"num_samples": 4, "seed": 0}

    def network_signatures(self):
        """The functions that LiteRT and ONNX are offered.

        They draw nothing: what draws, or takes strings, `export` leaves out.

        Returns:
            Dictionary like that of `signatures`.
        """
        return self.signatures()

    def export(
        self,
        filepath,
        format="saved_model",
        overwrite=True,
        quantization=None,
    ):
        """Writes what runs without this package.

        A SavedModel does all that the model does, draws included. LiteRT and
        ONNX are for networks: of a model of images `decode`, `encode` and the
        like, of text and music the logits of the next token. What draws
        random numbers, takes strings or has ragged rows is left out, and
        `keras_genai.export.why_not` says which and why. Whoever runs them
        draws the noise: `rng.standard_normal((16, latent_dim), "float32")`.

        Args:
            filepath: Path of the folder to write, for LiteRT of the file,
                which ends in `.tflite`. An ONNX export is a folder of one file
                a function. It appears when it is complete, and not before.
            format: `"saved_model"` (default), `"litert"` or `"onnx"`.
            overwrite: Boolean. Whether an export in this format that stands
                there already is replaced; anything else never is. Defaults to
                `True`.
            quantization: Of LiteRT alone: `None` for float32, `"float16"` or
                `"int8"` for smaller weights.

        Returns:
            `pathlib.Path` of the folder or file.

        Raises:
            ImportError: If the format takes a package that is not installed.
            ValueError: If `filepath` exists and may not be replaced, or if
                the format can express nothing of the model.
        """
        if format not in export.FORMATS:
            raise ValueError(
                f"Expected `format` among {', '.join(export.FORMATS)}. "
                f"Received: format={format!r}"
            )
        if quantization is not None and format != "litert":
            raise ValueError(
                "LiteRT alone is quantised: format='litert'. Received: "
                f"format={format!r}, quantization={quantization!r}"
            )
        if format == "litert":
            return export.write_litert(
                self.network_signatures(), filepath, overwrite, quantization
            )
        if format == "onnx":
            return export.write_onnx(
                self.network_signatures(), filepath, overwrite
            )
        return export.write_saved_model(
            self.signatures(), filepath, overwrite, self.about()
        )

    def about(self):
        """What whoever is handed an export would want to know of the model.

        Returns:
            Dictionary that JSON can hold: `"family"`, `"makes"`, and those of
            `"image_shape"`, `"latent_dim"`, `"num_classes"` and
            `"max_sequence_length"` that the model has.
        """
        sizes = {name: getattr(self, name, None) for name in _SIZES}
        return {
            "family": type(self).__name__,
            "makes": self.makes,
            **{name: size for name, size in sizes.items() if size is not None},
        }

    def _run(self, signature, *arrays, batch_size=256):
        """Runs what `export` would write on arrays, a batch at a time.

        Args:
            signature: String, a name in `_functions()`.
            *arrays: Arrays of one length, its arguments.
            batch_size: Integer >= 1.

        Returns:
            Dictionary of NumPy arrays of that length.
        """
        function = self._compiled_function(signature)
        count = len(arrays[0])
        batches = [
            function(
                *(
                    tf.convert_to_tensor(array[start : start + batch_size])
                    for array in arrays
                )
            )
            for start in range(0, max(count, 1), batch_size)
        ]
        return {
            name: np.concatenate([batch[name].numpy() for batch in batches])
            for name in batches[0]
        }

    def _compiled_function(self, signature):
        if signature not in self._compiled:
            # Not called as a `tf.function`: TensorFlow counts the traces of
            # such calls over all models, and would warn.
            function, _ = self._functions()[signature]
            self._compiled[signature] = function.get_concrete_function()
        return self._compiled[signature]

    @functools.cached_property
    def _compiled(self):
        return {}

    @functools.cached_property
    def _traced(self):
        return {}

    def _functions(self):
        """What `_run` knows: the signatures, and what is not exported."""
        return self.signatures()

    def _seed(self, seed):
        """The seed given, or one drawn from the model's own generator."""
        if seed is not None:
            return seed
        return int(
            keras.random.randint((), 0, 2**31 - 1, seed=self.seed_generator)
        )

    # Keras saves weights and optimizers, but not the states of random
    # generators: with them a resumed run draws what an unbroken one would.

    def save_own_variables(self, store):
        super().save_own_variables(store)
        for index, state in enumerate(self._random_states()):
            store[f"random_state_{index}"] = state.numpy()

    def load_own_variables(self, store):
        states = self._random_states()
        names = [f"random_state_{index}" for index in range(len(states))]
        for name, state in zip(names, states, strict=True):
            state.assign(store[name])
        keys = set(store.keys()) - set(names)
        weights = {key: store[key] for key in keys}
        super().load_own_variables(weights)

    def _random_states(self):
        weights = {id(weight) for weight in self.weights}
        return [state for state in self.variables if id(state) not in weights]


def _with_dtype(make):
    """Gives an `__init__` the argument `dtype`, for all layers it makes."""

    @functools.wraps(make)
    def __init__(self, *args, dtype=None, **kwargs):
        before = keras.config.dtype_policy()
        try:
            if dtype is not None:
                keras.config.set_dtype_policy(keras.dtype_policies.get(dtype))
            make(self, *args, **kwargs)
        finally:
            keras.config.set_dtype_policy(before)

    # What `help`, the command line and Keras itself look at.
    signature = inspect.signature(make)
    *own, last = signature.parameters.values()
    if "dtype" not in signature.parameters:
        own.append(inspect.Parameter("dtype", last.KEYWORD_ONLY, default=None))
    __init__.__signature__ = signature.replace(parameters=[*own, last])
    return __init__


def _traced_once(make):
    """Makes what a method gives `tf.function`s, the same ones every time.

    Tracing takes seconds where a loop generates token by token, and what is
    generated, exported and checked is one graph.
    """

    @functools.wraps(make)
    def method(self):
        if make not in self._traced:
            self._traced[make] = {
                name: (graph(function, specs), specs)
                for name, (function, specs) in make(self).items()
            }
        return dict(self._traced[make])

    return method


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
def _refusals_as_value_errors():
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        # In a graph the parts of a message are in brackets; eagerly they are
        # lines, and strings are bytes.
        message = str(error)
        traced = re.search(r"assertion failed: (.*Received: .*)", message)
        eager = re.search(r"Summarized data: (b'.*Received: .*)", message, re.S)
        if traced:
            message = traced[1].replace("] [", " ").strip("[]")
        elif eager:
            lines = eager[1].splitlines()
            message = " ".join(re.sub(r"^b'(.*)'$", r"\1", x) for x in lines)
        else:
            raise
        raise ValueError(message) from None
