"""What `keras-genai generate` does with images."""

from keras_genai.cli.values import file_to_write
from keras_genai.export import ask


def output_file(options):
    """The file that images go to.

    Args:
        options: What the parser returned.

    Returns:
        `pathlib.Path`.

    Raises:
        ValueError: If it is there, or no file of images.
    """
    return file_to_write(options, "generated.png", (".png", ".npz"))


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
    from keras_genai.models.checks import check_num_samples

    count, labels = options.num_samples, options.labels
    if labels is None and count is None:
        count = 64
    if labels is None:
        check_num_samples(count)
    elif count not in (None, len(labels)):
        raise ValueError(
            f"Expected as many samples as labels. Received: --num-samples "
            f"{count}, {len(labels)} labels"
        )
    conditional = (
        hasattr(source, "num_classes")
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
            picture = image_grid(images, zoom=max(1, 56 // images.shape[1]))
            keras.utils.array_to_img(picture, scale=False).save(partial)
