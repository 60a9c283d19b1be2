"""An export that makes images, with calls that check their arguments."""

import numpy as np

from keras_genai.demo.checks import check_integer, shortened
from keras_genai.demo.served import ServedModel, check_seed
from keras_genai.sampling import seeded_noise

MAX_SAMPLES = 64
_BATCH = 64


class ServedImages(ServedModel):
    """A model that makes images in [0, 1]."""

    makes = "images"

    def __init__(self, loaded, about, name):
        super().__init__(loaded, about, name)
        self.num_classes = about.get("num_classes")
        self.image_shape = self._find_image_shape()

    def _find_image_shape(self):
        outputs = self.signatures["generate"].structured_outputs
        said = [None, *self.about.get("image_shape", [None] * 3)]
        made = outputs["images"].shape if "images" in outputs else None
        if made is not None and made.is_compatible_with(said):
            shape = made.merge_with(said)[1:]
            if shape.is_fully_defined():
                return tuple(shape)
        raise ValueError(
            "Expected an export whose `generate` makes images of the shape "
            f"in its metadata. Received: {self.name!r} with {made}, not {said}"
        )

    def has(self, signature):
        """Whether the export has a function that can be called.

        Args:
            signature: String.

        Returns:
            Boolean: also `False` if the function takes labels and the classes
            are not known.
        """
        if signature not in self.signatures:
            return False
        conditional = "labels" in self.inputs(signature)
        return not conditional or self.num_classes is not None

    def takes_labels(self, signature):
        """Whether a signature of the export is conditional."""
        return self.has(signature) and "labels" in self.inputs(signature)

    def generate(self, num_samples, seed, label=None):
        """Makes images.

        Args:
            num_samples: Integer from 1 to 64.
            seed: Integer >= 0.
            label: Integer, the class of all images; `None` for any class.

        Returns:
            Float32 array `(num_samples, height, width, channels)`.

        Raises:
            ValueError: If an argument is out of its range.
        """
        num_samples = check_integer("num_samples", num_samples, 1, MAX_SAMPLES)
        seed = check_seed(seed)
        if label is None:
            answer = self.ask("generate", num_samples=num_samples, seed=seed)
        elif self.has("generate_labels"):
            labels = np.full(num_samples, self.check_label(label))
            answer = self.ask("generate_labels", labels=labels, seed=seed)
        else:
            raise ValueError(
                f"The model takes no labels. Received: label={shortened(label)}"
            )
        return answer["images"]

    @property
    def codes_are_normal(self):
        """Whether codes are drawn from N(0, 1), as in a GAN or a VAE."""
        return "codes" not in self.inputs("decode")

    def codes(self, num_samples, seed):
        """The codes of the images of `generate`, for a model with a decoder.

        Args:
            num_samples: Integer >= 1.
            seed: Integer, checked already.

        Returns:
            Float32 array `(num_samples, latent_dim)`.
        """
        if self.codes_are_normal:
            latent_dim = self._code_spec.shape[1]
            return seeded_noise(num_samples, latent_dim, seed).numpy()
        samples = self.ask("generate", num_samples=num_samples, seed=seed)
        return self.ask("encode", images=samples["images"])["codes"]

    def decode(self, codes, labels=None):
        """The images of codes.

        Args:
            codes: Float array `(batch, latent_dim)`.
            labels: Integer array `(batch,)`, or `None` for a model without
                labels.

        Returns:
            Float32 array `(batch, height, width, channels)`.
        """
        inputs = {self._code_spec.name: codes}
        if labels is not None:
            inputs["labels"] = labels
        batches = [
            {
                name: rows[start : start + _BATCH]
                for name, rows in inputs.items()
            }
            for start in range(0, len(codes), _BATCH)
        ]
        images = [self.ask("decode", **batch)["images"] for batch in batches]
        return np.concatenate(images)

    @property
    def _code_spec(self):
        specs = self.inputs("decode").items()
        (spec,) = (spec for name, spec in specs if name != "labels")
        return spec

    def encode(self, images, label=None):
        """The codes of images, or their means.

        Args:
            images: Float array `(batch, height, width, channels)`, in [0, 1].
            label: Integer, or `None` for a model without labels.

        Returns:
            Float32 array `(batch, latent_dim)`.
        """
        answer = self._of_images("encode", images, label)
        return answer["z_mean" if "z_mean" in answer else "codes"]

    def reconstruct(self, images, label=None):
        """Reconstructed or denoised images.

        Args:
            images: Float array `(batch, height, width, channels)`, in [0, 1].
            label: Integer, or `None` for a model without labels.

        Returns:
            Float32 array like `images`.
        """
        signature = "denoise" if self.has("denoise") else "reconstruct"
        return self._of_images(signature, images, label)["images"]

    def complete(self, images, known, seed, label=None):
        """Draws the pixels that are not known.

        Args:
            images: Float array `(batch, height, width, channels)`, in [0, 1].
            known: Boolean array like `images`.
            seed: Integer >= 0.
            label: Integer, or `None` for a model without labels.

        Returns:
            Float32 array like `images`.
        """
        seed = check_seed(seed)
        answer = self._of_images(
            "complete", images, label, known=known, seed=seed
        )
        return answer["images"]

    def _of_images(self, signature, images, label, **inputs):
        labels = None
        if self.takes_labels(signature):
            labels = np.full(len(images), self.check_label(label))
        return self.ask(signature, images=images, labels=labels, **inputs)

    def check_label(self, label):
        """Checks a label.

        Args:
            label: Anything.

        Returns:
            Integer.

        Raises:
            ValueError: If it is not a class of the model.
        """
        return check_integer("label", label, 0, self.num_classes - 1)
