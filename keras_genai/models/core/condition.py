"""Condition: an input of a model besides images or tokens.

It is nothing, or the class of each image. A model holds one such object and
calls it without a case distinction. For an unconditional model each method
gives `None`, and everything that takes a condition accepts `None`: networks,
losses and exports.
"""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_genai.checks import check_at_least_one
from keras_genai.models.core.batches import check_labels, check_no_targets
from keras_genai.models.core.checks import check_label_array
from keras_genai.replicas import draw
from keras_genai.sampling import seeded_labels

# Arguments that the signatures of more than one family take.
NUM_SAMPLES = tf.TensorSpec((), "int32", "num_samples")
SEED = tf.TensorSpec((), "int32", "seed")


class Condition:
    """No condition: the model has its input only.

    It also lists the methods of every condition.
    """

    num_classes = None
    specs = ()  # more inputs of an exported function

    # --- Of a batch ----------------------------------------------------------

    def check(self, targets, images, model):
        """Refuses a condition that the model cannot use.

        Args:
            targets: The argument `y` of `fit`, or `None`.
            images: Float tensor, the images beside it, checked.
            model: The model.

        Returns:
            Pair: the images, and the condition as the steps take it.

        Raises:
            ValueError: If it is missing, or its shape, type or range is wrong.
        """
        return check_no_targets(targets, images, model), None

    def unpack(self, data):
        """Takes a checked batch apart.

        Args:
            data: A batch, as `check` left it.

        Returns:
            Pair: the input, and the condition of each example.
        """
        inputs, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        return inputs, None

    def split(self, inputs):
        """Takes the argument of a call apart, as `unpack` does a batch."""
        return inputs, None

    # --- For networks --------------------------------------------------------

    def expect(self, condition):
        """Refuses a condition that is missing or not needed.

        Args:
            condition: As from `unpack`.

        Raises:
            ValueError: If it is missing, or not needed.
        """
        if condition is not None:
            self.array(condition, None)

    def beside(self, inputs, condition):
        """The arguments of a network that takes the condition.

        Args:
            inputs: Tensor, such as noise or images.
            condition: As from `unpack`.

        Returns:
            The inputs; or a list of them and the condition.
        """
        self.expect(condition)
        return inputs

    def example(self, count):
        """A condition for so many examples, to build networks with."""
        return None

    def drop(self, condition, share, seed):
        """Hides the condition of some examples, for classifier-free guidance.

        Args:
            condition: As from `unpack`.
            share: Float in [0, 1], probability that the condition of an
                example is hidden.
            seed: `keras.random.SeedGenerator`.

        Returns:
            The condition; a hidden one is replaced by the value for no
            condition.

        Reference:
            Ho and Salimans, Classifier-free diffusion guidance, 2021.
        """
        return condition

    # --- For samples ---------------------------------------------------------

    def count(self, num_samples, labels):
        """The number of samples: as given, or one for each label."""
        return num_samples

    def given(self, labels, count, draw_seed):
        """The condition of so many samples.

        Args:
            labels: The argument of the user; `None` to draw labels.
            count: Integer, number of samples.
            draw_seed: Function without arguments, called for a seed if
                something is drawn.

        Returns:
            The condition, an array.

        Raises:
            ValueError: If it is out of range, or the model is not conditional.
        """
        return self.array(labels, count)

    def array(self, labels, count):
        """As `given`, but the condition must be there: nothing is drawn."""
        if labels is not None:
            raise ValueError(
                "The model is not conditional: it takes no labels. "
                f"Received: labels={labels}"
            )
        return None

    # --- For exports ---------------------------------------------------------

    def about(self):
        """Its entries in an export's metadata: a dictionary for JSON."""
        return {}

    def generate_signatures(self, generate):
        """The signatures that make samples; see `GenerativeModel.signatures`.

        Args:
            generate: Function of a number of samples, their condition and
                a seed; it returns a dictionary of tensors.

        Returns:
            Dictionary with `"generate"`, which takes `num_samples` and `seed`,
            and, for a conditional model, a second function that takes the
            condition.
        """
        return {
            "generate": (
                lambda num_samples, seed: generate(num_samples, None, seed),
                [NUM_SAMPLES, SEED],
            )
        }


class ClassCondition(Condition):
    """The class of each example, an integer label.

    Args:
        num_classes: Integer >= 1.

    Raises:
        ValueError: If `num_classes` is out of its range.
    """

    specs = (tf.TensorSpec((None,), "int32", "labels"),)

    def __init__(self, num_classes):
        check_at_least_one(num_classes=num_classes)
        self.num_classes = num_classes

    def check(self, targets, images, model):
        return images, check_labels(targets, self.num_classes)

    def unpack(self, data):
        images, labels, _ = keras.utils.unpack_x_y_sample_weight(data)
        return images, labels

    def split(self, inputs):
        inputs, labels = inputs
        return inputs, labels

    def expect(self, condition):
        if condition is None:
            self.array(condition, None)

    def beside(self, inputs, condition):
        self.expect(condition)
        return [inputs, condition]

    def example(self, count):
        return ops.zeros((count,), "int32")

    def drop(self, condition, share, seed):
        # One more class than there are: it means no label.
        hidden = draw(keras.random.uniform, ops.shape(condition), seed=seed)
        return ops.where(hidden < share, self.num_classes, condition)

    def count(self, num_samples, labels):
        if num_samples is None and np.ndim(labels) == 1:
            return len(labels)
        return num_samples

    def given(self, labels, count, draw_seed):
        if labels is None:
            labels = seeded_labels(count, self.num_classes, draw_seed()).numpy()
        elif np.ndim(labels) == 0:
            labels = np.full(count, labels)
        return self.array(labels, count)

    def array(self, labels, count):
        return check_label_array(labels, count, self.num_classes)

    def about(self):
        return {"num_classes": self.num_classes}

    def generate_signatures(self, generate):
        def generate_any(num_samples, seed):
            labels = seeded_labels(num_samples, self.num_classes, seed)
            return {**generate(num_samples, labels, seed), "labels": labels}

        def generate_labels(labels, seed):
            return generate(tf.shape(labels)[0], labels, seed)

        return {
            "generate": (generate_any, [NUM_SAMPLES, SEED]),
            "generate_labels": (generate_labels, [*self.specs, SEED]),
        }
