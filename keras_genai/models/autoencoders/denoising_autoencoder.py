"""DenoisingAutoencoder: an autoencoder that gives clean images back."""

import keras
import numpy as np
from keras import ops

from keras_genai.checks import check_choice
from keras_genai.metrics import PSNR
from keras_genai.models.autoencoders.autoencoder import Autoencoder
from keras_genai.models.autoencoders.corruptions import CORRUPTIONS
from keras_genai.models.core.batches import check_images, check_weights, packed


@keras.saving.register_keras_serializable("keras_genai")
class DenoisingAutoencoder(Autoencoder):
    """Autoencoder from corrupted images to clean ones.

    The model draws a new corruption in every step, so that no image is
    corrupted twice in the same way. Pairs in `fit(corrupted, clean)` are
    learned without further corruption. The output is the expected clean image:
    if several are possible, their average.

    Args:
        image_shape: `(height, width, channels)`, as in `Autoencoder`.
        latent_dim: Integer >= 1, width of the codes. Defaults to `128`: the
            output must be a whole image, with its details.
        networks: `"convolutional"` (default) or `"dense"`.
        encoder: Network, as in `Autoencoder`, or `None`.
        decoder: Network, as in `Autoencoder`, or `None`.
        corruption: `"gaussian"` (default), `"mask"`, `"salt_and_pepper"` or
            `"dropout"`, as in `corrupt`.
        corruption_level: Float > 0: the noise's standard deviation, or
            a share in (0, 1]: of the sides that the mask covers, or of the
            pixels that are lost. Defaults to `0.3`.
        seed: Integer, or `None` for one drawn at random.
        **kwargs: `name` and the like, for `keras.Model`.

    Call arguments:
        images: Float tensor `(batch, height, width, channels)`, in [0, 1]:
            corrupted images.

    Raises:
        ValueError: If an argument is out of its range, or if the networks do
            not fit.

    Example:
        >>> model = DenoisingAutoencoder((8, 8, 1), corruption="mask", seed=0)
        >>> corrupted = model.corrupt(np.ones((3, 8, 8, 1), "float32"))
        >>> model.denoise(corrupted).shape
        (3, 8, 8, 1)

    Reference:
        Vincent et al., Extracting and composing robust features with
        denoising autoencoders, 2008.
    """

    recipe = {
        "kind": "annealed",
        "default": {"epochs": 60, "learning_rate": 2e-3},
        "quick": {"split": "train[:1000]", "batch_size": 32, "epochs": 20},
        "also_called": ("dae", "denoiser"),
    }

    def __init__(
        self,
        image_shape=(28, 28, 1),
        latent_dim=128,
        networks="convolutional",
        encoder=None,
        decoder=None,
        corruption="gaussian",
        corruption_level=0.3,
        seed=None,
        **kwargs,
    ):
        check_choice("corruption", corruption, CORRUPTIONS)
        limit = np.inf if corruption == "gaussian" else 1.0
        if not 0 < corruption_level <= limit:
            raise ValueError(
                "`corruption_level` must be above 0 and, as a share, at most "
                f"1. Received: corruption_level={corruption_level}, "
                f"corruption={corruption!r}"
            )
        super().__init__(
            image_shape, latent_dim, networks, encoder, decoder, seed, **kwargs
        )
        self.corruption = corruption
        self.corruption_level = corruption_level
        self.corrupted_psnr = PSNR(name="corrupted_psnr")

    @property
    def metrics(self):
        return [*super().metrics, self.corrupted_psnr]

    def check(self, data):
        images, targets, weights = keras.utils.unpack_x_y_sample_weight(data)
        if targets is None or len(targets.shape) < 3:  # labels
            return super().check(data)
        return packed(
            check_images(images, self.image_shape, 0, 1),
            check_images(targets, self.image_shape, 0, 1),
            check_weights(weights),
        )

    def unpack(self, data):
        images, targets, _ = keras.utils.unpack_x_y_sample_weight(data)
        if targets is None:
            return self.corrupt(images), images
        return images, targets

    def corrupt(self, images, seed=None):
        """Corrupts images as in training; pixels stay in [0, 1].

        Args:
            images: Float tensor or array `(batch, height, width, channels)`,
                in [0, 1].
            seed: Integer, or `None` for the model's own generator.

        Returns:
            Float tensor like `images`.
        """
        # A corruption may draw twice, and the two draws must differ.
        seed = (
            self.seed_generator
            if seed is None
            else keras.random.SeedGenerator(seed)
        )
        return CORRUPTIONS[self.corruption](
            ops.convert_to_tensor(images), self.corruption_level, seed
        )

    def _report(self, losses, images, inputs, reconstructions):
        self.corrupted_psnr.update_state(images, inputs)
        return super()._report(losses, images, inputs, reconstructions)

    def denoise(self, images):
        """Gives clean images for corrupted ones.

        Args:
            images: Float array `(batch, height, width, channels)`, in [0, 1],
                corrupted already.

        Returns:
            Float32 NumPy array like `images`.

        Raises:
            ValueError: If the images have another shape or range.
        """
        return self.reconstruct(images)

    def signatures(self):
        signatures = super().signatures()
        return {**signatures, "denoise": signatures["reconstruct"]}

    def get_config(self):
        return {
            **super().get_config(),
            "corruption": self.corruption,
            "corruption_level": self.corruption_level,
        }
