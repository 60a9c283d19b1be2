"""How often the intervals of an evaluation hold the truth.

The claim: of 200 evaluations, each of newly drawn sets, the 95 % intervals
of precision, recall, density and coverage hold the truth in 92 % or more, each
of them, with 200 samples and with 1,000.

    python benchmarks/intervals.py [--repeats 200] [--json FILE] [--quick]

The truth is that of the population at these counts: the mean of a measure over
all sets of samples and all references that might be drawn, of as many points
each. Precision and recall of other counts are other numbers. It is computed of
200 other draws; where both sets are of one distribution, density and coverage
have closed forms, which are taken. An interval is not for one reference held
fixed: for that it is wider than it need be.

The sets: two that are alike; samples that miss one of four modes; samples that
are paler (narrower), in 64 features. Nothing is read from `TFDS_DATA_DIR`.
"""

import math

from report import argument_parser, bar, publish

import keras_genai

keras_genai.prepare_tensorflow()

import numpy as np  # noqa: E402

from keras_genai.evaluation import (  # noqa: E402
    density_and_coverage,
    precision_and_recall,
)
from keras_genai.evaluation.stages import (  # noqa: E402
    DENSITY_K,
    manifold_measures,
)

MEASURES = ("precision", "recall", "density", "coverage")


def alike(random, count):
    return random.normal(size=(2, count, 2))


def missing_mode(random, count):
    real, generated = random.normal(size=(2, count, 4))
    modes = 6 * np.eye(4)
    shares = (0.5, 0.35, 0.15, 0)
    return (
        real + modes[random.integers(0, 4, count)],
        generated + modes[random.choice(4, count, p=shares)],
    )


def pale(random, count):
    real, generated = random.normal(size=(2, count, 64))
    return real, 0.9 * generated


SETS = {
    "alike, 2 features": alike,
    "a mode missing, 4 features": missing_mode,
    "pale, 64 features": pale,
}


def truth(draw, count, draws):
    """The mean of each measure over newly drawn sets."""
    values = []
    for seed in range(draws):
        sets = draw(np.random.default_rng([seed, count, 0]), count)
        values.append(
            (*precision_and_recall(*sets), *density_and_coverage(*sets))
        )
    means = dict(zip(MEASURES, np.mean(values, axis=0), strict=True))
    if draw is alike:
        # The place of a sample among the neighbours of a real point is as
        # likely as any other; all of the first five may be real ones.
        missed = [
            (count - 1 - place) / (2 * count - 1 - place)
            for place in range(DENSITY_K)
        ]
        means |= {"density": 1.0, "coverage": 1 - math.prod(missed)}
    return means


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--repeats", type=int, default=200)
    options = parser.parse_args()
    counts, repeats, draws, sets = (200, 1000), options.repeats, 200, SETS
    if options.quick:
        counts, repeats, draws = (20, 30), 2, 3
        sets = {"alike, 2 features": alike}

    rows = []
    for count in counts:
        for title, draw in sets.items():
            expected = truth(draw, count, draws)
            found = []
            for seed in range(repeats):
                random = np.random.default_rng([seed, count, 1])
                real, generated = draw(random, count)
                measures = manifold_measures(
                    generated, real, None, k=3, num_parts=100, random=random
                )
                found.append({each.name: each for each in measures})
            for name in MEASURES:
                each = [measures[name] for measures in found]
                held = [m.low <= expected[name] <= m.high for m in each]
                rows.append(
                    {
                        "name": f"{name}: {title}",
                        "count": count,
                        "truth": float(expected[name]),
                        "spread": float(np.std([m.value for m in each])),
                        "width": float(np.mean([m.high - m.low for m in each])),
                        "held": float(np.mean(held)),
                    }
                )
            print(f"{count} points, {title}: done", flush=True)
    publish(
        rows,
        [
            bar(
                f"{name}, {count:,} points, held",
                min(
                    row["held"]
                    for row in rows
                    if row["count"] == count and row["name"].startswith(name)
                ),
                ">=",
                0.92,
            )
            for count in counts
            for name in MEASURES
        ],
        options.json,
    )


if __name__ == "__main__":
    main()
