import numpy as np
import pytest
from scipy import linalg
from sklearn.neighbors import NearestNeighbors

from keras_genai import evaluation
from keras_genai.evaluation import FeatureExtractor

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
        (np.zeros((2, 2)), "2 examples and 2 features"),
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


def test_a_collapsed_generator_is_precise_and_without_recall():
    real = RANDOM.normal(size=(200, 2))
    collapsed = real[:1] + 1e-4 * RANDOM.normal(size=(200, 2))
    precision, recall = evaluation.precision_and_recall(real, collapsed)
    assert precision == 1.0
    assert recall <= 0.01


@pytest.mark.parametrize("k", [0, 5])
def test_k_must_fit_the_sets(k):
    with pytest.raises(ValueError, match=f"k={k}"):
        evaluation.precision_and_recall(np.eye(5, 2), np.eye(9, 2), k)


def test_histogram_counts_absent_classes():
    shares = evaluation.class_histogram([1, 1, 1, 3], num_classes=5)
    np.testing.assert_array_equal(shares, [0, 0.75, 0, 0.25, 0])
    with pytest.raises(ValueError, match="num_classes=3"):
        evaluation.class_histogram([3], num_classes=3)
    with pytest.raises(ValueError, match="no classes"):
        evaluation.class_histogram([], num_classes=3)


def stripes(count, seed):
    """Images of horizontal or of vertical stripes, and which they are."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, count)
    horizontal = np.indices((8, 8)).sum(axis=0) * 0 + np.arange(8)[:, None]
    images = np.where(
        labels[:, None, None], horizontal % 2, horizontal.T % 2
    ).astype("float32")
    images = 0.8 * images + 0.2 * random.uniform(size=images.shape)
    return images[..., None], labels


def test_extractor_learns_the_classes_and_takes_bytes_and_floats():
    extractor = FeatureExtractor((8, 8, 1), num_classes=2, feature_dim=5)
    images, labels = stripes(256, seed=0)
    extractor.fit(images, labels, epochs=4, batch_size=32, verbose=0)
    held_out, answers = stripes(64, seed=1)
    assert extractor.accuracy(held_out, answers) == 1.0
    features = extractor.features(held_out)
    assert features.shape == (64, 5)
    assert features.dtype == np.float64
    assert features.min() >= 0
    as_bytes = np.round(held_out * 255).astype("uint8")
    np.testing.assert_allclose(extractor.features(as_bytes), features, atol=0.1)
    assert (extractor.classify(as_bytes) == answers).all()


def test_extractor_depends_on_its_seed_alone():
    images, _ = stripes(4, seed=0)
    one, same, other = (
        FeatureExtractor((8, 8, 1), 2, seed=seed).features(images)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0


def test_bits_of_texts_are_weighed_by_their_length():
    class Scored:
        def score(self, texts):
            return [float(len(text)) for text in texts]

    # 2 characters at 3 bits each, 4 at 5; the lone one has nothing to score.
    bits = evaluation.bits_per_character(Scored(), ["abc", "x", "abcde"])
    assert bits == pytest.approx((2 * 3 + 4 * 5) / 6)
    with pytest.raises(ValueError, match="two characters or more"):
        evaluation.bits_per_character(Scored(), ["a", ""])
