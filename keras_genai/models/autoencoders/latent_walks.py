"""LatentWalks: images along a path through the codes."""

import numpy as np

from keras_genai.sampling import interpolate


class LatentWalks:
    """Walks between the codes of two images, and along one latent.

    The model must have `encode`, `decode` and `latent_dim`, as `VAE` does.
    """

    def interpolate(
        self, start, end, num_steps=10, method="spherical", label=None
    ):
        """Walks from one image to another through the codes between.

        Args:
            start: Float array `(height, width, channels)`, in [0, 1].
            end: Float array like `start`.
            num_steps: Integer >= 2, images on the way, with both ends.
            method: `"spherical"` (default) or `"linear"`, as for
                `keras_genai.sampling.interpolate`.
            label: Integer, the label of all images, for a conditional model
                only.

        Returns:
            Float32 NumPy array `(num_steps, height, width, channels)`.

        Raises:
            ValueError: If the images have another shape or range, or as
                `keras_genai.sampling.interpolate`.
        """
        ends = np.stack([start, end])
        first, last = self.encode(ends, _repeated(label, 2))[0]
        z = interpolate(first, last, num_steps, method)
        return self.decode(z, _repeated(label, num_steps))

    def traverse(
        self, image, axis, values=(-3, -2, -1, 0, 1, 2, 3), label=None
    ):
        """Moves one latent of an image's code and leaves the others unchanged.

        Args:
            image: Float array `(height, width, channels)`, in [0, 1].
            axis: Integer in [0, latent_dim), the latent to move.
            values: Floats it is set to.
            label: Integer, the image's label, for a conditional model only.

        Returns:
            Float32 NumPy array `(len(values), height, width, channels)`.

        Raises:
            ValueError: If there is no such latent.
        """
        if not 0 <= axis < self.latent_dim:
            raise ValueError(
                f"`axis` must be in [0, {self.latent_dim}). "
                f"Received: axis={axis}"
            )
        z_mean, _ = self.encode(np.asarray(image)[None], _repeated(label, 1))
        z = np.repeat(z_mean, len(values), axis=0)
        z[:, axis] = values
        return self.decode(z, _repeated(label, len(values)))


def _repeated(label, count):
    return None if label is None else np.full(count, label)
