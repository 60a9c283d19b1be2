"""The part of a page that shows a model of text."""

import gradio as gr

from keras_genai.demo.controls import choice_controls
from keras_genai.modalities.text.served import (
    MAX_NEW_TOKENS,
    MAX_PROMPT,
    MAX_SCORED,
)


def build_text(model, events):
    """Builds the part, inside the `gr.Blocks` that is being built.

    Args:
        model: `ServedText`.
        events: `Events`.

    Returns:
        Empty list: no function runs when the page is opened.
    """
    with gr.Row():
        with gr.Column(scale=1):
            prompt = gr.Textbox(
                "The ", label="prompt", lines=3, max_length=MAX_PROMPT
            )
            count = gr.Slider(
                *(1, MAX_NEW_TOKENS), value=200, step=1, label="new tokens"
            )
            choice = choice_controls()
            with gr.Row():
                button = gr.Button("Go on", variant="primary")
                stop = gr.Button("Stop", variant="stop")
        with gr.Column(scale=2):
            made = gr.Textbox(
                label="text", lines=18, max_lines=30, buttons=["copy"]
            )
    going = events.bind(
        button.click,
        model.stream,
        [prompt, count, *choice],
        [made],
        api_name="generate",
    )
    stop.click(None, cancels=[going])
    if "score" in model.signatures:
        _build_score(model, events)
    return []


def _build_score(model, events):
    def score(text):
        return f"{model.score(text):.3f}"

    with gr.Accordion("Bits a character of a text", open=False), gr.Row():
        text = gr.Textbox(label="text", lines=3, max_length=MAX_SCORED, scale=3)
        with gr.Column(scale=1):
            bits = gr.Textbox(label="bits a character", interactive=False)
            button = gr.Button("Score")
    events.bind(button.click, score, [text], [bits], api_name="score")
