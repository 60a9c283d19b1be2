"""What `keras-genai generate` does with text."""

import itertools

from keras_genai.cli.values import given
from keras_genai.export import ask

_SERVED = {"max_new_tokens": 400, "temperature": 1.0, "top_k": 0, "top_p": 1.0}
_OF_RUN = (
    *("min_p", "repetition_penalty", "num_beams", "length_penalty"),
    "stop",
)


def generate(source, options):
    """Prints what a model or an export goes on with.

    Args:
        source: The model, or the signatures of an export.
        options: What the parser returned.
    """
    choices = {**_SERVED, **given(options, _SERVED), "seed": options.seed}
    if not hasattr(source, "generate"):
        texts = ask(source["generate"], prompt=[options.prompt], **choices)
        print(texts["text"][0].decode("utf-8", "replace"))
        return
    choices |= given(options, _OF_RUN)
    # Of several beams the best is known at the end.
    stream = choices.get("num_beams", 1) == 1
    pieces = source.generate(options.prompt, stream=stream, **choices)
    if not stream:
        print(pieces)
        return
    for piece in itertools.chain([options.prompt], pieces):
        print(piece, end="", flush=True)
    print()
