"""The choices of a GPT's architecture, and two styles of them."""

import dataclasses
import math

from keras_genai.checks import check_choice

# The valid values of each choice; the others are booleans.
_KNOWN = {
    "positions": ("learned", "relative", "rotary"),
    "normalization": ("layer", "rms"),
    "activation": ("gelu", "swiglu"),
}


@dataclasses.dataclass(frozen=True)
class Style:
    """The choices of a GPT's architecture.

    Attributes:
        positions: String, `"rotary"`, `"learned"` or `"relative"`.
        normalization: String, `"rms"` or `"layer"`.
        activation: String, `"swiglu"` or `"gelu"`.
        tied_embeddings: Boolean, whether the logits are products with the
            embeddings of the tokens.
        qk_norm: Boolean, whether queries and keys are normalised.
        use_bias: Boolean, whether products have biases.

    Raises:
        ValueError: If a choice is not known.

    Example:
        >>> get_style("gpt2", activation="swiglu").activation
        'swiglu'
    """

    positions: str
    normalization: str
    activation: str
    tied_embeddings: bool
    qk_norm: bool
    use_bias: bool

    def __post_init__(self):
        for name, known in _KNOWN.items():
            check_choice(name, getattr(self, name), known)

    def intermediate_dim(self, hidden_dim):
        """The width inside the perceptrons, if it is not given.

        Two matrices are 4 times as wide as a token's vector. SwiGLU has three
        matrices: 8/3 of the width is as many weights. It is rounded up to a
        multiple of 32.

        Args:
            hidden_dim: Integer, the width of a token's vector.

        Returns:
            Integer.
        """
        if self.activation == "gelu":
            return 4 * hidden_dim
        return 32 * math.ceil(8 * hidden_dim / (3 * 32))


STYLES = {
    "modern": Style(
        positions="rotary",
        normalization="rms",
        activation="swiglu",
        tied_embeddings=False,
        qk_norm=True,
        use_bias=False,
    ),
    "gpt2": Style(
        positions="learned",
        normalization="layer",
        activation="gelu",
        tied_embeddings=True,
        qk_norm=False,
        use_bias=True,
    ),
}


def get_style(name, **choices):
    """Looks up a style, and changes some of its choices.

    Args:
        name: String, `"modern"` or `"gpt2"`.
        **choices: Attributes of `Style`; `None` for the style's own.

    Returns:
        `Style`.

    Raises:
        ValueError: If the style or a choice is not known.
    """
    check_choice("style", name, STYLES)
    made = {key: each for key, each in choices.items() if each is not None}
    return dataclasses.replace(STYLES[name], **made)
