"""Bounds of the likelihood, for `Run.evaluate`."""


def bounds(model, recipe, dataset, k):
    """The bounds of a VAE, with their standard errors.

    Args:
        model: The trained model.
        recipe: `Recipe` of the run.
        dataset: `tf.data.Dataset` to measure on.
        k: Integer >= 1, codes an image of the importance-weighted bound.

    Returns:
        Dictionary: name -> float; empty for a model without bounds.
    """
    from keras_genai import evaluation

    if not hasattr(model, "log_weights"):
        return {}
    results = {}
    for name, bound in (
        ("elbo", evaluation.elbo(model, dataset, k=10)),
        (
            f"importance_weighted_bound_k{k}",
            evaluation.importance_weighted_bound(model, dataset, k),
        ),
    ):
        results[name] = bound.nats
        results[f"{name}_standard_error"] = bound.standard_error
    return results | _in_bits(model, recipe, bound.nats)


def _in_bits(model, recipe, nats):
    """A bound in bits a dimension, if the likelihood is discrete."""
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
