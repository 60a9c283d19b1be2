"""`keras.metrics.Metric`s: what accumulates over batches."""

import keras
import tensorflow as tf
from keras import ops


@keras.saving.register_keras_serializable("keras_genai")
class PSNR(keras.metrics.Mean):
    """Peak signal-to-noise ratio in decibels, averaged over images.

    `-10 log10(mean squared error)` of each image, 100 dB at most, so that one
    image without any error does not make the average infinite.

    Args:
        name: String. Defaults to `"psnr"`.
        **kwargs: `dtype`, for `keras.metrics.Mean`.

    Example:
        >>> metric = PSNR()
        >>> images = ops.ones((2, 8, 8, 1))
        >>> metric.update_state(images, images - 0.1)
        >>> round(float(metric.result()), 3)
        20.0
    """

    def __init__(self, name="psnr", **kwargs):
        super().__init__(name=name, **kwargs)

    def update_state(self, images, reconstructions):
        """Adds a batch.

        Args:
            images: Float tensor `(batch, height, width, channels)`, in
                [0, 1].
            reconstructions: Float tensor like `images`.
        """
        ratios = tf.image.psnr(images, reconstructions, max_val=1.0)
        return super().update_state(ops.minimum(ratios, 100.0))


@keras.saving.register_keras_serializable("keras_genai")
class SSIM(keras.metrics.Mean):
    """Structural similarity, averaged over images: 1 where nothing differs.

    TensorFlow's, over windows of 11 pixels, or of the image's shorter side
    where that is less.

    Args:
        name: String. Defaults to `"ssim"`.
        **kwargs: `dtype`, for `keras.metrics.Mean`.

    Example:
        >>> metric = SSIM()
        >>> images = keras.random.uniform((2, 12, 12, 1), seed=0)
        >>> metric.update_state(images, images)
        >>> float(metric.result())
        1.0

    Reference:
        Wang et al., Image quality assessment, 2004.
    """

    def __init__(self, name="ssim", **kwargs):
        super().__init__(name=name, **kwargs)

    def update_state(self, images, reconstructions):
        """Adds a batch.

        Args:
            images: Float tensor `(batch, height, width, channels)`, in
                [0, 1].
            reconstructions: Float tensor like `images`.
        """
        window = min(11, *images.shape[1:3])
        return super().update_state(
            tf.image.ssim(images, reconstructions, 1.0, filter_size=window)
        )


@keras.saving.register_keras_serializable("keras_genai")
class ActiveUnits(keras.metrics.Metric):
    """Number of latents whose posterior mean varies over the data.

    A latent is active if the variance of `z_mean` over the images is above
    0.01. One that is not tells nothing about its image: it has collapsed to
    the prior.

    Args:
        latent_dim: Integer >= 1.
        name: String. Defaults to `"active_units"`.
        **kwargs: `dtype`, for `keras.metrics.Metric`.

    Example:
        >>> metric = ActiveUnits(latent_dim=2)
        >>> metric.update_state(ops.array([[0.0, 1.0], [0.0, -1.0]]))
        >>> float(metric.result())
        1.0

    Reference:
        Burda et al., Importance weighted autoencoders, 2016, section 5.2.
    """

    threshold = 0.01

    def __init__(self, latent_dim, name="active_units", **kwargs):
        super().__init__(name=name, **kwargs)
        self.latent_dim = latent_dim

        def zeros(name, shape):
            return self.add_weight(shape=shape, initializer="zeros", name=name)

        self.count = zeros("count", ())
        self.total = zeros("total", (latent_dim,))
        self.total_squared = zeros("total_squared", (latent_dim,))

    def update_state(self, z_mean):
        """Adds a batch.

        Args:
            z_mean: Float tensor `(batch, latent_dim)`.
        """
        self.count.assign_add(ops.cast(ops.shape(z_mean)[0], self.dtype))
        self.total.assign_add(ops.sum(z_mean, axis=0))
        self.total_squared.assign_add(ops.sum(ops.square(z_mean), axis=0))

    def result(self):
        count = ops.maximum(self.count, 1.0)
        variance = self.total_squared / count - ops.square(self.total / count)
        return ops.sum(ops.cast(variance > self.threshold, self.dtype))

    def get_config(self):
        return {**super().get_config(), "latent_dim": self.latent_dim}
