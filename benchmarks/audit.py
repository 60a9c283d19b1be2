"""Our formulas beside those of others.

The claim: losses, distributions, distances of features, neighbours, attention,
measures of images and of text agree with independent implementations to the
rounding of float32, 1e-5 of the largest value of a case.

    python benchmarks/audit.py [--torch PYTHON] [--json FILE] [--quick]

The oracles are closed forms in float64, SciPy, scikit-learn, `prdc` and
keras-hub, all extras of the tests. `--torch` is the path of a Python with
PyTorch and NumPy in an environment of its own, which answers in float64. A row
shows the numbers that lie furthest apart. `--quick` leaves keras-hub out, which
takes longer to import than all the others to run. The inputs are made here, and
no data set is read, `TFDS_DATA_DIR` or not.
"""

import contextlib
import itertools
import math
import os

import audit_torch
import numpy as np
from audit_torch import attention_layer
from report import argument_parser, bar, publish

import keras_genai

BOUND = 1e-5


# --- Losses ------------------------------------------------------------------


def losses(random):
    """Closed forms, in float64."""
    from scipy.special import expit, log_expit, log_softmax

    from keras_genai import losses as ours

    real, fake = random.normal(0, 3, (2, 7, 1)).astype("float32")
    x, y = real[:, 0].astype("float64"), fake[:, 0].astype("float64")
    for share in (0.0, 0.1):
        target = 1 - share
        yield (
            f"minimax, discriminator, smoothed by {share}",
            ours.minimax_discriminator_loss(real, fake, share),
            -target * log_expit(x) - share * log_expit(-x) - log_expit(-y),
        )
    yield (
        "minimax, generator",
        ours.minimax_generator_loss(fake),
        np.log1p(-expit(y)),
    )
    yield (
        "non-saturating, generator",
        ours.non_saturating_generator_loss(fake),
        -np.log(expit(y)),
    )
    yield (
        "least squares, discriminator, smoothed by 0.1",
        ours.least_squares_discriminator_loss(real, fake, 0.1),
        ((x - 0.9) ** 2 + y**2) / 2,
    )
    yield (
        "least squares, generator",
        ours.least_squares_generator_loss(fake),
        (y - 1) ** 2 / 2,
    )
    yield (
        "hinge, discriminator",
        ours.hinge_discriminator_loss(real, fake),
        np.maximum(0, 1 - x) + np.maximum(0, 1 + y),
    )
    yield (
        "Wasserstein, discriminator",
        ours.wasserstein_discriminator_loss(real, fake),
        y - x,
    )
    for logit in (10.0, 15.0, 30.0):
        yield (
            f"minimax, discriminator, of logits {logit:g} and {-logit:g}",
            ours.minimax_discriminator_loss(
                np.float32([[logit]]), np.float32([[-logit]])
            ),
            [2 * np.log1p(np.exp(-logit))],
        )
    images = random.random((2, 5, 4, 4, 1)).astype("float32")
    slope = random.normal(size=16).astype("float32")
    yield (
        "gradient penalty of a linear critic",
        ours.gradient_penalty(
            lambda images: _product(images, slope),
            *images,
            seed=0,
        ),
        np.full(5, (np.linalg.norm(slope.astype("float64")) - 1) ** 2),
    )
    logits = random.normal(0, 3, (2, 5, 7)).astype("float32")
    targets = random.integers(0, 7, (2, 5))
    targets[0, 3:] = -1
    log_probs = log_softmax(logits.astype("float64"), axis=-1)
    chosen = np.take_along_axis(log_probs, targets[..., None], -1)[..., 0]
    yield (
        "next token, with targets that are ignored",
        ours.next_token_losses(logits, targets)[0],
        np.where(targets < 0, 0, -chosen),
    )


def _product(images, slope):
    from keras import ops

    return ops.matmul(ops.reshape(images, (5, 16)), slope[:, None])


# --- Distributions -----------------------------------------------------------


def distributions(random):
    """SciPy's log-probabilities; divergences by integrals and sums."""
    from scipy import integrate, stats
    from scipy.special import expit, log_softmax, softmax

    from keras_genai import distributions as ours

    def pair(*shape):
        return random.normal(size=(2, *shape)).astype("float32")

    (m, n), (v, w) = pair(2, 3), pair(2, 3)
    x = random.normal(size=(2, 3)).astype("float32")
    normal, other = ours.Normal(m, v), ours.Normal(n, w)
    one, two = (
        stats.norm(mean.astype("float64"), np.exp(log_var / 2.0))
        for mean, log_var in ((m, v), (n, w))
    )
    yield "Normal, log_prob", normal.log_prob(x), one.logpdf(x).sum(1)
    yield (
        "Normal, kl_divergence, by an integral",
        normal.kl_per_dimension(other),
        [
            [
                integrate.quad(_integrand, -60, 60, (a, b), points=[a.mean()])[
                    0
                ]
                for a, b in zip(*row, strict=True)
            ]
            for row in zip(_each(one, 2), _each(two, 2), strict=True)
        ],
    )
    logits, others = pair(2, 3)
    p, q = (expit(each.astype("float64")) for each in (logits, others))
    heads = random.integers(0, 2, (2, 3))
    yield (
        "Bernoulli, log_prob",
        ours.Bernoulli(logits).log_prob(heads.astype("float32")),
        stats.bernoulli(p).logpmf(heads).sum(1),
    )
    yield (
        "Bernoulli, kl_divergence",
        ours.Bernoulli(logits).kl_per_dimension(ours.Bernoulli(others)),
        stats.entropy([p, 1 - p], [q, 1 - q]),
    )
    counts = random.integers(0, 6, (2, 3))
    yield (
        "Binomial, log_prob",
        ours.Binomial(5, logits).log_prob(counts.astype("float32")),
        stats.binom(5, p).logpmf(counts).sum(1),
    )
    range_ = np.arange(6)[:, None, None]
    yield (
        "Binomial, kl_divergence, by a sum",
        ours.Binomial(5, logits).kl_per_dimension(ours.Binomial(5, others)),
        stats.entropy(
            stats.binom.pmf(range_, 5, p), stats.binom.pmf(range_, 5, q)
        ),
    )
    logits, others = pair(2, 4)
    p, q = (softmax(each.astype("float64"), -1) for each in (logits, others))
    classes = random.integers(0, 4, 2)
    yield (
        "Categorical, log_prob",
        ours.Categorical(logits).log_prob(classes),
        np.log(p[[0, 1], classes]),
    )
    yield (
        "Categorical, kl_divergence",
        ours.Categorical(logits).kl_divergence(ours.Categorical(others)),
        stats.entropy(p, q, axis=1),
    )
    barred, more = logits.copy(), others.copy()
    barred[:, 1] = more[:, 1] = -np.inf
    p_, q_ = (softmax(each.astype("float64"), -1) for each in (barred, more))
    yield (
        "Categorical, log_prob, with a logit of -inf",
        ours.Categorical(barred).log_prob([0, 3]),
        log_softmax(barred.astype("float64"), -1)[[0, 1], [0, 3]],
    )
    yield (
        "Categorical, kl_divergence, with logits of -inf",
        ours.Categorical(barred).kl_divergence(ours.Categorical(more)),
        stats.entropy(p_, q_, axis=1),
    )
    drawn = np.array([[2, 0, 1, 2], [1, 1, 1, 2]])
    multinomial = ours.Multinomial(5, logits)
    yield (
        "Multinomial, log_prob",
        multinomial.log_prob(drawn.astype("float32")),
        [
            stats.multinomial(5, row).logpmf(x)
            for row, x in zip(p, drawn, strict=True)
        ],
    )
    yield (
        "Multinomial, log_prob, with a logit of -inf",
        ours.Multinomial(5, barred).log_prob(np.float32([[2, 0, 1, 2]] * 2)),
        [stats.multinomial(5, row).logpmf([2, 0, 1, 2]) for row in p_],
    )
    every = [
        each for each in itertools.product(range(6), repeat=4) if sum(each) == 5
    ]
    yield (
        "Multinomial, kl_divergence, by a sum",
        multinomial.kl_divergence(ours.Multinomial(5, others)),
        [
            stats.entropy(
                *[stats.multinomial(5, row).pmf(every) for row in rows]
            )
            for rows in zip(p, q, strict=True)
        ],
    )
    mean = random.random((2, 3)).astype("float32")
    scale = random.normal(-2, 0.5, (2, 3)).astype("float32")
    level = random.integers(0, 256, (2, 3))
    level[0, :2] = 0, 255
    pixel = ours.DiscretizedLogistic(mean, scale)
    yield (
        "DiscretizedLogistic, log_prob",
        pixel.log_prob_per_dimension(level.astype("float32") / 255),
        np.log(_bins(mean, scale)[level, *np.indices((2, 3))]),
    )
    yield (
        "DiscretizedLogistic, kl_divergence, by a sum",
        pixel.kl_per_dimension(ours.DiscretizedLogistic(mean[::-1], scale)),
        stats.entropy(_bins(mean, scale), _bins(mean[::-1], scale)),
    )
    shares = random.normal(size=(2, 3)).astype("float32")
    bins = (_bins(mean, scale) * softmax(shares.astype("float64"), -1)).sum(-1)
    yield (
        "DiscretizedLogisticMixture, log_prob",
        ours.DiscretizedLogisticMixture(shares, mean, scale).log_prob(
            np.float32([0.0, 77 / 255])
        ),
        np.log([bins[0, 0], bins[77, 1]]),
    )


def _each(frozen, rows):
    """The distributions of an array of them."""
    from scipy import stats

    means, deviations = frozen.args
    return [
        [
            stats.norm(*each)
            for each in zip(means[i], deviations[i], strict=True)
        ]
        for i in range(rows)
    ]


def _integrand(x, one, two):
    return one.pdf(x) * (one.logpdf(x) - two.logpdf(x))


def _bins(mean, log_scale):
    """Probabilities `(256, ...)`: a logistic's, between edges of levels."""
    from scipy import stats

    edges = np.concatenate([[-np.inf], (np.arange(255) + 0.5) / 255, [np.inf]])
    logistic = stats.logistic(
        mean.astype("float64"), np.exp(log_scale.astype("float64"))
    )
    return np.diff(logistic.cdf(edges[:, None, None]), axis=0)


# --- Sets of features --------------------------------------------------------


def features(random):
    """SciPy's matrix root, scikit-learn's kernel and neighbours, `prdc`."""
    import prdc
    from scipy import linalg, stats
    from scipy.spatial.distance import cdist
    from sklearn.metrics.pairwise import polynomial_kernel
    from sklearn.neighbors import NearestNeighbors

    import keras_genai.evaluation as ours

    mix = random.normal(size=(6, 6))
    a = random.normal(size=(150, 6)) @ mix
    b = random.normal(0.4, 1.2, (120, 6)) @ mix
    gap = a.mean(0) - b.mean(0)
    covariances = [np.cov(each, rowvar=False) for each in (a, b)]
    root = linalg.sqrtm(covariances[0] @ covariances[1]).real
    yield (
        "Frechet distance",
        ours.frechet_distance(a, b),
        gap @ gap + np.trace(sum(covariances) - 2 * root),
    )
    aa, bb, ab = (
        polynomial_kernel(x, y, degree=3, gamma=1 / 6, coef0=1)
        for x, y in ((a, a), (b, b), (a, b))
    )
    yield (
        "kernel distance (of Inception's features: KID)",
        ours.kernel_distance(a, b).value,
        (aa.sum() - np.trace(aa)) / (150 * 149)
        + (bb.sum() - np.trace(bb)) / (120 * 119)
        - 2 * ab.mean(),
    )
    for k in (1, 5):
        with contextlib.redirect_stdout(None):  # it prints the counts
            theirs = prdc.compute_prdc(a, b, nearest_k=k)
        yield from zip(
            (f"{name}, k={k}" for name in theirs),
            (
                *ours.precision_and_recall(a, b, k=k),
                *ours.density_and_coverage(a, b, k=k),
            ),
            theirs.values(),
            strict=True,
        )
    # Integers, of which every squared distance is exact: many are equal.
    lattice = random.integers(0, 4, (2, 70, 3))
    inner = [cdist(each, each, "sqeuclidean") for each in lattice]
    across = cdist(*lattice, "sqeuclidean")
    for k in (1, 3):
        radii = [np.sort(each, axis=1)[:, k] for each in inner]
        precision, recall = (
            (across <= radii[0][:, None]).any(axis=0).mean(),
            (across <= radii[1]).any(axis=1).mean(),
        )
        yield from zip(
            (f"{name} on a lattice, k={k}" for name in ("precision", "recall")),
            ours.precision_and_recall(*lattice.astype("float64"), k=k),
            (precision, recall),
            strict=True,
        )
    far = random.normal(size=(60, 3))
    far[0] = 1e9
    for name, training in (("", a), (", with an outlier", far)):
        points = random.normal(size=(40, training.shape[1]))
        exact = np.sqrt(
            np.square(points[:, None] - training).sum(-1)
        )  # differences, never a difference of squares
        found, _ = (
            NearestNeighbors(n_neighbors=2, algorithm="brute")
            .fit(training)
            .kneighbors(points)
        )
        nearest = ours.nearest_neighbours(points, training)
        yield (
            f"nearest neighbours{name}",
            nearest.first,
            np.sort(exact, axis=1)[:, 0] if name else found[:, 0],
        )
        two = np.sort(exact, axis=1)[:, :2]
        yield (
            f"memorised share{name}",
            ours.memorised_share(points, training),
            np.mean(two[:, 0] < two[:, 1] / 3),
        )
    shares = random.dirichlet(np.ones(5), 40)
    yield (
        "class entropy",
        ours.class_entropy(shares),
        stats.entropy(shares, axis=1),
    )
    divergences = stats.entropy(shares, shares.mean(0, keepdims=True), axis=1)
    yield (
        "classifier score (of Inception: the Inception score)",
        ours.classifier_score(shares),
        np.exp(divergences.mean()),
    )


# --- Images and text ---------------------------------------------------------


def images_and_text(random):
    """Definitions, in float64."""
    from scipy.signal import convolve

    from keras_genai import evaluation, metrics

    images = random.random((3, 16, 13, 2)).astype("float32")
    noisy = np.clip(images + random.normal(0, 0.1, images.shape), 0, 1)
    noisy = noisy.astype("float32")
    x, y = images.astype("float64"), noisy.astype("float64")
    yield (
        "PSNR",
        _measured(metrics.PSNR(), images, noisy),
        np.mean(-10 * np.log10(np.square(x - y).mean((1, 2, 3)))),
    )
    window = np.exp(-np.square(np.arange(11) - 5) / (2 * 1.5**2))
    window = np.outer(window, window)[None, ..., None] / window.sum() ** 2

    def blurred(values):
        return convolve(values, window, "valid")

    means = blurred(x), blurred(y)
    variances = [
        blurred(v**2) - m**2 for v, m in zip((x, y), means, strict=True)
    ]
    covariance = blurred(x * y) - means[0] * means[1]
    similar = (
        (2 * means[0] * means[1] + 0.01**2)
        * (2 * covariance + 0.03**2)
        / (means[0] ** 2 + means[1] ** 2 + 0.01**2)
        / (sum(variances) + 0.03**2)
    )
    yield "SSIM", _measured(metrics.SSIM(), images, noisy), similar.mean()
    codes = random.normal(300, 0.005**0.5, (5_000, 16))
    codes[:, 0] += random.normal(0, 1, 5_000)
    codes = codes.astype("float32")
    yield (
        "active units, of codes about 300",
        _measured(metrics.ActiveUnits(16), *np.split(codes, 50), each=True),
        (codes.astype("float64").var(0) > 0.01).sum(),
    )
    nats = random.gamma(2, 1, (4, 9)).astype("float32")
    weights = random.integers(0, 2, (4, 9)).astype("float32")
    yield (
        "perplexity",
        _measured(metrics.Perplexity(), nats, weights),
        np.exp(np.average(nats.astype("float64"), weights=weights)),
    )
    targets = random.integers(-1, 5, (4, 9))
    sizes = np.array([1.0, 3.0, 2.0, 1.0, 4.0])
    nats = np.where(targets < 0, 0, nats).astype("float32")
    per_unit = nats.sum(dtype="float64") / sizes[targets[targets >= 0]].sum()
    yield (
        "bits a character, of tokens of several",
        _measured(metrics.BitsPerCharacter(sizes), nats, targets),
        per_unit / np.log(2),
    )
    yield (
        "nats a step",
        _measured(metrics.NatsPerStep(sizes), nats, targets),
        per_unit,
    )
    yield (
        "bits a dimension, of pixels all equally likely",
        evaluation.bits_per_dim(-28 * 28 * 3 * math.log(256), (28, 28, 3)),
        8.0,
    )


def _measured(metric, *values, each=False):
    if each:
        for value in values:
            metric.update_state(value)
    else:
        metric.update_state(*values)
    return metric.result()


# --- Attention ---------------------------------------------------------------


def attention(random):
    """keras-hub's layers, with our weights."""
    import keras
    import keras_hub
    from keras_hub.src.models.llama.llama_attention import LlamaAttention

    from keras_genai.layers.positions import rotary_turns, rotate
    from keras_genai.losses import next_token_losses
    from keras_genai.metrics import Perplexity

    heads = random.normal(size=(2, 3, 7, 8)).astype("float32")
    rotary = keras_hub.layers.RotaryEmbedding(sequence_axis=2)
    yield (
        "rotary positions",
        rotate(heads, *rotary_turns(7, 8)),
        rotary(heads),
    )
    x, layer, (query, key, value, merge) = attention_layer(random, "rotary")
    llama = LlamaAttention(num_query_heads=4, num_key_value_heads=2)
    llama.build(x.shape)
    llama.set_weights([query, key, value, merge])
    mask = np.tril(np.ones((1, 7, 7), "bool"))
    yield (
        "attention, rotary, of shared keys (Llama's)",
        layer(x)[0],
        llama(x, attention_mask=mask),
    )
    x, layer, (query, key, value, merge) = attention_layer(random, "learned")
    grouped = keras.layers.GroupQueryAttention(8, 4, 2, use_bias=False)
    grouped.build(x.shape, x.shape)
    grouped.set_weights([query, key, value, merge])
    yield (
        "attention of shared keys (Keras's)",
        layer(x)[0],
        grouped(x, x, use_causal_mask=True),
    )
    logits = random.normal(0, 3, (2, 5, 7)).astype("float32")
    targets = random.integers(1, 7, (2, 5))
    targets[0, 3:] = 0
    theirs = keras_hub.metrics.Perplexity(from_logits=True, mask_token_id=0)
    theirs.update_state(targets, logits)
    ours = Perplexity()
    ours.update_state(
        *next_token_losses(logits, np.where(targets, targets, -1))
    )
    yield "perplexity of logits", ours.result(), theirs.result()


# --- The table ---------------------------------------------------------------


def compared(name, ours, theirs):
    """A row: the numbers furthest apart, as a share of the case's largest."""
    ours, theirs = (
        np.asarray(each, "float64").ravel() for each in (ours, theirs)
    )
    if ours.shape != theirs.shape:
        raise ValueError(
            f"{name}: expected shape {theirs.shape}. Received: {ours.shape}"
        )
    apart = np.where(ours == theirs, 0, np.abs(ours - theirs))
    apart = np.nan_to_num(apart, nan=np.inf)
    worst = int(apart.argmax())
    largest = np.abs(theirs).max() or 1.0
    return {
        "name": name,
        "ours": float(ours[worst]),
        "theirs": float(theirs[worst]),
        "difference": float(apart[worst] / largest),
    }


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--torch", metavar="PYTHON")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    keras_genai.prepare_tensorflow()
    groups = {
        "losses": losses,
        "distributions": distributions,
        "features": features,
        "images and text": images_and_text,
    }
    if not options.quick:
        groups["attention"] = attention
    if options.torch:
        groups["PyTorch"] = lambda random: audit_torch.cases(
            random, options.torch
        )
    rows, bars = [], []
    for group, cases in groups.items():
        found = [compared(*case) for case in cases(np.random.default_rng(0))]
        rows += found
        worst = max(row["difference"] for row in found)
        bars.append(bar(f"{group}: largest difference", worst, "<=", BOUND))
    missed = [row["name"] for row in rows if not row["difference"] <= BOUND]
    publish(rows, bars, options.json)
    print(f"\n{len(rows)} cases, apart: {', '.join(missed) or 'none'}")


if __name__ == "__main__":
    main()
