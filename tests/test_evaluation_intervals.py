"""Intervals of 95 % against closed forms, SciPy, and what they hold."""

import math

import numpy as np
import pytest
from scipy import stats

from keras_genai import evaluation
from keras_genai.evaluation import intervals


def test_students_quantile_is_scipys():
    freedoms = [*range(1, 41), 999, 1000]
    found = [intervals.student_quantile(freedom) for freedom in freedoms]
    np.testing.assert_allclose(found, stats.t.ppf(0.975, freedoms), rtol=1e-9)


@pytest.mark.parametrize(("found", "count"), [(0, 9), (3, 40), (40, 40)])
def test_interval_of_a_share_is_scipys_wilson(found, count):
    expected = stats.binomtest(found, count).proportion_ci(method="wilson")
    ends = intervals.share_interval(found / count, count)
    np.testing.assert_allclose(ends, expected, atol=1e-6)
    # Points that hang together say less, those that avoid each other no more.
    low, high = intervals.share_interval(found / count, count, variance=0.01)
    assert low <= ends[0] < ends[1] <= high
    assert high - low > ends[1] - ends[0]
    same = intervals.share_interval(found / count, count, variance=1e-12)
    assert same == pytest.approx(ends, abs=1e-6)


# Parts of two thirds, and of fewer, since they are 700 points at most.
@pytest.mark.parametrize("count", [50, 5000])
def test_means_of_parts_spread_as_those_of_sets_drawn_anew(count):
    random = np.random.default_rng(0)
    sets = random.normal(size=(2, count, 1)) * [[[2.0]], [[3.0]]]
    means, deviations = intervals.spread_of_parts(
        lambda a, b: (a.mean(), a.mean() - b.mean()), sets, 1000, 9, random
    )
    variances = sets.var(axis=(1, 2), ddof=1) / count
    expected = np.sqrt([variances[0], variances.sum()])
    np.testing.assert_allclose(deviations, expected, rtol=0.08)
    whole = sets.mean(axis=(1, 2))
    assert abs(means[0] - whole[0]) < 0.2 * expected[0]


def test_too_few_points_or_parts_have_no_spread():
    random, sets = np.random.default_rng(0), (np.zeros((20, 1)),) * 2
    for parts, fewest in ((100, 14), (1, 10), (0, 10)):
        assert not intervals.spread_of_parts(len, sets, parts, fewest, random)
    points = random.normal(size=(2, 8, 2))  # five of them have no fifth
    measures, _ = evaluation.measure_features(*map(evaluation.Features, points))
    recall = {measure.name: measure for measure in measures}["recall"]
    assert recall.low is recall.high is None


def test_intervals_hold_the_truth_as_often_as_they_say():
    count, k, repeats = 60, 5, 40

    def drawn(seed):
        return np.random.default_rng(seed).normal(size=(2, count, 16))

    # A sample's place among the neighbours of a real point is as likely as
    # any other, whatever the distribution: closed forms.
    missed = [(count - 1 - i) / (2 * count - 1 - i) for i in range(k)]
    truth = {"density": 1.0, "coverage": 1 - math.prod(missed)}
    precise = [
        evaluation.precision_and_recall(*drawn(1000 + seed))
        for seed in range(100)
    ]
    # Both sets are of one distribution.
    truth["precision"] = truth["recall"] = np.mean(precise)
    hits, values = dict.fromkeys(truth, 0), {name: [] for name in truth}
    for seed in range(repeats):
        measures, _ = evaluation.measure_features(
            *map(evaluation.Features, drawn(seed)), num_bootstraps=30
        )
        for measure in measures:
            if measure.name in truth:
                values[measure.name].append(measure.value)
                hits[measure.name] += (
                    measure.low <= truth[measure.name] <= measure.high
                )
    for name, value in truth.items():
        error = np.std(values[name]) / math.sqrt(repeats)
        assert np.mean(values[name]) == pytest.approx(value, abs=3 * error)
    assert min(hits.values()) >= 37, hits


def test_nothing_found_is_not_certainty():
    random = np.random.default_rng(0)
    real, training = random.normal(size=(2, 100, 8))
    measures, _ = evaluation.measure_features(
        *(evaluation.Features(points) for points in (real + 99, real)),
        training=training,
    )
    found = {measure.name: measure for measure in measures}
    upper = stats.binomtest(0, 100).proportion_ci(method="wilson").high
    for name in (
        *("precision", "recall", "density", "coverage"),
        "memorised_share",
    ):
        assert (found[name].value, found[name].low) == (0, 0), name
        assert found[name].high == pytest.approx(upper, abs=1e-6), name
