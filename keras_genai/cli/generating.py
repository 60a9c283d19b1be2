"""`keras-genai generate`, from a run or an export."""

from pathlib import Path

from keras_genai.cli import images, music, text
from keras_genai.cli.values import (
    integer,
    integer_above_zero,
    integers,
    number,
    user_path,
)
from keras_genai.startup import prepare_tensorflow

# What may be asked of what: anything else is refused.
_OF_ALL = ("source", "seed", "run", "parser")
_TAKES = {
    "images": ("num_samples", "labels", "output", "overwrite"),
    "text": (
        *("prompt", "max_new_tokens", "temperature", "top_k", "top_p"),
        *("min_p", "repetition_penalty", "num_beams", "length_penalty"),
        "stop",
    ),
    "music": (
        *("num_samples", "num_steps", "melody", "voice"),
        *("output", "overwrite"),
        *("temperature", "top_k", "top_p", "min_p"),
    ),
}
_SERVED_WITHOUT = (
    *("min_p", "repetition_penalty", "num_beams", "length_penalty"),
    "stop",
)


def add_command(commands):
    """Tells the parser of `generate`.

    Args:
        commands: What `add_subparsers` returned.
    """
    parser = commands.add_parser(
        "generate", help="sample from a run or an export"
    )
    parser.add_argument("source", type=user_path, metavar="RUN_OR_EXPORT")
    parser.add_argument(
        "--num-samples", type=integer, help="64 images, 1 piece of music"
    )
    parser.add_argument(
        "--labels",
        type=integers,
        help="labels of a conditional model's samples: 3,3,7",
    )
    parser.add_argument("--seed", type=integer, default=0)
    parser.add_argument(
        "--output",
        type=user_path,
        help=".png (RUN/generated/seed_SEED.png), or .npz for the array; of "
        "music .mid (RUN/generated/seed_SEED.mid), or .wav for the sound",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the file"
    )
    of_text = parser.add_argument_group("of a language model")
    of_text.add_argument("--prompt", help="what the text goes on from")
    of_text.add_argument("--max-new-tokens", type=integer, help="(400)")
    of_music = parser.add_argument_group("of music")
    of_music.add_argument(
        "--num-steps",
        type=integer_above_zero,
        help="sixteenths at most (128, or as many as the melody has)",
    )
    of_music.add_argument(
        "--melody",
        type=user_path,
        help="a MIDI file, whose highest notes are harmonized",
    )
    of_music.add_argument(
        "--voice",
        type=integer,
        help="the melody's voice, 0 (default) the highest",
    )
    of_both = parser.add_argument_group("of a language model, and of music")
    of_both.add_argument("--temperature", type=number, help="(1.0)")
    of_both.add_argument("--top-k", type=integer, help="(0, all)")
    of_both.add_argument("--top-p", type=number, help="(1.0)")
    of_both.add_argument("--min-p", type=number, help="(0.0) of a run alone")
    of_run = parser.add_argument_group("of a run's language model alone")
    of_run.add_argument("--repetition-penalty", type=number)
    of_run.add_argument("--num-beams", type=integer)
    of_run.add_argument(
        "--length-penalty", type=number, help="(0.0) above 0 for longer beams"
    )
    of_run.add_argument(
        "--stop", action="append", help="a string to end before"
    )
    parser.set_defaults(run=generate, parser=parser)


def generate(options, _):
    """Writes or prints what a run's model, or an export, makes.

    Args:
        options: What the parser returned.

    Raises:
        ValueError: If it is asked for what it does not make.
    """
    from keras_genai.recipes import recipe_from_record
    from keras_genai.runs import Run

    exported = (Path(options.source) / "saved_model.pb").is_file()
    if exported:
        prepare_tensorflow()
        import tensorflow as tf

        source = tf.saved_model.load(options.source).signatures
        makes = _made_by(source)
    else:
        run = Run.open(options.source)
        makes = recipe_from_record(run.record()["recipe"]).makes
    _check_fits(makes, options)
    if exported:
        _check_served(options)
    folder = _own_folder(options.source)
    # Refused before a model is loaded.
    if makes == "images":
        output = images.output_file(options, folder, exported)
    elif makes == "music":
        output = music.output_files(options, folder, exported)
    if not exported:
        prepare_tensorflow()
        from keras_genai.models import load_model

        source = load_model(run.model_path)
    if makes == "text":
        text.generate(source, options)
    elif makes == "music":
        music.generate(source, options, output)
    else:
        images.generate(source, options, output)


def _own_folder(source):
    """Where samples go that are given no file: to the run, if there is one."""
    path = Path(source)
    if not path.name:  # "." has no parent that says more
        path = path.resolve()
    for folder in (path, path.parent):  # a run, or its export
        if (folder / "run.json").is_file():
            return folder / "generated"
    return Path("generated")


def _made_by(signatures):
    if "generate_midi" in signatures:
        return "music"
    return "text" if "score" in signatures else "images"


def _check_fits(makes, options):
    foreign = [
        f"--{name.replace('_', '-')} {value!r}"
        for name, value in vars(options).items()
        if name not in (*_OF_ALL, *_TAKES[makes])
        and value is not None
        and value is not False
    ]
    lacks_prompt = makes == "text" and options.prompt is None
    if lacks_prompt:
        foreign.append("--prompt None")
    if foreign:
        raise ValueError(
            f"{options.source} makes {makes}"
            + (": --prompt TEXT." if lacks_prompt else ".")
            + f" Received: {', '.join(foreign)}"
        )


def _check_served(options):
    more = {name: getattr(options, name) for name in _SERVED_WITHOUT}
    more = {name: value for name, value in more.items() if value is not None}
    if more:
        raise ValueError(
            "An export has no such choice: give the run. Received: "
            + ", ".join(f"{name}={value}" for name, value in more.items())
        )
