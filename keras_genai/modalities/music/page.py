"""The part of a page that shows a model of music."""

import gradio as gr

from keras_genai.data.music import read_midi, synthesize
from keras_genai.data.music.sound import SAMPLE_RATE
from keras_genai.demo.controls import choice_controls
from keras_genai.demo.events import new_file
from keras_genai.extras import how_to_install
from keras_genai.modalities.music.served import MAX_STEPS
from keras_genai.plotting import plot_piano_roll


def build_music(model, events):
    """Builds the part, inside the `gr.Blocks` that is being built.

    Without the extra `music` it offers MIDI only, and shows a note about it.

    Args:
        model: `ServedMusic`.
        events: `Events`.

    Returns:
        Empty list: no function runs when the page is opened.
    """
    sounds = _can_read_midi()

    def compose(num_steps, temperature, top_k, top_p, seed):
        composed = model.compose(num_steps, temperature, top_k, top_p, seed)
        path = new_file(midi, "composed.mid")
        path.write_bytes(composed)
        if not sounds:
            return (str(path),)
        score = read_midi(path, model.num_voices)
        picture = new_file(roll, "piano_roll.png")
        plot_piano_roll(score).savefig(picture)
        samples = (32767 * synthesize(score)).astype("int16")
        return (SAMPLE_RATE, samples), str(picture), str(path)

    with gr.Row():
        with gr.Column(scale=1):
            steps = gr.Slider(
                *(16, MAX_STEPS),
                value=128,
                step=16,
                label="steps",
                info="sixteenths at most",
            )
            choice = choice_controls()
            button = gr.Button("Compose", variant="primary")
        with gr.Column(scale=2):
            outputs = []
            if sounds:
                roll = gr.Image(
                    label="piano roll",
                    format="png",
                    interactive=False,
                    buttons=["download"],
                )
                outputs = [
                    gr.Audio(label="sound", format="wav", buttons=["download"]),
                    roll,
                ]
            else:
                gr.Markdown(
                    "Sound and piano roll need the extra `music`: "
                    f"{how_to_install('music')}."
                )
            midi = gr.File(label="MIDI")
    events.bind(
        button.click,
        compose,
        [steps, *choice],
        [*outputs, midi],
        api_name="compose",
    )
    return []


def _can_read_midi():
    try:
        import pretty_midi  # noqa: F401
    except ImportError:
        return False
    return True
