"""Numbers that need a trained model or a whole data set."""

import math
import typing

import keras
import numpy as np
import tensorflow as tf
from keras import layers


class FeatureExtractor:
    """A small classifier whose last hidden layer is the space of comparison.

    Sets of images are compared in the features of a network that tells the
    classes of the data at hand apart. Distances in the features of two
    different extractors must not be compared.

    Args:
        image_shape: `(height, width, channels)`, sides at least 8.
        num_classes: Integer >= 2.
        feature_dim: Integer >= 1, width of the features. Defaults to `64`.
        seed: Integer >= 0. Seeds the weights and the dropout.

    Example:
        >>> extractor = FeatureExtractor((8, 8, 1), num_classes=2)
        >>> extractor.features(np.zeros((3, 8, 8, 1), "uint8")).shape
        (3, 64)
    """

    def __init__(self, image_shape, num_classes, feature_dim=64, seed=0):
        seeds = iter(range(100 * seed, 100 * seed + 100))

        def he():
            return keras.initializers.HeNormal(seed=next(seeds))

        x = images = layers.Input(image_shape)  # in [0, 1]
        for channels in (32, 64, 64):
            for strides in (2, 1):
                x = layers.Conv2D(
                    channels,
                    3,
                    strides,
                    padding="same",
                    use_bias=False,
                    kernel_initializer=he(),
                )(x)
                x = layers.BatchNormalization(momentum=0.9)(x)
                x = layers.ReLU()(x)
        x = layers.Flatten()(x)
        x = layers.Dropout(0.3, seed=next(seeds))(x)
        features = layers.Dense(
            feature_dim, activation="relu", kernel_initializer=he()
        )(x)
        x = layers.Dropout(0.3, seed=next(seeds))(features)
        logits = layers.Dense(num_classes, kernel_initializer=he())(x)
        self.classifier = keras.Model(images, logits, name="classifier")
        self._network = keras.Model(images, (features, logits))

    def fit(self, images, labels, epochs=5, batch_size=128, verbose="auto"):
        """Trains the classifier, its learning rate annealed to 0.

        Args:
            images: Array `(count, height, width, channels)`, uint8 or float
                in [0, 1].
            labels: Integer array `(count,)`.
            epochs: Integer >= 1. Defaults to `5`.
            batch_size: Integer >= 1. Defaults to `128`.
            verbose: As in `keras.Model.fit`.
        """
        steps = epochs * -(-len(images) // batch_size)
        rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
        self.classifier.compile(
            optimizer=keras.optimizers.Adam(rate),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        self.classifier.fit(
            _unit_floats(images),
            np.asarray(labels),
            batch_size=batch_size,
            epochs=epochs,
            verbose=verbose,
        )

    def features(self, images):
        """Computes the features of images.

        Args:
            images: Array `(count, height, width, channels)`, uint8 or float
                in [0, 1].

        Returns:
            Float64 array `(count, feature_dim)`, at least 0.
        """
        return self._predict(images)[0].astype("float64")

    def classify(self, images):
        """Computes the classes of images.

        Args:
            images: Array `(count, height, width, channels)`, uint8 or float
                in [0, 1].

        Returns:
            Integer array `(count,)`.
        """
        return self._predict(images)[1].argmax(axis=1)

    def accuracy(self, images, labels):
        """Measures how many images are given their label.

        Args:
            images: Array `(count, height, width, channels)`, uint8 or float
                in [0, 1].
            labels: Integer array `(count,)`.

        Returns:
            Float in [0, 1].
        """
        return float((self.classify(images) == np.asarray(labels)).mean())

    def _predict(self, images):
        return self._network.predict(
            _unit_floats(images), batch_size=500, verbose=0
        )


def frechet_distance(features_a, features_b):
    """Fréchet distance of two Gaussians fitted to two sets of features.

    `|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2))` with means `m` and
    covariances `C`, in float64. It is biased upwards where sets are small:
    compare distances of the same counts alone. The name FID belongs to the
    features of Inception and is not used for others.

    Args:
        features_a: Float array `(count_a, feature_dim)`.
        features_b: Float array `(count_b, feature_dim)`.

    Returns:
        Float >= 0, in squared units of the features.

    Raises:
        ValueError: If a set has fewer examples than features, another width
            than the other, or values that are not finite.

    Example:
        >>> features = np.random.default_rng(0).normal(size=(100, 3))
        >>> round(frechet_distance(features, features + 2.0), 6)
        12.0

    Reference:
        Heusel et al., 2017, equation 6.
    """
    features_a, features_b = _checked(features_a, features_b)
    for name, features in (("a", features_a), ("b", features_b)):
        count, width = features.shape
        if count <= width:
            raise ValueError(
                "A covariance needs more examples than features. Received: "
                f"features_{name} of {count} examples and {width} features"
            )
    mean_gap = features_a.mean(axis=0) - features_b.mean(axis=0)
    covariance_a = np.cov(features_a, rowvar=False)
    covariance_b = np.cov(features_b, rowvar=False)
    # (C_a C_b)^(1/2) has the trace of (R C_b R)^(1/2) with R = C_a^(1/2),
    # and that product is symmetric, so that its eigenvalues are safe.
    root_a = _symmetric_root(np.atleast_2d(covariance_a))
    product = root_a @ np.atleast_2d(covariance_b) @ root_a
    eigenvalues = np.linalg.eigvalsh(product)
    root_trace = np.sqrt(np.clip(eigenvalues, 0, None)).sum()
    distance = (
        mean_gap @ mean_gap
        + np.trace(np.atleast_2d(covariance_a))
        + np.trace(np.atleast_2d(covariance_b))
        - 2 * root_trace
    )
    return max(0.0, float(distance))


def precision_and_recall(real_features, generated_features, k=3):
    """Fidelity and diversity, each as a share in [0, 1].

    Around each point of a set lies a ball that reaches its `k`-th nearest
    neighbour in the set; the balls together are the set's manifold. Precision
    is the share of generated points on the real manifold, recall the share of
    real points on the generated one. Both depend on the counts.

    Args:
        real_features: Float array `(count, feature_dim)`.
        generated_features: Float array `(count, feature_dim)`.
        k: Integer >= 1. Defaults to `3`.

    Returns:
        Pair of floats in [0, 1]: precision and recall.

    Raises:
        ValueError: If `k` is not below both counts, or if the sets do not fit
            each other.

    Example:
        >>> points = np.random.default_rng(0).normal(size=(50, 2))
        >>> precision_and_recall(points, points)
        (1.0, 1.0)

    Reference:
        Kynkäänniemi et al., 2019, equations 1 and 2.
    """
    real, generated = _checked(real_features, generated_features)
    if not 1 <= k < min(len(real), len(generated)):
        raise ValueError(
            "`k` must be at least 1 and less than either count. Received: "
            f"k={k}, counts {len(real)} and {len(generated)}"
        )
    precision = _share_inside(generated, real, _radii(real, k))
    recall = _share_inside(real, generated, _radii(generated, k))
    return precision, recall


def class_histogram(classes, num_classes):
    """Counts how samples are spread over the classes.

    Args:
        classes: Integer array `(count,)`.
        num_classes: Integer >= 1.

    Returns:
        Float array `(num_classes,)` that sums to 1.

    Raises:
        ValueError: If there are no classes, or one is out of range.

    Example:
        >>> class_histogram([0, 0, 1, 2], num_classes=4)
        array([0.5 , 0.25, 0.25, 0.  ])
    """
    classes = np.asarray(classes, "int64")
    if classes.size == 0 or classes.max() >= num_classes:
        raise ValueError(
            "Expected classes below `num_classes`. Received: "
            + (f"up to {classes.max()}" if classes.size else "no classes")
            + f", num_classes={num_classes}"
        )
    counts = np.bincount(classes, minlength=num_classes)
    return counts / counts.sum()


# --- Bounds on the likelihood ------------------------------------------------


class Bound(typing.NamedTuple):
    """A bound on `log p(x)`, averaged over a data set.

    Attributes:
        nats: Float, nats an example.
        standard_error: Float, nats: how far the average over other examples
            of the same kind would lie.
        num_examples: Integer.
    """

    nats: float
    standard_error: float
    num_examples: int


def elbo(model, dataset, k=1, seed=0, verbose=1):
    """Estimates the evidence lower bound of a VAE on a data set.

    The mean of `k` log-weights `log p(x | z) + log p(z) - log q(z | x)` with
    codes drawn from the posterior: without bias for any `k`.

    Args:
        model: `VAE` or `ConditionalVAE`.
        dataset: `tf.data.Dataset` that is finite, as for `model.evaluate`.
        k: Integer >= 1, codes an image. Defaults to `1`.
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

    The logarithm of the mean of `k` weights: the ELBO for `k = 1`, and the
    closer to `log p(x)`, from below, the greater `k`. Sums of weights are
    kept as logarithms in float64, and a few thousand codes at a time are in
    memory.

    Args:
        model: `VAE` or `ConditionalVAE`.
        dataset: `tf.data.Dataset` that is finite, as for `model.evaluate`.
        k: Integer >= 1, codes an image. Defaults to `5000`.
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
    """Takes a log-probability of 8-bit images to the usual unit.

    Args:
        log_likelihood: Float, nats an image, of a discrete likelihood such as
            `"discretized_logistic"`; a density has no bits.
        image_shape: `(height, width, channels)`.

    Returns:
        Float, bits a colour of a pixel; 8 for pixels all equally likely.

    Example:
        >>> round(bits_per_dim(-784 * math.log(256), (28, 28, 1)), 6)
        8.0
    """
    return -log_likelihood / (math.prod(image_shape) * math.log(2))


def bits_per_character(model, texts):
    """What characters of texts cost a language model, each scored once.

    `model.score` slides over each text, half of what the model looks back on
    at a time, so that all but its first characters have a long context. Texts
    are weighed by their length; of each the first character is given.

    Args:
        model: Model with `score`.
        texts: List of strings. Those shorter than two characters have nothing
            to score.

    Returns:
        Float, bits a character.

    Raises:
        ValueError: If no text is long enough.
    """
    texts = [text for text in texts if len(text) > 1]
    if not texts:
        raise ValueError(
            "Expected a text of two characters or more. Received: none"
        )
    weights = [len(text) - 1 for text in texts]
    return float(np.average(model.score(texts), weights=weights))


def _bound(per_example):
    count = len(per_example)
    spread = per_example.std(ddof=1) if count > 1 else math.inf
    return Bound(
        float(per_example.mean()), float(spread / math.sqrt(count)), count
    )


def _sum_weights(model, dataset, k, seed, verbose, at_once=8192):
    """Sums of log-weights, and logarithms of sums of weights, an example."""
    if not isinstance(k, int) or k < 1:
        raise ValueError(
            f"`k` must be an integer, 1 or more. Received: k={k!r}"
        )
    generator = keras.random.SeedGenerator(seed)

    def add(images, labels, num_samples):
        log_weights = model.log_weights(
            images, *labels, num_samples=num_samples, seed=generator
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
        dataset.set_epoch(0)  # the same binarisation every time
    compiled, results = None, []
    for batch in dataset:
        images, labels = model.unpack(batch)
        compiled = compiled or tf.function(add).get_concrete_function(
            tf.TensorSpec((None, *images.shape[1:]), images.dtype),
            tuple(tf.TensorSpec((None,), label.dtype) for label in labels),
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


def _radii(points, k):
    # The nearest neighbour of a point in its own set is itself.
    return np.concatenate(
        [
            np.partition(squared, k, axis=1)[:, k]
            for squared in _squared_distances(points, points)
        ]
    )


def _share_inside(points, centres, radii):
    inside = [
        (squared <= radii).any(axis=1)
        for squared in _squared_distances(points, centres)
    ]
    return float(np.concatenate(inside).mean())


def _squared_distances(points, others, block=500):
    """Yields squared distances `(block, count)`, in bounded memory."""
    norms = (others**2).sum(axis=1)
    for start in range(0, len(points), block):
        chunk = points[start : start + block]
        squared = (chunk**2).sum(axis=1)[:, None] - 2 * chunk @ others.T + norms
        # Rounding: a point is at distance 0 from itself.
        yield np.where(squared < 1e-9 * norms.max(), 0.0, squared)


def _symmetric_root(matrix):
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T


def _checked(*sets):
    sets = [np.asarray(features, "float64") for features in sets]
    for features in sets:
        if features.ndim != 2 or not np.isfinite(features).all():
            raise ValueError(
                "Expected finite features (count, feature_dim). "
                f"Received: shape {features.shape}"
            )
    if len({features.shape[1] for features in sets}) > 1:
        widths = " and ".join(str(features.shape[1]) for features in sets)
        raise ValueError(
            f"Expected features of one extractor. Received: widths {widths}"
        )
    return sets


def _unit_floats(images):
    images = np.asarray(images)
    if images.dtype == np.uint8:
        return images.astype("float32") / 255.0
    return images.astype("float32")
