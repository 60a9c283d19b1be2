"""What `generate` is asked the way other libraries are asked."""

import numpy as np
import pytest

from keras_genai import GPT, CharacterTokenizer, MarkovChain

TOKENIZER = CharacterTokenizer.from_text("the cat sat on a mat")


def gpt(limit=8):
    return GPT(
        tokenizer=TOKENIZER,
        max_sequence_length=limit,
        num_layers=1,
        num_heads=1,
        hidden_dim=4,
        seed=0,
    )


MODEL = gpt()


def test_none_is_off():
    plain = MODEL.generate("the", 12, seed=1)
    nones = dict.fromkeys(
        ("temperature", "top_k", "top_p", "min_p", "stop"), None
    )
    assert MODEL.generate("the", 12, seed=1, **nones) == plain
    assert MODEL.generate("the", 12, seed=1, top_k=10_000) == plain
    kept = MODEL.generate("the", 12, seed=1, repetition_penalty=None)
    assert kept == plain


def test_numbers_and_prompts_of_numpy_are_taken():
    plain = MODEL.generate(["the", "a m"], 9, top_k=3, seed=1)
    found = MODEL.generate(
        np.array(["the", "a m"]),
        np.int64(9),
        top_k=np.int32(3),
        temperature=np.float32(1.0),
        num_beams=np.int64(1),
        seed=np.int64(1),
    )
    assert found == plain


@pytest.mark.parametrize("stop", ["", ["", "a"], [3]])
def test_a_stop_string_that_is_none_is_refused(stop):
    with pytest.raises(ValueError, match="`stop`"):
        MODEL.generate("the", 4, stop=stop)


def test_a_long_prompt_is_read_as_far_back_as_the_model_looks(capsys):
    model = gpt()
    long = "sat on a the cat"
    made = model.generate(long, 20, seed=2)
    newest = model.generate(long[-8:], 20, seed=2)
    assert made == long[:-8] + newest
    assert model.generate(made, 4, seed=0).startswith(made)
    said = capsys.readouterr().out
    assert said.count("looks back on 8 tokens") == 1
    with pytest.raises(ValueError, match="looks back on 8 tokens"):
        model.attention_maps(long)


def test_rows_come_out_as_without_those_beside_them():
    prompts = ["the", "a ", "mat", "sat on", "c"]
    model = MarkovChain(tokenizer=TOKENIZER, order=1, seed=0)
    all_of_them = model.generate(prompts, 5, seed=0)
    for count in (1, 2, 3, 5):
        first = MODEL.generate(prompts[:count], 10, temperature=0.0)
        assert first == [
            MODEL.generate(each, 10, temperature=0.0)
            for each in prompts[:count]
        ]
        drawn = model.generate(prompts[:count], 5, seed=0)
        assert drawn == all_of_them[:count]


def test_another_number_of_prompts_is_no_other_graph(with_xla):
    model = gpt()
    assert model.compiled_loop
    for count in (5, 6, 7, 8):
        model.generate(["the"] * count, 4, seed=0)
    assert len(model._loops) == 1
