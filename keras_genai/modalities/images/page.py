"""The part of a page that shows a model of images."""

import gradio as gr
import numpy as np

from keras_genai.demo.checks import check_number
from keras_genai.demo.drawing import fit_picture
from keras_genai.demo.events import guard, new_file, read_sheet
from keras_genai.demo.served import check_seed
from keras_genai.modalities.images.latents import LatentSpace
from keras_genai.modalities.images.served import MAX_SAMPLES
from keras_genai.plotting import image_grid, write_gif

_ANY = "any"
_OFFSET = 3.0  # standard deviations
_WALK = 10  # images between two samples
_COMPLETIONS = 4
_SHEET = 280  # pixels


def build_images(model, events):
    """Builds the part, inside the `gr.Blocks` that is being built.

    Args:
        model: `ServedImages`.
        events: `Events`.

    Returns:
        List of triples for the opening of the page: a function, its inputs and
        its outputs.
    """
    openings = []
    with gr.Tabs():
        with gr.Tab("Samples"):
            openings.append(_build_samples(model, events))
        if model.has("decode"):
            space = LatentSpace(model)
            with gr.Tab("Directions"):
                openings.append(_build_directions(model, events, space))
            with gr.Tab("Between two"):
                openings.append(_build_between(model, events, space))
        if model.has("encode") and model.has("reconstruct"):
            with gr.Tab("Draw"):
                _build_drawing(model, events)
        if model.has("complete"):
            with gr.Tab("Complete"):
                _build_completion(model, events)
    return openings


def _build_samples(model, events):
    def generate(num_samples, seed, label=None):
        label = None if label == _ANY else label
        return _pictures(model.generate(num_samples, seed, label), 112)

    with gr.Row():
        with gr.Column(scale=1):
            count = gr.Slider(
                *(1, MAX_SAMPLES), value=16, step=1, label="number of samples"
            )
            seed = _seed()
            labels = _labels(model, "generate_labels", any_label=True)
            button = gr.Button("Generate", variant="primary")
        with gr.Column(scale=3):
            gallery = gr.Gallery(
                label="samples",
                show_label=False,
                columns=8,
                format="png",
                buttons=["download"],
                elem_classes="pixels",
            )
    inputs, outputs = [count, seed, *labels], [gallery]
    events.bind(button.click, generate, inputs, outputs, api_name="generate")
    return generate, inputs, outputs


def _build_directions(model, events, space):
    def walk(seed, *label_and_offsets):
        label = label_and_offsets[0] if labels else None
        offsets = [
            check_number(f"direction {index + 1}", offset, -_OFFSET, _OFFSET)
            for index, offset in enumerate(label_and_offsets[len(labels) :])
        ]
        return _picture(space.walk(check_seed(seed), offsets, label), 336)

    gr.Markdown(
        "A sample, moved along the directions in which the model's images "
        "change most; in standard deviations of its codes."
    )
    with gr.Row():
        with gr.Column(scale=2):
            seed = _seed()
            labels = _labels(model, "decode")
            sliders = [
                gr.Slider(
                    *(-_OFFSET, _OFFSET),
                    value=0,
                    step=0.1,
                    label=f"direction {index + 1}",
                )
                for index in range(len(space.directions))
            ]
            button = gr.Button("Back to the sample")
        with gr.Column(scale=1):
            image = _image("image")
    inputs, outputs = [seed, *labels, *sliders], [image]
    for slider in sliders:
        events.bind(slider.release, walk, inputs, outputs)
    for control in (seed, *labels):
        events.bind(control.change, walk, inputs, outputs)
    # Only the first has the name: the HTTP API has one `walk` in all.
    back = button.click(
        lambda: [0] * len(sliders), None, sliders, api_visibility="private"
    )
    events.bind(back.then, walk, inputs, outputs, api_name="walk")
    return walk, inputs, outputs


def _build_between(model, events, space):
    def between(seed, other_seed, label=None):
        images = space.between(
            check_seed(seed), check_seed(other_seed), _WALK, label
        )
        path = new_file(moving, "between.gif")
        zoom = _zoom(images[0], 224)
        # Forward and backward.
        write_gif([*images, *images[::-1]], path, seconds=3.0, zoom=zoom)
        return _strip(images), str(path)

    with gr.Row():
        with gr.Column(scale=1):
            first = _seed("seed of the first")
            last = _seed("seed of the last", value=1)
            labels = _labels(model, "decode")
            button = gr.Button("Interpolate", variant="primary")
        with gr.Column(scale=3):
            strip = _image("strip", show_label=False)
            moving = _image("moving", format="gif", height=280)
    inputs, outputs = [first, last, *labels], [strip, moving]
    events.bind(button.click, between, inputs, outputs, "interpolate")
    return between, inputs, outputs


def _build_drawing(model, events):
    cleans = model.has("denoise")

    def reconstruct(drawing, noise, seed, label=None):
        noise, seed = check_number("noise", noise, 0, 1), check_seed(seed)
        image = _drawn(sheet, drawing, model)
        if image is None:
            raise ValueError("Expected a drawing. Received: an empty sheet")
        draws = np.random.default_rng(seed).normal(size=image.shape)
        noisy = np.clip(image + noise * draws, 0, 1).astype("float32")
        (again,) = model.reconstruct(noisy[None], label)
        (code,) = model.encode(noisy[None], label)
        return (
            *(_picture(each, 224) for each in (image, noisy, again)),
            " ".join(f"{number:.2f}" for number in code),
        )

    with gr.Row():
        with gr.Column(scale=1):
            sheet = _sheet(model)
            noise = gr.Slider(
                *(0, 1), value=0.3 if cleans else 0.0, step=0.05, label="noise"
            )
            seed = _seed("seed of the noise")
            labels = _labels(model, "reconstruct")
            button = gr.Button(
                "Clean" if cleans else "Reconstruct", variant="primary"
            )
        with gr.Column(scale=2):
            with gr.Row():
                shown = [
                    _image(label) for label in ("drawn", "with noise", "result")
                ]
            code = gr.Textbox(label="its code", lines=2)
    events.bind(
        button.click,
        reconstruct,
        [sheet, noise, seed, *labels],
        [*shown, code],
        api_name="reconstruct",
    )


def _build_completion(model, events):
    def complete(drawing, seed, label=None):
        image = _drawn(sheet, drawing, model)
        if image is None:
            (image,) = model.generate(1, seed, label)
        known = np.zeros(image.shape, bool)
        known[: len(image) // 2] = True
        images = np.repeat(image[None], _COMPLETIONS, axis=0)
        images = np.where(known, images, 0.0)
        known = np.broadcast_to(known, images.shape)
        made = model.complete(images, known, seed, label)
        return _strip([image, images[0], *made])

    gr.Markdown(
        "The model gets the upper half of a drawing, or of a sample if "
        "the sheet is empty, and draws the lower half."
    )
    with gr.Row():
        with gr.Column(scale=1):
            sheet = _sheet(model)
            seed = _seed()
            labels = _labels(model, "complete")
            button = gr.Button("Complete", variant="primary")
        with gr.Column(scale=2):
            gr.Markdown("The image, the given half, and completions:")
            strip = _image("strip", show_label=False)
    events.bind(
        button.click, complete, [sheet, seed, *labels], [strip], "complete"
    )


# --- Controls ----------------------------------------------------------------


def _seed(label="seed", value=0):
    return gr.Number(value, label=label, precision=0, minimum=0)


def _labels(model, signature, any_label=False):
    """A list with one control if a signature takes labels, else empty."""
    if not model.takes_labels(signature):
        return []
    classes = [(str(label), label) for label in range(model.num_classes)]
    if any_label:
        classes.insert(0, (_ANY, _ANY))
    return [gr.Dropdown(classes, value=classes[0][1], label="label")]


def _image(label, format="png", **looks):
    return gr.Image(
        label=label,
        format=format,
        interactive=False,
        buttons=["download"],
        elem_classes="pixels",
        **looks,
    )


def _sheet(model):
    photo = model.image_shape[-1] == 3
    blank = np.full((_SHEET, _SHEET, 3), 255, "uint8")
    sheet = gr.ImageEditor(
        # Start with the brush, ready to draw.
        {"background": blank, "layers": [], "composite": blank},
        label="a picture" if photo else "draw here",
        sources=("upload",) if photo else (),
        brush=gr.Brush(default_size=18, colors=["#000000"], color_mode="fixed"),
        canvas_size=(_SHEET, _SHEET),
        fixed_canvas=True,
        layers=False,
        transforms=(),
        buttons=[],
        format="png",
        height=380,
    )
    return guard(sheet)


def _drawn(sheet, drawing, model):
    picture = read_sheet(sheet, drawing)
    if picture is None:
        return None
    return fit_picture(picture, model.image_shape)


# --- Pictures ----------------------------------------------------------------


def _picture(image, side):
    """An image in [0, 1] as bytes, with pixels large enough to be seen."""
    return image_grid(image[None], padding=0, zoom=_zoom(image, side))


def _pictures(images, side):
    return [_picture(image, side) for image in images]


def _strip(images):
    zoom = _zoom(images[0], 112)
    return image_grid(np.stack(images), columns=len(images), zoom=zoom)


def _zoom(image, side):
    return max(1, side // image.shape[0])
