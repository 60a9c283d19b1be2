"""What a model is worth in each format: bytes, milliseconds, quality.

The claims. TensorFlow's SavedModel, LiteRT and ONNX give the same float32
answers, to 1e-5 of the greatest value on 100 inputs, each loaded by its own
runtime in a fresh process. What weights of 16 and of 8 bits save, and what
they cost in Fréchet distance or bits a character, stands in one table.

    python benchmarks/export_latency.py [--seconds 90] [--repeats 30]
        [--json FILE] [--quick]

DCGAN and VAE learn MNIST and GPT tiny Shakespeare for `--seconds` each, which
`TFDS_DATA_DIR` says where to find; without them `--quick` alone runs. Timed is
`decode` of the models of images and the GPT's `logits` of sequences as long as
its attention reaches, in one process, by each runtime's own defaults, which
are all cores, but one for LiteRT. Formats take turns, and a ratio is the
median of the ratios of turns, because absolute times do not repeat on a
machine that does other work.

The Fréchet distance is that of 10,000 images, decoded from the same noise in
each format, to the test images, in the features of one classifier. Bits a
character are those of the test split in windows that do not overlap. The cost
is what either is more than with the SavedModel. Its size is that of the same
functions as in the other formats, of which ONNX has a file each.
"""

import dataclasses
import os
import statistics
import tempfile
import time
from pathlib import Path

import gan_quality
import text_yardstick
from report import (
    argument_parser,
    bar,
    check_exports_here,
    publish,
    run_steps_eagerly,
)

import keras_genai

keras_genai.prepare_tensorflow()

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from timed import AnnealOverTime  # noqa: E402

from keras_genai.export import (  # noqa: E402
    TOLERANCES,
    check_export,
    runtimes,
    why_not,
    write_saved_model,
)

# Row -> format and quantisation.
VARIANTS = {
    "SavedModel": ("saved_model", None),
    "ONNX": ("onnx", None),
    "LiteRT": ("litert", None),
    "LiteRT float16": ("litert", "float16"),
    "LiteRT int8": ("litert", "int8"),
}


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--seconds", type=float, default=90.0)
    parser.add_argument("--repeats", type=int, default=30)
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.repeats = 0.1, 1
        check_exports_here()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, *contestant in contestants(options):
            measured = measure(*contestant, Path(folder) / name, options)
            for variant, row in measured.items():
                rows.append({"name": f"{name}, {variant}", **row})
                print(rows[-1], flush=True)
    worst = max(
        row["difference"]
        for row in rows
        if not row["name"].endswith(("float16", "int8"))
    )
    bars = [bar("float32 formats' greatest difference", worst, "<=", 1e-5)]
    publish(rows, bars, options.json)


def contestants(options):
    """Title, model, function, inputs for a count, metric and its function."""
    if options.quick:
        run_steps_eagerly()
    train, test, count = gan_quality.judged_images(options.quick)
    extractor = keras_genai.FeatureExtractor.for_data(
        train, epochs=1 if options.quick else None, verbose=0
    )
    real = extractor.features(test.images[:count])
    decoders = [("dcgan", "noise"), ("vae", "z")]
    for name, argument in decoders[:1] if options.quick else decoders:
        model, _ = gan_quality.train(name, train, options.seconds, 0)
        inputs = normal_inputs(argument, model.latent_dim)

        def distance(run, inputs=inputs):
            answers = in_batches(run, inputs(count))
            made = extractor.features(np.clip(answers, 0.0, 1.0))
            return keras_genai.frechet_distance(made, real)

        title = type(model).__name__
        yield title, model, "decode", inputs, "frechet_distance", distance
    model, text = trained_gpt(options)
    inputs, bits = of_text(model, text)
    yield "GPT", model, "logits", inputs, "bits_per_character", bits


def normal_inputs(argument, latent_dim):
    def inputs(count):
        generator = np.random.default_rng(0)
        shape = (count, latent_dim)
        return {argument: generator.standard_normal(shape, "float32")}

    return inputs


def trained_gpt(options):
    """A GPT after some seconds, and the text that it has not seen."""
    if options.quick:
        run_steps_eagerly()
    train, test = text_yardstick.texts(options.quick)
    recipe = keras_genai.get_recipe("gpt")
    if options.quick:
        small = {"num_layers": 1, "num_heads": 2, "hidden_dim": 32}
        recipe = dataclasses.replace(
            recipe, model_arguments=small, sequence_length=16, batch_size=4
        )
    data = keras_genai.text_dataset(
        train,
        tokenizer=keras_genai.CharacterTokenizer.from_text(train.texts[0]),
        sequence_length=recipe.sequence_length,
        batch_size=recipe.batch_size,
        seed=0,
    )
    model = recipe.model(data, seed=0)
    model.compile(optimizer=model.make_optimizer(recipe.learning_rate))
    clock = AnnealOverTime(options.seconds, warm_up=50, with_compiling=True)
    model.fit(data, epochs=10_000, verbose=0, callbacks=[clock])
    return model, test.texts[0]


def of_text(model, text):
    """Inputs of token ids, and bits a character of windows side by side."""
    length = model.max_sequence_length
    token_ids = model.tokenizer.encode(text).astype("int32")
    windows = (len(token_ids) - 1) // length
    given = token_ids[: windows * length].reshape(windows, length)
    targets = token_ids[1 : windows * length + 1].reshape(windows, length)

    def inputs(count):
        return {"token_ids": np.resize(given, (count, length))}

    def bits(run):
        logits = in_batches(run, {"token_ids": given})
        losses = keras.ops.sparse_categorical_crossentropy(
            targets, logits, from_logits=True
        )
        return float(np.mean(losses) / np.log(2.0))

    return inputs, bits


def in_batches(run, inputs, size=64):
    count = len(next(iter(inputs.values())))
    batches = [
        run(
            {
                name: array[start : start + size]
                for name, array in inputs.items()
            }
        )
        for start in range(0, count, size)
    ]
    return np.concatenate(batches)


def measure(model, function, inputs, metric, quality, folder, options):
    """Exports a model in every format, and measures each export."""
    tf.config.run_functions_eagerly(False)  # exports share what is traced
    rows, runs = {}, {}
    for variant, (format, quantization) in VARIANTS.items():
        path = folder / f"{variant}{'.tflite' * (format == 'litert')}"
        model.export(path, format=format, quantization=quantization)
        difference = check_export(path, model, TOLERANCES[quantization])
        if format == "saved_model":  # with what the others have, alone
            functions = model.network_signatures()
            for name in why_not(functions, "litert"):
                del functions[name]
            path = write_saved_model(functions, folder / "networks")
        ask = runtimes.LOADERS[format](path)

        def run(inputs, ask=ask):
            (answer,) = ask(function, inputs).values()
            return answer

        runs[variant] = run
        rows[variant] = {
            "kib": size_of(path) / 1024,
            "difference": difference,
            metric: quality(run),
        }
        row = rows[variant]
        row["cost"] = row[metric] - rows["SavedModel"][metric]
    for count in (1, 64):
        times = take_turns(runs, inputs(count), options.repeats)
        for variant, row in rows.items():
            row[f"ms_{count}"] = 1000 * statistics.median(times[variant])
            row[f"ratio_{count}"] = statistics.median(
                mine / theirs
                for mine, theirs in zip(
                    times[variant], times["SavedModel"], strict=True
                )
            )
    return rows


def take_turns(runs, inputs, repeats):
    """Seconds of each call, one of each runtime after the other."""
    times = {name: [] for name in runs}
    for repeat in range(repeats + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run(inputs)
            if repeat:  # the first prepares for the shape
                times[name].append(time.perf_counter() - start)
    return times


def size_of(path):
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(os.path.getsize(file) for file in files if file.is_file())


if __name__ == "__main__":
    main()
