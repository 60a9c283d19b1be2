"""Sixteen bits: what they cost in quality, and on a GPU what they gain.

The claims. Every family trains by `dtype="mixed_bfloat16"` and
`"mixed_float16"` as it does in 32 bits. After the same steps from the same
weights on the same batches its loss on data held out is within 5 %. The losses
of a GAN are moves of a game and say nothing of that: there it is the Fréchet
distance to the digits held out, which in 16 bits is in the mean over the seeds
no more than that of the worst of the seeds in 32. Where TensorFlow finds a
GPU, there is besides for each family the seconds of a step in 32 and in 16
bits, with and without XLA; where it finds none the report says so, since what
a CPU takes for 16 bits tells nothing of a GPU.

    python benchmarks/precision.py [--families dcgan gpt ...] [--steps 300]
        [--seeds 0 1 2] [--seconds 5] [--json FILE] [--quick]

`--families` are those of the command line, all by default; `--steps` is how
long each is trained, GANs with each of `--seeds`, the others with the first;
`--seconds` is how long steps are timed on a GPU. Data come from packages
alone; `TFDS_DATA_DIR` changes nothing.
"""

import dataclasses

import numpy as np
from mistakes_shared import Lab
from report import argument_parser, bar, publish, trace_nothing
from scaling import measured_step, packaged

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
GANS = ("gan", "dcgan", "conditional_gan", "acgan", "wgan_gp")


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--families", nargs="+")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    steps, seeds = options.steps, options.seeds
    from keras_genai.recipes import RECIPES

    families = options.families or [n for n in RECIPES if n != "markov"]
    if options.quick:
        trace_nothing()
        steps, seeds, families = 1, [0], ["dcgan", "vae"]
    lab = Lab(seed=0, quick=options.quick)
    rows, changes, above = [], [0.0], [0.0]
    for family in families:
        results = {
            dtype: [
                measured(family, dtype, steps, seed, lab)
                for seed in (seeds if family in GANS else seeds[:1])
            ]
            for dtype in PRECISIONS
        }
        means = {dtype: float(np.mean(results[dtype])) for dtype in PRECISIONS}
        exact, worst = means["float32"], max(results["float32"])
        row = {"name": f"{family}, loss", **means}
        if family in GANS:
            row = {"name": f"{family}, distance", **means, "worst_seed": worst}
        rows.append(row)
        print(row, flush=True)
        for dtype in PRECISIONS[1:]:
            if family in GANS:
                above.append(means[dtype] / worst)
            else:
                changes.append(abs(means[dtype] / exact - 1.0))
    rows += on_a_gpu(families, options.seconds)
    publish(
        rows,
        [
            bar("greatest change of a loss", max(changes), "<=", 0.05),
            bar("mean distance / the worst seed's", max(above), "<=", 1.0),
        ],
        options.json,
    )


def measured(family, dtype, steps, seed, lab):
    """A GAN's distance after so many steps; of others the held-out loss."""
    recipe = packaged(family, dtype=dtype)
    if lab.quick:
        recipe = dataclasses.replace(recipe, batch_size=4)
    dataset = recipe.dataset(seed=seed)
    model = recipe.model(dataset, seed=seed)
    model.fit(dataset.repeat(), epochs=1, steps_per_epoch=steps, verbose=0)
    if family in GANS:
        count = 70 if lab.quick else 2000  # more than there are features
        return lab.distance(model.generate(count, seed=0))
    held_out = recipe.dataset(seed=seed, split="test", like=dataset)
    return model.evaluate(held_out.take(4), verbose=0)["loss"]


def on_a_gpu(families, seconds):
    """Rows of a step's seconds, or the one row that says there is no GPU."""
    import tensorflow as tf

    if not tf.config.list_physical_devices("GPU"):
        return [{"name": "no GPU here: no step was timed"}]
    return [
        {
            "name": f"{family}, seconds a step{', XLA' * xla}",
            **{
                dtype: measured_step(
                    packaged(family, dtype=dtype), seconds, xla
                )
                for dtype in PRECISIONS
            },
        }
        for family in families
        for xla in (False, True)
    ]


if __name__ == "__main__":
    main()
