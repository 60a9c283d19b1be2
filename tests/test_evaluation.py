import joblib
import numpy as np
import pytest
from prdc import compute_prdc
from scipy import linalg
from scipy.spatial.distance import cdist, pdist
from scipy.stats import entropy
from sklearn.metrics.pairwise import polynomial_kernel
from sklearn.neighbors import NearestNeighbors

from keras_genai import BytePairTokenizer, evaluation
from keras_genai.evaluation.pairs import mean_distance

RANDOM = np.random.default_rng(0)


def correlated(count, width, seed):
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(width, width))
    return random.normal(size=(count, width)) @ mixing + random.normal(
        size=width
    )


def test_distance_is_that_of_scipys_matrix_root():
    a, b = correlated(40, 6, seed=1), correlated(60, 6, seed=2)
    covariance_a, covariance_b = np.cov(a.T), np.cov(b.T)
    root = linalg.sqrtm(covariance_a @ covariance_b).real
    gap = a.mean(axis=0) - b.mean(axis=0)
    expected = gap @ gap + np.trace(covariance_a + covariance_b - 2 * root)
    distance = evaluation.frechet_distance(a, b)
    np.testing.assert_allclose(distance, expected, rtol=1e-6)
    np.testing.assert_allclose(
        evaluation.frechet_distance(b, a), distance, rtol=1e-6
    )


def test_distance_where_features_depend_on_each_other():
    # No Cholesky factor: the last feature is the sum of the others.
    a, b = correlated(40, 3, seed=1), correlated(60, 3, seed=2)
    a, b = (np.column_stack([f, f.sum(axis=1), 0 * f]) for f in (a, b))
    covariance_a, covariance_b = np.cov(a.T), np.cov(b.T)
    values = linalg.eigvals(covariance_a @ covariance_b).real
    root_trace = np.sqrt(np.clip(values, 0, None)).sum()
    gap = a.mean(axis=0) - b.mean(axis=0)
    expected = gap @ gap + np.trace(covariance_a + covariance_b)
    np.testing.assert_allclose(
        evaluation.frechet_distance(a, b), expected - 2 * root_trace, rtol=1e-6
    )


def test_extrapolation_takes_the_bias_away():
    # Two draws of one distribution: 0 at infinite n, above it at any other.
    biased, extrapolated = [], []
    for seed in range(5):
        a, b = np.random.default_rng(seed).normal(size=(2, 600, 12))
        biased.append(evaluation.frechet_distance(a, b))
        extrapolated.append(evaluation.frechet_distance_extrapolated(a, b))
    assert min(biased) > 0.1
    assert abs(np.mean(extrapolated)) < 0.1 * np.mean(biased)


def test_extrapolation_finds_a_distance_known_beforehand():
    a, b = np.random.default_rng(1).normal(size=(2, 4000, 8))
    b = 2 * b + 1  # 8 (1^2 + (2 - 1)^2)
    assert evaluation.frechet_distance_extrapolated(a, b) == pytest.approx(
        16, rel=0.05
    )


def test_extrapolation_is_a_line_through_distances_of_parts():
    a, b = correlated(30, 2, seed=1), correlated(36, 2, seed=2)
    random = np.random.default_rng(5)
    a_mixed, b_mixed = random.permutation(a), random.permutation(b)
    means = [
        np.mean(
            [
                evaluation.frechet_distance(*pair)
                for pair in zip(
                    np.split(a_mixed, parts),
                    np.split(b_mixed, parts),
                    strict=True,
                )
            ]
        )
        for parts in (1, 2, 3)
    ]
    expected = np.polynomial.Polynomial.fit([1, 2, 3], means, deg=1)(0)
    found = evaluation.frechet_distance_extrapolated(a, b, num_sizes=3, seed=5)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_extrapolation_needs_parts_to_extrapolate_from():
    with pytest.raises(ValueError, match="counts 7 and 9, 2 features"):
        evaluation.frechet_distance_extrapolated(np.eye(7, 2), np.eye(9, 2))


def test_kernel_distance_of_one_block_is_scikit_learns():
    a, b = correlated(40, 3, seed=1), correlated(30, 3, seed=2)

    def kernel(x, y):
        return polynomial_kernel(x, y, degree=3, gamma=1 / 3, coef0=1)

    def pairs(x):
        values = kernel(x, x)
        return values[~np.eye(len(x), dtype=bool)].mean()

    expected = pairs(a) + pairs(b) - 2 * kernel(a, b).mean()
    value, error, num_blocks = evaluation.kernel_distance(a, b)
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    assert (error, num_blocks) == (np.inf, 1)


def test_kernel_distance_is_unbiased_and_knows_its_error():
    a, b = np.random.default_rng(0).normal(size=(2, 2000, 4))
    value, error, num_blocks = evaluation.kernel_distance(a, b, 50)
    assert num_blocks == 40
    assert abs(value) < 3 * error
    shifted = evaluation.kernel_distance(a, b + 1, 50)
    assert shifted.value > 20 * shifted.standard_error
    with pytest.raises(ValueError, match="block_size=1"):
        evaluation.kernel_distance(a, b, block_size=1)


def test_distance_in_one_dimension_is_known():
    # (m_a - m_b)^2 + (s_a - s_b)^2
    a = RANDOM.normal(size=(1000, 1))
    b = 3 * a + 5
    gap = (b.mean() - a.mean()) ** 2
    spread = (a.std(ddof=1) - b.std(ddof=1)) ** 2
    np.testing.assert_allclose(
        evaluation.frechet_distance(a, b), gap + spread, rtol=1e-9
    )


def test_distance_of_a_set_from_itself_is_zero_even_if_degenerate():
    features = RANDOM.normal(size=(50, 4))
    features[:, 2:] = 0.0  # features that never fire
    assert evaluation.frechet_distance(features, features) < 1e-6


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.zeros((2, 2)), "3 would do.* 2 examples and 2 features"),
        (np.zeros(9), r"shape \(9,\)"),
        (np.full((9, 2), np.nan), "finite"),
    ],
)
def test_features_that_cannot_be_compared_are_refused(features, message):
    with pytest.raises(ValueError, match=message):
        evaluation.frechet_distance(np.ones((9, 2)), features)


def test_widths_must_agree():
    with pytest.raises(ValueError, match="2 and 3"):
        evaluation.frechet_distance(np.eye(9, 2), np.eye(9, 3))
    with pytest.raises(ValueError, match="2 and 3"):
        evaluation.precision_and_recall(np.eye(9, 2), np.eye(9, 3))


@pytest.mark.parametrize("k", [1, 3])
def test_precision_and_recall_are_those_of_nearest_neighbours(k):
    real, generated = correlated(80, 3, seed=3), correlated(70, 3, seed=3)
    generated = generated * 0.8 + 0.3

    def share(points, centres):
        near = NearestNeighbors(n_neighbors=k + 1).fit(centres)
        radii = near.kneighbors(centres)[0][:, k]
        gaps = np.linalg.norm(points[:, None] - centres, axis=-1)
        return (gaps <= radii).any(axis=1).mean()

    precision, recall = evaluation.precision_and_recall(real, generated, k)
    assert precision == share(generated, real)
    assert recall == share(real, generated)
    assert 0 < precision < 1
    assert 0 < recall < 1


@pytest.mark.parametrize(("k", "width"), [(1, 2), (3, 5), (5, 16)])
def test_neighbourhoods_are_those_of_prdc(k, width):
    real, generated = np.split(correlated(600, width, seed=3), [310])
    # Far from 0, as the features of a network are: rounding must not matter.
    real, generated = real + 100, generated * 0.9 + 0.2 + 100
    # Its threads clear the filters of warnings, which all threads share: what
    # is then warned of gets past pytest.
    with joblib.parallel_config("sequential"):
        expected = compute_prdc(real, generated, nearest_k=k)
    precision, recall = evaluation.precision_and_recall(real, generated, k)
    density, coverage = evaluation.density_and_coverage(real, generated, k)
    for name, value in {
        "precision": precision,
        "recall": recall,
        "density": density,
        "coverage": coverage,
    }.items():
        assert value > 0
        np.testing.assert_allclose(value, expected[name], rtol=1e-6)


# Integers, whose distances are known exactly, and of which many are equal.
TIED = {
    "lattice": lambda random: random.integers(0, 9, (90, 2)),
    "binary vectors": lambda random: random.integers(0, 2, (90, 30)),
    "duplicates": lambda random: random.integers(0, 3, (90, 2)),
    "pixels": lambda random: random.integers(0, 256, (90, 49)),
    "pixels of two shades": lambda random: random.choice([3, 250], (90, 49)),
    "an outlier": lambda random: np.concatenate(
        [random.integers(0, 9, (89, 2)), [[10**4, -(10**4)]]]
    ),
}


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("name", TIED)
def test_ties_are_decided_as_by_exact_integers(name, k):
    draw, random = TIED[name], np.random.default_rng(k)
    real, generated = draw(random), draw(random)

    def squared(a, b):
        return ((a[:, None] - b) ** 2).sum(axis=-1)

    def inside(points, centres):
        radii = np.sort(squared(centres, centres), axis=1)[:, k]
        return squared(points, centres) <= radii

    in_real = inside(generated, real)
    expected = [
        in_real.any(axis=1).mean(),
        inside(real, generated).any(axis=1).mean(),
        in_real.sum(axis=1).mean() / k,
        in_real.any(axis=0).mean(),
    ]
    nearest = squared(generated, real).argmin(axis=1)
    first, second = np.sort(squared(generated, real), axis=1)[:, :2].T
    width = real.shape[1]
    turn, _ = np.linalg.qr(random.normal(size=(width, width)))
    # What has the same ties, though not to the last digit.
    for moved in (
        lambda points: points,
        lambda points: 0.1 * points,
        lambda points: 1e-9 * points + 1e-3,
        lambda points: points @ turn,
    ):
        sets = moved(real), moved(generated)
        assert expected == [
            *evaluation.precision_and_recall(*sets, k),
            *evaluation.density_and_coverage(*sets, k),
        ]
        found = evaluation.nearest_neighbours(*sets[::-1])
        np.testing.assert_array_equal(found.indices, nearest)
        assert evaluation.memorised_share(*sets[::-1]) == np.mean(
            (9 * first < second) | (first == 0)
        )


def test_one_outlier_makes_nothing_a_copy():
    training, samples = np.random.default_rng(0).normal(size=(2, 200, 8))
    assert evaluation.memorised_share(samples, training) == 0
    for far in (1e5, 1e7, 1e12):
        training[0] = far
        found = evaluation.nearest_neighbours(samples[1:], training)
        near = np.sort(cdist(samples[1:], training), axis=1)
        np.testing.assert_allclose(found.first, near[:, 0], rtol=1e-9)
        np.testing.assert_allclose(found.second, near[:, 1], rtol=1e-9)
        assert evaluation.memorised_share(samples, training) == 0
        samples[0] = 1.1 * far  # which is near nothing but the outlier
        assert evaluation.memorised_share(samples, training) == 1 / 200


def test_mean_distance_is_scipys_and_zero_of_equal_points():
    points = 1e4 + correlated(30, 5, seed=1)
    expected = pdist(points).mean()
    assert mean_distance(points) == pytest.approx(expected, rel=1e-9)
    equal = np.full((9, 784), 0.7, "float32")
    assert mean_distance(equal) == 0.0


def test_blocks_change_nothing(monkeypatch):
    from keras_genai.evaluation import pairs

    real, generated = correlated(83, 3, seed=3), correlated(71, 3, seed=4)

    def all_of_it():
        return (
            *evaluation.precision_and_recall(real, generated),
            *evaluation.density_and_coverage(real, generated),
            *evaluation.nearest_neighbours(generated, real),
        )

    whole = all_of_it()
    monkeypatch.setattr(pairs.over_blocks, "__defaults__", (1000,))
    for one, other in zip(whole, all_of_it(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_nearest_neighbours_are_scipys():
    points, training = correlated(20, 3, seed=1), correlated(50, 3, seed=1)
    training[7] = points[3]  # a copy
    distances = cdist(points, training)
    found = evaluation.nearest_neighbours(points, training)
    np.testing.assert_array_equal(found.indices, distances.argmin(axis=1))
    sorted_distances = np.sort(distances, axis=1)
    np.testing.assert_allclose(
        found.first, sorted_distances[:, 0], rtol=1e-6, atol=1e-9
    )
    np.testing.assert_allclose(found.second, sorted_distances[:, 1], rtol=1e-6)
    assert found.first[3] == 0
    with pytest.raises(ValueError, match="training_features of 1"):
        evaluation.nearest_neighbours(points, training[:1])


def test_copies_are_found_and_unseen_points_are_not():
    training, unseen, fresh = RANDOM.normal(size=(3, 400, 16))
    copies = training[:50] + 0.05 * RANDOM.normal(size=(50, 16))
    half = np.concatenate([copies, unseen[:50]])
    assert evaluation.memorised_share(half, training) == 0.5
    assert evaluation.memorised_share(unseen, training) == 0.0
    twice = np.concatenate([training, training])  # no second nearest is farther
    assert evaluation.memorised_share(training, twice) == 1.0

    ratio = evaluation.neighbour_distance_ratio
    assert ratio(copies, unseen, training) < 0.2
    assert ratio(fresh, unseen, training) == pytest.approx(1, abs=0.1)
    assert ratio(unseen, training, training) == np.inf


def test_a_collapsed_generator_is_precise_and_without_recall():
    real = RANDOM.normal(size=(200, 2))
    collapsed = real[:1] + 1e-4 * RANDOM.normal(size=(200, 2))
    precision, recall = evaluation.precision_and_recall(real, collapsed)
    assert precision == 1.0
    assert recall <= 0.01


@pytest.mark.parametrize("k", [0, 5])
def test_k_must_fit_the_sets(k):
    for function in (
        evaluation.precision_and_recall,
        evaluation.density_and_coverage,
    ):
        with pytest.raises(ValueError, match=f"k={k}, counts 5"):
            function(np.eye(5, 2), np.eye(9, 2), k)


def test_histogram_counts_absent_classes():
    shares = evaluation.class_histogram([1, 1, 1, 3], num_classes=5)
    np.testing.assert_array_equal(shares, [0, 0.75, 0, 0.25, 0])
    with pytest.raises(ValueError, match="num_classes=3"):
        evaluation.class_histogram([3], num_classes=3)
    with pytest.raises(ValueError, match="from -1 to 2"):
        evaluation.class_histogram([2, -1], num_classes=3)
    with pytest.raises(ValueError, match="no classes"):
        evaluation.class_histogram([], num_classes=3)


def test_entropy_is_scipys():
    shares = np.array([[0.5, 0.25, 0.25, 0.0], [1.0, 0.0, 0.0, 0.0]])
    np.testing.assert_allclose(
        evaluation.class_entropy(shares), entropy(shares, axis=1), rtol=1e-12
    )
    assert evaluation.class_entropy([0.2] * 5) == pytest.approx(np.log(5))
    with pytest.raises(ValueError, match="summing to 1"):
        evaluation.class_entropy([0.5, 0.4])


def test_classifier_score_is_the_mean_of_scipys_divergences():
    probabilities = RANDOM.dirichlet([0.3] * 4, size=50)
    probabilities[0] = [1, 0, 0, 0]  # logarithms of 0 do not count
    marginal = probabilities.mean(axis=0)
    expected = np.exp(np.mean([entropy(p, marginal) for p in probabilities]))
    score = evaluation.classifier_score(probabilities)
    np.testing.assert_allclose(score, expected, rtol=1e-12)
    assert evaluation.classifier_score(np.full((9, 3), 1 / 3)) == 1.0
    for broken in (np.full((4, 2), np.nan), np.ones((4, 2)), np.ones(4)):
        with pytest.raises(ValueError, match="Expected probabilities"):
            evaluation.classifier_score(broken)


def test_bits_of_texts_are_weighed_by_what_was_scored():
    class Scored:
        tokenizer = BytePairTokenizer([(104, 101), (256, 114)])  # he, her

        def score(self, texts):
            return [float(len(text)) for text in texts]

    # "her" is one token, which is given: 2 characters at 5 bits each. Of "é"
    # half is scored, after the other half, and then 2 at 3. "x" and "he" have
    # nothing to score.
    texts = ["heron", "x", "éab", "he", ""]
    bits = evaluation.bits_per_character(Scored(), texts)
    assert bits == pytest.approx((2 * 5 + 2.5 * 3) / 4.5)
    with pytest.raises(ValueError, match="two tokens or more"):
        evaluation.bits_per_character(Scored(), ["a", "", "her"])


def test_bits_of_fair_coins_are_one_a_pixel():
    nats = -6 * np.log(2)
    bits = evaluation.bits_per_dim(nats, (3, 2, 1))
    assert bits == pytest.approx(1)
