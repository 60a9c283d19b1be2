"""`keras-genai train`: options -> recipe -> run."""

import dataclasses
import random
from pathlib import Path

from keras_genai import recipes
from keras_genai.cli.arguments import add_own_arguments, with_own_arguments
from keras_genai.cli.values import integer, integer_above_zero, user_path
from keras_genai.modalities import get_modality
from keras_genai.startup import prepare_tensorflow


def add_command(commands):
    """Adds `train` to the parser.

    Args:
        commands: The result of `add_subparsers`.
    """
    parser = commands.add_parser(
        "train",
        help="train a model into a run folder",
        description="Trains a model into a run folder. Any argument of the "
        "model or its recipe may be given by its own name: --width 48 "
        "--latent-dim 32 --loss hinge. `train MODEL --help` lists them.",
        allow_abbrev=False,
        add_help=False,
    )
    # Not argparse's own help, which prints before the model is known.
    parser.add_argument(
        *("-h", "--help"),
        action="store_true",
        help="show this, with a MODEL its arguments too, and exit",
    )
    parser.add_argument("model", nargs="?", help=" or ".join(recipes.RECIPES))
    data = parser.add_mutually_exclusive_group()
    data.add_argument("--dataset", help="a TFDS set, or an offline set")
    data.add_argument(
        "--data",
        type=user_path,
        help="a folder of images or of MIDI files, or a .npz file",
    )
    data.add_argument(
        "--text", type=user_path, help="a text file, or a folder of .txt files"
    )
    parser.add_argument("--split", help="a split, such as 'train[:10%%]'")
    parser.add_argument(
        "--image-size", type=integer, nargs=2, metavar=("HEIGHT", "WIDTH")
    )
    parser.add_argument(
        "--skip-broken",
        action="store_true",
        help="skip files that cannot be read",
    )
    parser.add_argument("--preset", help="default, or quick (a minute)")
    parser.add_argument("--epochs", type=integer_above_zero)
    parser.add_argument("--batch-size", type=integer_above_zero)
    parser.add_argument("--seed", type=integer)
    parser.add_argument(
        "--deterministic", action="store_true", help="repeat bit for bit"
    )
    parser.add_argument(
        "--offline", action="store_true", help="do not use the network"
    )
    parser.add_argument(
        "--tensorboard", action="store_true", help="write RUN/tensorboard"
    )
    parser.add_argument(
        "--strategy",
        choices=["mirrored", "multiworker"],
        help="all GPUs of this machine, or the machines of TF_CONFIG",
    )
    parser.add_argument(
        "--output", type=user_path, help="run folder (runs/MODEL-NNN)"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an existing run"
    )
    parser.add_argument(
        "--resume", type=user_path, metavar="RUN", help="continue a run"
    )
    parser.set_defaults(run=train, parser=parser)


def train(options, extra):
    """Trains a model into the folder of a run, or resumes a run.

    Args:
        options: The result of the parser.
        extra: Strings, `--name value` pairs that the parser does not know.

    Returns:
        Integer, the exit status.

    Raises:
        ValueError: If an option or the data are invalid.
    """
    from keras_genai.runs import Run, follow, new_record, next_folder

    if options.help:
        return _help(options)
    strategy = options.strategy
    if options.resume:
        run, epochs = _resumed(options, extra), options.epochs
        strategy = strategy or run.record().get("strategy")
        prepare_tensorflow()
        if not _is_chief(strategy):
            record = run.record()
            record["strategy"] = strategy
            record["deterministic"] |= options.deterministic
            record["offline"] |= options.offline
            follow(record, epochs, run.folder)
            return 0
    else:
        recipe, epochs = _chosen_recipe(options), None
        prepare_tensorflow()
        recipe = with_own_arguments(
            recipe, extra, options.parser.long_options()
        )
        seed = options.seed
        if seed is None and strategy == "multiworker":
            raise ValueError(
                "Several machines must be given the same --seed. Received: none"
            )
        if seed is None:
            seed = random.randrange(2**31)
        if not _is_chief(strategy):
            record = new_record(
                recipe, seed, options.deterministic, options.offline
            )
            follow({**record, "strategy": strategy})
            return 0
        folder = options.output or next_folder("runs", options.model)
        run = Run.create(
            folder,
            recipe,
            seed,
            options.deterministic,
            options.offline,
            options.overwrite,
        )
    try:
        model = run.train(
            epochs,
            options.tensorboard,
            strategy,
            options.deterministic,
            options.offline,
        )
    except KeyboardInterrupt:
        print(
            "\nInterrupted. Every finished epoch is kept; go on with\n"
            f"    keras-genai train --resume {run.folder}"
        )
        return 130
    run.finish(model)
    seconds = run.record()["seconds"]
    recipe = recipes.recipe_from_record(run.record()["recipe"])
    modality = get_modality(recipe.makes)
    required = "".join(
        f" {each}" for each in modality.command.required.values()
    )
    shown = ""
    if run.record().get("tensorboard"):
        folder = run.folder / "tensorboard"
        shown = f"\n    tensorboard/            tensorboard --logdir {folder}"
    print(
        f"\n{run.folder}: {seconds / 60:.1f} minutes of training"
        f"\n    {modality.training.written}, epoch after epoch"
        f"\n    history.png             the metrics, epoch by epoch"
        f"\n    model.keras             to load and train on"
        f"\n    export/                 SavedModel, runs without keras_genai"
        f"{shown}"
        f"\nNext:\n    keras-genai generate {run.folder} --seed 1{required}"
    )
    return 0


def _help(options):
    if options.model is not None:
        preset = options.preset or "default"
        recipe = recipes.get_recipe(options.model, preset)
        prepare_tensorflow()
        add_own_arguments(options.parser, recipe)
    options.parser.print_help()
    return 0


def _is_chief(strategy):
    from keras_genai.replicas import is_chief

    return is_chief(strategy)


# --- Options -> recipe -------------------------------------------------------


def _chosen_recipe(options):
    if options.model is None:
        raise ValueError(
            f"Name a model: {', '.join(recipes.RECIPES)}, or --resume a run."
        )
    recipe = recipes.get_recipe(options.model, options.preset or "default")
    command = get_modality(recipe.makes).command
    if options.image_size and not hasattr(recipe, "image_size"):
        raise ValueError(
            f"{recipe.family} reads {recipe.makes}. Received: --image-size "
            f"{' '.join(map(str, options.image_size))}"
        )
    path = getattr(options, command.data_option)
    if path is None and (options.data or options.text):
        raise ValueError(
            f"{recipe.family} is trained on {command.trained_on} or "
            f"--dataset NAME. Received: {options.data or options.text}"
        )
    chosen = {
        "source": options.dataset or (path and str(Path(path).resolve())),
        "split": options.split,
        "image_size": options.image_size,
        "epochs": options.epochs,
        "batch_size": options.batch_size,
        "skip_broken": options.skip_broken or None,
    }
    if path and not command.splits_own_data and recipe.validation_split:
        # Most have no such split; --validation-split names one.
        recipe = dataclasses.replace(recipe, validation_split=None)
    return dataclasses.replace(
        recipe,
        **{name: value for name, value in chosen.items() if value is not None},
    )


def _resumed(options, extra):
    from keras_genai.runs import Run

    given = [
        f"--{name.replace('_', '-')}"
        for name in (
            "dataset",
            "data",
            "text",
            "split",
            "image_size",
            "preset",
            "batch_size",
            "seed",
            "output",
        )
        if getattr(options, name) is not None
    ]
    given += ["--skip-broken"] * options.skip_broken
    given += ["--overwrite"] * options.overwrite + extra[:1]
    if given:
        raise ValueError(
            "A run is resumed with the arguments it was started with; only "
            f"--epochs may change. Received: {', '.join(given)}"
        )
    run = Run.open(options.resume)
    record = run.record()
    recipe = recipes.recipe_from_record(record["recipe"])
    if options.model is not None and recipe.family != (
        recipes.get_recipe(options.model).family
    ):
        raise ValueError(
            f"The run trains {recipe.family}. Received: model={options.model!r}"
        )
    if record["status"] != "complete":
        return run
    if "final" not in record:
        raise ValueError(
            "The record is broken: the run is complete, and has no 'final' "
            f"numbers. Received: {str(run.record_path)!r}"
        )
    done = record["final"]["epoch"]
    if (options.epochs or recipe.epochs) <= done:
        raise ValueError(
            f"The run is complete, with {done} epochs; "
            f"train on with --epochs. Received: --resume {options.resume}"
        )
    return run
