import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from keras_genai import image_dataset, load_images, undo_scaling

AUGMENTATIONS = {
    "flip": "horizontal",
    "rotation": 0.2,
    "translation": 0.3,
    "zoom": 0.4,
    "contrast": 0.5,
    "brightness": 0.4,
    "noise": 0.2,
}


def numbered(count, size=2):
    """Images that all their pixels number: image `i` is filled with `i`."""
    images = np.arange(count, dtype="uint8").reshape(-1, 1, 1, 1)
    return images.repeat(size, axis=1).repeat(size, axis=2)


def order(dataset):
    """The numbers of the images of one epoch."""
    batches = [undo_scaling(batch)[:, 0, 0, 0] for batch in dataset]
    return np.concatenate(batches).tolist()


# --- Order -------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 7, 64, 100])
def test_every_epoch_is_a_permutation(count):
    dataset = image_dataset(numbered(count), batch_size=16, seed=3)
    for _ in range(3):
        assert sorted(order(dataset)) == list(range(count))


def test_order_is_a_function_of_seed_and_epoch():
    one, two, other = (
        image_dataset(numbered(50), batch_size=8, seed=seed)
        for seed in (5, 5, 6)
    )
    epochs = [order(one) for _ in range(3)]
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert [order(two) for _ in range(3)] == epochs
    assert order(other) != epochs[0]
    # Whatever came before, as a resumed run needs it.
    one.set_epoch(1)
    assert order(one) == epochs[1]
    assert order(one) == epochs[2]


def test_order_does_not_depend_on_the_batch_size():
    orders = [
        order(image_dataset(numbered(20), batch_size=size, seed=0))
        for size in (3, 20)
    ]
    assert orders[0] == orders[1]


def test_without_a_seed_one_is_drawn():
    first, second = (order(image_dataset(numbered(100))) for _ in range(2))
    assert first != second


@pytest.mark.slow
def test_orders_of_many_epochs_are_all_different():
    dataset = image_dataset(numbered(20), batch_size=20, seed=0)
    epochs = np.reshape(order(dataset.repeat(400)), (400, 20))
    orders = set(map(tuple, epochs))
    assert len(orders) == 400
    first = [each[0] for each in orders]
    assert min(map(first.count, range(20))) > 5  # 20 of each on average


def test_without_shuffle_the_order_is_that_of_the_data():
    dataset = image_dataset(numbered(10), batch_size=4, shuffle=False)
    assert order(dataset) == order(dataset) == list(range(10))


def test_labels_stay_with_their_images():
    pair = numbered(30), np.arange(30) * 3 % 7
    dataset = image_dataset(pair, batch_size=8, labels=True, seed=0)
    seen = 0
    for images, labels in dataset:
        assert labels.dtype == tf.int64
        numbers = undo_scaling(images)[:, 0, 0, 0].astype(int)
        np.testing.assert_array_equal(labels, numbers * 3 % 7)
        seen += len(numbers)
    assert seen == 30


def test_repeat_goes_through_new_epochs():
    dataset, reference = (
        image_dataset(numbered(12), batch_size=5, seed=0) for _ in range(2)
    )
    batches = order(dataset.repeat(3))
    epochs = [batches[start : start + 12] for start in (0, 12, 24)]
    assert epochs == [order(reference) for _ in range(3)]
    assert epochs[0] != epochs[1]


# --- Values ------------------------------------------------------------------


@pytest.mark.parametrize("value_range", [(-1, 1), (0, 1), (0, 255)])
def test_value_ranges_have_exact_end_points(value_range):
    images = np.arange(256, dtype="uint8").reshape(1, 16, 16, 1)
    dataset = image_dataset(images, value_range=value_range, seed=0)
    scaled = next(iter(dataset)).numpy()
    assert scaled.dtype == np.float32
    assert (scaled.min(), scaled.max()) == value_range
    assert (np.diff(scaled.ravel()) > 0).all()


@pytest.mark.parametrize(
    "value_range", [(-1, 1), (0, 1), (0, 255), (-3, 5), (0.1, 0.7)]
)
def test_undo_scaling_inverts_all_bytes(value_range):
    images = np.arange(256, dtype="uint8").reshape(1, 16, 16, 1)
    dataset = image_dataset(images, value_range=value_range, seed=0)
    scaled = next(iter(dataset))
    found = undo_scaling(scaled, value_range)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, images)


def test_undo_scaling_clips():
    assert undo_scaling([-1.5, 1.5]).tolist() == [0, 255]


# --- Augmentation ------------------------------------------------------------


def pictures(count=6, channels=3):
    """The same smooth colour picture, with a left and a right."""
    rows, columns = np.mgrid[0:12, 0:10]
    picture = 60 + 8 * rows + 5 * columns
    picture = np.stack([picture + 7 * k for k in range(channels)], -1)
    return np.repeat(picture[None].astype("uint8"), count, axis=0)


def augmented(seed=0, epoch=0, value_range=(-1, 1), **augment):
    dataset = image_dataset(
        pictures(),
        batch_size=6,
        augment=augment,
        seed=seed,
        value_range=value_range,
    )
    dataset.set_epoch(epoch)
    return next(iter(dataset)).numpy()


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augmentation(name):
    augment = {name: AUGMENTATIONS[name]}
    original = pictures() / 127.5 - 1
    images = augmented(**augment)
    assert images.shape == original.shape
    assert np.abs(images - original).max() > 0.02  # it does something
    assert images.min() >= -1 and images.max() <= 1
    # ... to each image something else, but for a flip, which has two ways.
    different = {image.tobytes() for image in images}
    assert len(different) == (2 if name == "flip" else 6)
    # ... which is a function of (seed, epoch).
    np.testing.assert_array_equal(augmented(**augment), images)
    assert (augmented(epoch=1, **augment) != images).any()
    assert (augmented(seed=1, **augment) != images).any()
    in_bytes = augmented(value_range=(0, 255), **augment)
    np.testing.assert_allclose(in_bytes / 127.5 - 1, images, atol=1e-5)


def test_flip_is_a_mirror():
    original = pictures(1)[0] / 127.5 - 1
    for image in augmented(flip="horizontal"):
        target = (
            original if image[0, 0, 0] < image[0, -1, 0] else original[:, ::-1]
        )
        np.testing.assert_allclose(image, target, atol=1e-6)


def test_noise_has_its_standard_deviation():
    grey = np.full((50, 16, 16, 1), 128, "uint8")
    dataset = image_dataset(
        grey, batch_size=50, augment={"noise": 0.05}, value_range=(0, 1), seed=0
    )
    noise = next(iter(dataset)).numpy() - 128 / 255
    # 12,800 draws: the standard error of the deviation is 0.6 %.
    assert abs(noise.std() / 0.05 - 1) < 0.03
    assert abs(noise.mean()) < 0.002


def test_batches_of_an_epoch_are_augmented_differently():
    dataset = image_dataset(
        pictures(4), batch_size=2, augment={"noise": 0.1}, seed=0
    )
    first, second = (batch.numpy() for batch in dataset)
    assert (first != second).any()


def test_augmentations_are_applied_together():
    images = augmented(**AUGMENTATIONS)
    assert images.shape == (6, 12, 10, 3)
    assert images.min() >= -1 and images.max() <= 1
    assert (images != augmented(flip="horizontal")).any()


# --- Batches -----------------------------------------------------------------


@pytest.mark.parametrize("drop_remainder", [False, True])
def test_batches(drop_remainder):
    dataset = image_dataset(
        numbered(11), batch_size=4, seed=0, drop_remainder=drop_remainder
    )
    sizes = [len(batch) for batch in dataset]
    assert sizes == ([4, 4] if drop_remainder else [4, 4, 3])
    assert len(dataset) == len(sizes)
    static = 4 if drop_remainder else None
    assert dataset.element_spec.shape == (static, 2, 2, 1)
    assert dataset.element_spec.dtype == tf.float32


def test_batch_larger_than_the_data():
    dataset = image_dataset(numbered(3), batch_size=8, seed=0)
    assert [len(batch) for batch in dataset] == [3]
    with pytest.raises(ValueError, match=r"drop_remainder=True.*=8, 3 images"):
        image_dataset(numbered(3), batch_size=8, drop_remainder=True)


@pytest.mark.parametrize("augment", [None, {"flip": "horizontal"}])
def test_stock_fit_works_without_a_warning(augment):
    pair = numbered(11, size=4), np.arange(11) % 2
    train, test = (
        image_dataset(pair, batch_size=4, labels=True, augment=augment, seed=0)
        for _ in range(2)
    )
    model = keras.Sequential([layers.Flatten(), layers.Dense(2)])
    model.compile(
        "sgd",
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = model.fit(
            train, validation_data=test, epochs=3, shuffle=False, verbose=0
        ).history
    assert len(history["val_loss"]) == 3
    assert int(model.optimizer.iterations) == 3 * len(train) == 9


def test_source_is_announced_once(capsys, monkeypatch):
    monkeypatch.setattr("keras_genai.data.folders._printed", set())
    images = numbered(5, size=3)
    image_dataset(images, seed=0)
    assert capsys.readouterr().out == f"{load_images(images)}\n"
    image_dataset(images, seed=1)
    assert capsys.readouterr().out == ""


# --- Bad input ---------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"batch_size": 0}, "batch_size=0"),
        ({"value_range": (1, -1)}, r"value_range=\(1, -1\)"),
        ({"augment": {"flop": 1}}, r"flip, .*, noise.*augment='flop'"),
        ({"augment": {"flip": 3}}, r"flip.*horizontal.*augment={'flip': 3}"),
        ({"augment": {"noise": {}}}, r"augment={'noise': {}}"),
        ({"augment": {"noise": -0.1}}, r"0 or more.*augment={'noise': -0.1}"),
        ({"augment": {"zoom": []}}, r"augment={'zoom': \[\]}"),
        ({"labels": True}, "no labels.*labels=True"),
        ({"split": "test"}, "Known: train.*split='test'"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        image_dataset(numbered(4), **arguments)


# --- Binarisation ------------------------------------------------------------


def test_dynamic_binarisation_draws_a_pixel_with_its_grey_level():
    grey = np.full((64, 8, 8), 51, "uint8")  # 0.2
    dataset = image_dataset(
        grey, value_range=(0, 1), binarize="dynamic", seed=0, shuffle=False
    )
    first, second = (np.concatenate(list(dataset)) for _ in range(2))
    for images in (first, second):
        assert set(np.unique(images)) == {0.0, 1.0}
        assert images.mean() == pytest.approx(0.2, abs=0.02)
    assert (first != second).mean() > 0.2  # anew each epoch
    dataset.set_epoch(0)
    np.testing.assert_array_equal(np.concatenate(list(dataset)), first)
    # Black stays black, and white white.
    extremes = np.array([0, 255], "uint8").reshape(2, 1, 1)
    dataset = image_dataset(
        extremes, value_range=(0, 1), binarize="dynamic", shuffle=False
    )
    for _ in range(5):
        assert next(iter(dataset)).numpy().ravel().tolist() == [0.0, 1.0]


def test_threshold_binarisation():
    levels = np.array([0, 127, 128, 255], "uint8").reshape(4, 1, 1)
    dataset = image_dataset(levels, binarize="threshold", shuffle=False)
    assert next(iter(dataset)).numpy().ravel().tolist() == [-1, -1, 1, 1]


def test_unknown_binarisation_is_refused():
    with pytest.raises(ValueError, match="binarize='static'"):
        image_dataset(numbered(3), binarize="static")


def test_evaluation_sees_the_same_binarisation_every_time():
    from keras_genai import VAE, elbo

    grey = np.full((6, 8, 8), 100, "uint8")
    dataset = image_dataset(
        grey, value_range=(0, 1), binarize="dynamic", batch_size=4, seed=0
    )
    model = VAE((8, 8, 1), 2, "dense", seed=0)
    assert elbo(model, dataset, verbose=0) == elbo(model, dataset, verbose=0)
