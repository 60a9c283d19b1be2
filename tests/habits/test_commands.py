"""The command line as it is used: again and again, by half-known names."""

import io
import sys

import numpy as np
import pytest
from PIL import Image

from keras_genai import MarkovChain, load_model
from keras_genai.cli import main
from keras_genai.data.tokenizers import BytePairTokenizer
from keras_genai.recipes import RECIPES, get_recipe
from keras_genai.runs import Run

pytestmark = pytest.mark.slow

SMALL = ["--width", "2", "--epochs", "1", "--batch-size", "8", "--seed", "0"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "tiny.npz"
    images = np.random.default_rng(0).integers(0, 256, (16, 8, 8), "uint8")
    np.savez(path, images=images)
    return str(path)


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    command = ["train", "dcgan", "--data", data, "--output", str(folder)]
    assert main([*command, *SMALL]) == 0
    return folder


def refused(capsys, *arguments):
    """What is said of a command that is refused, by us or by argparse."""
    try:
        status = main([str(argument) for argument in arguments])
    except SystemExit as stop:
        status = stop.code
    assert status == 2
    return capsys.readouterr().err


def pictures(run):
    return sorted(path.name for path in (run / "generated").iterdir())


# --- A second use ------------------------------------------------------------


def test_generate_writes_into_the_run_and_takes_the_next_name(
    run, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    command = ["generate", str(run), "--num-samples", "2"]
    for _ in range(2):
        assert main(command) == 0
    assert f"{run}/generated/seed_0_2.png" in capsys.readouterr().out
    # An export belongs to its run.
    assert main(["generate", str(run / "export"), "--seed", "7"]) == 0
    assert pictures(run) == ["seed_0.png", "seed_0_2.png", "seed_7.png"]
    first, second, _ = (
        (run / "generated" / name).read_bytes() for name in pictures(run)
    )
    assert first == second
    # What is replaced is what the first use wrote.
    (run / "generated" / "seed_0.png").write_bytes(b"old")
    assert main([*command, "--overwrite"]) == 0
    assert (run / "generated" / "seed_0.png").read_bytes() == first
    assert len(pictures(run)) == 3
    assert list(tmp_path.iterdir()) == []


def test_an_export_without_a_run_writes_here(run, tmp_path, monkeypatch):
    export = tmp_path / "elsewhere"
    load_model(run / "model.keras").export(export)
    monkeypatch.chdir(tmp_path)
    assert main(["generate", "elsewhere", "--num-samples", "1"]) == 0
    assert (tmp_path / "generated" / "seed_0.png").is_file()


@pytest.mark.parametrize("count", [1, 2, 5, 64])
def test_small_pictures_are_enlarged_pixel_by_pixel(run, tmp_path, count):
    output = tmp_path / "made.png"
    command = ["generate", str(run), "--num-samples", str(count)]
    assert main([*command, "--output", str(output)]) == 0
    with Image.open(output) as picture:
        assert min(picture.size) >= 400
        pixels = np.asarray(picture)
    image = load_model(run / "model.keras").generate(count, seed=0)[0]
    zoom = (pixels[2:, 2] == 255).all(axis=-1).argmax() // 8 or len(pixels) // 8
    first = pixels[2 : 2 + 8 * zoom : zoom, 2 : 2 + 8 * zoom : zoom]
    np.testing.assert_array_equal(first[..., :1], np.round(255 * image))


def test_numbers_of_samples_have_sense_or_an_answer(run, tmp_path, capsys):
    for source in (run, run / "export"):
        command = ("generate", source, "--num-samples")
        message = refused(capsys, *command, "0")
        assert "one sample or more. Received: --num-samples 0" in message
        message = refused(capsys, *command, "100000")
        assert "4,096 samples or fewer in a picture" in message
        assert "--output FILE.npz" in message
        message = refused(capsys, *command, "many")
        assert "'many' is not an integer" in message
    output = tmp_path / "many.npz"
    command = ["generate", str(run), "--num-samples", "5000"]
    assert main([*command, "--output", str(output)]) == 0
    with np.load(output) as file:
        assert file["images"].shape == (5000, 8, 8, 1)


def test_a_folder_that_is_read_only_names_the_option(
    run, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("keras_genai.cli.values.os.access", lambda *_: False)
    message = refused(capsys, "generate", run)
    assert "cannot be written to" in message and "--output" in message


# --- Names that are nearly right ---------------------------------------------


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["trian", "dcgan"], "train"),
        (["train", "dcgan", "--epoch", "3"], "--epochs"),
        (["train", "dcgan", "--epoch=3"], "--epochs"),
        (["train", "dcgan", "--latent_dims", "3"], "--latent-dim"),
        (["train", "dcgan", "--d-learning-rat", "1"], "--d-learning-rate"),
        (["train", "cgan"], "conditional_gan"),
        (["train", "CVAE"], "conditional_vae"),
        (["train", "ConditionalGAN"], "conditional_gan"),
        (["train", "wgan-gp"], "wgan_gp"),
        (["train", "pixel_cnn"], "pixelcnn"),
        (["train", "dae"], "denoising_autoencoder"),
        (["train", "dcgn"], "dcgan"),
        (["generate", "x", "--sead", "3"], "--seed"),
        (["evaluate", "x", "--num_samples", "3"], "--num-samples"),
        (["export", "x", "--format", "onxx"], "onnx"),
    ],
)
def test_near_misses_are_named(typed, meant, capsys):
    assert f"Did you mean {meant!r}?" in refused(capsys, *typed)


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        (["train", "dcgan", "--epochs", "1.5"], "'1.5' is not an integer"),
        (["train", "dcgan", "--batch-size", "ten"], "'ten' is not an integer"),
        (["train", "dcgan", "--seed", "x"], "'x' is not an integer"),
        (["generate", "x", "--labels", "3,x"], "'x' is not an integer"),
        (["generate", "x", "--num-steps", "0"], "0 is not 1 or more"),
        (["generate", "x", "--top-p", "half"], "'half' is not a number"),
    ],
)
def test_numbers_are_refused_in_words(typed, answer, capsys):
    message = refused(capsys, *typed)
    assert f"argument {typed[2]}: {answer}" in message
    assert "integer_above" not in message and "int value" not in message


@pytest.mark.parametrize("model", ["dcgan", "pixelcnn", "music_transformer"])
def test_help_of_a_model_lists_its_arguments(model, capsys):
    for command in (["train", model, "--help"], ["train", "-h", model]):
        assert main(command) == 0
    printed = capsys.readouterr().out
    recipe = get_recipe(model)
    assert f"of {recipe.family}:" in printed and "--epochs" in printed
    for option, default in {
        "dcgan": {"--latent-dim": "(64)", "--d-learning-rate": "(0.002)"},
        "pixelcnn": {"--num-classes": "(None)", "--learning-rate": "(0.004)"},
        "music_transformer": {"--dropout": "(0.0)", "--num-voices": "(4)"},
    }[model].items():
        _, _, described = printed.rpartition(f"\n  {option} ")
        text, _, _ = described.partition("\n  --")
        assert default in " ".join(text.split())
    for name in recipe.model_arguments:
        assert f"--{name}" in printed


def test_help_of_all_models_is_short(capsys):
    assert main(["train", "--help"]) == 0
    printed = capsys.readouterr().out
    assert "--epochs" in printed and "--latent-dim VALUE" not in printed
    assert all(model in printed for model in RECIPES)


def test_evaluate_leaves_the_network_alone(run, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(
        Run, "evaluate", lambda run, *choices: asked.append(choices) or {}
    )
    assert main(["evaluate", str(run), "--offline"]) == 0
    assert main(["evaluate", str(run)]) == 0
    assert [choices[-1] for choices in asked] == [True, False]


def test_offline_reaches_the_data(run, monkeypatch):
    from keras_genai.recipes import GANRecipe

    opened = []

    def dataset(recipe, seed, offline, *more, **others):
        opened.append(offline)
        raise ConnectionError

    monkeypatch.setattr(GANRecipe, "dataset", dataset)
    for offline in (True, False):
        with pytest.raises(ConnectionError):
            Run(run).evaluate(offline=offline)
    assert opened == [True, False]


# --- Characters that a terminal has not --------------------------------------


@pytest.fixture(scope="module")
def text_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    (folder / "pi.txt").write_text("π ≈ 3.14; 2π ≈ 6.28\n" * 40, "utf-8")
    command = ["train", "markov", "--text", str(folder / "pi.txt")]
    command += ["--order", "2", "--tokenizer", "byte", "--prompt", "π"]
    assert main([*command, "--output", str(folder / "run")]) == 0
    return folder / "run"


@pytest.mark.parametrize("part", ["", "export"])
def test_a_terminal_of_few_characters_shows_replacements(
    text_run, part, monkeypatch
):
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, "cp1252", write_through=True)
    monkeypatch.setattr(sys, "stdout", stream)
    command = ["generate", str(text_run / part), "--prompt", "π"]
    assert main([*command, "--max-new-tokens", "12"]) == 0
    shown = written.getvalue().decode("cp1252")
    assert shown.startswith("? ") and shown.endswith("\n")


def test_the_users_folder_is_found_where_no_shell_puts_it(
    text_run, monkeypatch, capsys
):
    monkeypatch.setenv("HOME", str(text_run.parent))
    written = "train markov --text=~/pi.txt --output=~/again --epochs 1"
    assert main([*written.split(), "--order", "1"]) == 0
    assert Run(text_run.parent / "again").model_path.is_file()
    capsys.readouterr()
    assert main(["generate", "~/again", "--prompt", "~/π"]) == 0
    assert capsys.readouterr().out.startswith("~/π")  # a prompt is no path


def test_what_text_has_not_is_refused(text_run, capsys):
    message = refused(capsys, "evaluate", text_run, "--num-samples", 3)
    assert "without samples. Received: --num-samples 3" in message
    command = ("generate", text_run, "--prompt", "π", "--overwrite")
    assert "Received: --overwrite True" in refused(capsys, *command)


def test_half_a_character_decodes_alike_everywhere(tmp_path):
    import tensorflow as tf

    tokenizer = BytePairTokenizer()
    texts = [
        b"a\xe2\x82",
        b"\xff\xc3(",
        "π€".encode(),
        b"\xcf",
        b"\xf0\x9f\x98",
    ]
    rows = tf.ragged.constant([list(text) for text in texts], "int32")
    for made, row in zip(tokenizer.detokenize(rows), rows, strict=True):
        assert made.numpy().decode() == tokenizer.decode(row)

    model = MarkovChain(tokenizer=tokenizer, order=1, seed=0)
    ids = np.array([list("π≈π≈π≈π≈".encode())], "int32")
    model.compile()
    model.fit(
        tf.data.Dataset.from_tensors((ids[:, :-1], ids[:, 1:])), verbose=0
    )
    model.export(tmp_path / "served")
    served = tf.saved_model.load(tmp_path / "served").signatures["generate"]
    endings = set()
    for count in range(6):
        answer = served(
            prompt=tf.constant(["π"]),
            max_new_tokens=tf.constant(count),
            temperature=tf.constant(0.0),
            top_k=tf.constant(0),
            top_p=tf.constant(1.0),
            seed=tf.constant(0),
        )
        text = answer["text"][0].numpy().decode()  # is UTF-8
        assert text == model.generate("π", count, temperature=0.0, seed=0)
        raw = answer["text_bytes"][0].numpy()
        assert len(raw) == 2 + count
        assert raw.decode("utf-8", "replace") == text
        endings.add(text[-1])
    assert "\ufffd" in endings and len(endings) > 1
