import hashlib
import json
import os
import pwd

import keras
import numpy as np
import pytest
from keras import layers

import keras_genai
from keras_genai.evaluation import FeatureExtractor, PretrainedFeatures
from keras_genai.evaluation.kept import check_record

pytestmark = pytest.mark.slow


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


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_GENAI_CACHE", str(tmp_path))
    return tmp_path / "extractors"


@pytest.fixture(scope="module")
def examples():
    images, labels = stripes(64, seed=0)
    return keras_genai.load_images((images, labels))


def for_data(examples, **kwargs):
    return FeatureExtractor.for_data(examples, epochs=2, verbose=0, **kwargs)


def test_training_depends_on_the_seed_alone(examples):
    one, same, other = (
        for_data(examples, seed=seed, cache=False).features(examples.images)
        for seed in (1, 1, 2)
    )
    np.testing.assert_allclose(one, same, rtol=1e-3, atol=1e-3)
    assert np.abs(one - other).max() > 0.1


def test_an_extractor_is_trained_once(examples, cache, monkeypatch):
    first = for_data(examples)
    assert {path.suffix for path in cache.iterdir()} == {".keras", ".json"}
    (record,) = cache.glob("*.json")
    assert json.loads(record.read_text())["digest"] == examples.digest
    monkeypatch.setattr(FeatureExtractor, "fit", None)
    again = for_data(examples)
    np.testing.assert_array_equal(
        first.features(examples.images), again.features(examples.images)
    )
    assert again.num_classes == 2
    name = "classifier of array/train, seed 0, 2 epochs"
    assert again.name == first.name == name
    with pytest.raises(TypeError):  # another seed, so it would be trained
        for_data(examples, seed=1)


def test_a_broken_file_is_trained_anew(examples, cache):
    for_data(examples)
    (path,) = cache.glob("*.keras")
    path.write_bytes(b"PK broken")
    with pytest.warns(UserWarning, match="trained again: .*sha256"):
        for_data(examples)
    keras.saving.load_model(path, compile=False)  # whole again


@pytest.fixture
def fits(monkeypatch):
    """Which extractors were trained, though none is: that takes seconds."""
    fits = []
    monkeypatch.setattr(
        FeatureExtractor,
        "fit",
        lambda self, *args, **kwargs: fits.append(self.seed),
    )
    return fits


def planted(path, network, **record):
    """Puts another network in the place of the one that was kept."""
    network.save(path)
    about = path.with_suffix(".json")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    said = json.loads(about.read_text()) | {"sha256": digest} | record
    about.write_text(json.dumps(said))


def other_network(layer=None, feature_dim=64):
    network = FeatureExtractor((8, 8, 1), 2, feature_dim, seed=5)._network
    if layer is None:
        return network
    images = layers.Input((8, 8, 1))
    return keras.Model(images, network(layer(images)))


@pytest.mark.parametrize(
    ("network", "record", "message"),
    [
        (other_network, {"digest": "0" * 16}, "has for digest '0{16}' and not"),
        (
            lambda: other_network(layers.Lambda(lambda x: x)),
            {},
            "Lambda",
        ),
        (lambda: other_network(feature_dim=5), {}, "shape"),
    ],
)
def test_a_network_from_elsewhere_is_not_taken(
    examples, cache, fits, network, record, message
):
    first = for_data(examples).features(examples.images[:4])
    (path,) = cache.glob("*.keras")
    planted(path, network(), **record)
    with pytest.warns(UserWarning, match=f"trained again: .*{message}") as seen:
        again = for_data(examples).features(examples.images[:4])
    assert str(path) in str(seen[0].message)
    np.testing.assert_array_equal(again, first)  # of seed 0, and not of 5
    assert fits == [0, 0]


@pytest.mark.parametrize("record", [None, "[]", "{", "fifo", " " * 10_001])
def test_a_network_without_a_record_is_not_taken(tmp_path, record):
    path, about = tmp_path / "a.keras", tmp_path / "a.json"
    path.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    about.write_text(json.dumps({"seed": 0, "sha256": digest}))
    check_record(path, {"seed": 0})
    path.write_bytes(b"other weights")
    with pytest.raises(ValueError, match=f"a.json, has for sha256 '{digest}'"):
        check_record(path, {"seed": 0})
    about.unlink()
    if record == "fifo":
        os.mkfifo(about)  # which to open would wait for ever
    elif record is not None:
        about.write_text(record)
    with pytest.raises(ValueError, match=r"a\.json|Expecting property name"):
        check_record(path, {"seed": 0})


@pytest.mark.parametrize("value", [None, ""])
def test_without_a_home_nothing_is_kept(
    examples, fits, tmp_path, monkeypatch, value
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HOME")
    monkeypatch.delenv("KERAS_GENAI_CACHE")
    if value is not None:
        monkeypatch.setenv("KERAS_GENAI_CACHE", value)

    def unknown(number):
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for_data(examples)
    assert fits == [0]
    assert list(tmp_path.iterdir()) == []


def test_without_room_it_goes_on(examples, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("KERAS_GENAI_CACHE", str(tmp_path / "file"))
    assert for_data(examples).features(examples.images).shape == (64, 64)


def test_data_without_classes_train_none(examples):
    unlabelled = keras_genai.load_images(examples.images)
    with pytest.raises(ValueError, match=r"PretrainedFeatures.* 0 classes"):
        for_data(unlabelled)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x[:, :4], r"\(count, 8, 8, 1\).* \(9, 4, 8, 1\)"),
        (lambda x: x * 255, "from 0 to 255"),
        (lambda x: x * np.nan, "from nan to nan"),
        (lambda x: x.astype("int32"), "dtype int32"),
        (lambda x: x[:0], r"\(0, 8, 8, 1\)"),
    ],
)
def test_images_that_do_not_fit_are_refused(change, message):
    extractor = FeatureExtractor((8, 8, 1), 2)
    images = np.zeros((9, 8, 8, 1), "float32")
    images[0, 0] = 1
    with pytest.raises(ValueError, match=message):
        extractor.features(change(images))


@pytest.mark.parametrize("labels", [[0, 2], [-1, 0]])
def test_labels_out_of_range_are_refused(labels):
    extractor = FeatureExtractor((8, 8, 1), 2)
    images = np.zeros((2, 8, 8, 1), "uint8")
    message = f"labels from {min(labels)} to {max(labels)}, num_classes=2"
    for function in (extractor.fit, extractor.accuracy):
        with pytest.raises(ValueError, match=message):
            function(images, labels)
    with pytest.raises(ValueError, match=r"shape \(1,\)"):
        extractor.fit(images, [0])


def test_any_model_gives_features_of_its_range():
    images = layers.Input((2, 3, 1))
    model = keras.Model(images, layers.Flatten()(images), name="pixels")
    extractor = PretrainedFeatures(model, value_range=(-1, 1))
    pixels = np.arange(0, 240, 20, "uint8").reshape(2, 2, 3, 1)
    np.testing.assert_allclose(
        extractor.features(pixels),
        pixels.reshape(2, 6) / 127.5 - 1,
        atol=1e-6,
    )
    assert extractor.name == "pixels"
    assert extractor.num_classes is None
    assert extractor.describe(pixels).probabilities is None
    with pytest.raises(ValueError, match=r"\(2, 3, 2, 1\)"):
        extractor.features(pixels.transpose(0, 2, 1, 3))


def test_maps_are_averaged_over_places():
    images = layers.Input((2, 3, 5))
    extractor = PretrainedFeatures(keras.Model(images, layers.ReLU()(images)))
    pixels = np.random.default_rng(0).uniform(size=(4, 2, 3, 5))
    np.testing.assert_allclose(
        extractor.features(pixels), pixels.mean(axis=(1, 2)), rtol=1e-6
    )


def test_models_of_other_shapes_are_refused():
    codes = layers.Input((4,))
    with pytest.raises(ValueError, match=r"\(None, 4\)"):
        PretrainedFeatures(keras.Model(codes, layers.ReLU()(codes)))


def small_inception(include_top, pooling, weights, input_shape):
    images = layers.Input(input_shape)
    outputs = layers.AveragePooling2D(299)(images)
    return keras.Model(images, layers.Flatten()(outputs), name="inception_v3")


def test_inception_takes_any_size_and_grey(monkeypatch):
    monkeypatch.setattr(keras.applications, "InceptionV3", small_inception)
    extractor = PretrainedFeatures.inception()
    assert (extractor.name, extractor.distance_name) == ("inception_v3", "fid")
    grey = np.full((2, 9, 8, 1), 255, "uint8")
    np.testing.assert_allclose(extractor.features(grey), 1, atol=1e-5)
    colour = np.zeros((2, 16, 16, 3))
    np.testing.assert_allclose(extractor.features(colour), -1, atol=1e-5)
    other = PretrainedFeatures(extractor.model, name="inception_v3")
    assert other.distance_name == "frechet_distance"


def test_inception_without_its_weights_says_so(monkeypatch):
    def unreachable(**kwargs):
        raise Exception("URL fetch failure")

    monkeypatch.setattr(keras.applications, "InceptionV3", unreachable)
    with pytest.raises(ConnectionError, match="InceptionV3: URL fetch"):
        PretrainedFeatures.inception()
