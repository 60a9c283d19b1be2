"""What exports answer to others: names for JSON, and those of before."""

import httpx
import numpy as np
import pytest
import tensorflow as tf
from demo_exports import GRADIO_WARNS, serving, write_exports

from keras_genai import GPT, MusicTokenizer, MusicTransformer
from keras_genai.cli import main
from keras_genai.data.tokenizers import BytePairTokenizer
from keras_genai.demo.served import load
from keras_genai.export.saved_model import write_saved_model

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demo"), GRADIO_WARNS]

TINY = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "seed": 0}


def write_both(model, folder):
    """Exports of today, and of when `midi` and `text` were all there was."""

    def as_before(function):
        def answer(*inputs):
            found = function(*inputs)
            if "midi_bytes" in found:
                found["midi"] = found["midi_bytes"]
            if "text_bytes" in found:
                found["text"] = found["text_bytes"]
            return {
                name: value
                for name, value in found.items()
                if not name.endswith("_bytes")
            }

        return answer

    model.export(folder / "new")
    write_saved_model(
        {
            name: (as_before(function), specs)
            for name, (function, specs) in model.signatures().items()
        },
        folder / "old",
        about=model.about(),
    )
    return folder / "new", folder / "old"


def outputs(path, signature):
    served = tf.saved_model.load(str(path)).signatures
    return set(served[signature].structured_outputs)


def test_music_of_today_and_of_before_is_read(tmp_path):
    tokenizer = MusicTokenizer(lowest=[60, 48], highest=[66, 56])
    model = MusicTransformer(tokenizer, max_sequence_length=64, **TINY)
    new, old = write_both(model, tmp_path)
    for signature in ("generate_midi", "complete"):
        # Without the token ids, whatever is no text is called so.
        assert outputs(new, signature) - {"token_ids"} == {"midi_bytes"}
        assert outputs(old, signature) - {"token_ids"} == {"midi"}
    composed = [load(path).compose(16, seed=3) for path in (new, old)]
    assert composed[0] == composed[1] and composed[0].startswith(b"MThd")
    files = []
    for path in (new, old):
        files.append(tmp_path / f"{path.name}.mid")
        command = ["generate", str(path), "--num-steps", "16", "--seed", "3"]
        assert main([*command, "--output", str(files[-1])]) == 0
    assert [file.read_bytes() for file in files] == composed


def test_text_of_today_and_of_before_is_streamed_alike(tmp_path):
    model = GPT(tokenizer=BytePairTokenizer(), max_sequence_length=64, **TINY)
    new, old = write_both(model, tmp_path)
    assert outputs(new, "generate") == {"text", "text_bytes"}
    assert outputs(old, "generate") == {"text"}
    # Untrained bytes are no characters as a rule, in the midst of them too.
    texts = [[*load(path).stream("π", 40, seed=2)] for path in (new, old)]
    assert texts[0] == texts[1]
    assert texts[0][-1] == model.generate("π", 40, seed=2)
    assert "\ufffd" in texts[0][-1]


@pytest.mark.parametrize("others", [None, "example.org"])
def test_a_demo_starts_behind_a_proxy(others, tmp_path_factory, monkeypatch):
    exports = write_exports(tmp_path_factory.getbasetemp() / "demo_exports")
    # Where nobody listens.
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    if others:
        monkeypatch.setenv("no_proxy", others)
    with serving([exports["vae"]]) as address:
        answer = httpx.get(address, trust_env=False)
    assert answer.status_code == 200 and "keras_genai" in answer.text
    import os

    assert os.environ.get("no_proxy") == others


def test_numbers_are_no_bytes(tmp_path):
    tokenizer = MusicTokenizer(lowest=[60], highest=[66])
    model = MusicTransformer(tokenizer, max_sequence_length=16, **TINY)
    for name, (function, specs) in model.signatures().items():
        traced = tf.function(function, input_signature=specs)
        for (
            output,
            spec,
        ) in traced.get_concrete_function().structured_outputs.items():
            is_bytes = spec.dtype == tf.string
            assert output.endswith("_bytes") == is_bytes, name
    assert np.isfinite(model.score(model.generate(1, 8, seed=0)[0]))
