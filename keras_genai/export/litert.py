"""LiteRT: networks in one file, for phones, browsers and small computers."""

import shutil
from pathlib import Path

from keras_genai.export.converters import refusal, silence
from keras_genai.export.expressible import expressible
from keras_genai.export.saved_model import write_saved_model
from keras_genai.files import check_replaceable, complete_or_absent

QUANTIZATIONS = (None, "float16", "int8")


def write_litert(functions, filepath, overwrite=True, quantization=None):
    """Writes functions as one `.tflite` file, each as a named signature.

    Functions share their weights. Functions that LiteRT cannot express are
    left out: `why_not(functions, "litert")` says why.

    Args:
        functions: Dictionary: name -> (function of tensors that returns a
            dictionary of tensors, list of `tf.TensorSpec`).
        filepath: Path of the file to write, which ends in `.tflite`.
        overwrite: Boolean. Whether an existing LiteRT file is replaced;
            anything else is never replaced. Defaults to `True`.
        quantization: `None` for float32, `"float16"` for weights of half the
            size, or `"int8"` for a quarter: dynamic range, weights of eight
            bits and a scale; large products are computed in eight bits too.

    Returns:
        `pathlib.Path` of the file.

    Raises:
        ValueError: If no function can be expressed, if an operation is missing
            in LiteRT, or if `filepath` exists and may not be replaced.
    """
    path = Path(filepath)
    if path.suffix != ".tflite":
        raise ValueError(
            "A LiteRT export is a file that ends in .tflite. "
            f"Received: filepath={str(path)!r}"
        )
    if quantization not in QUANTIZATIONS:
        raise ValueError(
            "Expected `quantization` to be None, 'float16' or 'int8'. "
            f"Received: quantization={quantization!r}"
        )
    check_replaceable(path, *KIND, overwrite)
    functions = expressible(functions, "litert")
    with complete_or_absent(path) as partial:
        content = _convert(functions, quantization, partial)
        partial.write_bytes(content)
    return path


def is_litert(path):
    """Whether a path is a LiteRT file, by its first letters."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(8)[4:] == b"TFL3"


# Only this may be replaced by an export of this format.
KIND = "a LiteRT file", is_litert


def _convert(functions, quantization, aside):
    import tensorflow as tf

    # By way of a SavedModel: several signatures share weights only so. It is
    # written next to the file, not in /tmp, which may be small. Functions are
    # traced again: in a graph that calls another one, the converter does not
    # know the shapes of tensor lists.
    plain = {
        name: (getattr(function, "python_function", function), specs)
        for name, (function, specs) in functions.items()
    }
    with silence():
        write_saved_model(plain, aside)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            str(aside), signature_keys=list(functions)
        )
        if quantization is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantization == "float16":
            converter.target_spec.supported_types = [tf.float16]
        try:
            content = converter.convert()
        except Exception as error:
            missing = [
                each.operator.name for each in getattr(error, "errors", ())
            ]
            if not missing:
                raise
            raise refusal("LiteRT", functions, missing) from error
    shutil.rmtree(aside)
    return content
