"""Controls that several parts of a page share."""

import gradio as gr


def choice_controls():
    """The controls for drawing a token.

    Returns:
        List of components: temperature, top-k, top-p and the seed.
    """
    return [
        gr.Slider(0, 2, value=1.0, step=0.05, label="temperature"),
        gr.Slider(
            *(0, 100), value=0, step=1, label="top-k", info="0: of all tokens"
        ),
        gr.Slider(0.05, 1, value=1.0, step=0.05, label="top-p"),
        gr.Number(0, label="seed", precision=0, minimum=0),
    ]
