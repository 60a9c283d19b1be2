"""Augmentation between images and the discriminator: GANs from few images."""

import keras
from keras import ops

from keras_genai.replicas import draw, total

TRANSFORMS = ("color", "translation", "cutout")


@keras.saving.register_keras_serializable("keras_genai")
class DifferentiableAugmentation(keras.layers.Layer):
    """Changes every image that a discriminator sees, real or generated.

    A discriminator learns a few images by heart, and then its gradients no
    longer help the generator. Augmented, they are never the same twice; and
    because generated images are augmented as well, differentiably, the
    generator is not taught to make augmented ones. (To augment only real
    images, as in classification, would teach exactly that.)

    Each transform is applied to each image with `probability`:

    - `"color"`: brightness by up to 0.5 either way; contrast times 0.5 to
      1.5; with three channels saturation times 0 to 2.
    - `"translation"`: by up to an eighth of either side; the border pixels are
      repeated.
    - `"cutout"`: a rectangle of half of either side, rounded up, becomes 0. It
      may lie partly outside of the image, so that every pixel is equally
      likely to be covered.

    With a `target` the probability is adapted: the share of real images that
    the discriminator calls real beyond those that it does not, `E[sign(D -
    threshold)]`, says how far it has learned them by heart. Above the target
    the probability rises, below it falls. The loss of the Wasserstein GAN
    gives no verdicts and has no such share: there `compile` refuses a target.

    Args:
        transforms: Strings among `"color"`, `"translation"` and `"cutout"`,
            in the order of application. Defaults to all.
        probability: Float in [0, 1], the initial probability. Defaults to
            `1.0`.
        target: Float in (0, 1), or `None` (default) to keep the initial
            probability.
        ramp_images: Integer >= 1, the number of real images in which a
            probability that only rises goes from 0 to 1. Defaults to
            `100_000`, for sets of thousands of small images; Karras et al.
            took 500,000.
        seed: Integer, or `None` for one drawn at random.
        **kwargs: `name` and the like, for `keras.layers.Layer`.

    Call arguments:
        images: Float tensor `(batch, height, width, channels)` in [-1, 1].

    Returns:
        Float tensor like `images`, which may leave the range.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> augment = DifferentiableAugmentation(seed=0)
        >>> augment(ops.zeros((2, 8, 8, 1))).shape
        TensorShape([2, 8, 8, 1])

    Reference:
        Zhao et al., Differentiable augmentation for data-efficient GAN
        training, 2020; Karras et al., Training generative adversarial
        networks with limited data, 2020, section 3, for `target`.
    """

    def __init__(
        self,
        transforms=TRANSFORMS,
        probability=1.0,
        target=None,
        ramp_images=100_000,
        seed=None,
        **kwargs,
    ):
        # Pixels stay in 32 bits, for any precision of the networks.
        super().__init__(**{"dtype": "float32", **kwargs})
        transforms = tuple(transforms)
        if not transforms or set(transforms) - set(TRANSFORMS):
            raise ValueError(
                f"Expected transforms among {', '.join(TRANSFORMS)}. "
                f"Received: transforms={transforms}"
            )
        if not 0 <= probability <= 1:
            raise ValueError(
                "`probability` must be in [0, 1]. "
                f"Received: probability={probability}"
            )
        if target is not None and not 0 < target < 1:
            raise ValueError(
                f"`target` must be in (0, 1). Received: target={target}"
            )
        if ramp_images < 1:
            raise ValueError(
                "`ramp_images` must be at least 1. "
                f"Received: ramp_images={ramp_images}"
            )
        self.transforms = transforms
        self.initial_probability = probability
        self.target = target
        self.ramp_images = ramp_images
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.probability = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(probability),
            trainable=False,
            name="probability",
        )
        self.built = True

    def call(self, images):
        for name in self.transforms:
            changed = getattr(self, f"_{name}")(images)
            chosen = self._uniform(images) < self.probability
            images = ops.where(chosen, changed, images)
        return images

    def adapt(self, real_logits, threshold=0.0):
        """Moves the probability so that the share of verdicts nears the target.

        Args:
            real_logits: Float tensor `(batch, 1)`, of augmented real images.
            threshold: Float, the logit above which it calls an image real,
                as from `keras_genai.losses.decision_threshold`. Defaults to
                `0.0`.
        """
        if self.target is None:
            return
        signs, count = total(
            ops.sum(ops.sign(real_logits[:, 0] - threshold)),
            ops.cast(ops.shape(real_logits)[0], "float32"),
        )
        step = count / self.ramp_images
        moved = self.probability + step * ops.sign(signs / count - self.target)
        self.probability.assign(ops.clip(moved, 0.0, 1.0))

    def _uniform(self, images, low=0.0, high=1.0):
        """One number an image, `(batch, 1, 1, 1)`."""
        shape = (ops.shape(images)[0], 1, 1, 1)
        return draw(
            keras.random.uniform, shape, low, high, seed=self.seed_generator
        )

    def _color(self, images):
        images = images + self._uniform(images, -0.5, 0.5)
        if images.shape[-1] > 1:
            grey = ops.mean(images, axis=-1, keepdims=True)
            images = grey + (images - grey) * self._uniform(images, 0.0, 2.0)
        mean = ops.mean(images, axis=(1, 2, 3), keepdims=True)
        return mean + (images - mean) * self._uniform(images, 0.5, 1.5)

    def _translation(self, images):
        # A shift is a product with a matrix of zeros and ones: row i of the
        # result is row i + shift of the image, or the nearest that there is.
        def shifts(side):
            most = side // 8
            shift = ops.floor(self._uniform(images, -most, most + 1))
            sources = ops.arange(side) + ops.cast(shift[:, 0, 0], "int32")
            return ops.one_hot(ops.clip(sources, 0, side - 1), side)

        _, height, width, _ = images.shape
        images = ops.einsum("bij,bjwc->biwc", shifts(height), images)
        return ops.einsum("bij,bhjc->bhic", shifts(width), images)

    def _cutout(self, images):
        def inside(side):
            # Of all places where the hole meets the image, from one with its
            # last pixel inside to one with its first, each pixel is in `half`.
            half = (side + 1) // 2
            start = ops.floor(self._uniform(images, 1 - half, side))[:, 0, 0]
            offset = ops.cast(ops.arange(side), "float32") - start
            return ops.cast((offset >= 0) & (offset < half), images.dtype)

        _, height, width, _ = images.shape
        hole = (
            inside(height)[:, :, None, None] * inside(width)[:, None, :, None]
        )
        return images * (1.0 - hole)

    def get_config(self):
        return {
            **super().get_config(),
            "transforms": self.transforms,
            "probability": self.initial_probability,
            "target": self.target,
            "ramp_images": self.ramp_images,
            "seed": self.seed,
        }


def get_augmentation(augmentation, seed=None):
    """Looks up the `discriminator_augmentation` of a GAN.

    Args:
        augmentation: `"fixed"` (every image), `"adaptive"` (from 0 on, to a
            target of 0.6), a `DifferentiableAugmentation`, or `None`.
        seed: Integer, or `None` for one drawn at random.

    Returns:
        `DifferentiableAugmentation`, or `None`.

    Raises:
        ValueError: If there is no such augmentation.

    Example:
        >>> get_augmentation("adaptive").target
        0.6
    """
    if augmentation is None or isinstance(
        augmentation, DifferentiableAugmentation
    ):
        return augmentation
    if augmentation == "fixed":
        return DifferentiableAugmentation(seed=seed)
    if augmentation == "adaptive":
        return DifferentiableAugmentation(
            probability=0.0, target=0.6, seed=seed
        )
    raise ValueError(
        'Expected `discriminator_augmentation` "fixed", "adaptive", a '
        "DifferentiableAugmentation or None. "
        f"Received: discriminator_augmentation={augmentation!r}"
    )


def check_not_adaptive(augmentation, loss):
    """Refuses to adapt an augmentation to a game without verdicts.

    Args:
        augmentation: `DifferentiableAugmentation`, or `None`.
        loss: String, name of the game.

    Raises:
        ValueError: If the augmentation has a target.
    """
    if augmentation is not None and augmentation.target is not None:
        raise ValueError(
            "Adaptive augmentation follows the share of real images that the "
            f"discriminator calls real, but loss={loss!r} gives scores, not "
            'verdicts. Expected: discriminator_augmentation="fixed", or an '
            "augmentation without a target. "
            f"Received: target={augmentation.target}"
        )
