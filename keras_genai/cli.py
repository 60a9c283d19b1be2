"""`keras-genai`: train, generate, export, list."""

import argparse
import ast
import dataclasses
import inspect
import itertools
import random
import sys
from pathlib import Path

from keras_genai import recipes
from keras_genai.startup import prepare_tensorflow
from keras_genai.version import __version__


def main(arguments=None):
    """Runs the command line.

    Args:
        arguments: Strings, or `None` for those of the process.

    Returns:
        Integer, the exit status: 0, 2 for input that was refused, 130 for an
        interrupted training.
    """
    parser = _parser()
    options, extra = parser.parse_known_args(arguments)
    if extra and options.run is not _train:
        parser.error(f"unrecognized arguments: {' '.join(extra)}")
    try:
        return options.run(options, extra) or 0
    except (ValueError, OSError, ImportError, FloatingPointError) as error:
        print(f"keras-genai: {error}", file=sys.stderr)
        return 2


def _parser():
    parser = argparse.ArgumentParser(
        prog="keras-genai",
        description="Train generative models, look at their samples, ship "
        "them.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    train = commands.add_parser(
        "train",
        help="train a model into a run folder",
        description="Trains a model into a run folder. Any argument of the "
        "model or its recipe may be given by its own name: --width 48 "
        "--latent-dim 32 --loss hinge.",
        allow_abbrev=False,
    )
    train.add_argument("model", nargs="?", help=" or ".join(recipes.RECIPES))
    data = train.add_mutually_exclusive_group()
    data.add_argument("--dataset", help="a TFDS set, or an offline set")
    data.add_argument("--data", help="a folder of images, or a .npz file")
    data.add_argument("--text", help="a text file, or a folder of .txt files")
    train.add_argument("--split", help="a split, such as 'train[:10%%]'")
    train.add_argument(
        "--image-size", type=int, nargs=2, metavar=("HEIGHT", "WIDTH")
    )
    train.add_argument("--preset", help="default, or quick (a minute)")
    train.add_argument("--epochs", type=_integer_above_zero)
    train.add_argument("--batch-size", type=_integer_above_zero)
    train.add_argument("--seed", type=int)
    train.add_argument(
        "--deterministic", action="store_true", help="repeat bit for bit"
    )
    train.add_argument(
        "--offline", action="store_true", help="leave the network alone"
    )
    train.add_argument(
        "--tensorboard", action="store_true", help="write RUN/tensorboard"
    )
    train.add_argument("--output", help="run folder (runs/MODEL-NNN)")
    train.add_argument(
        "--overwrite", action="store_true", help="delete the run that is there"
    )
    train.add_argument("--resume", metavar="RUN", help="continue a run")
    train.set_defaults(run=_train)

    generate = commands.add_parser(
        "generate", help="sample from a run or an export"
    )
    generate.add_argument("source", metavar="RUN_OR_EXPORT")
    generate.add_argument("--num-samples", type=int)
    generate.add_argument(
        "--labels",
        type=_integers,
        help="labels of a conditional model's samples: 3,3,7",
    )
    generate.add_argument("--seed", type=int, default=0)
    generate.add_argument(
        "--output", help=".png (generated.png), or .npz for the array"
    )
    generate.add_argument("--overwrite", action="store_true")
    text = generate.add_argument_group("of a language model")
    text.add_argument("--prompt", help="what the text goes on from")
    text.add_argument("--max-new-tokens", type=int, default=400)
    text.add_argument("--temperature", type=float, default=1.0)
    text.add_argument("--top-k", type=int, default=0)
    text.add_argument("--top-p", type=float, default=1.0)
    of_run = generate.add_argument_group("of a run's language model alone")
    of_run.add_argument("--min-p", type=float, default=0.0)
    of_run.add_argument("--repetition-penalty", type=float, default=1.0)
    of_run.add_argument("--num-beams", type=int, default=1)
    of_run.add_argument(
        "--stop", action="append", default=[], help="a string to end before"
    )
    generate.set_defaults(run=_generate)

    evaluate = commands.add_parser(
        "evaluate", help="measure a run's model on held-out data"
    )
    evaluate.add_argument("source", metavar="RUN")
    evaluate.add_argument("--split", help="a split (the recipe's, else test)")
    evaluate.add_argument(
        "--k",
        type=_integer_above_zero,
        default=500,
        help="codes an image for the importance-weighted bound of a VAE",
    )
    evaluate.add_argument(
        "--num-samples",
        type=_integer_above_zero,
        help="images to sample and to compare (the split's, 10,000 at most)",
    )
    evaluate.add_argument("--seed", type=int, default=0)
    evaluate.set_defaults(run=_evaluate)

    compare = commands.add_parser(
        "compare", help="print and plot runs side by side"
    )
    compare.add_argument("runs", metavar="RUN", nargs="+")
    compare.add_argument("--output", help=".png, .pdf or .svg (compare.png)")
    compare.add_argument("--overwrite", action="store_true")
    compare.set_defaults(run=_compare)

    export = commands.add_parser("export", help="export a run's model")
    export.add_argument("source", metavar="RUN")
    export.add_argument("--output", help="folder (RUN/export)")
    export.add_argument("--format", default="saved_model")
    export.set_defaults(run=_export)

    listing = commands.add_parser("list", help="models, presets, data sets")
    listing.set_defaults(run=_list)
    return parser


# --- Commands ----------------------------------------------------------------


def _train(options, extra):
    from keras_genai.runs import Run, next_folder

    if options.resume:
        run, epochs = _resumed(options, extra), options.epochs
    else:
        recipe, epochs = _chosen_recipe(options), None
        prepare_tensorflow()
        recipe = _with_own_arguments(recipe, extra)
        seed = options.seed
        if seed is None:
            seed = random.randrange(2**31)
        folder = options.output or next_folder("runs", options.model)
        run = Run.create(
            folder,
            recipe,
            seed,
            options.deterministic,
            options.offline,
            options.overwrite,
        )
    prepare_tensorflow()
    try:
        model = run.train(epochs, options.tensorboard)
    except KeyboardInterrupt:
        print(
            "\nInterrupted. Every finished epoch is kept; go on with\n"
            f"    keras-genai train --resume {run.folder}"
        )
        return 130
    run.finish(model)
    seconds = run.record()["seconds"]
    samples = "samples/, samples.gif   the same noise"
    if not (run.folder / "samples.gif").exists():
        samples = "samples/                the same prompt"
    shown = ""
    if run.record().get("tensorboard"):
        folder = run.folder / "tensorboard"
        shown = f"\n    tensorboard/            tensorboard --logdir {folder}"
    print(
        f"\n{run.folder}: {seconds / 60:.1f} minutes of training"
        f"\n    {samples}, epoch after epoch"
        f"\n    history.png             what was measured, epoch by epoch"
        f"\n    model.keras             to load and train on"
        f"\n    export/                 SavedModel, runs without keras_genai"
        f"{shown}"
        f"\nNext:\n    keras-genai generate {run.folder} --seed 1"
    )
    return 0


def _generate(options, _):
    from keras_genai.runs import Run

    exported = (Path(options.source) / "saved_model.pb").is_file()
    run = None if exported else Run.open(options.source)
    if options.prompt is None:
        output = _file_to_write(options, "generated.png", (".png", ".npz"))
    prepare_tensorflow()
    import tensorflow as tf

    from keras_genai.models import load_model

    if exported:
        source = tf.saved_model.load(options.source).signatures
        takes_text = "score" in source
    else:
        source = load_model(run.model_path)
        takes_text = hasattr(source, "tokenizer")
    if takes_text != (options.prompt is not None):
        raise ValueError(
            f"{options.source} makes "
            + ("text: --prompt TEXT." if takes_text else "images.")
            + f" Received: --prompt {options.prompt!r}"
        )
    if takes_text:
        _generate_text(source, options)
    else:
        images = _generate_images(source, options)
        _write_images(images, output)
        print(f"{len(images)} images, seed {options.seed}: {output}")


def _file_to_write(options, default, suffixes):
    output = Path(options.output or default)
    if output.suffix not in suffixes:
        raise ValueError(
            f"Expected an output {' or '.join(suffixes)}. "
            f"Received: {str(output)!r}"
        )
    if output.exists() and not options.overwrite:
        raise ValueError(
            "The file exists; choose another with --output, or add "
            f"--overwrite. Received: {str(output)!r}"
        )
    return output


_SERVED_WITHOUT = {
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "num_beams": 1,
    "stop": [],
}


def _generate_text(source, options):
    """Prints what a model or the signatures of an export go on with."""
    choices = {
        "max_new_tokens": options.max_new_tokens,
        "temperature": options.temperature,
        "top_k": options.top_k,
        "top_p": options.top_p,
        "seed": options.seed,
    }
    more = {
        name: getattr(options, name)
        for name in ("min_p", "repetition_penalty", "num_beams", "stop")
    }
    if not hasattr(source, "generate"):
        import tensorflow as tf

        if more != _SERVED_WITHOUT:
            raise ValueError(
                "An export has no such choice: give the run. Received: "
                + ", ".join(f"{k}={v}" for k, v in more.items())
            )
        inputs = {name: tf.constant(value) for name, value in choices.items()}
        texts = source["generate"](prompt=[options.prompt], **inputs)["text"]
        print(texts.numpy()[0].decode("utf-8", "replace"))
        return
    stream = options.num_beams == 1  # else the best is known at the end
    pieces = source.generate(options.prompt, stream=stream, **choices, **more)
    if not stream:
        print(pieces)
        return
    for piece in itertools.chain([options.prompt], pieces):
        print(piece, end="", flush=True)
    print()


def _generate_images(source, options):
    import tensorflow as tf

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
    inputs = {key: tf.constant(value) for key, value in inputs.items()}
    images = source[name](**inputs, seed=tf.constant(options.seed))["images"]
    return images.numpy()


def _write_images(images, output):
    import keras
    import numpy as np

    from keras_genai.export import complete_or_absent
    from keras_genai.plotting import image_grid

    with complete_or_absent(output) as partial:
        if output.suffix == ".npz":
            np.savez_compressed(partial, images=images)
        else:
            picture = image_grid(images, zoom=max(1, 56 // images.shape[1]))
            keras.utils.array_to_img(picture, scale=False).save(partial)


def _evaluate(options, _):
    from keras_genai.runs import Run

    run = Run.open(options.source)
    prepare_tensorflow()
    results = run.evaluate(
        options.split, options.k, options.num_samples, options.seed
    )
    for name, value in results.items():
        if name != "samples" and not name.endswith("_standard_error"):
            error = results.get(f"{name}_standard_error")
            spread = "" if error is None else f" +- {error:.3f}"
            print(f"{name:32} {value:10.3f}{spread}")


def _compare(options, _):
    from keras_genai.export import complete_or_absent
    from keras_genai.plotting import plot_comparison
    from keras_genai.records import Comparison

    comparison = Comparison(options.runs)
    output = _file_to_write(options, "compare.png", (".png", ".pdf", ".svg"))
    print(comparison)
    if not any(comparison.histories.values()):
        print("\nNo run has finished an epoch: there is nothing to draw.")
        return
    figure = plot_comparison(comparison.histories)
    with complete_or_absent(output) as partial:
        figure.savefig(partial, bbox_inches="tight")
    print(f"\nHistories: {output}")


def _export(options, _):
    from keras_genai.runs import Run

    if options.format != "saved_model":
        raise ValueError(
            "Expected --format saved_model. "
            f"Received: --format {options.format}"
        )
    run = Run.open(options.source)
    prepare_tensorflow()
    from keras_genai.export import check_saved_model
    from keras_genai.models import load_model

    model = load_model(run.model_path)
    path = model.export(options.output or run.export_path)
    difference = check_saved_model(path, model)
    print(f"{path}: loaded again, differs from the model by {difference:.1g}")


def _list(options, _):
    from keras_genai.data.corpora import OFFLINE_CORPORA
    from keras_genai.data.sources import OFFLINE_SETS

    print("Models and presets (keras-genai train MODEL --preset PRESET):")
    for model, presets in recipes.RECIPES.items():
        for preset, recipe in presets.items():
            print(
                f"    {model:22} {preset:8} {recipe.source}[{recipe.split}], "
                f"{recipe.epochs} epochs of batches of {recipe.batch_size}"
            )
    print("Offline data sets (--dataset NAME):")
    for name, text in {**OFFLINE_SETS, **OFFLINE_CORPORA}.items():
        print(f"    {name:17} {text}")
    prepare_tensorflow()
    import tensorflow_datasets as tfds

    data_dir = Path(tfds.core.constants.DATA_DIR)
    print(f"TFDS data sets prepared in {data_dir} (any other TFDS image set")
    print("is downloaded by its name):")
    folders = sorted(data_dir.iterdir()) if data_dir.is_dir() else []
    for folder in folders:
        if any(folder.glob("**/dataset_info.json")):
            print(f"    {folder.name}")


# --- Options -> recipe -------------------------------------------------------


def _chosen_recipe(options):
    if options.model is None:
        raise ValueError(
            f"Name a model: {', '.join(recipes.RECIPES)}, or --resume a run."
        )
    recipe = recipes.get_recipe(options.model, options.preset or "default")
    reads_text = isinstance(recipe, recipes.TextRecipe)
    if options.image_size and reads_text:
        raise ValueError(
            f"{recipe.family} reads text. Received: --image-size "
            f"{' '.join(map(str, options.image_size))}"
        )
    path = options.text if reads_text else options.data
    if path is None and (options.data or options.text):
        raise ValueError(
            f"{recipe.family} is trained on "
            + ("--text FILE" if reads_text else "images: --data FOLDER")
            + f" or --dataset NAME. Received: {options.data or options.text}"
        )
    chosen = {
        "source": options.dataset or (path and str(Path(path).resolve())),
        "split": options.split,
        "image_size": options.image_size,
        "epochs": options.epochs,
        "batch_size": options.batch_size,
    }
    if options.data and recipe.validation_split is not None:
        # Most have no split of that name: --validation-split says which.
        recipe = dataclasses.replace(recipe, validation_split=None)
    return dataclasses.replace(
        recipe,
        **{name: value for name, value in chosen.items() if value is not None},
    )


# Fields of a recipe that have an option of their own, or none.
_TRAIN_OPTIONS = (
    *("family", "source", "split", "image_size", "batch_size", "epochs"),
    "model_arguments",
)


# Arguments of models that the data or an option of their own decide.
_FROM_DATA = (
    *("image_shape", "num_classes", "vocabulary_size", "tokenizer", "seed"),
)


def _with_own_arguments(recipe, extra):
    """Adds `--name value` pairs that are arguments of the model or recipe."""
    import keras_genai

    family = getattr(keras_genai, recipe.family)
    own = [
        name
        for name, parameter in inspect.signature(family).parameters.items()
        if name not in _FROM_DATA
        and name not in family.network_names
        and parameter.kind is not parameter.VAR_KEYWORD
    ]
    of_recipe = [
        field.name
        for field in dataclasses.fields(recipe)
        if field.name not in _TRAIN_OPTIONS
    ]
    # `--name=value` is `--name value`.
    extra = [part for text in extra for part in text.split("=", 1)]
    names = [text.removeprefix("--").replace("-", "_") for text in extra[::2]]
    for name, text in zip(names, extra[::2], strict=True):
        if name not in (*own, *of_recipe) or not text.startswith("--"):
            raise ValueError(
                f"{recipe.family} has no argument {text!r}. It has: "
                + ", ".join(f"--{name.replace('_', '-')}" for name in own)
                + "; the recipe has: "
                + ", ".join(f"--{n.replace('_', '-')}" for n in of_recipe)
            )
    if len(extra) % 2:
        raise ValueError(f"Expected a value. Received: {extra[-1]!r} alone")
    values = {
        name: _value(text)
        for name, text in zip(names, extra[1::2], strict=True)
    }
    changes = {name: values.pop(name) for name in of_recipe if name in values}
    changes["model_arguments"] = {**recipe.model_arguments, **values}
    return dataclasses.replace(recipe, **changes)


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
    given += ["--overwrite"] * options.overwrite + extra[:1]
    if given:
        raise ValueError(
            "A run is resumed with the arguments it was started with; only "
            f"--epochs may change. Received: {', '.join(given)}"
        )
    run = Run.open(options.resume)
    record = run.record()
    if options.deterministic or options.offline:
        record["deterministic"] |= options.deterministic
        record["offline"] |= options.offline
        run.write_record(record)
    family = record["recipe"]["family"]
    if options.model is not None and family != (
        recipes.get_recipe(options.model).family
    ):
        raise ValueError(
            f"The run trains {family}. Received: model={options.model!r}"
        )
    epochs = options.epochs or record["recipe"]["epochs"]
    if record["status"] == "complete" and epochs <= record["final"]["epoch"]:
        raise ValueError(
            f"The run is complete, with {record['final']['epoch']} epochs; "
            f"train on with --epochs. Received: --resume {options.resume}"
        )
    return run


def _value(text):
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _integers(text):
    return [int(number) for number in text.split(",")]


def _integer_above_zero(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not 1 or more")
    return value
