"""ImageCoder: images to codes and back, which all autoencoders share."""

import tensorflow as tf
from keras import ops

from keras_genai.models.core.base import GenerativeModel
from keras_genai.models.core.batches import check_image_batch
from keras_genai.models.core.checks import check_code_array, check_image_array
from keras_genai.sampling import seeded_noise


class ImageCoder(GenerativeModel):
    """A model with an encoder of images and a decoder of codes.

    A family has `image_shape` and `latent_dim`, and gives three functions of
    tensors: `codes_of`, `images_of` and, for new images, `codes_of_noise`.
    """

    network_names = ("encoder", "decoder")
    code_name = "codes"  # of the argument of an exported `decode`

    def codes_of(self, images, labels=None):
        """The outputs of an exported `encode`.

        Args:
            images: Float tensor `(batch, height, width, channels)`, in
                [0, 1].
            labels: For a conditional model only: integer tensor `(batch,)`.

        Returns:
            Dictionary of float tensors `(batch, latent_dim)`. The first is
            decoded to reconstruct the images.
        """
        raise NotImplementedError

    def images_of(self, codes, labels=None):
        """The images of codes.

        Args:
            codes: Float tensor `(batch, latent_dim)`.
            labels: For a conditional model only: integer tensor `(batch,)`.

        Returns:
            Float tensor `(batch, height, width, channels)`, in [0, 1].
        """
        raise NotImplementedError

    def codes_of_noise(self, noise):
        """The codes of new images.

        Args:
            noise: Float tensor `(batch, latent_dim)`, standard normal.

        Returns:
            Float tensor `(batch, latent_dim)`.
        """
        return noise

    def check(self, data):
        return check_image_batch(data, self, 0, 1)

    def reconstruct(self, images, labels=None):
        """Takes images to their codes and back.

        Args:
            images: Float array `(batch, height, width, channels)`, in [0, 1].
            labels: Integer array `(batch,)`, for a conditional model only.

        Returns:
            Float32 NumPy array like `images`: of a VAE, decoded from
            `z_mean`.

        Raises:
            ValueError: If the images have another shape or range.
        """
        codes, *_ = self._encode(images, labels).values()
        return self._decode(codes, labels)

    def _encode(self, images, labels):
        images = check_image_array(images, self.image_shape)
        labels = self.condition.array(labels, len(images))
        return self._run("encode", images, labels)

    def _decode(self, codes, labels):
        codes = check_code_array(codes, self.latent_dim)
        labels = self.condition.array(labels, len(codes))
        return self._run("decode", codes, labels)["images"]

    def signatures(self):
        def generate(num_samples, labels, seed):
            noise = seeded_noise(num_samples, self.latent_dim, seed)
            return decode(self.codes_of_noise(noise), labels)

        def encode(images, labels=None):
            return self.codes_of(images, labels)

        def decode(codes, labels=None):
            return {"images": ops.clip(self.images_of(codes, labels), 0.0, 1.0)}

        def reconstruct(images, labels=None):
            codes, *_ = encode(images, labels).values()
            return decode(codes, labels)

        images = tf.TensorSpec((None, *self.image_shape), "float32", "images")
        codes = tf.TensorSpec(
            (None, self.latent_dim), "float32", self.code_name
        )
        told = self.condition.specs
        return {
            **self.condition.generate_signatures(generate),
            "encode": (encode, [images, *told]),
            "decode": (decode, [codes, *told]),
            "reconstruct": (reconstruct, [images, *told]),
        }
