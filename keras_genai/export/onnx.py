"""ONNX: networks, a file for each function, for ONNX Runtime and others."""

import logging
from pathlib import Path

from keras_genai.export.converters import refusal, require, silence
from keras_genai.export.expressible import expressible
from keras_genai.files import check_replaceable, complete_or_absent


def write_onnx(functions, filepath, overwrite=True):
    """Writes functions as a folder of `.onnx` files, one for each function.

    Functions that ONNX cannot express are left out: `why_not(functions,
    "onnx")` says why. ONNX does not allow an output with the name of an input:
    `"output_"` is put before such a name.

    Args:
        functions: Dictionary: name -> (function of tensors that returns a
            dictionary of tensors, list of `tf.TensorSpec`).
        filepath: Path of the folder to write.
        overwrite: Boolean. Whether an existing folder of `.onnx` files is
            replaced; anything else is never replaced. Defaults to `True`.

    Returns:
        `pathlib.Path` of the folder.

    Raises:
        ImportError: If tf2onnx or onnx is not installed.
        ValueError: If no function can be expressed, if an operation is missing
            in ONNX, or if `filepath` exists and may not be replaced.
    """
    path = Path(filepath)
    if path.suffix == ".onnx":
        raise ValueError(
            "An ONNX export is a folder, with a file for each function. "
            f"Received: filepath={str(path)!r}"
        )
    for package in ("onnx", "tf2onnx"):
        require(package, "onnx")
    check_replaceable(path, *KIND, overwrite)
    models = {
        name: _convert(name, *each)
        for name, each in expressible(functions, "onnx").items()
    }
    with complete_or_absent(path) as partial:
        partial.mkdir()
        for name, model in models.items():
            content = model.SerializeToString()
            (partial / f"{name}.onnx").write_bytes(content)
    return path


def is_onnx(path):
    """Whether a path is a folder of `.onnx` files and nothing else."""
    return path.is_dir() and all(
        each.suffix == ".onnx" for each in path.iterdir()
    )


# Only this may be replaced by an export of this format.
KIND = "a folder of .onnx files", is_onnx


def _convert(name, function, specs):
    import tensorflow as tf
    import tf2onnx

    inputs = {spec.name for spec in specs}

    def renamed(*arguments):
        outputs = function(*arguments)
        return {
            f"output_{key}" if key in inputs else key: value
            for key, value in outputs.items()
        }

    logger = logging.getLogger("tf2onnx")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with silence():
            model, _ = tf2onnx.convert.from_function(
                tf.function(renamed, input_signature=specs, autograph=False),
                input_signature=specs,
                custom_op_handlers={
                    "Erfc": (_erfc, []),
                    "Expm1": (_expm1, []),
                },
            )
    finally:
        logger.setLevel(level)
    # tf2onnx leaves operations that it does not know in the file, silently.
    missing = _unknown_operations(model.graph)
    if missing:
        raise refusal("ONNX", [name], missing)
    return model


def _unknown_operations(graph):
    import onnx

    unknown = set()
    for node in graph.node:
        if not onnx.defs.has(node.op_type, node.domain):
            unknown.add(node.op_type)
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                unknown |= _unknown_operations(inner)
    return unknown


# Operations of TensorFlow that ONNX has under another name: for the exact
# GELU, and for likelihoods of 8-bit pixels.


def _erfc(context, node, name, arguments):
    """erfc(x) = 1 - erf(x)."""
    erf = context.make_node("Erf", node.input, name=f"{name}_erf")
    _replace(context, node, "Sub", [_one(context, node, name), erf.output[0]])


def _expm1(context, node, name, arguments):
    """e^x - 1 = 2 t / (1 - t) with t = tanh(x / 2), exact near 0 too."""
    one = _one(context, node, name)
    two = context.make_node("Add", [one, one], name=f"{name}_two").output[0]
    half = context.make_node("Div", [node.input[0], two], name=f"{name}_half")
    t = context.make_node("Tanh", half.output, name=f"{name}_tanh").output[0]
    above = context.make_node("Add", [t, t], name=f"{name}_above").output[0]
    below = context.make_node("Sub", [one, t], name=f"{name}_below").output[0]
    _replace(context, node, "Div", [above, below])


def _one(context, node, name):
    from tf2onnx import utils

    dtype = utils.map_onnx_to_numpy_type(context.get_dtype(node.input[0]))
    return context.make_const(f"{name}_one", dtype(1)).output[0]


def _replace(context, node, operation, inputs):
    shapes, dtypes = node.output_shapes, node.output_dtypes
    context.remove_node(node.name)
    context.make_node(
        operation,
        inputs,
        name=node.name,
        outputs=node.output,
        shapes=shapes,
        dtypes=dtypes,
    )
