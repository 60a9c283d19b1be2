"""How music is written during training, and measured after it."""

from keras_genai.modalities.base import Training

_MOST_SCORES = 256  # composed for the measures, all at once


class MusicTraining(Training):
    written = "samples/                the same seed"

    def sampler(self, recipe, folder):
        from keras_genai.callbacks import SampleScores

        return SampleScores(folder / "samples", recipe.num_steps)

    def measure(self, model, recipe, held_out, training, num_samples, seed):
        import numpy as np

        scores = list(held_out.scores)
        nats = np.average(model.score(scores), weights=list(map(len, scores)))
        count = num_samples or min(len(scores), _MOST_SCORES)
        composed = model.generate(count, recipe.num_steps, seed=seed)
        measures = _beside(composed, held_out)
        print(
            f"{count:,} scores of {recipe.num_steps} steps at most, seed "
            f"{seed}, beside {held_out.source} ({held_out.digest})"
        )
        samples = {
            "measures": measures,
            "num_samples": count,
            "num_steps": recipe.num_steps,
            "seed": seed,
            "reference": {
                "source": held_out.source,
                "scores": len(scores),
                "digest": held_out.digest,
            },
        }
        # In tiles the first steps of a window have no context; sliding windows
        # give them one.
        return {"nats_per_step_sliding": float(nats), "samples": samples}, None


def _beside(composed, held_out):
    """The measures of composed scores and of held-out pieces."""
    from keras_genai.evaluation import music_measures

    pieces = music_measures(held_out)
    measures = {
        name: {"value": value, "held_out": pieces[name]}
        for name, value in music_measures(composed).items()
    }
    print(f"{'measure':32} {'composed':>10} {'held out':>10}")
    for name, measure in measures.items():
        value, piece = measure.values()
        print(f"{name:32} {value:10.3f} {piece:10.3f}")
    return measures
