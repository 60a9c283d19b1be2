"""NoiseToImages: images from the noise of a generator, and their export."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_genai.models.core.base import GenerativeModel
from keras_genai.models.core.checks import check_num_samples
from keras_genai.models.core.endings import check_signs, probes
from keras_genai.replicas import draw
from keras_genai.sampling import seeded_noise


class NoiseToImages(GenerativeModel):
    """A model whose `generator` turns noise into images in [-1, 1].

    A family has `image_shape`, `latent_dim`, the network `generator`, and
    `averaged_generator`, its copy with averaged weights.
    """

    def call(self, inputs, training=False):
        noise, labels = self.condition.split(inputs)
        if len(noise.shape) != 2 or noise.shape[1] != self.latent_dim:
            raise ValueError(
                f"Expected noise (batch, {self.latent_dim}). "
                f"Received: noise of shape {tuple(noise.shape)}"
            )
        return self._make_images(noise, labels, training=training)

    def sample_noise(self, batch_size):
        """Draws the noise of a training step.

        Args:
            batch_size: Integer, or integer scalar tensor.

        Returns:
            Float tensor `(batch_size, latent_dim)`, standard normal.
        """
        return draw(
            keras.random.normal,
            (batch_size, self.latent_dim),
            seed=self.seed_generator,
        )

    def _make_images(self, noise, labels=None, training=True):
        inputs = self.condition.beside(noise, labels)
        images = self.generator(inputs, training=training)
        return ops.cast(images, "float32")

    def generate(
        self,
        num_samples=None,
        seed=None,
        noise=None,
        averaged=True,
        labels=None,
    ):
        """Generates images.

        Args:
            num_samples: Integer >= 0. May be left out if `noise` or `labels`
                is given.
            seed: Integer: the same seed gives the same images. `None` draws
                one from the model's own generator.
            noise: Float array `(num_samples, latent_dim)` to use instead of a
                draw, or `None`.
            averaged: Boolean. Whether the averaged generator is used, or the
                one that is being trained. Defaults to `True`.
            labels: For a conditional GAN only: integer array `(num_samples,)`;
                one integer, for all of them; or `None` to draw labels evenly.

        Returns:
            Float32 NumPy array `(num_samples, height, width, channels)`, in
            [0, 1].

        Raises:
            ValueError: If `num_samples` is negative or missing, if `noise` has
                another shape or is given together with a seed, or if labels
                are out of range or not needed.

        Example:
            >>> from keras_genai import GAN
            >>> model = GAN(image_shape=(4, 4, 1), latent_dim=2, seed=0)
            >>> first, second = (model.generate(3, seed=7) for _ in range(2))
            >>> bool((first == second).all())
            True
        """
        if noise is None:
            num_samples = self.condition.count(num_samples, labels)
            seed = self._seed(seed)
        noise = self._noise(num_samples, seed, noise)
        labels = self.condition.given(
            labels, len(noise), lambda: self._seed(seed)
        )
        decode = "decode" if averaged else "decode_unaveraged"
        return self._run(decode, noise, labels)["images"]

    def _noise(self, num_samples, seed, noise):
        if noise is not None:
            noise = np.asarray(noise, "float32")
            if noise.ndim != 2 or noise.shape[1] != self.latent_dim:
                raise ValueError(
                    f"Expected noise (num_samples, {self.latent_dim}). "
                    f"Received: noise of shape {noise.shape}"
                )
            if seed is not None or num_samples not in (None, len(noise)):
                raise ValueError(
                    "`noise` replaces `num_samples` and `seed`: give only one. "
                    f"Received: noise of shape {noise.shape}, "
                    f"num_samples={num_samples}, seed={seed}"
                )
            return noise
        check_num_samples(num_samples)
        return seeded_noise(num_samples, self.latent_dim, seed).numpy()

    def signatures(self):
        def generate(num_samples, labels, seed):
            noise = seeded_noise(num_samples, self.latent_dim, seed)
            return decode(noise, labels)

        decode, specs = self._decoder(self.averaged_generator)
        return {
            **self.condition.generate_signatures(generate),
            "decode": (decode, specs),
        }

    def _functions(self):
        unaveraged = self._decoder(self.generator)
        return {**self.signatures(), "decode_unaveraged": unaveraged}

    def _decoder(self, generator):
        def decode(noise, labels=None):
            inputs = self.condition.beside(noise, labels)
            return {"images": to_unit_range(generator(inputs, training=False))}

        noise = tf.TensorSpec((None, self.latent_dim), "float32", "noise")
        return decode, [noise, *self.condition.specs]

    def _check_generator(self):
        labels = self.condition.example(2)
        noise = ops.zeros((2, self.latent_dim))
        images = self._make_images(noise, labels, training=False)
        if tuple(images.shape) != (2, *self.image_shape):
            raise ValueError(
                "The generator must make images of the data's shape. "
                f"Expected: (2, *{self.image_shape}) from two noise vectors. "
                f"Received: {tuple(images.shape)}"
            )
        size = (2, self.latent_dim)
        check_signs(
            self.generator,
            lambda scale: self._make_images(
                scale * probes(*size), labels, training=False
            ),
        )


def to_unit_range(images):
    """Takes images from [-1, 1], where networks work, to float32 in [0, 1]."""
    return ops.clip((ops.cast(images, "float32") + 1.0) / 2.0, 0.0, 1.0)
