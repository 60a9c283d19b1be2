"""Relations between tokens -> squares of shades."""

import math

import numpy as np

from keras_genai.plotting.figures import new_figure


def plot_tokens(matrices, tokens, titles=None, columns=4):
    """Draws relations between tokens: a square of shades for each matrix.

    For example the attention of each token (`GPT.attention_maps`), or the
    tokens that follow it (`MarkovChain.transition_matrix`). Each row is one
    token, and darker is more.

    Args:
        matrices: Float array `(count, length, length)`, or one matrix.
        tokens: Strings, one a row.
        titles: Strings, one a matrix, or `None`.
        columns: Integer >= 1, matrices side by side. Defaults to `4`.

    Returns:
        matplotlib `Figure`, which a notebook shows.

    Raises:
        ValueError: If the matrices are not square, or not as long as `tokens`.

    Example:
        >>> figure = plot_tokens(np.eye(3), ["a", "b", "c"])
    """
    matrices = np.asarray(matrices)
    shape = matrices.shape
    matrices = matrices.reshape(-1, *shape[-2:])
    if shape[-2:] != (len(tokens), len(tokens)) or not matrices.size:
        raise ValueError(
            f"Expected matrices ({len(tokens)}, {len(tokens)}), a row a token. "
            f"Received: shape {shape}, {len(tokens)} tokens"
        )
    columns = min(columns, len(matrices))
    rows = math.ceil(len(matrices) / columns)
    side = max(1.6, 0.12 * len(tokens))
    figure = new_figure(side * columns + 0.4, (side + 0.3) * rows + 0.2)
    # White space would be invisible as the name of a row.
    marks = [repr(token)[1:-1] if token.strip() else "␣" for token in tokens]
    marks = [
        "↵" if token == "\n" else mark
        for token, mark in zip(tokens, marks, strict=True)
    ]
    for index, matrix in enumerate(matrices):
        axes = figure.add_subplot(rows, columns, index + 1)
        axes.imshow(matrix, cmap="Blues", vmin=0, interpolation="nearest")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_ticks(range(len(tokens)), marks, fontsize=6)
            axis.set_tick_params(length=0, pad=1)
        if titles is not None:
            axes.set_title(titles[index], fontsize=8)
    figure.tight_layout(pad=0.4)
    return figure
