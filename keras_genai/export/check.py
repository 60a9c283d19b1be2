"""Compares an export, in a fresh process, with its model."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from keras_genai.export import litert, onnx, runtimes, saved_model
from keras_genai.export.converters import require
from keras_genai.export.expressible import why_not
from keras_genai.files import check_replaceable, complete_or_absent

# How far an export may be from its model, by its quantisation: the greatest
# difference as a share of the greatest value. At least three times the
# differences measured of trained models (benchmarks/export_latency.py).
TOLERANCES = {None: 1e-5, "float16": 0.01, "int8": 0.3}
# Format -> the package that runs it, and the extra that has it.
_RUNTIMES = {
    "litert": ("ai_edge_litert", "litert"),
    "onnx": ("onnxruntime", "onnx"),
}
_KINDS = {
    "saved_model": saved_model.KIND,
    "litert": litert.KIND,
    "onnx": onnx.KIND,
}
_LIMITS = {"labels": "num_classes", "token_ids": "vocabulary_size"}
_LENGTH = 32  # of sequences if the model has no limit


def checked_export(
    model, filepath, check, format="saved_model", quantization=None
):
    """Exports a model, checks the export, then replaces an older one.

    Args:
        model: `GenerativeModel`.
        filepath: As in `GenerativeModel.export`.
        check: Function of the path of an export that returns how far it is
            from its model, and raises `ValueError` if that is too far.
        format: As in `GenerativeModel.export`.
        quantization: As in `GenerativeModel.export`.

    Returns:
        The value that `check` returned.

    Raises:
        ValueError: As `GenerativeModel.export` and `check`.
    """
    path = Path(filepath)
    check_replaceable(path, *_KINDS[format], overwrite=True)
    with complete_or_absent(path) as partial:
        try:
            model.export(partial, format, quantization=quantization)
            return check(partial)
        except ValueError as error:
            # It names the temporary path, which no longer exists.
            message = str(error).replace(str(partial), str(path))
            raise ValueError(message) from error


def check_export(filepath, model, tolerance=1e-5, count=100):
    """Loads an export in a fresh process and compares it with its model.

    The process has only the runtime, TensorFlow, LiteRT or ONNX Runtime,
    without `keras_genai` and the model. Its `count` inputs are random: noise
    and codes are normal, images uniform, labels and token ids uniform, prompts
    and texts are random tokens joined. Every function of the export is
    compared; among the functions of a SavedModel that draw, only the one that
    is served by default.

    Args:
        filepath: Path of an export that `GenerativeModel.export` wrote.
        model: The model that it was exported from.
        tolerance: Float, greatest difference allowed, as a share of the
            greatest value; `TOLERANCES` has one for each quantisation of
            `export`. Defaults to `1e-5`.
        count: Integer >= 1. Defaults to `100`.

    Returns:
        Float, the greatest difference; unequal texts count as infinity.

    Raises:
        ImportError: If the runtime is not installed.
        ValueError: If the difference is greater than `tolerance`, or if the
            runtime cannot load the export.
    """
    import tensorflow as tf

    path = Path(filepath)
    format = _format(path)
    if format in _RUNTIMES:
        require(*_RUNTIMES[format])
    requests, expected = [], []
    for name, (function, specs) in _functions(model, format).items():
        # Traced only once: TensorFlow would warn of repeated tracing.
        traced = saved_model.graph(function, specs)
        concrete = traced.get_concrete_function()
        for inputs in _requests(model, specs, count):
            requests.append((name, inputs))
            expected.append(concrete(*map(tf.constant, inputs.values())))
    answers = _ask(format, path, requests)
    difference = float(np.max(list(map(_difference, answers, expected))))
    if not difference <= tolerance:
        raise ValueError(
            f"The export differs from its model by {difference:.2g}, more "
            f"than {tolerance:.2g}. Received: filepath={str(path)!r}"
        )
    return difference


def _format(path):
    if litert.is_litert(path):
        return "litert"
    return "saved_model" if saved_model.is_saved_model(path) else "onnx"


def _functions(model, format):
    """The requests: all functions; of those that draw only the default."""
    if format != "saved_model":
        offered = model.network_signatures()
        skipped = why_not(offered, format)
    else:
        offered = model.signatures()
        _, *others = offered
        skipped = {
            name
            for name in others
            if any(spec.name == "seed" for spec in offered[name][1])
        }
    return {name: offered[name] for name in offered if name not in skipped}


def _requests(model, specs, count):
    """Inputs, all at once, or one by one for a batch size of one."""
    generator = np.random.default_rng(0)
    inputs = {
        spec.name: _input(model, spec, count, generator) for spec in specs
    }
    if all(spec.shape.rank and spec.shape[0] == 1 for spec in specs):
        for row in range(count):
            yield {name: each[row, None] for name, each in inputs.items()}
    else:
        yield inputs


def _input(model, spec, count, generator):
    if spec.shape.rank == 0:
        request = {**model.example_request(), "num_samples": count}
        return np.array(request[spec.name], spec.dtype.as_numpy_dtype)
    length = getattr(model, "max_sequence_length", None) or _LENGTH
    if spec.name == "prompt":
        longest = min(length, _LENGTH)
        return _texts(model.tokenizer, 1, longest, count, generator)
    if spec.name == "text":  # with a first token as context
        return _texts(model.tokenizer, 2, 2 * length, count, generator)
    shape = (count, *(length if n is None else n for n in spec.shape[1:]))
    if spec.name in _LIMITS:
        limit = getattr(model, _LIMITS[spec.name])
        return generator.integers(limit, size=shape, dtype="int32")
    if spec.name == "images":
        return generator.random(shape, "float32")
    return generator.standard_normal(shape, "float32")


def _texts(tokenizer, shortest, longest, count, generator):
    """Texts of random tokens, with a minimum and a maximum of tokens."""
    sizes = generator.integers(shortest, longest, 10 * count, endpoint=True)
    texts = [
        tokenizer.decode(generator.integers(tokenizer.vocabulary_size, size=n))
        for n in sizes
    ]
    # NumPy loses a zero at the end.
    texts = np.array([text.replace("\0", "") for text in texts])
    # The joined text may be split into more or fewer tokens.
    sizes = tokenizer.tokenize(texts).row_lengths().numpy()
    return texts[(sizes >= shortest) & (sizes <= longest)][:count]


def _ask(format, path, requests):
    """The answers of an export to requests, from a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "given.npz"
        answered = Path(folder) / "answered.npz"
        inputs = {
            f"{number}/{name}/{argument}": value
            for number, (name, arguments) in enumerate(requests)
            for argument, value in arguments.items()
        }
        np.savez(given, **inputs)
        process = _run_apart(format, path.absolute(), given, answered)
        if process.returncode:
            raise ValueError(
                "The export does not run in a separate process. Received: "
                f"filepath={str(path)!r}\n{process.stderr.strip()}"
            )
        answers = [{} for _ in requests]
        with np.load(answered, allow_pickle=True) as file:
            for key, value in file.items():
                number, _, name = key.split("/")
                answers[int(number)][name] = value
    return answers


def _run_apart(*arguments):
    """Runs `runtimes.py` in a fresh process."""
    return subprocess.run(
        # -P: the folder of the script has an `onnx.py`, which is not onnx.
        [sys.executable, "-P", runtimes.__file__, *arguments],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )


def _difference(answers, expected):
    differences = []
    for name, value in expected.items():
        value = value.numpy()
        answer = answers[name] if name in answers else answers[f"output_{name}"]
        if value.dtype == object:  # strings
            same = answer.tolist() == value.tolist()
            differences.append(0.0 if same else np.inf)
        else:
            scale = max(np.abs(value).max(), np.finfo("float32").tiny)
            differences.append(np.abs(answer - value).max() / scale)
    return np.max(differences)  # NaN, if one is NaN
