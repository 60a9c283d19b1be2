"""`keras-genai generate`, from a run or an export."""

from pathlib import Path

from keras_genai.cli import images, music, text
from keras_genai.cli.values import integer_above_zero, integers
from keras_genai.startup import prepare_tensorflow

# What may be asked of what: anything else is refused.
_OF_ALL = ("source", "seed", "overwrite", "run")
_TAKES = {
    "images": ("num_samples", "labels", "output"),
    "text": (
        *("prompt", "max_new_tokens", "temperature", "top_k", "top_p"),
        *("min_p", "repetition_penalty", "num_beams", "stop"),
    ),
    "music": (
        *("num_samples", "num_steps", "melody", "voice", "output"),
        *("temperature", "top_k", "top_p", "min_p"),
    ),
}
_SERVED_WITHOUT = ("min_p", "repetition_penalty", "num_beams", "stop")


def add_command(commands):
    """Tells the parser of `generate`.

    Args:
        commands: What `add_subparsers` returned.
    """
    parser = commands.add_parser(
        "generate", help="sample from a run or an export"
    )
    parser.add_argument("source", metavar="RUN_OR_EXPORT")
    parser.add_argument(
        "--num-samples", type=int, help="64 images, 1 piece of music"
    )
    parser.add_argument(
        "--labels",
        type=integers,
        help="labels of a conditional model's samples: 3,3,7",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--output",
        help=".png (generated.png), or .npz for the array; of music .mid "
        "(generated.mid), or .wav for the sound",
    )
    parser.add_argument("--overwrite", action="store_true")
    of_text = parser.add_argument_group("of a language model")
    of_text.add_argument("--prompt", help="what the text goes on from")
    of_text.add_argument("--max-new-tokens", type=int, help="(400)")
    of_music = parser.add_argument_group("of music")
    of_music.add_argument(
        "--num-steps",
        type=integer_above_zero,
        help="sixteenths at most (128, or as many as the melody has)",
    )
    of_music.add_argument(
        "--melody", help="a MIDI file, whose highest notes are harmonized"
    )
    of_music.add_argument(
        "--voice", type=int, help="the melody's voice, 0 (default) the highest"
    )
    of_both = parser.add_argument_group("of a language model, and of music")
    of_both.add_argument("--temperature", type=float, help="(1.0)")
    of_both.add_argument("--top-k", type=int, help="(0, all)")
    of_both.add_argument("--top-p", type=float, help="(1.0)")
    of_both.add_argument("--min-p", type=float, help="(0.0) of a run alone")
    of_run = parser.add_argument_group("of a run's language model alone")
    of_run.add_argument("--repetition-penalty", type=float)
    of_run.add_argument("--num-beams", type=int)
    of_run.add_argument(
        "--stop", action="append", help="a string to end before"
    )
    parser.set_defaults(run=generate)


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
    # Refused before a model is loaded.
    if makes == "images":
        output = images.output_file(options)
    elif makes == "music":
        output = music.output_files(options, exported)
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


def _made_by(signatures):
    if "generate_midi" in signatures:
        return "music"
    return "text" if "score" in signatures else "images"


def _check_fits(makes, options):
    foreign = [
        f"--{name.replace('_', '-')} {value!r}"
        for name, value in vars(options).items()
        if name not in (*_OF_ALL, *_TAKES[makes]) and value is not None
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
