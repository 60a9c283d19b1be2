"""The command line for text."""

import itertools
import typing

from keras_genai.modalities.base import Command
from keras_genai.modalities.options import CHOICE, given

_MAX_NEW_TOKENS = 400
_SERVED = {"max_new_tokens": _MAX_NEW_TOKENS, **CHOICE}
_OF_RUNS = (
    *("min_p", "repetition_penalty", "num_beams", "length_penalty"),
    "stop",
)


class TextCommand(Command):
    data_option = "text"
    trained_on = "--text FILE"
    options = ("prompt", *_SERVED, *_OF_RUNS)
    options_of_runs = _OF_RUNS
    required: typing.ClassVar = {"prompt": "--prompt TEXT"}

    def add_options(self, parser):
        from keras_genai.cli.values import integer, number

        group = parser.add_argument_group("of a language model")
        group.add_argument("--prompt", help="beginning of the text")
        group.add_argument(
            "--max-new-tokens", type=integer, help=f"({_MAX_NEW_TOKENS})"
        )
        group = parser.add_argument_group("of a run's language model only")
        group.add_argument("--repetition-penalty", type=number)
        group.add_argument("--num-beams", type=integer)
        group.add_argument(
            "--length-penalty",
            type=number,
            help="(0.0) above 0 for longer beams",
        )
        group.add_argument(
            "--stop", action="append", help="string at which the text ends"
        )

    def generate(self, source, options, files):
        choices = {**_SERVED, **given(options, _SERVED), "seed": options.seed}
        if not hasattr(source, "generate"):
            from keras_genai.export import ask

            texts = ask(source["generate"], prompt=[options.prompt], **choices)
            print(texts["text"][0].decode("utf-8", "replace"))
            return
        choices |= given(options, _OF_RUNS)
        # The best of several beams is known only at the end.
        stream = choices.get("num_beams", 1) == 1
        pieces = source.generate(options.prompt, stream=stream, **choices)
        if not stream:
            print(pieces)
            return
        for piece in itertools.chain([options.prompt], pieces):
            print(piece, end="", flush=True)
        print()
