"""The training doctor on healthy runs, and on runs made to fail.

The claim: `TrainingDoctor` raises no alarm on healthy runs, and one on each of
the runs in which something usual was done wrong, the right one among them.

    python benchmarks/training_doctor.py [--only RUN ...] [--seed 0]
        [--json FILE] [--quick]

Healthy runs are the recipes of the families. Broken ones change one thing:

- few images: 64 digits, which the discriminator learns by heart;
- a greedy generator: 25 times the discriminator's learning rate;
- no penalty: a Wasserstein critic whose slope nothing bounds;
- averaged terms: reconstruction averaged over pixels, KL over latents, which
  is a beta of pixels / latents;
- steps too long: an autoencoder with plain gradient steps of 1000;
- targets not shifted: a language model that is to predict what it is given.

The offline sets are all it needs; `TFDS_DATA_DIR` is of no use to it.
"""

import dataclasses
import time

from report import argument_parser, bar, publish, trace_nothing

import keras_genai

keras_genai.prepare_tensorflow()

import keras  # noqa: E402

HEALTHY = {
    "gan": 45,
    "dcgan": 20,
    "conditional_gan": 20,
    "acgan": 20,
    "wgan_gp": 20,
    "vae": 12,
    "denoising_autoencoder": 12,
    "lstm": 8,
    "gpt": 8,
}


class NotShifted(keras_genai.LSTMLanguageModel):
    """Learns to give back the token it was given."""

    def train_step(self, data):
        token_ids, _ = data
        return super().train_step((token_ids, token_ids))


def broken_runs(recipe):
    """Name -> (recipe, epochs, arguments of `compile`, class, alarm)."""
    dcgan, vae, wgan = recipe("dcgan"), recipe("vae"), recipe("wgan_gp")
    beta = 28 * 28 / 32
    return {
        "few images": (
            dataclasses.replace(dcgan, split="train[:64]", batch_size=64),
            600,
            {},
            None,
            "saturated_discriminator",
        ),
        "a greedy generator": (
            dataclasses.replace(
                recipe("gan"), d_learning_rate=2e-4, g_learning_rate=5e-3
            ),
            40,
            {},
            None,
            "mode_collapse",
        ),
        "no penalty": (
            dataclasses.replace(wgan, gradient_penalty=0.0),
            20,
            {},
            None,
            "unbounded_critic",
        ),
        "averaged terms": (
            dataclasses.replace(vae, model_arguments={"beta": beta}),
            12,
            {},
            None,
            "posterior_collapse",
        ),
        "steps too long": (
            recipe("autoencoder"),
            12,
            {"optimizer": keras.optimizers.SGD(1000.0)},
            None,
            "not_finite",
        ),
        "targets not shifted": (
            recipe("lstm"),
            8,
            {},
            NotShifted,
            "repetition",
        ),
    }


def watch(recipe, epochs, seed, compile_arguments=None, family=None):
    """Trains under a doctor's eyes; gives the alarms and the seconds."""
    dataset = recipe.dataset(seed=seed, offline=True)
    model = recipe.model(dataset, seed=seed)
    if family is not None:
        model = family.from_config(model.get_config())
        model.compile(
            **recipe.compile_arguments(model, len(dataset)), jit_compile=False
        )
    if compile_arguments:
        model.compile(**compile_arguments)
    reference = getattr(dataset.examples, "images", None)
    doctor = keras_genai.TrainingDoctor(
        reference, extractor_for(dataset.examples), seed=seed
    )
    start = time.monotonic()
    model.fit(dataset, epochs=epochs, callbacks=[doctor], verbose=0)
    return doctor.alarms, time.monotonic() - start


def extractor_for(examples):
    """The classifier of the digits, trained once and kept."""
    if not hasattr(examples, "images") or len(examples.images) < 1000:
        return None
    return keras_genai.FeatureExtractor.for_data(examples, verbose=0)


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--only", nargs="*", help="names of runs: vae 'averaged terms'"
    )
    options = parser.parse_args()

    def chosen(runs):
        if options.only is None:
            return runs
        return {name: runs[name] for name in runs if name in options.only}

    def recipe(name):
        found = keras_genai.get_recipe(name)
        changes = {}
        if isinstance(found, keras_genai.TextRecipe):
            changes = {"source": "python_topics", "steps_per_epoch": 100}
        if options.quick:
            changes = {**changes, "split": "train[:256]"}
        if options.quick and "source" in changes:
            changes |= {"split": "train[:20000]", "steps_per_epoch": 2}
        return dataclasses.replace(found, **changes)

    rows, false_alarms, found = [], 0, 0
    healthy = HEALTHY
    if options.quick:
        trace_nothing()
        healthy = {"dcgan": 1}
        options.only = ("dcgan", "few images", "averaged terms")
    for name, epochs in chosen(healthy).items():
        alarms, seconds = watch(recipe(name), epochs, options.seed)
        false_alarms += len(alarms)
        rows.append(row(f"healthy: {name}", epochs, seconds, alarms, ""))
    broken = chosen(broken_runs(recipe))
    for name, (changed, epochs, arguments, family, expected) in broken.items():
        epochs = 1 if options.quick else epochs
        alarms, seconds = watch(
            changed, epochs, options.seed, arguments, family
        )
        found += expected in [alarm.name for alarm in alarms]
        rows.append(row(f"broken: {name}", epochs, seconds, alarms, expected))
    publish(
        rows,
        [
            bar("alarms on healthy runs", false_alarms, "<=", 0),
            bar(
                "broken runs found, of all",
                found / max(1, len(broken)),
                ">=",
                1.0,
            ),
        ],
        options.json,
    )


def row(name, epochs, seconds, alarms, expected):
    print(f"{name}: {len(alarms)} alarms", flush=True)
    return {
        "name": name,
        "epochs": epochs,
        "seconds": seconds,
        "expected": expected,
        "alarms": [f"{alarm.name} ({alarm.epoch})" for alarm in alarms],
    }


if __name__ == "__main__":
    main()
