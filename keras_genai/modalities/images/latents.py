"""Directions of codes along which images change most, from a decoder."""

import numpy as np

from keras_genai.sampling import interpolate

_DRAWS = 512


def find_directions(codes, images, count):
    """Finds the directions of codes along which images change most.

    The principal components of the images are the changes between them. Each
    is regressed on the codes, and the slopes are made orthonormal; the first
    one keeps its direction.

    Args:
        codes: Float array `(draws, latent_dim)`, uncorrelated, of variance 1.
        images: Float array `(draws, ...)`, the decoded images.
        count: Integer >= 1.

    Returns:
        Float array `(min(count, latent_dim), latent_dim)`, orthonormal rows.

    Example:
        >>> codes = np.random.default_rng(0).normal(size=(500, 3))
        >>> directions = find_directions(codes, codes * [0.1, 3.0, 1.0], 2)
        >>> np.abs(directions).round(1)
        array([[0., 1., 0.],
               [0., 0., 1.]])
    """
    pixels = images.reshape(len(images), -1).astype("float32")
    scores, _, _ = np.linalg.svd(pixels - pixels.mean(0), full_matrices=False)
    slopes = (codes - codes.mean(0)).T @ scores[:, : min(count, codes.shape[1])]
    directions, _ = np.linalg.qr(slopes)  # (latent_dim, count)
    # QR leaves the signs open: take those of the regression.
    signs = np.where((directions * slopes).sum(axis=0) < 0, -1.0, 1.0)
    return (directions * signs).T


class LatentSpace:
    """The codes of a model, in standard deviations along its directions.

    Args:
        model: `ServedImages` with a decoder.
        count: Integer >= 1, directions to find at most.
    """

    def __init__(self, model, count=6):
        self.model = model
        codes = model.codes(_DRAWS, seed=0)
        latent_dim = codes.shape[1]
        if model.codes_are_normal:
            self._mean, self._root = np.zeros(latent_dim), np.eye(latent_dim)
        else:
            # Codes without a prior, with any mean and covariance.
            covariance = np.cov(codes, rowvar=False).reshape(2 * [latent_dim])
            self._mean = codes.mean(axis=0)
            self._root = np.linalg.cholesky(
                covariance + 1e-4 * np.eye(latent_dim)
            )
        labels = None
        if model.takes_labels("decode"):
            labels = np.arange(_DRAWS) % model.num_classes
        self.directions = find_directions(
            self._standard(codes), model.decode(codes, labels), count
        )

    def walk(self, seed, offsets, label=None):
        """A sample, moved along the directions.

        Args:
            seed: Integer, of the sample.
            offsets: Floats, standard deviations along each direction.
            label: Integer, or `None` for a model without labels.

        Returns:
            Float32 array `(height, width, channels)`.
        """
        code = self._standard(self.model.codes(1, seed))
        code = code + np.asarray(offsets) @ self.directions
        return self._decode(code, label)[0]

    def between(self, seed, other_seed, num_steps, label=None):
        """Images on the way from one sample to another.

        Args:
            seed: Integer, of the first sample.
            other_seed: Integer, of the last one.
            num_steps: Integer >= 2.
            label: Integer, or `None` for a model without labels.

        Returns:
            Float32 array `(num_steps, height, width, channels)`.
        """
        start, end = (
            self._standard(self.model.codes(1, each))[0]
            for each in (seed, other_seed)
        )
        return self._decode(interpolate(start, end, num_steps), label)

    def _standard(self, codes):
        return np.linalg.solve(self._root, (codes - self._mean).T).T

    def _decode(self, codes, label):
        labels = None
        if self.model.takes_labels("decode"):
            labels = np.full(len(codes), self.model.check_label(label))
        return self.model.decode(self._mean + codes @ self._root.T, labels)
