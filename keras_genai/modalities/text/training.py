"""How text is shown while a model is trained, and then measured."""

import textwrap
import typing

from keras_genai.modalities.base import Training

_LOOKED_AT = 400  # tokens


class TextTraining(Training):
    written = "samples/                the same prompt"
    alarms: typing.ClassVar = {
        "repetition": (
            "generated text goes round in circles.",
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
                seen = (
                    f"{share:.0%} of {text[-40:]!r} and before was there before"
                )
            yield "repetition", seen

        return look

    def measure(self, model, recipe, held_out, training, num_samples, seed):
        from keras_genai.evaluation import bits_per_character

        # In tiles a window's first tokens have no context; sliding, they have.
        bits = bits_per_character(model, held_out.texts)
        return {"bits_per_character_sliding": bits}, None


def repeated_share(text, length=10):
    """How much of a text was in it before.

    Args:
        text: String.
        length: Integer >= 1, characters of a piece. Defaults to `10`.

    Returns:
        Float in [0, 1]: the share of its pieces, one from each character on,
        that stand further up too; 0 for a text of one piece or less.

    Example:
        >>> repeated_share("all of it is new")
        0.0
        >>> repeated_share("ab" * 100) > 0.95
        True
    """
    pieces = [text[i : i + length] for i in range(len(text) - length + 1)]
    return 1 - len(set(pieces)) / len(pieces) if pieces else 0.0
