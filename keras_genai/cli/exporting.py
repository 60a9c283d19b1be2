"""`keras-genai export`: a run's model, for other programs."""

import contextlib
from pathlib import Path

from keras_genai.cli.values import user_path
from keras_genai.startup import prepare_tensorflow

# Format -> the name of the new export, next to the run's own.
_ENDINGS = {"saved_model": "", "litert": ".tflite", "onnx": "_onnx"}


def add_command(commands):
    """Adds `export` to the parser.

    Args:
        commands: The result of `add_subparsers`.
    """
    parser = commands.add_parser("export", help="export a run's model")
    parser.add_argument("source", type=user_path, metavar="RUN")
    parser.add_argument(
        "--format",
        choices=tuple(_ENDINGS),
        default="saved_model",
        help="TensorFlow's (saved_model); LiteRT's, a .tflite file; or ONNX, a "
        "folder with a file for each function",
    )
    parser.add_argument(
        "--quantization",
        choices=("float16", "int8"),
        help="smaller weights, for --format litert",
    )
    parser.add_argument(
        "--output",
        type=user_path,
        help="folder or file (RUN/export, RUN/export.tflite, RUN/export_onnx)",
    )
    parser.set_defaults(run=export, parser=parser)


def export(options, _):
    """Exports, compares in a fresh process, and lists omitted functions."""
    from keras_genai.runs import Run

    run = Run.open(options.source)
    prepare_tensorflow()
    from keras_genai.export import TOLERANCES, check_export, why_not
    from keras_genai.export.check import checked_export
    from keras_genai.models import load_model

    model = load_model(run.model_path)
    path = Path(options.output or _beside(run.export_path, options))

    def check(partial):
        return check_export(partial, model, TOLERANCES[options.quantization])

    # In the run's own folder no other process may work.
    with contextlib.nullcontext() if options.output else run.locked():
        difference = checked_export(
            model, path, check, options.format, options.quantization
        )
    print(
        f"{path}: loaded again in a separate process, it differs from the "
        f"model by {difference:.1g}"
    )
    if options.format != "saved_model":
        left_out = why_not(model.network_signatures(), options.format)
        for name, reason in left_out.items():
            print(f"    left out: {name} ({reason})")


def _beside(path, options):
    kind = f"_{options.quantization}" if options.quantization else ""
    return path.with_name(f"{path.name}{kind}{_ENDINGS[options.format]}")
