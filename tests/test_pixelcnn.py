import keras
import numpy as np
import pytest
import tensorflow as tf
from checks import random_images

from keras_genai import PixelCNN, image_dataset
from keras_genai.models.autoregressive.gated_convolutions import MaskedConv2D

pytestmark = pytest.mark.slow

SHAPE = (5, 6, 1)


def small(image_shape=SHAPE, seed=0, random=True, **arguments):
    """A PixelCNN of weights that are all random, also those that begin at 0."""
    model = PixelCNN(
        image_shape,
        width=4,
        dilations=(1, 2),
        first_kernel_size=5,
        head_width=6,
        num_mixtures=2,
        seed=seed,
        **arguments,
    )
    if random:
        generator = np.random.default_rng(seed)
        for weight in model.weights:
            weight.assign(generator.normal(0.0, 0.4, weight.shape))
    return model


def levels(model, count=2, seed=0):
    """Images of the levels that the likelihood knows."""
    highest = model.vocabulary_size - 1
    draws = np.random.default_rng(seed).integers(
        0, highest + 1, (count, *model.image_shape)
    )
    return (draws / highest).astype("float32")


CASES = {
    "binary": {},
    "binary, of classes": {"num_classes": 3},
    "8-bit": {"likelihood": "discretized_logistic_mixture"},
    "8-bit, colour": {
        "image_shape": (4, 5, 3),
        "likelihood": "discretized_logistic_mixture",
        "num_classes": 2,
    },
}


@pytest.fixture(params=CASES.values(), ids=CASES)
def model(request):
    return small(**request.param)


def labels_of(model, count):
    if model.num_classes is None:
        return ()
    return (np.arange(count, dtype="int32") % model.num_classes,)


def test_no_pixel_is_influenced_by_itself_or_what_comes_later(model):
    """Mistake 18, by gradient, at every position and channel."""
    images = tf.constant(levels(model, 1))
    labels = labels_of(model, 1)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(images)
        outputs = model.outputs_of(images, *labels)
        # All outputs at once: by chance no sum of them is blind to one.
        weights = tf.random.stateless_normal(outputs.shape, (0, 0))
        sums = tf.reduce_sum(weights * outputs, axis=3)[0]
    jacobian = tape.jacobian(sums, images, experimental_use_pfor=False)
    height, width, _ = model.image_shape
    influence = np.abs(jacobian.numpy()[:, :, 0]).max(axis=-1)
    influence = influence.reshape(height * width, height * width)
    assert np.triu(influence).max() == 0.0  # row: seen from; column: what
    assert (influence[1:].max(axis=1) > 0).all()  # all but the first see some


def test_channels_see_those_before_them():
    model = small(**CASES["8-bit, colour"])
    images = tf.constant(levels(model, 1))
    labels = labels_of(model, 1)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(images)
        location = model.pixels(images, *labels).location[0, 2, 2]
        sums = tf.reduce_sum(location, axis=-1)  # (channels,)
    seen = tape.jacobian(sums, images, experimental_use_pfor=False)
    seen = np.abs(seen.numpy()[:, 0, 2, 2])  # of each channel, by each
    assert (seen[np.tril_indices(3, -1)] > 0).all()
    assert (np.triu(seen) == 0).all()


def test_a_mask_stays_where_training_would_fill_it():
    """Mistake 18: the masked part of a kernel may hold anything."""
    layer = MaskedConv2D(3, 3, "left", seeds=iter(range(9)))
    x = np.random.default_rng(0).normal(size=(2, 4, 5, 2)).astype("float32")
    before = layer(x)
    hidden = ~np.repeat(layer.mask.reshape(-1), 2)
    kernel = layer.kernel.numpy()
    kernel[hidden] = 1e3
    layer.kernel.assign(kernel)
    np.testing.assert_array_equal(layer(x), before)


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("sees", ["above", "left"])
def test_masked_convolution_is_the_sum_over_what_is_seen(
    sees, strict, dilation
):
    layer = MaskedConv2D(2, 5, sees, iter(range(9)), dilation, strict)
    x = np.random.default_rng(0).normal(size=(1, 5, 6, 3)).astype("float32")
    made = layer(x).numpy()[0]
    rows = layer.mask.shape[0]
    kernel = layer.kernel.numpy().reshape(rows, 5, 3, 2)
    for row, column in np.ndindex(5, 6):
        expected = np.zeros(2)
        for i, j in np.ndindex(rows, 5):
            down, right = i - rows // 2, j - 2
            if sees == "above":
                visible = down < 0 if strict else down <= 0
            else:
                visible = right < 0 if strict else right <= 0
            y, z = row + down * dilation, column + right * dilation
            if visible and 0 <= y < 5 and 0 <= z < 6:
                expected += x[0, y, z] @ kernel[i, j]
        np.testing.assert_allclose(made[row, column], expected, atol=1e-5)


def test_probabilities_of_all_images_sum_to_one():
    model = small((2, 3, 1))
    bits = np.indices((2,) * 6).reshape(6, -1).T.astype("float32")
    log_prob = model.log_prob(bits.reshape(-1, 2, 3, 1))
    assert np.exp(log_prob.astype("float64")).sum() == pytest.approx(1, 1e-5)


def test_pixel_by_pixel_is_what_the_whole_image_says(model):
    """What sampling keeps of earlier pixels is what a new pass would find."""
    images, count = levels(model), 2
    labels = labels_of(model, count)
    whole = model.pixels(images, *labels).log_prob_per_dimension(images)
    tokens = np.round(images * (model.vocabulary_size - 1))
    tokens = tokens.reshape(count, -1).astype("int32")
    state = model.initial_state(count, *map(tf.constant, labels))
    before = np.concatenate([np.ones((count, 1), "int32"), tokens], axis=1)
    costs = []
    for place in range(tokens.shape[1]):
        logits, state = model.extend(
            tf.constant(before[:, place : place + 1]), state, tf.constant(place)
        )
        logs = tf.nn.log_softmax(logits[:, 0]).numpy()
        costs.append(logs[np.arange(count), tokens[:, place]])
    np.testing.assert_allclose(
        np.stack(costs, axis=1), np.reshape(whole, (count, -1)), atol=1e-4
    )


def test_samples_come_as_often_as_they_are_likely():
    model = small((2, 2, 1))
    samples = model.generate(20_000, seed=0).reshape(-1, 4)
    bits = np.indices((2,) * 4).reshape(4, -1).T.astype("float32")
    expected = np.exp(model.log_prob(bits.reshape(-1, 2, 2, 1)))
    found = (samples[:, None] == bits).all(axis=2).mean(axis=0)
    deviation = np.sqrt(expected * (1 - expected) / len(samples))
    assert (np.abs(found - expected) < 4.5 * deviation + 1e-4).all()


def test_loss_is_nats_an_image_and_bits_are_bits():
    model = small(likelihood="discretized_logistic_mixture")
    model.compile()
    images = levels(model, 6)
    results = model.evaluate(images, batch_size=4, verbose=0)
    nats = -model.log_prob(images).mean()
    assert results["loss"] == pytest.approx(nats, rel=1e-4)
    bits = nats / np.log(2) / np.prod(SHAPE)
    assert results["bits_per_dim"] == pytest.approx(bits, rel=1e-4)


def test_new_model_knows_nothing():
    model = small(random=False)
    images = levels(model)
    # Before training each pixel is near an even coin.
    nats = -model.log_prob(images) / np.prod(SHAPE)
    assert np.abs(nats - np.log(2)).max() < 0.35


def test_it_learns_stripes_that_only_the_pixels_before_tell():
    starts = np.random.default_rng(0).integers(0, 2, (256, 5, 1, 1))
    images = ((starts + np.arange(6)[:, None]) % 2).astype("float32")
    model = small(random=False)
    model.compile(model.make_optimizer(2e-2))
    model.fit(images, batch_size=8, epochs=10, verbose=0)
    # Five rows, each of one bit and five pixels that follow from it.
    nats = model.evaluate(images, verbose=0)["loss"]
    assert 5 * np.log(2) - 0.05 < nats < 5 * np.log(2) + 0.6


def test_labels_are_learned():
    images = np.repeat(np.arange(2.0), 64)[:, None, None, None]
    images = np.broadcast_to(images, (128, *SHAPE)).astype("float32")
    labels = np.repeat([0, 1], 64)
    model = small(random=False, num_classes=2)
    model.compile(model.make_optimizer(2e-2))
    data = tf.data.Dataset.from_tensor_slices((images, labels))
    data = data.shuffle(128, seed=0).batch(8).repeat(12)
    model.fit(data, epochs=1, verbose=0)
    made = model.generate(labels=[0, 1, 1, 0], seed=0)
    np.testing.assert_allclose(
        made.mean(axis=(1, 2, 3)), [0, 1, 1, 0], atol=0.15
    )
    again = model.generate(2, labels=1, seed=0)
    assert again.mean() > 0.85


# --- Completion --------------------------------------------------------------


def test_known_pixels_stay_and_the_others_are_drawn(model):
    images = levels(model, 4)
    known = np.zeros(model.image_shape[:2], "bool")
    known[:2] = True
    labels = labels_of(model, 4)
    labels = labels[0] if labels else None
    made = model.complete(images, known, seed=1, labels=labels)
    np.testing.assert_allclose(made[:, :2], images[:, :2], atol=1e-6)
    assert (made[:, 2:] != images[:, 2:]).any()
    other = model.complete(images, known, seed=2, labels=labels)
    assert (made != other).any()
    # What stood in the hole makes no difference.
    wiped = np.where(known[None, ..., None], images, 0.0)
    again = model.complete(wiped, known, seed=1, labels=labels)
    np.testing.assert_array_equal(again, made)


def test_the_first_images_do_not_depend_on_how_many_there_are():
    model = small((3, 4, 1), num_classes=3)
    many = model.generate(7, seed=5)
    for count in (1, 3):
        np.testing.assert_array_equal(
            model.generate(count, seed=5), many[:count]
        )
    assert len(np.unique(many, axis=0)) == 7
    known = np.zeros((3, 4), "bool")
    known[0] = True
    made = [
        model.complete(many[:n], known, 5, np.zeros(n, int)) for n in (2, 6)
    ]
    np.testing.assert_array_equal(made[0], made[1][:2])


def test_completions_come_as_often_as_they_are_likely():
    model = small((2, 2, 1))
    image = np.array([[1.0, 0.0], [0.0, 0.0]], "float32")[None, ..., None]
    known = np.array([[True, True], [False, False]])
    many = np.repeat(image, 10_000, axis=0)
    made = model.complete(many, known, seed=0)[:, 1, :, 0]
    rows = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32")
    each = np.repeat(image, 4, axis=0)
    each[:, 1, :, 0] = rows
    weights = np.exp(model.log_prob(each))
    expected = weights / weights.sum()
    found = (made[:, None] == rows).all(axis=2).mean(axis=0)
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_each_image_has_its_own_hole():
    model = small()
    images = levels(model, 2)
    known = np.random.default_rng(0).random((2, *SHAPE[:2])) < 0.5
    made = model.complete(images, known, seed=0)
    np.testing.assert_array_equal(made[known], images[known])


# --- Bad input ---------------------------------------------------------------


def test_images_without_a_hole_are_refused():
    model = small()
    with pytest.raises(ValueError, match=r"a hole.*Received: known=True"):
        model.complete(levels(model), np.ones(SHAPE[:2], "bool"))


@pytest.mark.parametrize(
    "known", [np.zeros((5, 5), "bool"), np.zeros((5, 6)), np.zeros((3, 5, 6))]
)
def test_other_masks_are_refused(known):
    model = small()
    with pytest.raises(ValueError, match="booleans"):
        model.complete(levels(model), known)


def test_grey_pixels_are_refused_by_a_model_of_bits():
    model = small()
    model.compile()
    grey = np.full((2, *SHAPE), 0.5, "float32")
    with pytest.raises(ValueError, match="0 or 1"):
        model.fit(grey, verbose=0)
    with pytest.raises(ValueError, match=r"0 or 1.*Received: 24 others"):
        model.complete(grey, np.arange(5)[:, None] < [[2] * 6])


def test_missing_labels_are_refused():
    model = small(num_classes=3)
    model.compile()
    images = levels(model)
    known = np.zeros(SHAPE[:2], "bool")
    for ask in (
        lambda: model.fit(images, verbose=0),
        lambda: model.evaluate(images, verbose=0),
        lambda: model.log_prob(images),
        lambda: model.complete(images, known),
    ):
        with pytest.raises(ValueError, match=r"needs (the )?labels"):
            ask()
    with pytest.raises(ValueError, match=r"\[0, 3\)"):
        model.generate(labels=[3])


def test_labels_that_nobody_asked_for_are_refused():
    with pytest.raises(ValueError, match="takes no labels"):
        small().generate(2, labels=[0, 1])


@pytest.mark.parametrize(
    "arguments",
    [
        {"image_shape": (28, 28)},
        {"likelihood": "gaussian"},
        {"kernel_size": 4},
        {"first_kernel_size": 1},
        {"dilations": (1, 0)},
        {"width": 0},
        {"num_classes": 0},
    ],
)
def test_bad_arguments_are_refused(arguments):
    with pytest.raises(ValueError, match="Received"):
        PixelCNN(**arguments)


@pytest.mark.parametrize("num_samples", [None, -1])
def test_bad_numbers_of_samples_are_refused(num_samples):
    with pytest.raises(ValueError, match="num_samples"):
        small().generate(num_samples)


# --- Around it ---------------------------------------------------------------


def test_binarised_digits_go_through(capsys):
    data = image_dataset(
        "mnist_5k",
        "train[:16]",
        value_range=(0, 1),
        binarize="dynamic",
        batch_size=8,
        seed=0,
    )
    model = small((28, 28, 1), random=False)
    model.compile()
    first, last = model.fit(data, epochs=3, verbose=0).history["loss"][::2]
    assert last < first
    assert not capsys.readouterr().err


def test_muon_moves_the_kernels_and_adam_the_rest():
    model = small()
    model.compile()
    optimizer = model.optimizer
    assert isinstance(optimizer, keras.optimizers.Muon)
    by_adam = [
        variable.path.split("/")[-1]
        for variable in model.trainable_variables
        if optimizer._should_use_adamw(variable)
    ]
    assert set(by_adam) == {"bias", "places"}


def test_random_images_are_refused_where_they_do_not_fit():
    model = small()
    model.compile()
    with pytest.raises(ValueError, match=r"\(batch, \*\(5, 6, 1\)\)"):
        model.fit(random_images(low=0.0, binary=True), verbose=0)
