import numpy as np
import pytest
from checks import (
    check_contract,
    generate_images,
    generate_scores,
    generate_text,
    random_images,
)

from keras_genai import (
    DCGAN,
    GAN,
    GPT,
    VAE,
    WGANGP,
    Autoencoder,
    AuxiliaryClassifierGAN,
    CharacterTokenizer,
    ConditionalGAN,
    ConditionalVAE,
    DenoisingAutoencoder,
    LSTMLanguageModel,
    MarkovChain,
    MusicTokenizer,
    MusicTransformer,
    PixelCNN,
    music_dataset,
    text_dataset,
)
from keras_genai.data.music import Score

pytestmark = [pytest.mark.slow, pytest.mark.alone]
SHAPE = (8, 12, 1)


def images(low, num_classes=None, binary=False):
    return lambda: random_images(
        image_shape=SHAPE,
        batch_size=8,
        low=low,
        num_classes=num_classes,
        binary=binary,
    )


def small_pixelcnn(**arguments):
    return PixelCNN(
        SHAPE,
        width=4,
        dilations=(1, 2),
        first_kernel_size=5,
        head_width=6,
        seed=0,
        **arguments,
    )


# name -> (model of a seed, small data that it takes)
MODELS = {
    "gan": (lambda: GAN(SHAPE, latent_dim=5, seed=0), images(-1)),
    "dcgan": (lambda: DCGAN(SHAPE, latent_dim=5, width=3, seed=0), images(-1)),
    "augmented_dcgan": (
        lambda: DCGAN(
            SHAPE,
            latent_dim=5,
            width=3,
            normalization="spectral",
            discriminator_augmentation="adaptive",
            seed=0,
        ),
        images(-1),
    ),
    "wgan_gp": (
        lambda: WGANGP(SHAPE, latent_dim=5, width=3, seed=0),
        images(-1),
    ),
    "conditional_gan": (
        lambda: ConditionalGAN(
            SHAPE, num_classes=3, latent_dim=5, width=3, seed=0
        ),
        images(-1, num_classes=3),
    ),
    "acgan": (
        lambda: AuxiliaryClassifierGAN(
            SHAPE, num_classes=3, latent_dim=5, width=3, seed=0
        ),
        images(-1, num_classes=3),
    ),
    "autoencoder": (
        lambda: Autoencoder(SHAPE, latent_dim=5, seed=0),
        images(0),
    ),
    "denoising_autoencoder": (
        lambda: DenoisingAutoencoder(SHAPE, latent_dim=5, seed=0),
        images(0),
    ),
    "vae": (lambda: VAE(SHAPE, latent_dim=5, seed=0), images(0)),
    "dense_vae": (
        lambda: VAE(
            SHAPE, 5, "dense", likelihood="gaussian", free_bits=0.1, seed=0
        ),
        images(0),
    ),
    "conditional_vae": (
        lambda: ConditionalVAE(SHAPE, num_classes=3, latent_dim=5, seed=0),
        images(0, num_classes=3),
    ),
    "pixelcnn": (small_pixelcnn, images(0, binary=True)),
    "conditional_pixelcnn": (
        lambda: small_pixelcnn(
            num_classes=3, likelihood="discretized_logistic_mixture"
        ),
        images(0, num_classes=3),
    ),
}


TEXT = "the cat sat on the mat; the dog sat on the log.\n" * 12
TOKENIZER = CharacterTokenizer.from_text(TEXT)


def windows():
    return text_dataset(
        TEXT,
        tokenizer=TOKENIZER,
        sequence_length=16,
        batch_size=29,
        windows="tiled",
    )


LANGUAGE_MODELS = {
    "markov": lambda: MarkovChain(tokenizer=TOKENIZER, order=2, seed=0),
    "lstm": lambda: LSTMLanguageModel(
        tokenizer=TOKENIZER, embedding_dim=6, hidden_dim=8, seed=0
    ),
    "gpt": lambda: GPT(
        tokenizer=TOKENIZER,
        max_sequence_length=16,
        num_layers=1,
        num_heads=3,
        hidden_dim=12,
        seed=0,
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_model_keeps_the_contract(name, tmp_path):
    make_model, make_data = MODELS[name]
    check_contract(make_model, make_data, tmp_path, generate_images)


@pytest.mark.parametrize("name", LANGUAGE_MODELS)
def test_language_model_keeps_the_contract(name, tmp_path):
    make_model = LANGUAGE_MODELS[name]
    check_contract(make_model, windows, tmp_path, generate_text)


def scores():
    """Five short pieces in two voices, the last batch of them short."""
    tune = [60, -1, 62, 64, -2, -1, 65, -1, 64, 62, 60, -1]
    below = [48, -1, -1, -1, 50, -1, 52, -2, -1, 55, 48, -1]
    pieces = [
        Score(np.array([tune[turn:] + tune[:turn], below]).T)
        for turn in (0, 2, 3, 6, 8)
    ]
    return music_dataset(
        pieces,
        tokenizer=MusicTokenizer(lowest=[60, 48], highest=[66, 56]),
        sequence_length=12,
        batch_size=4,
        windows="tiled",
    )


def composer():
    return MusicTransformer(
        scores().tokenizer,
        max_sequence_length=24,
        num_layers=1,
        num_heads=3,
        hidden_dim=12,
        seed=0,
    )


def test_music_transformer_keeps_the_contract(tmp_path):
    check_contract(composer, scores, tmp_path, generate_scores)


TOKEN_BY_TOKEN = {
    "lstm": (LANGUAGE_MODELS["lstm"], windows, generate_text),
    "gpt": (LANGUAGE_MODELS["gpt"], windows, generate_text),
    "music_transformer": (composer, scores, generate_scores),
    "pixelcnn": (*MODELS["pixelcnn"], generate_images),
}


@pytest.mark.parametrize("name", TOKEN_BY_TOKEN)
def test_what_xla_compiles_trains_and_generates_the_same(
    name, with_xla, as_graphs
):
    make_model, make_data, generate = TOKEN_BY_TOKEN[name]
    compiled, plain = make_model(), make_model()
    plain.compiled_loop = False
    assert compiled.compiled_loop
    np.testing.assert_array_equal(
        generate(compiled, 2, seed=1), generate(plain, 2, seed=1)
    )
    # In float32, a step is the same to rounding.
    one_step = make_data().take(1)
    compiled.compile(steps_per_execution=1)
    plain.compile(steps_per_execution=1, jit_compile=False)
    assert compiled.jit_compile == type(compiled).xla
    losses = [
        model.fit(one_step, verbose=0).history["loss"][0]
        for model in (compiled, plain)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    for weight, twin in zip(compiled.weights, plain.weights, strict=True):
        np.testing.assert_allclose(weight, twin, atol=1e-4, err_msg=weight.path)
