"""A family in one file: what it takes to be trained, exported and shown."""

import keras
import tensorflow as tf
from keras import ops

from keras_genai.distributions import Bernoulli
from keras_genai.models.core.base import GenerativeModel
from keras_genai.models.core.batches import check_image_batch
from keras_genai.models.core.condition import ClassCondition
from keras_genai.replicas import batch_mean


@keras.saving.register_keras_serializable("keras_genai")
class Stencils(GenerativeModel):
    """Each pixel is white as often as in images of the class, p(x | y)."""

    recipe = {
        "kind": "annealed",
        "labels": True,
        "default": {"binarize": "threshold", "learning_rate": 0.1},
        "quick": {"split": "train[:200]", "batch_size": 50, "epochs": 2},
    }

    def __init__(self, image_shape, num_classes=10, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.image_shape = tuple(image_shape)
        self.condition = ClassCondition(num_classes)
        self.logits = self.add_weight(
            (num_classes, *self.image_shape), "zeros", name="logits"
        )
        self.built = True
        self.loss_tracker = keras.metrics.Mean("loss", dtype="float64")

    @property
    def metrics(self):
        return [self.loss_tracker]

    def call(self, inputs, training=False):
        _, labels = self.condition.split(inputs)
        return self.pixels(labels).mean

    def pixels(self, labels):
        return Bernoulli(ops.take(self.logits, labels, axis=0))

    def train_step(self, data):
        with tf.GradientTape() as tape:
            losses = self.losses(data)
            loss = batch_mean(losses)
        self.minimize(loss, tape)
        return self.report(losses)

    def test_step(self, data):
        return self.report(self.losses(data))

    def losses(self, data):
        images, labels = self.unpack(data)
        return -self.pixels(labels).log_prob(images)  # (batch,)

    def report(self, losses):
        self.loss_tracker.update_state(losses)
        return self.results()

    def check(self, data):
        return check_image_batch(data, self, 0, 1)

    def generate(self, num_samples=None, seed=None, labels=None):
        seed = self._seed(seed)
        count = self.condition.count(num_samples, labels)
        labels = self.condition.given(labels, count, lambda: seed)
        make = self._compiled_function("generate_labels")
        return make(tf.constant(labels), tf.constant(seed))["images"].numpy()

    def signatures(self):
        def generate(num_samples, labels, seed):
            shape = (num_samples, *self.image_shape)
            u = tf.random.stateless_uniform(shape, (seed, 0))
            white = u < self.pixels(labels).mean
            return {"images": ops.cast(white, "float32")}

        return self.condition.generate_signatures(generate)

    def get_config(self):
        return {
            **super().get_config(),
            "image_shape": self.image_shape,
            "num_classes": self.num_classes,
        }
