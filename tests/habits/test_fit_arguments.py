"""What `compile`, `fit` and their like are given counts, or is refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_genai import (
    GAN,
    GPT,
    VAE,
    Autoencoder,
    ConditionalGAN,
    ConditionalVAE,
    DenoisingAutoencoder,
    LSTMLanguageModel,
    MarkovChain,
    PixelCNN,
)

SHAPE = (4, 4, 1)
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.random((12, *SHAPE)).astype("float32")
LABELS = np.arange(12) % 3
TOKENS = RANDOM.integers(0, 5, (12, 6))
SMALL = {"image_shape": SHAPE, "latent_dim": 2, "seed": 0}

IMAGE_MODELS = {
    "gan": lambda: GAN(**SMALL),
    "autoencoder": lambda: Autoencoder(**SMALL),
    "denoiser": lambda: DenoisingAutoencoder(networks="dense", **SMALL),
    "vae": lambda: VAE(networks="dense", **SMALL),
    "pixelcnn": lambda: PixelCNN(
        SHAPE,
        width=2,
        dilations=(1,),
        first_kernel_size=3,
        head_width=2,
        likelihood="discretized_logistic_mixture",
        seed=0,
    ),
}
TEXT_MODELS = {
    "gpt": lambda: GPT(5, None, 6, 1, 1, 4, seed=0),
    "lstm": lambda: LSTMLanguageModel(5, embedding_dim=2, hidden_dim=2, seed=0),
    "markov": lambda: MarkovChain(5, order=1, seed=0),
}
MODELS = {**IMAGE_MODELS, **TEXT_MODELS}
WEIGHED = ("autoencoder", "denoiser", "vae", "pixelcnn", "gpt", "lstm")


def compiled(name, **arguments):
    """A model that runs its steps as they are, which for a few is quick."""
    model = MODELS[name]()
    model.compile(**{"run_eagerly": True, **arguments})
    return model


def traced(name, **arguments):
    return compiled(name, run_eagerly=False, **arguments)


def data_of(name):
    if name in TEXT_MODELS:
        return TOKENS, np.roll(TOKENS, -1, axis=1)
    return (IMAGES * 2 - 1 if name == "gan" else IMAGES), None


# --- compile -----------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_a_loss_of_the_users_is_refused(name):
    for given in ({"loss": "no_such_loss"}, {"loss": "mse"}):
        with pytest.raises(ValueError, match=r"no_such_loss|mse"):
            compiled(name, **given)
    with pytest.raises(ValueError, match="loss_weights"):
        compiled(name, loss_weights=[1.0])


@pytest.mark.parametrize("name", ["gan", "pixelcnn"])
def test_metrics_of_what_predicts_nothing_are_refused(name):
    for argument in ("metrics", "weighted_metrics"):
        with pytest.raises(
            ValueError, match="has no predictions that a metric"
        ):
            compiled(name, **{argument: ["mae"]})


@pytest.mark.parametrize("name", ["autoencoder", "denoiser", "vae"])
def test_metrics_compare_images_with_reconstructions(name):
    model = compiled(name, metrics=["mae"])
    history = model.fit(IMAGES, IMAGES, verbose=0, validation_split=0.5)
    assert {"mae", "val_mae"} <= {*history.history}
    found = model.evaluate(IMAGES, IMAGES, verbose=0)
    made = model.reconstruct(IMAGES)
    expected = np.abs(made - IMAGES).mean()
    assert found["mae"] == pytest.approx(expected, rel=1e-4)


def test_metrics_of_tokens_leave_pads_out():
    model = compiled("gpt", metrics=["sparse_categorical_accuracy"])
    tokens, targets = data_of("gpt")
    targets = np.where(np.arange(6) < 4, targets, -1)
    found = model.evaluate(tokens, targets, verbose=0)
    right = model(tokens).numpy().argmax(-1) == targets
    assert found["sparse_categorical_accuracy"] == pytest.approx(
        right[:, :4].mean()
    )


def test_metrics_are_saved_with_the_model(tmp_path):
    import keras_genai

    model = compiled("vae", metrics=[keras.metrics.MeanSquaredError("mse")])
    model.save(tmp_path / "m.keras")
    loaded = keras_genai.load_model(tmp_path / "m.keras")
    assert "mse" in loaded.evaluate(IMAGES, verbose=0)


# --- Targets -----------------------------------------------------------------


def test_a_denoiser_learns_from_the_pairs_that_it_is_given():
    # Noise is 0.5 everywhere: only a model that saw these pairs takes it off.
    model = DenoisingAutoencoder(
        networks="dense", corruption_level=1e-6, **SMALL
    )
    model.compile(keras.optimizers.Adam(0.02))
    clean = np.zeros_like(IMAGES)
    clean[:, :2] = 1.0
    noisy = np.full_like(clean, 0.5)
    pairs = tf.data.Dataset.from_tensor_slices((noisy, clean)).batch(12)
    model.fit(pairs.repeat(60), verbose=0)
    np.testing.assert_allclose(model.denoise(noisy), clean, atol=0.1)
    for found in (
        model.evaluate(noisy, clean, verbose=0),
        model.evaluate(pairs, verbose=0),
    ):
        psnr = 10 * np.log10(1 / np.mean((noisy - clean) ** 2))
        assert found["corrupted_psnr"] == pytest.approx(psnr, rel=1e-3)


@pytest.mark.parametrize("name", ["autoencoder", "vae", "gan", "pixelcnn"])
def test_other_images_as_targets_are_refused(name):
    images, _ = data_of(name)
    model = compiled(name)
    with pytest.raises(ValueError, match="DenoisingAutoencoder"):
        model.fit(images, images[::-1].copy(), verbose=0)
    with pytest.raises(ValueError, match="DenoisingAutoencoder"):
        model.fit(images, np.zeros((12, 7)), verbose=0)
    with pytest.raises(ValueError, match=r"y of shape .*, 7\)"):
        compiled(name).fit(images, np.zeros((12, 7)), verbose=0)
    model.fit(images, images, verbose=0)  # the habit of Keras's users


def test_labels_that_are_of_no_use_are_said_once(capsys):
    model = compiled("vae")
    model.fit(IMAGES, LABELS, verbose=0, validation_data=(IMAGES, LABELS))
    model.evaluate(IMAGES, LABELS[:, None], verbose=0)
    said = capsys.readouterr().out
    assert said.count("VAE does not use labels") == 1


# --- Weights -----------------------------------------------------------------


@pytest.mark.parametrize("name", WEIGHED)
def test_weights_multiply_the_losses_of_examples(name):
    model = compiled(name, optimizer=keras.optimizers.SGD(0.0))
    x, y = data_of(name)
    if name in ("vae", "denoiser"):  # they draw
        model.corrupt = lambda images, seed=None: images
    twice = np.full(12, 2.0)
    found = {}
    for key, weights in (
        ("plain", None),
        ("twice", twice),
        ("none", 0 * twice),
    ):
        if hasattr(model, "seed_generator"):
            model.seed_generator.state.assign([0, 0])
        found[key] = model.evaluate(x, y, sample_weight=weights, verbose=0)
    assert found["twice"]["loss"] == pytest.approx(
        2 * found["plain"]["loss"], rel=1e-5
    )
    assert found["none"]["loss"] == 0.0
    # Each way that Keras takes them.
    y = x if y is None else y
    triples = tf.data.Dataset.from_tensor_slices((x, y, 0 * twice)).batch(4)
    history = model.fit(
        x, y, verbose=0, sample_weight=0 * twice, validation_data=triples
    ).history
    assert history["loss"] == history["val_loss"] == [0.0]
    found = model.train_on_batch(x, y, sample_weight=0 * twice)
    assert model.metrics[0].result() == 0.0


def test_weights_of_classes_are_those_of_their_images():
    model = ConditionalVAE(num_classes=3, networks="dense", **SMALL)
    model.compile(keras.optimizers.SGD(0.0))
    none = model.fit(
        IMAGES, LABELS, class_weight={0: 0.0, 1: 0.0, 2: 0.0}, verbose=0
    ).history
    assert none["loss"] == [0.0]


@pytest.mark.parametrize(
    "weights", [[-1.0] * 12, [float("nan")] * 12], ids=["negative", "nan"]
)
def test_weights_that_are_none_are_refused(weights):
    with pytest.raises(ValueError, match="0 or more"):
        compiled("vae").fit(IMAGES, sample_weight=np.array(weights), verbose=0)


def test_weights_that_make_no_sense_are_refused():
    images, _ = data_of("gan")
    with pytest.raises(ValueError, match="sample_weight"):
        compiled("gan").fit(images, sample_weight=np.ones(12), verbose=0)
    model = ConditionalGAN((4, 4, 1), num_classes=3, latent_dim=2, width=2)
    model.compile()
    with pytest.raises(ValueError, match="class_weight"):
        model.fit(images, LABELS, class_weight={0: 2.0, 1: 1, 2: 1}, verbose=0)
    with pytest.raises(ValueError, match="sample_weight"):
        compiled("markov").train_on_batch(*data_of("markov"), np.ones(12))


# --- Batches -----------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_single_batches_train_and_are_refused_as_in_fit(name):
    model = compiled(name)
    x, y = data_of(name)
    found = model.train_on_batch(x, y, return_dict=True)
    assert np.isfinite(list(found.values())).all()
    found = model.test_on_batch(x, y, return_dict=True)
    assert np.isfinite(list(found.values())).all()
    wrong = x + 7
    for method in (model.train_on_batch, model.test_on_batch):
        with pytest.raises(ValueError, match=r"Received: (images|ids) from"):
            method(wrong, y)


class Batches(keras.utils.PyDataset):
    def __init__(self, arrays, **kwargs):
        super().__init__(**kwargs)
        self.arrays = arrays

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return tuple(a[4 * index : 4 * index + 4] for a in self.arrays)


@pytest.mark.parametrize("name", ["autoencoder", "gpt"])
def test_generators_and_sequences_of_triples_train(name):
    x, y = data_of(name)
    triples = Batches((x, x if y is None else y, np.zeros(12)))
    model = compiled(name)
    history = model.fit(triples, verbose=0).history
    assert history["loss"] == [0.0]
    each = (triples[index] for index in range(3))
    assert model.evaluate(each, steps=3, verbose=0)["loss"] == 0.0


@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_other_floats_are_cast(dtype):
    batches = tf.data.Dataset.from_tensor_slices(IMAGES.astype(dtype)).batch(4)
    plain, cast = compiled("autoencoder"), compiled("autoencoder")
    expected = plain.evaluate(IMAGES.astype(dtype).astype("float32"), verbose=0)
    assert cast.evaluate(batches, verbose=0)["loss"] == pytest.approx(
        expected["loss"], rel=1e-5
    )


def test_grey_images_need_no_axis_of_channels():
    model = compiled("autoencoder")
    flat = model.evaluate(IMAGES[..., 0], IMAGES[..., 0], verbose=0)
    assert flat == pytest.approx(model.evaluate(IMAGES, verbose=0))


# --- Ranges, in every mode ---------------------------------------------------


@pytest.mark.usefixtures("as_graphs")
@pytest.mark.parametrize(
    "mode",
    [{}, {"jit_compile": True}, {"run_eagerly": True}],
    ids=["graph", "xla", "eager"],
)
def test_ranges_hold_whatever_compiles_the_steps(mode):
    wrong = IMAGES.copy()
    wrong[7, 1, 1] = np.nan
    model = Autoencoder(**SMALL)
    model.compile(**mode)
    with pytest.raises(ValueError, match=r"finite images in \[0, 1\]"):
        model.fit(wrong, verbose=0)
    conditional = ConditionalVAE(num_classes=3, networks="dense", **SMALL)
    conditional.compile(**mode)
    with pytest.raises(ValueError, match="labels from 0 to 3"):
        conditional.fit(IMAGES, np.arange(12) % 4, verbose=0)
    with pytest.raises(ValueError, match="labels from -1 to 1"):
        conditional.fit(
            IMAGES, LABELS, validation_data=(IMAGES, LABELS - 1), verbose=0
        )


def test_labels_that_are_no_integers_say_what_makes_them_so():
    model = ConditionalVAE(num_classes=3, networks="dense", **SMALL)
    model.compile()
    with pytest.raises(ValueError, match="argmax"):
        model.fit(IMAGES, np.eye(3)[LABELS], verbose=0)
    with pytest.raises(ValueError, match="return_inverse"):
        model.fit(IMAGES, np.array(["a", "b", "c"])[LABELS], verbose=0)
    model.fit(IMAGES, LABELS[:, None], verbose=0)


def test_a_gan_says_that_images_are_above_0(capsys):
    images = np.clip(IMAGES, 0.01, 1.0)
    compiled("gan").fit(images, epochs=2, verbose=0)
    said = capsys.readouterr().out
    assert said.count("image_dataset(..., value_range=(-1, 1))") == 1
    compiled("gan").fit(2 * images - 1, verbose=0)
    assert capsys.readouterr().out == ""


# --- Steps -------------------------------------------------------------------


def batches_without_end():
    return tf.data.Dataset.from_tensor_slices(IMAGES).batch(2).repeat()


@pytest.mark.usefixtures("as_graphs")
@pytest.mark.parametrize("steps", [10, 7, 1])
def test_so_many_steps_are_taken_as_were_asked_for(steps):
    model = traced("autoencoder")
    shown = []
    count = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda *_: shown.append(int(model.optimizer.iterations))
    )
    model.fit(
        batches_without_end(),
        steps_per_epoch=steps,
        epochs=2,
        verbose=0,
        callbacks=[count],
    )
    assert shown == [steps, 2 * steps]


@pytest.mark.usefixtures("as_graphs")
def test_so_many_batches_are_evaluated_as_were_asked_for():
    first = IMAGES.copy()
    first[2:] = 0.5  # of which the first batch knows nothing
    batches = tf.data.Dataset.from_tensor_slices(first).batch(2)
    model = traced("autoencoder", optimizer=keras.optimizers.SGD(0.0))
    expected = model.evaluate(first[:2], verbose=0)["loss"]
    found = model.evaluate(batches, steps=1, verbose=0)["loss"]
    assert found == pytest.approx(expected, rel=1e-5)
    history = model.fit(
        batches, verbose=0, validation_data=batches, validation_steps=1
    ).history
    assert history["val_loss"] == pytest.approx([expected], rel=1e-5)


@pytest.mark.usefixtures("as_graphs")
def test_what_looks_at_batches_sees_each(tmp_path):
    model, seen = traced("autoencoder"), []
    look = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(batch)
    )
    save = keras.callbacks.ModelCheckpoint(
        str(tmp_path / "{batch}.weights.h5"),
        save_freq=5,
        save_weights_only=True,
    )
    twelve = batches_without_end().take(12)
    model.fit(twelve, verbose=0, callbacks=[look, save])
    assert seen == list(range(12))
    assert len(list(tmp_path.iterdir())) == 2
    # What looks at epochs alone costs no speed.
    save = keras.callbacks.ModelCheckpoint(
        str(tmp_path / "end.weights.h5"), save_weights_only=True
    )
    model.fit(twelve, verbose=0, callbacks=[save])
    assert model.steps_per_execution == 8


@pytest.mark.usefixtures("as_graphs")
def test_steps_that_are_asked_for_again_are_traced_once():
    model = traced("autoencoder")
    functions = []
    for _ in range(3):
        model.fit(batches_without_end(), steps_per_epoch=4, verbose=0)
        functions.append(model.train_function)
    assert functions[0] is functions[1] is functions[2]


# --- Callbacks ---------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_callbacks_know_which_way_is_better(name):
    model = compiled(name)
    lower = ("loss", "perplexity", "bits", "distance", "penalty")
    x, y = data_of(name)
    callbacks = {
        metric.name: keras.callbacks.EarlyStopping(f"val_{metric.name}")
        for metric in model.metrics
    }
    model.fit(
        x,
        y,
        validation_data=(x, y),
        verbose=0,
        callbacks=[*callbacks.values()],
    )
    for metric, callback in callbacks.items():
        falls = metric.startswith(lower) or metric.endswith(lower)
        assert (callback.monitor_op is keras.ops.less) == falls, metric
