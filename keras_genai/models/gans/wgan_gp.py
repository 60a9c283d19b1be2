"""WGANGP: a critic of bounded slope that measures a distance."""

import keras

from keras_genai.models.gans.dcgan import DCGAN


@keras.saving.register_keras_serializable("keras_genai")
class WGANGP(DCGAN):
    """Wasserstein GAN with gradient penalty, on DCGAN's networks.

    The discriminator is a critic: it gives scores, not verdicts, and the gap
    between those of real and of generated images estimates how far one set has
    to be moved to become the other, if its slope is at most 1. A penalty on
    slopes other than 1 keeps it there; it does not work with BatchNorm. The
    critic takes several steps for each step of the generator, so that it stays
    close to its best.

    Args:
        image_shape: `(height, width, channels)`, as in `DCGAN`.
        latent_dim: Integer >= 1, width of the noise. Defaults to `64`.
        width: Integer >= 1, as in `DCGAN`. Defaults to `16`.
        discriminator_steps: Integer >= 1, updates of the critic before one of
            the generator. Defaults to `3`; the paper has 5.
        ema_decay: Float in [0, 1), as in `GAN`. Defaults to `0.999`.
        normalization: `"none"` (default), `"layer"` or `"spectral"`, as in
            `DCGAN`. On digits, after an epoch, the critic without
            normalisation was better than the one with layer normalisation (one
            seed each).
        discriminator_augmentation: As in `GAN`, but not `"adaptive"`: scores
            are no verdicts to adapt it to. Defaults to `None`.
        seed: Integer, or `None` for one drawn at random.
        **kwargs: `name` and the like, for `keras.Model`.

    Call arguments:
        noise: Float tensor `(batch, latent_dim)`, standard normal.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> model = WGANGP(image_shape=(8, 8, 1), width=4, seed=0)
        >>> model.compile()
        >>> model.loss, model.gradient_penalty
        ('wasserstein', 10.0)

    Reference:
        Gulrajani et al., Improved training of Wasserstein GANs, 2017.
    """

    recipe = {
        "kind": "gan",
        "default": {
            "beta_1": 0.0,
            "beta_2": 0.9,
            "loss": "wasserstein",
            "gradient_penalty": 10.0,
        },
        "quick": {"split": "train[:1000]", "batch_size": 32, "epochs": 20},
        "also_called": ("wgan",),
    }

    def __init__(
        self,
        image_shape=(28, 28, 1),
        latent_dim=64,
        width=16,
        discriminator_steps=3,
        ema_decay=0.999,
        normalization="none",
        discriminator_augmentation=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(
            image_shape=image_shape,
            latent_dim=latent_dim,
            width=width,
            discriminator_steps=discriminator_steps,
            ema_decay=ema_decay,
            normalization=normalization,
            discriminator_augmentation=discriminator_augmentation,
            seed=seed,
            **kwargs,
        )

    @classmethod
    def make_optimizer(cls, learning_rate):
        # No momentum: it would follow gradients of an older generator.
        return keras.optimizers.Adam(learning_rate, beta_1=0.0, beta_2=0.9)

    def compile(
        self,
        optimizer=None,
        g_optimizer=None,
        d_optimizer=None,
        loss="wasserstein",
        gradient_penalty=10.0,
        **kwargs,
    ):
        """Chooses the two optimizers; see `GAN.compile`.

        Args:
            optimizer: `None`, as in `GAN.compile`.
            g_optimizer: The generator's optimizer, or `None`.
            d_optimizer: The critic's optimizer, or `None`.
            loss: String. Defaults to `"wasserstein"`.
            gradient_penalty: Float >= 0. Defaults to `10.0`.
            **kwargs: As in `GAN.compile`.
        """
        super().compile(
            optimizer,
            g_optimizer,
            d_optimizer,
            loss=loss,
            gradient_penalty=gradient_penalty,
            **kwargs,
        )
