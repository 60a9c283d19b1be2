"""AuxiliaryClassifierGAN: one network judges images and classifies them."""

import keras
import tensorflow as tf
from keras import layers, ops

from keras_genai.layers import layer_seeds
from keras_genai.models.core.checks import check_image_array
from keras_genai.models.gans.conditional_gan import ConditionalGAN
from keras_genai.models.gans.dcgan import dcgan_features, verdict_layer


@keras.saving.register_keras_serializable("keras_genai")
class AuxiliaryClassifierGAN(ConditionalGAN):
    """GAN whose discriminator also learns to classify: two tasks, one body.

    The discriminator does not receive the label; it has to predict it. It
    learns this from real images. The generator learns to make images that the
    discriminator takes for real and classifies as their label:

        d_loss = adversarial loss + class_weight * class loss of real images
        g_loss = adversarial loss + class_weight * class loss of generated

    In the paper the discriminator learns to classify generated images too,
    also while many show the wrong class; here it does not.

    Args:
        image_shape: `(height, width, channels)`, as in `ConditionalGAN`.
        num_classes: Integer >= 2. Defaults to `10`.
        latent_dim: Integer >= 1, width of the noise. Defaults to `64`.
        width: Integer >= 1, as in `DCGAN`. Defaults to `16`.
        class_weight: Float >= 0, weight of the class losses. Defaults to
            `1.0`.
        normalization: String, as in `DCGAN`. Defaults to `"batch"`; as a
            classifier the discriminator is better with `"layer"`, because
            BatchNorm's moving statistics include generated images.
        generator: Network, as in `ConditionalGAN`, or `None`.
        discriminator: Network from images to a list of two: one logit
            `(batch, 1)`, and logits of the classes `(batch, num_classes)`;
            or `None`.
        discriminator_steps: Integer >= 1, as in `GAN`. Defaults to `1`.
        ema_decay: Float in [0, 1), as in `GAN`. Defaults to `0.999`.
        discriminator_augmentation: As in `GAN`. Defaults to `None`.
        seed: Integer, or `None` for one drawn at random.
        **kwargs: `name` and the like, for `keras.Model`.

    Call arguments:
        inputs: Pair of noise `(batch, latent_dim)`, standard normal, and
            integer labels `(batch,)`.

    Raises:
        ValueError: If an argument is out of its range, or if the networks do
            not fit each other.

    Example:
        >>> model = AuxiliaryClassifierGAN((8, 8, 1), num_classes=3, width=4)
        >>> model.classify(model.generate(labels=[2, 0], seed=0)).shape
        (2, 3)

    Reference:
        Odena et al., Conditional image synthesis with auxiliary classifier
        GANs, 2017.
    """

    recipe = {
        "kind": "gan",
        "labels": True,
        "default": {"d_learning_rate": 2e-3, "g_learning_rate": 2e-3},
        "quick": {"split": "train[:1000]", "batch_size": 32, "epochs": 20},
    }

    def __init__(
        self,
        image_shape=(28, 28, 1),
        num_classes=10,
        latent_dim=64,
        width=16,
        class_weight=1.0,
        normalization="batch",
        generator=None,
        discriminator=None,
        discriminator_steps=1,
        ema_decay=0.999,
        discriminator_augmentation=None,
        seed=None,
        **kwargs,
    ):
        if not class_weight >= 0:
            raise ValueError(
                "`class_weight` must be 0 or more. "
                f"Received: class_weight={class_weight}"
            )
        super().__init__(
            image_shape=image_shape,
            num_classes=num_classes,
            latent_dim=latent_dim,
            width=width,
            normalization=normalization,
            generator=generator,
            discriminator=discriminator,
            discriminator_steps=discriminator_steps,
            ema_decay=ema_decay,
            discriminator_augmentation=discriminator_augmentation,
            seed=seed,
            **kwargs,
        )
        self.class_weight = class_weight
        self.class_trackers = [
            keras.metrics.SparseCategoricalAccuracy(name)
            for name in ("d_class_accuracy", "g_class_accuracy")
        ]

    @property
    def metrics(self):
        return [*super().metrics, *self.class_trackers]

    def discriminate(self, images, labels=None, training=False):
        """The logits `(batch, 1)` of images in [-1, 1], for any class."""
        return self._judge(images, training)[0]

    def _judge(self, images, training):
        """Logits of the verdict `(batch, 1)`, and of the classes."""
        verdicts, classes = self.discriminator(images, training=training)
        return ops.cast(verdicts, "float32"), ops.cast(classes, "float32")

    def discriminator_losses(
        self, real_images, generated_images, labels, training
    ):
        real_logits, class_logits = self._judge(real_images, training)
        fake_logits, _ = self._judge(generated_images, training)
        d_losses = self._discriminator_loss(
            real_logits, fake_logits, self.label_smoothing
        )
        class_losses = self._class_losses(labels, class_logits, "d")
        d_losses += self.class_weight * class_losses
        return d_losses, real_logits, fake_logits

    def generator_losses(self, generated_images, labels, training):
        fake_logits, class_logits = self._judge(generated_images, training)
        class_losses = self._class_losses(labels, class_logits, "g")
        return (
            self._generator_loss(fake_logits) + self.class_weight * class_losses
        )

    def _class_losses(self, labels, class_logits, player):
        tracker = self.class_trackers["dg".index(player)]
        tracker.update_state(labels, class_logits)
        return ops.sparse_categorical_crossentropy(
            labels, class_logits, from_logits=True
        )

    def classify(self, images):
        """Classifies images by the discriminator.

        Args:
            images: Float array `(batch, height, width, channels)` in [0, 1].

        Returns:
            Float32 NumPy array `(batch, num_classes)`, probabilities.

        Raises:
            ValueError: If the images do not fit the model.
        """
        images = check_image_array(images, self.image_shape)
        return self._run("classify", images)["probabilities"]

    def signatures(self):
        def classify(images):
            _, class_logits = self._judge(2.0 * images - 1.0, False)
            return {"probabilities": ops.softmax(class_logits)}

        images = tf.TensorSpec((None, *self.image_shape), "float32", "images")
        return {**super().signatures(), "classify": (classify, [images])}

    def get_config(self):
        config = {**super().get_config(), "class_weight": self.class_weight}
        del config["conditioning"]
        return config

    def _check_networks(self):
        super()._check_networks()
        images = ops.zeros((2, *self.image_shape))
        shape = tuple(self.discriminator(images)[1].shape)
        if shape != (2, self.num_classes):
            raise ValueError(
                "The discriminator must also give one logit for each class. "
                f"Expected: (2, {self.num_classes}) from two images. "
                f"Received: {shape}"
            )

    @staticmethod
    def _make_discriminator(
        image_shape, num_classes, width, _, normalization, seed
    ):
        return classifying_discriminator(
            image_shape, num_classes, width, normalization, seed
        )


def classifying_discriminator(
    image_shape, num_classes, width=16, normalization="batch", seed=None
):
    """Builds DCGAN's discriminator with a second head, for the classes.

    Args:
        image_shape: `(height, width, channels)`, sides multiples of 4.
        num_classes: Integer >= 2.
        width: Integer, as in `dcgan_discriminator`.
        normalization: String, as in `dcgan_discriminator`.
        seed: Integer, or `None` for weights drawn at random.

    Returns:
        `keras.Model` from `(batch, height, width, channels)` to a list of
        `(batch, 1)` and `(batch, num_classes)`, both unbounded.
    """
    seeds = layer_seeds(seed, "discriminator's heads")
    body = dcgan_features(image_shape, width, normalization, seed)
    images = layers.Input(image_shape, name="images")
    features = body(images)
    heads = [
        verdict_layer(units, normalization, seeds)(features)
        for units in (1, num_classes)
    ]
    return keras.Model(images, heads, name="discriminator")
