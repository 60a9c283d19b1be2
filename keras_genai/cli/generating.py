"""`keras-genai generate`, from a run or an export."""

from pathlib import Path

from keras_genai.cli.values import (
    files_to_write,
    integer,
    number,
    user_path,
)
from keras_genai.modalities import get_modality, names, of_export
from keras_genai.startup import prepare_tensorflow

# Options of every modality; each modality adds its own.
_OF_ALL = ("source", "seed", "run", "parser")


def add_command(commands):
    """Adds `generate` to the parser.

    Args:
        commands: The result of `add_subparsers`.
    """
    parser = commands.add_parser(
        "generate", help="sample from a run or an export"
    )
    of_each = [get_modality(name).command for name in names()]

    def of_some(texts):
        return ", ".join(filter(None, texts))

    parser.add_argument("source", type=user_path, metavar="RUN_OR_EXPORT")
    parser.add_argument(
        "--num-samples",
        type=integer,
        help=of_some(command.count_help for command in of_each),
    )
    parser.add_argument("--seed", type=integer, default=0)
    parser.add_argument(
        "--output",
        type=user_path,
        help=of_some(command.output_help for command in of_each),
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the file"
    )
    for command in of_each:
        command.add_options(parser)
    by_token = parser.add_argument_group("of a language model, and of music")
    by_token.add_argument("--temperature", type=number, help="(1.0)")
    by_token.add_argument("--top-k", type=integer, help="(0, all)")
    by_token.add_argument("--top-p", type=number, help="(1.0)")
    by_token.add_argument("--min-p", type=number, help="(0.0) of a run only")
    parser.set_defaults(run=generate, parser=parser)


def generate(options, _):
    """Writes or prints samples of a run's model, or of an export.

    Args:
        options: The result of the parser.

    Raises:
        ValueError: If the options do not fit the modality of the model.
    """
    from keras_genai.recipes import recipe_from_record
    from keras_genai.runs import Run

    exported = (Path(options.source) / "saved_model.pb").is_file()
    if exported:
        prepare_tensorflow()
        import tensorflow as tf

        source = tf.saved_model.load(options.source).signatures
        modality = of_export(source)
    else:
        run = Run.open(options.source)
        recipe = recipe_from_record(run.record()["recipe"])
        modality = get_modality(recipe.makes)
    # Refused before a model is loaded.
    _check_fits(modality, options)
    command = modality.command
    if exported:
        _check_served(command, options)
    command.check(options, exported)
    files = []
    if command.suffixes:
        files = files_to_write(
            *(options, _own_folder(options.source), f"seed_{options.seed}"),
            *(command.suffixes, command.num_files(options)),
        )
    if not exported:
        prepare_tensorflow()
        from keras_genai.models import load_model

        source = load_model(run.model_path)
    command.generate(source, options, files)


def _own_folder(source):
    """The folder of samples without `--output`: in the run, if there is one."""
    path = Path(source)
    if not path.name:  # "." has no name and no useful parent
        path = path.resolve()
    for folder in (path, path.parent):  # a run, or its export
        if (folder / "run.json").is_file():
            return folder / "generated"
    return Path("generated")


def _check_fits(modality, options):
    """Refuses options of another modality, and missing required ones."""
    command = modality.command
    foreign = [
        f"--{name.replace('_', '-')} {value!r}"
        for name, value in vars(options).items()
        if name not in (*_OF_ALL, *command.options)
        and value is not None
        and value is not False
    ]
    lacking = [
        name for name in command.required if getattr(options, name) is None
    ]
    foreign += [f"--{name.replace('_', '-')} None" for name in lacking]
    if foreign:
        needed = ", ".join(command.required[name] for name in lacking)
        raise ValueError(
            f"{options.source} makes {modality.name}"
            + (f": {needed}." if needed else ".")
            + f" Received: {', '.join(foreign)}"
        )


def _check_served(command, options):
    """Refuses options that only the model of a run has."""
    more = {name: getattr(options, name) for name in command.options_of_runs}
    more = {name: value for name, value in more.items() if value is not None}
    if more:
        raise ValueError(
            "An export has no such choice: give the run. Received: "
            + ", ".join(f"{name}={value}" for name, value in more.items())
        )
