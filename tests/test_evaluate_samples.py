import json
import re

import keras
import numpy as np
import pytest
from keras import layers

import keras_genai
from keras_genai import evaluation
from keras_genai.data.sources import Images
from keras_genai.evaluation import FeatureExtractor, PretrainedFeatures

pytestmark = pytest.mark.slow

WIDTH = 6


def blots(count, seed, contrast=1.0):
    """Images with a blot that is above or below, and which it is."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, count)
    rows = np.where(labels, 2, 5)[:, None, None]
    rows = rows + random.normal(size=(count, 1, 1))
    columns = 3.5 + 1.5 * random.normal(size=(count, 1, 1))
    down, across = np.indices((8, 8))
    squared = (down - rows) ** 2 + (across - columns) ** 2
    images = contrast * np.exp(-squared / 4)
    images += 0.1 * random.uniform(size=images.shape)
    return np.clip(images, 0, 1).astype("float32")[..., None], labels


def images_of(count, seed):
    return keras_genai.load_images(blots(count, seed))


@pytest.fixture(scope="module")
def extractor():
    extractor = FeatureExtractor((8, 8, 1), 2, feature_dim=WIDTH)
    extractor.fit(*blots(256, seed=9), epochs=3, batch_size=32, verbose=0)
    return extractor


@pytest.fixture(scope="module")
def training():
    return images_of(300, seed=1)


@pytest.fixture(scope="module")
def reference():
    return images_of(200, seed=2)


@pytest.fixture(scope="module")
def evaluate(training, reference, extractor):
    def evaluate(samples, **kwargs):
        given = {
            "reference": reference,
            "training": training,
            "extractor": extractor,
            "num_bootstraps": 20,
            "verbose": 0,
        }
        return evaluation.evaluate_samples(samples, **{**given, **kwargs})

    return evaluate


NAMES = [
    *("frechet_distance", "frechet_distance_extrapolated", "kernel_distance"),
    *("precision", "recall", "density", "coverage"),
    *("classifier_score", "class_entropy"),
    *("memorised_share", "neighbour_distance_ratio"),
]


def test_values_are_those_of_the_functions(evaluate, extractor, reference):
    samples, _ = blots(200, seed=3, contrast=0.8)
    result = evaluate(samples, k=2, seed=4)
    assert [measure.name for measure in result.measures] == NAMES
    real, generated = (
        extractor.describe(images) for images in (reference.images, samples)
    )
    a, b = real.values, generated.values
    precision, recall = evaluation.precision_and_recall(a, b, k=2)
    density, coverage = evaluation.density_and_coverage(a, b)
    shares = evaluation.class_histogram(extractor.classify(samples), 2)
    expected = {
        "frechet_distance": evaluation.frechet_distance(b, a),
        "frechet_distance_extrapolated": (
            evaluation.frechet_distance_extrapolated(b, a, seed=4)
        ),
        "kernel_distance": (
            evaluation.kernel_distance(b, a, block_size=20, seed=4).value
        ),
        "precision": precision,
        "recall": recall,
        "density": density,
        "coverage": coverage,
        "classifier_score": evaluation.classifier_score(
            generated.probabilities
        ),
        "class_entropy": evaluation.class_entropy(shares),
    }
    for name, value in expected.items():
        assert result[name].value == pytest.approx(value, rel=1e-6), name
    assert result.class_shares["samples"] == shares.tolist()
    assert result.extractor_accuracy == extractor.accuracy(
        reference.images, reference.labels
    )
    with pytest.raises(KeyError, match="'fid', which is not among frechet"):
        result["fid"]


def test_real_images_lie_at_the_floor_and_bad_ones_do_not(evaluate):
    good, _ = blots(200, seed=5)
    bad = blots(200, seed=6, contrast=0.5)[0]
    of_good, of_bad = evaluate(good), evaluate(bad)
    # Pale samples look real one by one: precision does not see them.
    for name in ("frechet_distance", "kernel_distance", "recall", "coverage"):
        good_gap, bad_gap = (
            result[name].value - result[name].floor
            for result in (of_good, of_bad)
        )
        if of_bad[name].better == "higher":
            bad_gap = -bad_gap
        assert bad_gap > 3 * abs(good_gap)


def test_intervals_hold_their_values_and_shrink_with_n(evaluate):
    wide, narrow = (
        evaluate(blots(200, seed=5)[0], num_samples=count)
        for count in (40, 200)
    )
    for name in NAMES[:8]:
        for measure in (wide[name], narrow[name]):
            assert measure.low <= measure.value <= measure.high
    for name in ("frechet_distance", "recall", "density"):
        spread, less = (
            measure.high - measure.low for measure in (wide[name], narrow[name])
        )
        assert less < spread
    without = evaluate(blots(200, seed=5)[0], num_bootstraps=0)
    assert without["precision"].low is None
    assert without["kernel_distance"].low is not None


def test_intervals_cover_as_often_as_they_say():
    # Of two normal distributions the distance at infinite n is known: 4.
    hits = 0
    for seed in range(25):
        a, b = np.random.default_rng(seed).normal(size=(2, 100, 2))
        b[:, 0] += 2
        measures, _ = evaluation.measure_features(
            evaluation.Features(a),
            evaluation.Features(b),
            num_bootstraps=40,
            seed=seed,
        )
        distance = measures[1]
        assert distance.name == "frechet_distance_extrapolated"
        hits += distance.low <= 4 <= distance.high
    assert hits >= 21


def test_copies_of_training_images_are_shown_beside_them(evaluate, training):
    samples, _ = blots(200, seed=7)
    samples[20:30] = training.images[40:50] / 255
    result = evaluate(samples)
    copied = result["memorised_share"]
    assert copied.value >= 0.05
    assert copied.floor < 0.2  # in few features neighbours are near by chance
    # Those that are nearest come first, and beside them what they copy.
    shown = np.round(result.shown * 255).astype("uint8")
    np.testing.assert_array_equal(shown, result.nearest)
    everything = evaluate(training.images[:200])
    assert everything["memorised_share"].value == 1
    assert everything["neighbour_distance_ratio"].value == 0


def test_models_are_sampled_by_the_seed(evaluate):
    class Model:
        def generate(self, num_samples, seed):
            return blots(num_samples, seed)[0]

    one, same, other = (evaluate(Model(), seed=seed) for seed in (3, 3, 4))
    assert one.to_dict() == same.to_dict()
    assert one.samples_digest != other.samples_digest
    assert one.num_samples == 200


def test_conditional_models_are_asked_for_labels(evaluate, extractor):
    class Model:
        num_classes = 2
        deaf_to = 0  # how many of the first labels it makes the other of

        def generate(self, labels, seed):
            images, found = blots(20 * len(labels), seed)
            wanted = np.array(labels)
            wanted[: self.deaf_to] = 1 - wanted[: self.deaf_to]
            self.asked = labels
            pools = [iter(np.flatnonzero(found == label)) for label in (0, 1)]
            return images[[next(pools[label]) for label in wanted]]

    model = Model()
    obeyed = evaluate(model)["label_agreement"]
    # The extractor is not quite sure of real images either.
    assert obeyed.value == pytest.approx(obeyed.floor, abs=0.06)
    assert obeyed.better == "higher"
    assert 0.35 < np.mean(model.asked) < 0.65  # as in the training images
    model.deaf_to = 100
    half = evaluate(model)["label_agreement"]
    assert half.value == pytest.approx(0.5, abs=0.06)  # right and wrong
    assert half.low < half.value < half.high
    Model.num_classes = 3  # not the extractor's
    model.generate = lambda num_samples, seed: blots(num_samples, seed)[0]
    names = [measure.name for measure in evaluate(model).measures]
    assert "label_agreement" not in names


def test_larger_sets_are_drawn_from(evaluate, reference):
    samples, _ = blots(250, seed=3)
    result = evaluate(samples, num_samples=50)
    assert result.num_samples == 50
    assert result.reference == {
        "source": "array/train",
        "images": 200,
        "digest": reference.digest,
    }
    assert result.training["images"] == 300
    with pytest.raises(ValueError, match=r"1 to 200, .*num_samples=201, ref"):
        evaluate(samples, num_samples=201)


def test_without_training_there_is_no_floor(evaluate, reference):
    result = evaluate(
        blots(200, seed=3)[0], reference=reference.images, training=None
    )
    assert [measure.name for measure in result.measures] == NAMES[:9]
    assert all(measure.floor is None for measure in result.measures)
    assert result.training is result.nearest is result.extractor_accuracy
    result.figure()
    str(result)


def test_training_images_train_the_extractor(evaluate, training, monkeypatch):
    for_data = FeatureExtractor.for_data
    monkeypatch.setattr(
        FeatureExtractor,
        "for_data",
        lambda examples, verbose: for_data(
            examples, cache=False, epochs=1, verbose=verbose
        ),
    )
    result = evaluate(blots(200, seed=3)[0], extractor=None)
    assert result.extractor == "classifier of array/train, seed 0, 1 epochs"


def test_arrays_are_taken_for_every_set(evaluate, reference, training):
    samples, _ = blots(200, seed=3)
    arrays = evaluate(
        samples, reference=reference.images, training=training.images
    )
    assert arrays.measures == evaluate(samples).measures
    assert arrays.training["source"] == "array"
    assert arrays.class_names == ()


def test_only_inceptions_distance_is_called_fid(evaluate):
    images = layers.Input((8, 8, 1))
    pooled = layers.Flatten()(layers.AveragePooling2D(4)(images))
    extractor = PretrainedFeatures(keras.Model(images, pooled), name="mine")
    result = evaluate(blots(200, seed=3)[0], extractor=extractor)
    assert result.measures[0].name == "frechet_distance"
    assert result.class_shares == {}
    assert result.extractor_accuracy is None
    extractor.distance_name = "fid"
    result = evaluate(blots(200, seed=3)[0], extractor=extractor)
    assert [measure.name for measure in result.measures[:2]] == [
        "fid",
        "fid_extrapolated",
    ]


def test_the_table_and_the_record_say_the_same(evaluate, tmp_path):
    result = evaluate(blots(200, seed=3)[0], seed=1)
    result.save(tmp_path / "train[50%:]")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "train[50%:].json",
        "train[50%:].png",
    ]
    record = json.loads((tmp_path / "train[50%:].json").read_text())
    assert record == result.to_dict()
    assert (record["num_samples"], record["seed"], record["k"]) == (200, 1, 3)
    assert list(record["measures"]) == NAMES
    header, *lines = str(result).splitlines()
    assert header.split()[:2] == ["measure", "value"]
    for line, measure in zip(lines, result.measures, strict=False):
        name, value, *_ = re.split(r"\s{2,}", line)
        assert name == measure.name
        assert float(value) == pytest.approx(measure.value, rel=0.05)
    assert result.reference["digest"] in lines[-3]
    assert lines[-1] == result.verdict


def test_what_cannot_be_drawn_leaves_nothing(evaluate, tmp_path, monkeypatch):
    result = evaluate(blots(200, seed=3)[0])

    def fail(self):
        raise OSError("no room")

    monkeypatch.setattr(type(result), "figure", fail)
    with pytest.raises(OSError, match="no room"):
        result.save(tmp_path / "test")
    assert list(tmp_path.iterdir()) == []


def test_progress_ends_at_its_end(evaluate, capsys):
    evaluate(blots(200, seed=3)[0], verbose=1)
    assert "9/9" in capsys.readouterr().out
    evaluate(blots(200, seed=3)[0], verbose=0)
    assert capsys.readouterr().out == ""


# --- What is refused ---------------------------------------------------------

GOOD, _ = blots(200, seed=3)
GOOD[0, 0, :2, 0] = 0, 1


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (GOOD[:, :4], r"\(count, 8, 8, 1\).*samples of shape \(200, 4, 8, 1\)"),
        (GOOD[..., 0], r"samples of shape \(200, 8, 8\)"),
        (GOOD - 1, "samples from -1 to 0"),
        (np.where(GOOD > 0.5, np.nan, GOOD), "samples from nan to nan"),
        ((GOOD * 255).astype("int64"), "samples of dtype int64"),
        (GOOD[:1].repeat(200, axis=0), "200 samples, all identical"),
        (GOOD[:6], "7 would do.* 6 examples and 6 features"),
    ],
)
def test_samples_that_cannot_be_compared_are_refused(
    evaluate, samples, message
):
    with pytest.raises(ValueError, match=message):
        evaluate(samples)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (GOOD[:, :4], r"\(count, 4, 8, 1\)"),
        (GOOD * 255, "reference from 0 to"),
        (GOOD * np.nan, "reference from nan"),
        (GOOD > 0.5, "reference of dtype bool"),
    ],
)
def test_references_that_cannot_be_compared_are_refused(
    evaluate, images, message
):
    with pytest.raises(ValueError, match=message):
        evaluate(GOOD, reference=images)


def test_an_extractor_for_another_size_is_refused(evaluate):
    message = r"shape \(8, 8, 1\)\. .*'classifier, seed 0' for \(8, 12, 1\)"
    with pytest.raises(ValueError, match=message):
        evaluate(GOOD, extractor=FeatureExtractor((8, 12, 1), 2))


def test_labels_that_the_extractor_does_not_know_are_refused(
    evaluate, reference
):
    labels = reference.labels + 1
    images = Images(reference.images, labels, ("a", "b"), "folder", "0" * 16)
    with pytest.raises(ValueError, match="from 1 to 2, num_classes=2"):
        evaluate(GOOD, reference=images)


@pytest.mark.parametrize("k", [0, 200, 2.0])
def test_k_that_does_not_fit_is_refused(evaluate, k):
    with pytest.raises(ValueError, match=f"k={k}, counts 200"):
        evaluate(GOOD, k=k)


def test_without_classes_an_extractor_must_be_given(evaluate, training):
    unlabelled = Images(training.images, None, (), "folder", "0" * 16)
    for given in (unlabelled, None):
        with pytest.raises(ValueError, match="Expected an `extractor`"):
            evaluate(GOOD, training=given, extractor=None)
