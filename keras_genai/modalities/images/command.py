"""The command line for images."""

import math
from pathlib import Path

from keras_genai.modalities.base import Command
from keras_genai.modalities.options import check_num_samples

_COUNT = 64
_SHOWN = 4096  # images of a picture, or of an export's answer, at most
_LEAST_SIDE = 400  # pixels of a picture: 28 would be too small to see


class ImageCommand(Command):
    trained_on = "images: --data FOLDER"
    splits_own_data = False
    options = ("num_samples", "labels", "output", "overwrite")
    suffixes = (".png", ".npz")
    count_help = f"{_COUNT} images"
    output_help = (
        ".png of images (RUN/generated/seed_SEED.png), or .npz for the array"
    )

    def add_options(self, parser):
        from keras_genai.cli.values import integers

        parser.add_argument(
            "--labels",
            type=integers,
            help="labels of a conditional model's samples: 3,3,7",
        )

    def check(self, options, exported):
        if Path(options.output or "samples.png").suffix == ".png":
            most = _SHOWN, "a picture; an array, --output FILE.npz, takes more"
        elif exported:
            most = _SHOWN, "an export's answer; the run makes more"
        else:
            most = 10**6, "an array; make others with another --seed"
        check_num_samples(options.num_samples, *most)

    def generate(self, source, options, files):
        images = _made(source, options)
        (file,) = files
        _write(images, file)
        print(f"{len(images)} images, seed {options.seed}: {file}")


def _made(source, options):
    count, labels = options.num_samples, options.labels
    if labels is None and count is None:
        count = _COUNT
    if labels is not None and count not in (None, len(labels)):
        raise ValueError(
            f"Expected as many samples as labels. Received: --num-samples "
            f"{count}, {len(labels)} labels"
        )
    is_model = hasattr(source, "generate")
    conditional = (
        getattr(source, "num_classes", None) is not None
        if is_model
        else "generate_labels" in source
    )
    if labels is not None and not conditional:
        raise ValueError(
            f"The model is not conditional. Received: --labels {labels}"
        )
    if is_model:
        request = (
            {"num_samples": count} if labels is None else {"labels": labels}
        )
        return source.generate(**request, seed=options.seed)
    from keras_genai.export import ask

    if labels is None:
        name, inputs = "serving_default", {"num_samples": count}
    else:
        name, inputs = "generate_labels", {"labels": labels}
    return ask(source[name], **inputs, seed=options.seed)["images"]


def _write(images, file):
    import keras
    import numpy as np

    from keras_genai.files import complete_or_absent
    from keras_genai.plotting import image_grid

    with complete_or_absent(file) as partial:
        if file.suffix == ".npz":
            np.savez_compressed(partial, images=images)
        else:
            picture = image_grid(images, zoom=_zoom(images))
            keras.utils.array_to_img(picture, scale=False).save(partial)


def _zoom(images):
    """How often to repeat each pixel, so that both sides are long enough."""
    from keras_genai.plotting import image_grid

    height, width, _ = image_grid(images, padding=0).shape
    enough = math.ceil(_LEAST_SIDE / min(height, width))
    return max(56 // images.shape[1], enough, 1)
