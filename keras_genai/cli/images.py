"""What `keras-genai generate` does with images."""

import math

from keras_genai.cli.values import check_num_samples, files_to_write
from keras_genai.export import ask

_SHOWN = 4096  # images of a picture, or of an export's answer, at most
_LEAST_SIDE = 400  # pixels of a picture: 28 of them are a stamp


def output_file(options, folder, exported):
    """The file that images go to.

    Args:
        options: What the parser returned.
        folder: `pathlib.Path` of a folder for what is given no file.
        exported: Boolean. Whether they come from an export.

    Returns:
        `pathlib.Path`.

    Raises:
        ValueError: If it is there, or no file of images, or if there would be
            too few or too many of them.
    """
    (output,) = files_to_write(
        options, folder, f"seed_{options.seed}", (".png", ".npz")
    )
    if output.suffix == ".png":
        most = _SHOWN, "a picture; an array, --output FILE.npz, takes more"
    elif exported:
        most = _SHOWN, "an export's answer; the run makes more"
    else:
        most = 10**6, "an array; make others with another --seed"
    check_num_samples(options.num_samples, *most)
    return output


def generate(source, options, output):
    """Writes images that a model or an export makes.

    Args:
        source: The model, or the signatures of an export.
        options: What the parser returned.
        output: What `output_file` returned.
    """
    images = _made(source, options)
    _write(images, output)
    print(f"{len(images)} images, seed {options.seed}: {output}")


def _made(source, options):
    count, labels = options.num_samples, options.labels
    if labels is None and count is None:
        count = 64
    if labels is not None and count not in (None, len(labels)):
        raise ValueError(
            f"Expected as many samples as labels. Received: --num-samples "
            f"{count}, {len(labels)} labels"
        )
    conditional = (
        getattr(source, "num_classes", None) is not None
        if hasattr(source, "generate")
        else "generate_labels" in source
    )
    if labels is not None and not conditional:
        raise ValueError(
            f"The model is not conditional. Received: --labels {labels}"
        )
    if hasattr(source, "generate"):
        if labels is None:
            return source.generate(count, seed=options.seed)
        return source.generate(labels=labels, seed=options.seed)
    if labels is None:
        name, inputs = "serving_default", {"num_samples": count}
    else:
        name, inputs = "generate_labels", {"labels": labels}
    return ask(source[name], **inputs, seed=options.seed)["images"]


def _write(images, output):
    import keras
    import numpy as np

    from keras_genai.files import complete_or_absent
    from keras_genai.plotting import image_grid

    with complete_or_absent(output) as partial:
        if output.suffix == ".npz":
            np.savez_compressed(partial, images=images)
        else:
            picture = image_grid(images, zoom=_zoom(images))
            keras.utils.array_to_img(picture, scale=False).save(partial)


def _zoom(images):
    """How often each pixel is repeated: until both sides are long enough."""
    from keras_genai.plotting import image_grid

    height, width, _ = image_grid(images, padding=0).shape
    enough = math.ceil(_LEAST_SIDE / min(height, width))
    return max(56 // images.shape[1], enough, 1)
