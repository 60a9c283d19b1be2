"""What `Run.evaluate` measures besides what a model reports itself."""

_FEATURES = 64  # of the extractor that evaluates samples
_MOST_SCORES = 256  # composed to be measured, all at once


def measured_samples(model, held_out, training, num_samples, seed):
    """The `SampleEvaluation` of a model, or `None` after a line that says why.

    What is wrong with `num_samples` is refused before anything is computed.
    """
    from keras_genai.evaluation import evaluate_samples

    count = num_samples or min(len(held_out), len(training))
    if training.labels is None or len(training.class_names) < 2:
        why = "the images have no classes to train a feature extractor on"
    elif num_samples is None and count <= _FEATURES:
        why = f"they are compared in {_FEATURES} features, with {count} images"
    else:
        return evaluate_samples(
            model, held_out, training, num_samples=num_samples, seed=seed
        )
    print(f"The samples are not evaluated: {why}.")
    return None


def measured_scores(model, held_out, num_samples, num_steps, seed):
    """The measures of composed scores beside those of held-out pieces."""
    from keras_genai.evaluation import music_measures

    count = num_samples or min(len(held_out.scores), _MOST_SCORES)
    composed = music_measures(model.generate(count, num_steps, seed=seed))
    pieces = music_measures(held_out)
    measures = {
        name: {"value": value, "held_out": pieces[name]}
        for name, value in composed.items()
    }
    print(f"{'measure':32} {'composed':>10} {'held out':>10}")
    for name, measure in measures.items():
        value, piece = measure.values()
        print(f"{name:32} {value:10.3f} {piece:10.3f}")
    print(
        f"{count:,} scores of {num_steps} steps at most, seed {seed}, beside "
        f"{held_out.source} ({held_out.digest})"
    )
    return {
        "measures": measures,
        "num_samples": count,
        "num_steps": num_steps,
        "seed": seed,
        "reference": {
            "source": held_out.source,
            "scores": len(held_out.scores),
            "digest": held_out.digest,
        },
    }


def likelihood_in_bits(model, recipe, nats):
    """A bound in the unit that image families share, where it has bits."""
    from keras_genai import evaluation

    if model.likelihood == "discretized_logistic":
        return {
            "bits_per_dim": evaluation.bits_per_dim(nats, model.image_shape)
        }
    if model.likelihood == "bernoulli" and recipe.binarize:
        return {
            "bits_per_pixel_binary": evaluation.bits_per_dim(
                nats, model.image_shape
            )
        }
    return {}
