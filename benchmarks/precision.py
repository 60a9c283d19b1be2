"""Sixteen bits: what they cost in quality, and on a GPU what they gain.

The claims. Every family trains by `dtype="mixed_bfloat16"` and
`"mixed_float16"` as it does in 32 bits: after the same steps from the same
weights on the same batches its loss on data held out is within 5 %. Where
TensorFlow finds a GPU, there is besides for each family the seconds of a step
in 32 and in 16 bits, with and without XLA; where it finds none the report
says so, since most CPUs emulate 16 bits and are slower by them.

    python benchmarks/precision.py [--families dcgan gpt ...] [--steps 100]
        [--seconds 5] [--json FILE] [--quick]

`--families` are those of the command line, all by default; `--steps` is how
long each is trained for the loss, `--seconds` how long its steps are timed on
a GPU. Data come from packages alone; `TFDS_DATA_DIR`
changes nothing.
"""

from report import argument_parser, bar, publish
from scaling import measured_step, packaged

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--families", nargs="+")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    steps = 2 if options.quick else options.steps
    from keras_genai.recipes import RECIPES

    families = options.families or [n for n in RECIPES if n != "markov"]
    rows, worst = [], 0.0
    for family in ["vae"] if options.quick else families:
        losses = {
            dtype: trained_loss(packaged(family, dtype=dtype), steps)
            for dtype in PRECISIONS
        }
        exact = losses["float32"]
        for dtype in PRECISIONS[1:]:
            worst = max(worst, abs(losses[dtype] / exact - 1.0))
        rows.append({"name": f"{family}, loss", **losses})
    rows += on_a_gpu(families, options.seconds)
    publish(
        rows,
        [bar("greatest change of a loss", worst, "<=", 0.05)],
        options.json,
    )


def trained_loss(recipe, steps):
    """The loss on held-out data after so many steps."""
    dataset = recipe.dataset(seed=0)
    model = recipe.model(dataset, seed=0)
    model.fit(dataset.repeat(), epochs=1, steps_per_epoch=steps, verbose=0)
    held_out = recipe.dataset(seed=0, split="test", like=dataset)
    results = model.evaluate(held_out.take(4), verbose=0)
    if "d_loss" in results:
        return results["d_loss"] + results["g_loss"]
    return results["loss"]


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
                )[0]
                for dtype in PRECISIONS
            },
        }
        for family in families
        for xla in (False, True)
    ]


if __name__ == "__main__":
    main()
