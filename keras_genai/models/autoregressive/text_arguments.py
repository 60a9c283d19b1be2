"""The arguments of `generate` and `score` of text: converted, or refused."""

import dataclasses

import numpy as np

from keras_genai import sampling


def as_int(number):
    """NumPy's integers as Python's; anything else is left to be refused."""
    return int(number) if isinstance(number, np.integer) else number


def as_list(texts):
    """A list of strings, from a string, a list or an array of them."""
    texts = [texts] if isinstance(texts, str) else texts
    if isinstance(texts, np.ndarray) and texts.ndim == 1:
        texts = texts.tolist()
    if not isinstance(texts, (list, tuple)) or not all(
        isinstance(text, str) for text in texts
    ):
        raise ValueError(
            f"Expected a string, or a list of strings. Received: {texts!r}"
        )
    return list(texts)


def as_strings(stop):
    """A tuple of stop strings, from one, several or `None`."""
    stop = (stop,) if isinstance(stop, str) else tuple(stop or ())
    if not all(isinstance(string, str) and string for string in stop):
        raise ValueError(
            "Expected `stop` to be strings of a character or more, or None. "
            f"Received: stop={stop!r}"
        )
    return stop


def check_max_new_tokens(max_new_tokens):
    """Refuses anything but an integer of 0 or more."""
    if not isinstance(max_new_tokens, int) or max_new_tokens < 0:
        raise ValueError(
            "`max_new_tokens` must be an integer, 0 or more. "
            f"Received: max_new_tokens={max_new_tokens!r}"
        )


def check_stream(stream, rows):
    """Refuses a stream of several prompts."""
    if stream and len(rows) != 1:
        raise ValueError(
            "One prompt is streamed at a time. "
            f"Received: {len(rows)} prompts, stream=True"
        )


def check_beams(num_beams, choice, stream):
    """Refuses arguments that have no effect with, or without, beam search."""
    if not isinstance(num_beams, int) or num_beams < 1:
        raise ValueError(
            "`num_beams` must be an integer, 1 or more. "
            f"Received: num_beams={num_beams!r}"
        )
    if num_beams == 1 and choice.length_penalty:
        raise ValueError(
            "`length_penalty` ranks beams: give num_beams=4, for example. "
            f"Received: num_beams=1, length_penalty={choice.length_penalty}"
        )
    others = dataclasses.replace(choice, length_penalty=0.0)
    if num_beams > 1 and (stream or others != sampling.Choice()):
        raise ValueError(
            "A beam search draws nothing, and has its text only at the end: "
            "it takes no other choice and no stream. "
            f"Received: num_beams={num_beams}, stream={stream}, {choice}"
        )
