"""LiteRT and ONNX: what they express, what is refused, and that it is right."""

import functools
import sys
import tempfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from test_contract import LANGUAGE_MODELS, MODELS, scores

from keras_genai import (
    GAN,
    GPT,
    VAE,
    BytePairTokenizer,
    CharacterTokenizer,
    MusicTransformer,
)
from keras_genai.export import (
    TOLERANCES,
    check,
    check_export,
    runtimes,
    why_not,
    write_litert,
    write_onnx,
)
from keras_genai.export.check import checked_export

pytestmark = pytest.mark.slow

DRAWS = "it draws random numbers"
STRINGS = "it takes or gives strings"
RAGGED = "it has rows of unequal length"
LOOPS = "it has a loop inside a loop"
PATHS = {"litert": "model.tflite", "onnx": "model"}
# Family -> what both formats express, and what neither does.
CODES = ("encode", "decode", "reconstruct")
EXPRESSED = {
    "gan": (("decode",), ("generate",)),
    "dcgan": (("decode",), ("generate",)),
    "augmented_dcgan": (("decode",), ("generate",)),
    "wgan_gp": (("decode",), ("generate",)),
    "conditional_gan": (("decode",), ("generate", "generate_labels")),
    "acgan": (("decode", "classify"), ("generate", "generate_labels")),
    "autoencoder": (CODES, ("generate",)),
    "denoising_autoencoder": ((*CODES, "denoise"), ("generate",)),
    "vae": (CODES, ("generate",)),
    "dense_vae": (CODES, ("generate",)),
    "conditional_vae": (CODES, ("generate", "generate_labels")),
    "pixelcnn": (("log_prob", "outputs"), ("generate", "complete")),
    "conditional_pixelcnn": (
        ("log_prob", "outputs"),
        ("generate", "generate_labels", "complete"),
    ),
    "lstm": (("logits",), ("generate", "score")),
    "gpt": (("logits",), ("generate", "score")),
}


def names_in(path, format):
    if format == "litert":
        return set(Interpreter(str(path)).get_signature_list())
    return {file.stem for file in path.iterdir()}


def contents(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path: path.read_bytes() for path in files}


def test_every_family_is_here():
    assert {*EXPRESSED, "markov"} == {*MODELS, *LANGUAGE_MODELS}


@pytest.mark.parametrize("name", EXPRESSED)
def test_family_answers_in_both_formats(name, tmp_path):
    make_model = LANGUAGE_MODELS.get(name) or MODELS[name][0]
    model = make_model()
    expressed, left_out = EXPRESSED[name]
    reasons = why_not(model.network_signatures(), "litert")
    assert set(reasons) == set(left_out)
    assert set(reasons.values()) <= {DRAWS, STRINGS}
    for format, file in PATHS.items():
        path = model.export(tmp_path / file, format=format)
        assert names_in(path, format) == set(expressed)
        assert check_export(path, model, count=3) <= 1e-5


def test_music_answers_in_both_formats(tmp_path):
    model = MusicTransformer(
        scores().tokenizer,
        max_sequence_length=24,
        num_layers=1,
        num_heads=3,
        hidden_dim=12,
        seed=0,
    )
    functions = model.network_signatures()
    draw = dict.fromkeys(("generate", "generate_midi", "complete"), DRAWS)
    assert why_not(functions, "litert") == draw
    assert why_not(functions, "onnx") == {**draw, "score": LOOPS}
    for format, file in PATHS.items():
        path = model.export(tmp_path / file, format=format)
        assert check_export(path, model, count=3) <= 1e-5


@pytest.mark.parametrize("format", PATHS)
def test_a_chain_is_refused_with_the_reasons(format, tmp_path):
    model = LANGUAGE_MODELS["markov"]()
    with pytest.raises(
        ValueError, match=f"logits: {RAGGED}; generate: {DRAWS}"
    ):
        model.export(tmp_path / PATHS[format], format=format)
    assert list(tmp_path.iterdir()) == []


def test_a_model_of_ids_alone_gives_logits(tmp_path, new_interpreter):
    model = GPT(7, num_layers=1, num_heads=2, hidden_dim=4, seed=0)
    assert list(model.network_signatures()) == ["logits"]
    path = model.export(tmp_path / "gpt", format="onnx")
    assert check_export(path, model, count=3) <= 1e-5


# --- Smaller, and wrong ------------------------------------------------------


@pytest.fixture(scope="module")
def model():
    return GAN((4, 6, 1), latent_dim=3, seed=0)


def test_smaller_weights_cost_accuracy(tmp_path):
    model = VAE((28, 28, 1), latent_dim=8, networks="dense", seed=0)
    sizes, differences = {}, {}
    for kind in TOLERANCES:
        path = model.export(
            tmp_path / f"{kind}.tflite", format="litert", quantization=kind
        )
        sizes[kind] = path.stat().st_size
        differences[kind] = check_export(path, model, TOLERANCES[kind])
    assert sizes["float16"] / sizes[None] == pytest.approx(1 / 2, rel=0.05)
    assert sizes["int8"] / sizes[None] == pytest.approx(1 / 4, rel=0.1)
    assert differences[None] < differences["float16"] < differences["int8"]
    with pytest.raises(ValueError, match="differs from its model"):
        check_export(tmp_path / "int8.tflite", model, TOLERANCES[None])


@pytest.mark.parametrize("format", [*PATHS, "saved_model"])
def test_the_check_finds_another_models_export(model, format, tmp_path):
    path = model.export(tmp_path / PATHS.get(format, "served"), format=format)
    other = GAN((4, 6, 1), latent_dim=3, seed=1)
    with pytest.raises(ValueError, match="differs from its model"):
        check_export(path, other, count=2)


def test_the_check_finds_an_export_that_does_not_run(model, tmp_path):
    path = tmp_path / "half.tflite"
    path.write_bytes(b"\x1c\0\0\0TFL3")
    with pytest.raises(ValueError, match="does not run in a separate process"):
        check_export(path, model)


@pytest.mark.parametrize("name", ["markov", "gpt"])
def test_text_in_a_saved_model_is_compared(name, tmp_path):
    model = LANGUAGE_MODELS[name]()
    path = model.export(tmp_path / "served")
    assert check_export(path, model, count=3) <= 1e-6


def test_the_scores_of_texts_are_compared(
    tmp_path, monkeypatch, new_interpreter
):
    model = LANGUAGE_MODELS["lstm"]()
    path = model.export(tmp_path / "served")
    signatures = model.signatures()
    function, specs = signatures["score"]

    def other(text):
        bits = function(text)["bits_per_character"]
        return {"bits_per_character": 1.5 * bits}

    signatures["score"] = (other, specs)
    monkeypatch.setattr(model, "signatures", lambda: signatures)
    with pytest.raises(ValueError, match=r"differs from its model by 0\.33"):
        check_export(path, model, count=3)


@pytest.mark.parametrize(
    "tokenizer",
    [
        CharacterTokenizer("\0 abc\u00e9\u4e2d"),
        BytePairTokenizer([[116, 104], [256, 101], [32, 257], [195, 169]]),
    ],
)
def test_prompts_and_texts_are_many(tokenizer):
    model = GPT(
        tokenizer=tokenizer,
        max_sequence_length=6,
        num_layers=1,
        num_heads=1,
        hidden_dim=2,
        seed=0,
    )
    functions = check._functions(model, "saved_model")
    assert list(functions) == ["generate", "score"]
    for name, argument, shortest, longest in (
        ("generate", "prompt", 1, 6),
        ("score", "text", 2, 12),
    ):
        _, specs = functions[name]
        (inputs,) = check._requests(model, specs, 100)
        texts = inputs[argument]
        lengths = [len(tokenizer.encode(text)) for text in texts]
        assert shortest <= min(lengths) <= max(lengths) <= longest
        assert len(set(lengths)) > 4
        assert len(texts) == 100 and len(set(texts)) > 50
        # A process of its own is given the same.
        assert tf.constant(texts).numpy()[0].decode() == texts[0]
        assert not any("\0" in text for text in texts)
        if name == "generate":
            assert inputs["max_new_tokens"] == 20


def test_an_export_that_differs_leaves_what_was_there(model, tmp_path):
    other = GAN((4, 6, 1), latent_dim=3, seed=1)
    compare = functools.partial(check_export, model=model, count=2)
    for format, file in {**PATHS, "saved_model": "served"}.items():
        folder = tmp_path / format
        path = model.export(folder / file, format)
        before = contents(folder)
        with pytest.raises(ValueError, match="differs from its") as caught:
            checked_export(other, path, compare, format)
        assert repr(str(path)) in str(caught.value)
        assert contents(folder) == before


def test_what_is_something_else_is_not_replaced_by_a_checked_export(
    model, tmp_path
):
    for format, file in {**PATHS, "saved_model": "served"}.items():
        other = tmp_path / file
        if format == "litert":
            other.write_text("years of work")
        else:
            other.mkdir(exist_ok=True)
            (other / "chapter.txt").write_text("years of work")
        with pytest.raises(ValueError, match="something else"):
            checked_export(model, other, lambda path: 0.0, format)


# --- Operations --------------------------------------------------------------

X = tf.TensorSpec((None,), "float32", "x")


def test_operations_that_onnx_lacks_are_expressed(tmp_path):
    functions = {
        "gelu": (lambda x: {"y": keras.ops.gelu(x, approximate=False)}, [X]),
        "expm1": (lambda x: {"y": tf.math.expm1(x)}, [X]),
    }
    path = write_onnx(functions, tmp_path / "served")
    ask = runtimes.load_onnx(path)
    x = np.array([-90, -3, -1e-6, 0, 1e-6, 0.5, 4], "float32")
    for name, (function, _) in functions.items():
        expected = function(tf.constant(x))["y"].numpy()
        answer = ask(name, {"x": x})["y"]
        np.testing.assert_allclose(answer, expected, rtol=1e-5, atol=1e-12)


def test_an_output_with_an_inputs_name_is_renamed(tmp_path):
    path = write_onnx({"twice": (lambda x: {"x": 2 * x}, [X])}, tmp_path / "s")
    answer = runtimes.load_onnx(path)("twice", {"x": np.ones(2, "float32")})
    np.testing.assert_array_equal(answer["output_x"], [2, 2])


@pytest.mark.parametrize("write", [write_litert, write_onnx])
def test_an_unknown_operation_is_named(write, tmp_path):
    functions = {"f": (lambda x: {"y": tf.math.igamma(x, x)}, [X])}
    path = tmp_path / ("m.tflite" if write is write_litert else "m")
    with pytest.raises(ValueError, match=r"cannot express f: .*Igamma"):
        write(functions, path)
    assert list(tmp_path.iterdir()) == []


def test_reasons_are_found_in_the_graph():
    def noisy(x):
        return {"y": x + tf.random.normal(tf.shape(x))}

    def spelled(x):
        return {"y": tf.strings.as_string(x)}

    functions = {"noisy": (noisy, [X]), "spelled": (spelled, [X])}
    reasons = {"noisy": DRAWS, "spelled": STRINGS}
    for format in PATHS:
        assert why_not(functions, format) == reasons


# --- Files -------------------------------------------------------------------


@pytest.mark.parametrize("format", PATHS)
def test_export_says_nothing_and_replaces_its_like_alone(
    model, format, tmp_path, capfd
):
    path = tmp_path / PATHS[format]
    for _ in range(2):
        model.export(path, format=format)
    assert capfd.readouterr() == ("", "")
    with pytest.raises(ValueError, match="overwrite=False"):
        model.export(path, format=format, overwrite=False)
    other = tmp_path / "thesis.tflite"
    if format == "litert":
        other.write_text("years of work")
    else:
        other.mkdir()
        (other / "chapter.txt").write_text("years of work")
        (path / "stale.onnx").write_text("")
        model.export(path, format=format)
        assert names_in(path, format) == {"decode"}
    with pytest.raises(ValueError, match="something else"):
        model.export(other, format=format)
    assert sorted(tmp_path.iterdir()) == sorted([path, other])


@pytest.mark.parametrize("format", PATHS)
def test_a_temporary_folder_is_not_needed(model, format, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    path = model.export(tmp_path / PATHS[format], format=format)
    assert names_in(path, format) == {"decode"}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("format", PATHS)
@pytest.mark.parametrize("existing", [False, True])
def test_a_converter_that_fails_leaves_what_was_there(
    model, format, existing, tmp_path, monkeypatch
):
    import tf2onnx

    path = tmp_path / PATHS[format]
    if existing:
        model.export(path, format=format)

    def fail(*args, **kwargs):
        raise RuntimeError("the converter fails")

    monkeypatch.setattr(tf.lite.TFLiteConverter, "from_saved_model", fail)
    monkeypatch.setattr(tf2onnx.convert, "from_function", fail)
    with pytest.raises(RuntimeError, match="the converter fails"):
        model.export(path, format=format)
    assert list(tmp_path.iterdir()) == [path] * existing
    if existing:
        assert names_in(path, format) == {"decode"}


@pytest.mark.parametrize("package", ["onnx", "tf2onnx"])
def test_a_missing_package_is_named(model, package, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"{package}: .*\.\[onnx\]"):
        model.export(tmp_path / "m", format="onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_runtime_is_named(model, tmp_path, monkeypatch):
    path = model.export(tmp_path / "m.tflite", format="litert")
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    with pytest.raises(ImportError, match=r"\.\[litert\]"):
        check_export(path, model)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"format": "gguf"}, "saved_model, litert, onnx"),
        ({"format": "onnx", "quantization": "int8"}, "Only LiteRT"),
        ({"format": "litert", "quantization": "int4"}, "'int4'"),
        ({"format": "litert", "filepath": "m.lite"}, "ends in .tflite"),
        ({"format": "onnx", "filepath": "m.onnx"}, "is a folder"),
    ],
)
def test_arguments_are_refused(model, arguments, match, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=match):
        model.export(**{"filepath": "m.tflite", **arguments})
    assert list(tmp_path.iterdir()) == []
