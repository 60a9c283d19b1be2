"""The base of every model family: its seed, its whole state and export."""

import functools

import keras
import numpy as np
import tensorflow as tf

from keras_genai import export
from keras_genai.checks import check_choice
from keras_genai.export.saved_model import graph
from keras_genai.models.core.condition import Condition
from keras_genai.models.core.fitting import Fitting
from keras_genai.models.core.precision import with_dtype

_SIZES = ("image_shape", "latent_dim", "max_sequence_length")


class GenerativeModel(Fitting):
    """A `keras.Model` that keeps all of its state and exports its samples.

    A family subclasses it, makes its networks in `__init__`, and gives
    `network_names`, `call`, `train_step`, `test_step`, `generate`,
    `signatures` and `get_config`; also `compile`, if it needs more than one
    optimizer.

    Args:
        seed: Integer, or `None` for one drawn at random. Seeds the weights
            and every draw of training and `generate`.
        dtype: String or `keras.DTypePolicy` that the networks compute with:
            `"mixed_bfloat16"` or `"mixed_float16"`, quick on GPUs that have
            hardware for it; losses stay in 32 bits. `None` (default) for
            Keras's default, `keras.config.dtype_policy()`.
        **kwargs: `name` and the like, for `keras.Model`.
    """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            cls.__init__ = with_dtype(cls.__init__)
        for name in ("signatures", "network_signatures", "_functions"):
            if name in vars(cls):
                setattr(cls, name, _traced_once(vars(cls)[name]))

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    makes = "images"  # the modality, a folder of `modalities`
    condition = Condition()  # input besides the images or tokens
    # The defaults of `keras-genai train`: the kind of recipe, and the changes
    # of it in the presets "default" and "quick". They are literals, because
    # `keras_genai.recipes` reads them without TensorFlow.
    recipe = None
    hands_on = False  # whether `**kwargs` are arguments of the parent family
    network_names = ()  # arguments and attributes that are networks

    @property
    def num_classes(self):
        """The number of classes that the model is conditioned on, or `None`."""
        return self.condition.num_classes

    def unpack(self, data):
        """Takes the inputs of a step from a batch.

        Args:
            data: A batch, as from `check`.

        Returns:
            Pair: the images, and their labels, `None` where the model is not
            conditional.
        """
        return self.condition.unpack(data)

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

    def save(self, filepath, *args, **kwargs):
        """Saves as `keras.Model.save` does, to a `.keras` file.

        Args:
            filepath: Path that ends in `.keras`.
            *args: As in `keras.Model.save`.
            **kwargs: As in `keras.Model.save`.

        Raises:
            ValueError: If the path has another ending, or if a network cannot
                be saved.
        """
        if not str(filepath).endswith(".keras"):
            raise ValueError(
                "A model is saved whole in a file that ends in '.keras'; "
                "`save_weights` saves only its weights. "
                f"Received: filepath={str(filepath)!r}"
            )
        for name in self.network_names:
            self._check_savable(name)
        super().save(filepath, *args, **kwargs)

    def _check_savable(self, name):
        """Says how to make a network of the user saved and loaded."""
        network = getattr(self, name)
        of_keras = type(network).__module__.startswith("keras.")
        registered = keras.saving.get_registered_name(type(network))
        how = (
            "decorate its class with @keras.saving.register_keras_serializable"
            "() and give it a get_config() of all arguments of its __init__"
        )
        try:
            keras.saving.serialize_keras_object(network)
        except Exception as error:  # any kind: the network has no config
            reason = str(error).strip().partition("\n")[0]
            raise ValueError(
                f"The {name} cannot be saved: {how}. Received: a "
                f"{type(network).__name__} ({reason})"
            ) from error
        if not of_keras and registered == type(network).__name__:
            self.say_once(
                f"To be loaded, the {name} needs "
                f"custom_objects={{{registered!r}: {registered}}}, or: {how}."
            )

    def signatures(self):
        """The functions that `export` writes; each family gives its own.

        Returns:
            Dictionary: name -> (function of tensors that returns a dictionary
            of tensors, list of `tf.TensorSpec`). The first one is served by
            default. Callers get each function as a `tf.function`, which is
            traced once and kept.
        """
        raise NotImplementedError(
            f"{type(self).__name__} gives no `signatures` to export."
        )

    def example_request(self):
        """The arguments to call an export with, to compare it with its model.

        Returns:
            Dictionary: arguments of the first of `signatures`.
        """
        return {"num_samples": 4, "seed": 0}

    def network_signatures(self):
        """The functions that LiteRT and ONNX are offered.

        They draw nothing: `export` leaves out functions that draw random
        numbers or take strings.

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
        """Writes the model in a format that runs without this package.

        A SavedModel does all that the model does, draws included. LiteRT and
        ONNX hold networks only: for a model of images `decode`, `encode` and
        similar functions, for text and music the logits of the next token.
        Functions that draw random numbers, take strings or have ragged rows
        are left out, and `keras_genai.export.why_not` says which and why. The
        program that runs such an export draws the noise itself:
        `rng.standard_normal((16, latent_dim), "float32")`.

        Args:
            filepath: Path of the folder to write, for LiteRT the file, which
                ends in `.tflite`. An ONNX export is a folder of one file a
                function. It appears only when it is complete.
            format: `"saved_model"` (default), `"litert"` or `"onnx"`.
            overwrite: Boolean. Whether an export in this format that already
                exists is replaced; anything else is never replaced. Defaults
                to `True`.
            quantization: For LiteRT only: `None` for float32, `"float16"` or
                `"int8"` for smaller weights.

        Returns:
            `pathlib.Path` of the folder or file.

        Raises:
            ImportError: If the format needs a package that is not installed.
            ValueError: If `filepath` exists and may not be replaced, or if the
                format can express no function of the model.
        """
        check_choice("format", format, export.FORMATS)
        if quantization is not None and format != "litert":
            raise ValueError(
                "Only LiteRT is quantised: format='litert'. Received: "
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
        """Facts about the model for a person who receives an export.

        Returns:
            Dictionary that JSON can hold: `"family"`, `"makes"`, and, if the
            model has them, `"image_shape"`, `"latent_dim"`, `"num_classes"`
            and `"max_sequence_length"`.
        """
        sizes = {name: getattr(self, name, None) for name in _SIZES}
        return {
            "family": type(self).__name__,
            "makes": self.makes,
            **{name: size for name, size in sizes.items() if size is not None},
            **self.condition.about(),
        }

    def _run(self, signature, *arrays, batch_size=256):
        """Runs an exported function on arrays, a batch at a time.

        Args:
            signature: String, a name in `_functions()`.
            *arrays: Arrays of one length, its arguments. `None`, for a model
                without a condition, is left out.
            batch_size: Integer >= 1.

        Returns:
            Dictionary of NumPy arrays of that length.
        """
        function = self._compiled_function(signature)
        arrays = [array for array in arrays if array is not None]
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
        """The functions that `_run` can call, exported or not."""
        return self.signatures()

    def _seed(self, seed):
        """The given seed, or one drawn from the model's own generator."""
        if seed is not None:
            return seed
        return int(
            keras.random.randint((), 0, 2**31 - 1, seed=self.seed_generator)
        )

    # Keras saves weights and optimizers, but not the states of random
    # generators: with them a resumed run draws the same numbers as one without
    # a break.

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


def _traced_once(make):
    """Turns the functions that a method returns into `tf.function`s, once.

    Tracing takes seconds where a loop generates token by token, and
    generation, export and the check of an export share one graph.
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
