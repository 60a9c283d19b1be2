"""Which functions LiteRT and ONNX can express, and why not the others."""

import operator

from keras_genai.export.saved_model import graph

# A part of an operation's name -> the reason against it.
_REASONS = {
    "Random": "it draws random numbers",
    "String": "it takes or gives strings",
    "Ragged": "it has rows of unequal length",
}
_LOOPS = ("While", "StatelessWhile")

_functions_of = operator.attrgetter("library.function")  # of a graph


def why_not(functions, format):
    """Says why functions cannot be written in a format.

    LiteRT and ONNX are for networks: they have no draws that a seed repeats,
    hardly any text and no ragged rows, and tf2onnx loses the shapes of a loop
    inside a loop. The program that runs such an export draws the noise, or the
    next token, itself.

    Args:
        functions: Dictionary: name -> (function of tensors that returns a
            dictionary of tensors, list of `tf.TensorSpec`).
        format: `"litert"` or `"onnx"`.

    Returns:
        Dictionary: name -> reason, of those that cannot be expressed.

    Example:
        >>> import tensorflow as tf
        >>> spec = tf.TensorSpec((None,), "float32", "x")
        >>> def double(x): return {"y": 2 * x}
        >>> def noisy(x): return {"y": x + tf.random.normal(tf.shape(x))}
        >>> functions = {"double": (double, [spec]), "noisy": (noisy, [spec])}
        >>> why_not(functions, "litert")
        {'noisy': 'it draws random numbers'}
    """
    reasons = {
        name: _reason(function, specs, format)
        for name, (function, specs) in functions.items()
    }
    return {name: reason for name, reason in reasons.items() if reason}


def expressible(functions, format):
    """Chooses the functions that a format can express.

    Args:
        functions: As in `why_not`.
        format: As in `why_not`.

    Returns:
        Dictionary like `functions`.

    Raises:
        ValueError: If the format can express no function.
    """
    reasons = why_not(functions, format)
    kept = {
        name: each for name, each in functions.items() if name not in reasons
    }
    if not kept:
        told = "; ".join(f"{name}: {why}" for name, why in reasons.items())
        raise ValueError(
            f"This format can express no function of the model ({told}). "
            f"Expected format='saved_model'. Received: format={format!r}"
        )
    return kept


def _reason(function, specs, format):
    import tensorflow as tf

    # First without tracing, because tracing a loop takes seconds.
    if any(spec.name == "seed" for spec in specs):
        return _REASONS["Random"]
    if any(spec.dtype == tf.string for spec in specs):
        return _REASONS["String"]
    traced = graph(function, specs).get_concrete_function().graph
    if any(output.dtype == tf.string for output in traced.outputs):
        return _REASONS["String"]
    graph_def = traced.as_graph_def()
    inner = {each.signature.name: each for each in _functions_of(graph_def)}
    nodes = list(graph_def.node)
    nodes += [node for each in inner.values() for node in each.node_def]
    for part, reason in _REASONS.items():
        if any(part in node.op for node in nodes):
            return reason
    bodies = [
        inner[node.attr["body"].func.name]
        for node in nodes
        if node.op in _LOOPS
    ]
    nested = any(node.op in _LOOPS for body in bodies for node in body.node_def)
    if format == "onnx" and nested:
        return "it has a loop inside a loop"
    return None
