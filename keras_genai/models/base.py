"""What every model family shares: the seed, the whole of its state, export."""

import contextlib
import re

import keras
import tensorflow as tf

from keras_genai import export


class GenerativeModel(keras.Model):
    """A `keras.Model` that keeps all of its state and exports its samples.

    A family subclasses it, makes its networks in `__init__`, and gives
    `compile`, `call`, `train_step`, `test_step`, `generate` and `signatures`.

    Args:
        seed: Integer, or `None` for one drawn at random. Seeds the weights
            and every draw of training and `generate`.
        **kwargs: `name` and the like, for `keras.Model`.
    """

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

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
        if hasattr(x, "set_epoch"):
            follow = keras.callbacks.LambdaCallback(
                on_epoch_begin=lambda epoch, logs: x.set_epoch(epoch)
            )
            if isinstance(callbacks, keras.callbacks.CallbackList):
                callbacks.append(follow)
            else:
                callbacks = [*tf.nest.flatten(callbacks or []), follow]
        with _refusals_as_value_errors():
            return super().fit(x, *args, callbacks=callbacks, **kwargs)

    def evaluate(self, x=None, *args, **kwargs):
        """Evaluates as `keras.Model.evaluate` does.

        Args:
            x: What `keras.Model.evaluate` takes, a `tf.data.Dataset` above
                all.
            *args: As in `keras.Model.evaluate`.
            **kwargs: As in `keras.Model.evaluate`.

        Returns:
            Dictionary of Python floats, one a metric, under the names that
            `fit` reports, unless `return_dict=False`.

        Raises:
            ValueError: As `fit`.
        """
        kwargs.setdefault("return_dict", True)
        with _refusals_as_value_errors():
            return super().evaluate(x, *args, **kwargs)

    def signatures(self):
        """The functions that `export` writes; each family gives its own.

        Returns:
            Dictionary: name -> (function of tensors that returns a dictionary
            of tensors, list of `tf.TensorSpec`). The first one is what is
            served by default.
        """
        raise NotImplementedError(
            f"{type(self).__name__} gives no `signatures` to export."
        )

    def export(self, filepath, overwrite=True):
        """Writes a SavedModel that runs without this package.

        Args:
            filepath: Path of the folder to write. It appears when it is
                complete, and not before.
            overwrite: Boolean. Whether a SavedModel that stands there already
                is replaced; a folder of anything else never is. Defaults to
                `True`.

        Returns:
            `pathlib.Path` of the folder.

        Raises:
            ValueError: If `filepath` exists and may not be replaced.
        """
        return export.write_saved_model(self.signatures(), filepath, overwrite)

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


def check_at_least_one(**arguments):
    """Refuses arguments that are not integers of 1 or more.

    Args:
        **arguments: The values, under the names that the user gave them.

    Raises:
        ValueError: If one of them is not.
    """
    for name, value in arguments.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(
                f"`{name}` must be an integer, 1 or more. "
                f"Received: {name}={value!r}"
            )


def check_finite_range(images, low, high):
    """Refuses images outside [low, high] or not finite, when they arrive.

    Works inside `tf.function` on a CPU; XLA leaves such checks out. `fit` and
    `evaluate` turn the refusal into a `ValueError`.

    Args:
        images: Float tensor of any shape.
        low: Float, the least value allowed.
        high: Float, the greatest value allowed.
    """
    least, greatest = tf.reduce_min(images), tf.reduce_max(images)
    tolerance = 1e-3
    # Written so that it fails for NaN, of which no comparison is true.
    fits = (least >= low - tolerance) & (greatest <= high + tolerance)
    tf.debugging.Assert(
        fits,
        [
            f"Expected finite images in [{low}, {high}], which "
            f"image_dataset(..., value_range=({low}, {high})) gives. "
            "Received: images from",
            least,
            "to",
            greatest,
        ],
    )


@contextlib.contextmanager
def _refusals_as_value_errors():
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        refusal = re.search(r"assertion failed: (.*Received: .*)", str(error))
        if refusal is None:
            raise
        message = refusal[1].replace("] [", " ").strip("[]")
        raise ValueError(message) from None
