"""`keras-genai evaluate`, `compare` and `list`."""

import io
from pathlib import Path

from keras_genai import recipes
from keras_genai.cli.values import (
    files_to_write,
    integer,
    integer_above_zero,
    user_path,
)
from keras_genai.modalities import get_modality
from keras_genai.startup import prepare_tensorflow


def add_commands(commands):
    """Adds `evaluate`, `compare` and `list` to the parser.

    Args:
        commands: The result of `add_subparsers`.
    """
    parser = commands.add_parser(
        "evaluate", help="measure a run's model on held-out data"
    )
    parser.add_argument("source", type=user_path, metavar="RUN")
    parser.add_argument("--split", help="a split (the recipe's, else test)")
    parser.add_argument(
        "--k",
        type=integer_above_zero,
        default=500,
        help="codes an image for the importance-weighted bound of a VAE",
    )
    parser.add_argument(
        "--num-samples",
        type=integer_above_zero,
        help="samples to compare (as many as the split has, 10,000 images or "
        "256 scores at most)",
    )
    parser.add_argument("--seed", type=integer, default=0)
    parser.add_argument(
        "--offline", action="store_true", help="do not use the network"
    )
    parser.set_defaults(run=evaluate, parser=parser)

    parser = commands.add_parser(
        "compare", help="print and plot runs side by side"
    )
    parser.add_argument("runs", type=user_path, metavar="RUN", nargs="+")
    parser.add_argument(
        "--output",
        type=user_path,
        help=".png, .pdf or .svg (comparisons/comparison.png of the first run)",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the file"
    )
    parser.set_defaults(run=compare, parser=parser)

    parser = commands.add_parser("list", help="models, presets, data sets")
    parser.set_defaults(run=list_all, parser=parser)


def evaluate(options, _):
    from keras_genai.runs import Run

    run = Run.open(options.source)
    recipe = recipes.recipe_from_record(run.record()["recipe"])
    training = get_modality(recipe.makes).training
    if not training.samples_are_measured and options.num_samples is not None:
        raise ValueError(
            f"{recipe.makes.capitalize()} is measured by its likelihood, "
            "without samples. "
            f"Received: --num-samples {options.num_samples}"
        )
    prepare_tensorflow()
    results = run.evaluate(
        options.split,
        options.k,
        options.num_samples,
        options.seed,
        options.offline,
    )
    for name, value in results.items():
        if name != "samples" and not name.endswith("_standard_error"):
            error = results.get(f"{name}_standard_error")
            spread = "" if error is None else f" +- {error:.3f}"
            print(f"{name:32} {value:10.3f}{spread}")


def compare(options, _):
    from keras_genai.files import complete_or_absent
    from keras_genai.plotting import plot_comparison
    from keras_genai.records import Comparison

    comparison = Comparison(options.runs)
    # A wrong --output is refused before the tables, a problem with the run's
    # own folder after them: the user wants the tables, with a picture or
    # without.
    if options.output is not None:
        _picture(options)
    print(comparison, flush=True)
    if not any(comparison.histories.values()):
        print("\nNo run has finished an epoch, so there is no picture.")
        return
    output = _picture(options)
    figure = plot_comparison(comparison.histories)
    # In memory first: on a full disk matplotlib's PDF ends in another error.
    drawn = io.BytesIO()
    figure.savefig(drawn, format=output.suffix[1:], bbox_inches="tight")
    with complete_or_absent(output) as partial:
        partial.write_bytes(drawn.getvalue())
    print(f"\nHistories: {output}")


def _picture(options):
    folder = Path(options.runs[0]) / "comparisons"
    (output,) = files_to_write(
        options, folder, "comparison", (".png", ".pdf", ".svg")
    )
    return output


def list_all(options, _):
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
    for name, text in {
        **OFFLINE_SETS,
        **OFFLINE_CORPORA,
        "bach_chorales": "in four parts, inside music21 (the extra `music`)",
    }.items():
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
