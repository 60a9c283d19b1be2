"""Likelihoods of held-out data: bounds, and bits."""

import math
import typing

import keras
import numpy as np
import tensorflow as tf

from keras_genai.checks import check_at_least_one


class Bound(typing.NamedTuple):
    """A bound on `log p(x)`, averaged over a data set.

    Attributes:
        nats: Float, nats an example.
        standard_error: Float, nats: the standard deviation of the average over
            other examples of the same kind.
        num_examples: Integer.
    """

    nats: float
    standard_error: float
    num_examples: int


def elbo(model, dataset, k=1, seed=0, verbose=1):
    """Estimates the evidence lower bound of a VAE on a data set.

    The mean of `k` log-weights `log p(x | z) + log p(z) - log q(z | x)`, with
    codes `z` drawn from the posterior. It is unbiased for any `k`.

    Args:
        model: `VAE` or `ConditionalVAE`.
        dataset: `tf.data.Dataset` that is finite, as for `model.evaluate`.
        k: Integer >= 1, codes for each image. Defaults to `1`.
        seed: Integer, seed of the codes.
        verbose: 0, or 1 for a progress bar.

    Returns:
        `Bound`, nats an example.

    Raises:
        ValueError: If `k` is below 1, or the data do not fit the model.

    Reference:
        Kingma and Welling, 2014, equation 2.
    """
    log_weight_sums, _ = _sum_weights(model, dataset, k, seed, verbose)
    return _bound(log_weight_sums / k)


def importance_weighted_bound(model, dataset, k=5000, seed=0, verbose=1):
    """Estimates the importance-weighted bound of a VAE on a data set.

    The logarithm of the mean of `k` weights. For `k = 1` it is the ELBO; the
    greater `k`, the closer it comes to `log p(x)`, from below. Sums of weights
    are kept as logarithms in float64, with a few thousand codes in memory at a
    time.

    Args:
        model: `VAE` or `ConditionalVAE`.
        dataset: `tf.data.Dataset` that is finite, as for `model.evaluate`.
        k: Integer >= 1, codes for each image. Defaults to `5000`.
        seed: Integer, seed of the codes.
        verbose: 0, or 1 for a progress bar.

    Returns:
        `Bound`, nats an example.

    Raises:
        ValueError: If `k` is below 1, or the data do not fit the model.

    Reference:
        Burda et al., Importance weighted autoencoders, 2016, equation 8.
    """
    _, log_sums = _sum_weights(model, dataset, k, seed, verbose)
    return _bound(log_sums - math.log(k))


def bits_per_dim(log_likelihood, image_shape):
    """Turns a log-probability of images to the usual unit.

    Args:
        log_likelihood: Float, nats an image, of a discrete likelihood:
            `"discretized_logistic"` of 8-bit pixels, or `"bernoulli"` of
            binary ones. A density has no bits, and neither has `"bernoulli"`
            of grey pixels.
        image_shape: `(height, width, channels)`.

    Returns:
        Float, bits for each colour of a pixel. If all values are equally
        likely, it is 8 for 8-bit pixels and 1 for binary ones.

    Example:
        >>> round(bits_per_dim(-784 * math.log(256), (28, 28, 1)), 6)
        8.0
    """
    return -log_likelihood / (math.prod(image_shape) * math.log(2))


def bits_per_character(model, texts):
    """Bits that a language model needs for each character of texts.

    `model.score` slides over each text by half of the tokens that the model
    looks back on, so that all but the first tokens have a long context. Each
    character is scored once; the first token of a text is given. Texts are
    weighted by their scored characters.

    Args:
        model: Model with `score` and `tokenizer`.
        texts: List of strings. Those with fewer than two tokens are left
            out.

    Returns:
        Float, bits a character.

    Raises:
        ValueError: If no text is long enough.
    """
    tokenizer = model.tokenizer
    counts = [
        float(tokenizer.scored_characters(tokenizer.encode(text)))
        for text in texts
    ]
    scored = [text for text, count in zip(texts, counts, strict=True) if count]
    if not scored:
        raise ValueError(
            "Expected a text of two tokens or more. Received: none"
        )
    weights = [count for count in counts if count]
    return float(np.average(model.score(scored), weights=weights))


def _bound(per_example):
    count = len(per_example)
    spread = per_example.std(ddof=1) if count > 1 else math.inf
    return Bound(
        float(per_example.mean()), float(spread / math.sqrt(count)), count
    )


def _sum_weights(model, dataset, k, seed, verbose, at_once=8192):
    """Returns, by example, sums of log-weights and logs of sums of weights."""
    check_at_least_one(k=k)
    generator = keras.random.SeedGenerator(seed)

    def add(images, labels, num_samples):
        log_weights = model.log_weights(
            images, labels, num_samples=num_samples, seed=generator
        )
        log_weights = tf.cast(log_weights, "float64")
        return (
            tf.reduce_sum(log_weights, axis=0),
            tf.reduce_logsumexp(log_weights, axis=0),
        )

    total = int(dataset.cardinality())
    progress = keras.utils.Progbar(
        None if total < 0 else total, unit_name="batch", verbose=verbose
    )
    if hasattr(dataset, "set_epoch"):
        dataset.set_epoch(0)  # the same binarisation each time
    compiled, results = None, []
    for batch in dataset:
        images, labels = model.unpack(model.check(batch))
        compiled = compiled or tf.function(
            add, autograph=False
        ).get_concrete_function(
            tf.TensorSpec((None, *images.shape[1:]), images.dtype),
            labels if labels is None else tf.TensorSpec((None,), labels.dtype),
            tf.TensorSpec((), "int32"),
        )
        chunk = max(1, at_once // len(images))
        sums, log_sums = 0.0, -np.inf
        for start in range(0, k, chunk):
            size = tf.constant(min(chunk, k - start))
            added, log_added = compiled(images, labels, size)
            sums = sums + added.numpy()
            log_sums = np.logaddexp(log_sums, log_added.numpy())
        results.append((sums, log_sums))
        progress.add(1)
    return (np.concatenate(column) for column in zip(*results, strict=True))
