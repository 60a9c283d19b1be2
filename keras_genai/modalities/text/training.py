"""How text is shown during training, and measured after it."""

import textwrap
import typing

from keras_genai.modalities.base import Training

_LOOKED_AT = 400  # tokens


class TextTraining(Training):
    written = "samples/                the same prompt"
    alarms: typing.ClassVar = {
        "repetition": (
            "generated text repeats itself.",
            "sampling at temperature 1 with top_p=0.95; and if that does not "
            "help, targets that are the inputs shifted by one.",
            "tutorial 6, 'What goes wrong'",
        ),
    }
    samples_are_measured = False

    def sampler(self, recipe, folder):
        from keras_genai.callbacks import SampleText

        return SampleText(folder / "samples", recipe.prompt)

    def tensorboard_arguments(self, recipe, model, examples):
        return {"prompt": recipe.prompt}

    def show(self, model, board):
        text = model.generate(
            board.prompt, board.max_new_tokens, seed=board.seed
        )
        # Shown as Markdown, where indented lines are left as they are.
        code = textwrap.indent(text, "    ", lambda line: True)
        board.summary.text("samples", code)

    def look(self, doctor):
        def look(at_end):
            prompt = doctor.prompt
            text = doctor.model.generate(prompt, _LOOKED_AT, seed=doctor.seed)
            share = repeated_share(text[len(prompt) :])
            seen = None
            if share > 0.5:
                seen = f"{share:.0%} of {text[-40:]!r} and before is repeated"
            yield "repetition", seen

        return look

    def measure(self, model, recipe, held_out, training, num_samples, seed):
        from keras_genai.evaluation import bits_per_character

        # In tiles the first tokens of a window have no context; sliding
        # windows give them one.
        bits = bits_per_character(model, held_out.texts)
        return {"bits_per_character_sliding": bits}, None


def repeated_share(text, length=10):
    """The share of a text that repeats earlier parts.

    Args:
        text: String.
        length: Integer >= 1, characters of a piece. Defaults to `10`.

    Returns:
        Float in [0, 1]: the share of its pieces, one starting at each
        character, that also occur earlier; 0 for a text of one piece or less.

    Example:
        >>> repeated_share("all of it is new")
        0.0
        >>> repeated_share("ab" * 100) > 0.95
        True
    """
    pieces = [text[i : i + length] for i in range(len(text) - length + 1)]
    return 1 - len(set(pieces)) / len(pieces) if pieces else 0.0
