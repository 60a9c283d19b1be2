"""Numbers, samples and codes, for TensorBoard to show."""

from pathlib import Path

import keras
import numpy as np

from keras_genai.extras import how_to_install
from keras_genai.files import complete_or_absent
from keras_genai.modalities import of_model
from keras_genai.plotting import image_grid


class TensorBoard(keras.callbacks.TensorBoard):
    """Writes scalars, samples and codes for TensorBoard.

    It writes all that Keras's callback of the same name writes. In addition it
    writes the model's images for the same noise, or continuations of the same
    prompt, epoch after epoch (but no music: `SampleScores` writes that); and
    when training ends, the codes of `images`, for the projector (`tensorboard
    --logdir LOG_DIR`).

    Args:
        log_dir: Path of the folder to write to. Defaults to `"logs"`.
        num_samples: Integer >= 1, images on a picture. Defaults to `64`.
        period: Integer >= 1, epochs from one sample to the next.
        seed: Integer, seed of the samples. Defaults to `0`.
        prompt: String that the samples of a language model continue. Defaults
            to a line break.
        max_new_tokens: Integer >= 1, length of these samples. Defaults to
            `400`.
        images: Float array `(count, height, width, channels)`, in [0, 1],
            whose codes are projected, or `None`. Needs a model with `encode`.
        labels: Integer array `(count,)`, the classes of `images`, or `None`.
            A conditional model needs them.
        **kwargs: Arguments of `keras.callbacks.TensorBoard`. `write_graph` is
            `False` here: Keras writes no graph for a custom step.

    Raises:
        ValueError: If an argument is out of its range; when training begins,
            if the model has no codes to project, or needs labels.
        ImportError: If TensorBoard is not installed.

    Example:
        >>> callback = TensorBoard("logs", num_samples=16, period=5)
    """

    def __init__(
        self,
        log_dir="logs",
        num_samples=64,
        period=1,
        seed=0,
        prompt="\n",
        max_new_tokens=400,
        images=None,
        labels=None,
        **kwargs,
    ):
        _check_installed()
        super().__init__(log_dir, **{"write_graph": False, **kwargs})
        if min(num_samples, period, max_new_tokens) < 1:
            raise ValueError(
                "`num_samples`, `period` and `max_new_tokens` must be at least "
                f"1. Received: num_samples={num_samples}, period={period}, "
                f"max_new_tokens={max_new_tokens}"
            )
        if labels is not None and (
            images is None or len(images) != len(labels)
        ):
            count = None if images is None else len(images)
            raise ValueError(
                "Expected one image for each label. Received: "
                f"{len(labels)} labels, images of length {count}"
            )
        self.num_samples = num_samples
        self.period = period
        self.seed = seed
        self.prompt = prompt
        self.max_new_tokens = max_new_tokens
        self.images = images
        self.labels = labels

    def on_train_begin(self, logs=None):
        if self.images is not None:
            name = type(self.model).__name__
            if not hasattr(self.model, "encode"):
                raise ValueError(
                    "Only a model with `encode` has codes to project. "
                    f"Received: `images` for {name}"
                )
            if _is_conditional(self.model) and self.labels is None:
                raise ValueError(
                    "A conditional model encodes images with their `labels`. "
                    f"Received: labels=None for {name}"
                )
        super().on_train_begin(logs)

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        if (epoch + 1) % self.period == 0:
            with self._train_writer.as_default(epoch):
                of_model(self.model).training.show(self.model, self)
        for writer in self._writers.values():  # in case the run is killed
            writer.flush()

    def on_train_end(self, logs=None):
        if self.images is not None:
            self._project()
        super().on_train_end(logs)

    def _project(self):
        from google.protobuf import text_format
        from tensorboard.plugins.projector import ProjectorConfig

        # Next to the scalars, whose folders TensorBoard shows as runs.
        folder = Path(self.log_dir) / "train"
        config = ProjectorConfig()
        embedding = config.embeddings.add()
        embedding.tensor_name = "codes"
        embedding.tensor_path = "codes.tsv"
        with complete_or_absent(folder / "codes.tsv") as partial:
            np.savetxt(partial, self._codes(), "%.6g", "\t")
        if self.labels is not None:
            embedding.metadata_path = "labels.tsv"
            with complete_or_absent(folder / "labels.tsv") as partial:
                np.savetxt(partial, self.labels, "%s")
        embedding.sprite.image_path = "images.png"
        height, width = self.images.shape[1:3]
        embedding.sprite.single_image_dim.extend([width, height])
        sprite = image_grid(self.images, padding=0)
        with complete_or_absent(folder / "images.png") as partial:
            keras.utils.array_to_img(sprite, scale=False).save(partial)
        with complete_or_absent(folder / "projector_config.pbtxt") as partial:
            partial.write_text(text_format.MessageToString(config))

    def _codes(self):
        labels = (self.labels,) if _is_conditional(self.model) else ()
        codes = self.model.encode(self.images, *labels)
        if isinstance(codes, tuple):  # a posterior: its mean and log-variance
            codes = codes[0]
        return np.reshape(codes, (len(self.images), -1))


def _is_conditional(model):
    return getattr(model, "num_classes", None) is not None


def _check_installed():
    try:
        import tensorboard  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"TensorBoard is not installed: {how_to_install('tensorboard')}"
        ) from error
