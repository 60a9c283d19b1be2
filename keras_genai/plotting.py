"""Arrays -> pictures."""

import io
import math
import os

import numpy as np


def image_grid(images, columns=None, padding=2, zoom=1):
    """Lays images out side by side in one.

    Args:
        images: Array `(count, height, width, channels)`, float in [0, 1] or
            uint8.
        columns: Integer, or `None` for a grid as square as can be.
        padding: Integer >= 0, white pixels around each image.
        zoom: Integer >= 1, how often each pixel is repeated each way.

    Returns:
        uint8 array `(grid_height, grid_width, 3)`.

    Raises:
        ValueError: If there are no images, or not of that form.

    Example:
        >>> image_grid(np.zeros((4, 8, 8, 1)), padding=1).shape
        (19, 19, 3)
    """
    images = np.asarray(images)
    if images.ndim != 4 or len(images) == 0 or images.shape[-1] not in (1, 3):
        raise ValueError(
            "Expected images (count, height, width, channels) with 1 or 3 "
            f"channels. Received: shape {images.shape}"
        )
    if images.dtype != np.uint8:
        images = np.round(np.clip(images, 0, 1) * 255).astype("uint8")
    count, height, width, _ = images.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    images = images.repeat(zoom, axis=1).repeat(zoom, axis=2)
    tall, wide = height * zoom + padding, width * zoom + padding
    grid = np.full(
        (rows * tall + padding, columns * wide + padding, 3), 255, "uint8"
    )
    for index, image in enumerate(images):
        top = padding + index // columns * tall
        left = padding + index % columns * wide
        grid[top : top + height * zoom, left : left + width * zoom] = image
    return grid


def plot_images(images, titles=None, columns=None):
    """Draws images on a grid.

    Args:
        images: Array `(count, height, width, channels)`, float in [0, 1] or
            uint8.
        titles: Strings, one an image, or `None`.
        columns: Integer, or `None` for a grid as square as can be.

    Returns:
        matplotlib `Figure`, which a notebook shows.

    Raises:
        ValueError: As `image_grid`.
    """
    images = np.asarray(images)
    if titles is None:
        grid = image_grid(images, columns)
        height, width = (side / 60 for side in grid.shape[:2])
        figure = _figure(width, height)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.imshow(grid, interpolation="nearest")
        axes.axis("off")
        return figure
    columns = columns or math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    figure = _figure(1.5 * columns, 1.75 * rows)
    for index, (image, title) in enumerate(zip(images, titles, strict=True)):
        axes = figure.add_subplot(rows, columns, index + 1)
        axes.imshow(image_grid(image[None], padding=0))
        axes.set_title(title, fontsize=9)
        axes.axis("off")
    return figure


def plot_history(history):
    """Draws what `fit` reported, epoch by epoch.

    Numbers of one unit share a panel: losses, accuracies, decibels. A name
    with `val_` is drawn dashed in the colour of its training curve.

    Args:
        history: Dictionary: name -> values, one an epoch, as
            `keras.callbacks.History.history`. `"epoch"`, where there is one,
            numbers them from 0.

    Returns:
        matplotlib `Figure`, which a notebook shows.

    Raises:
        ValueError: If there is nothing to draw.
    """
    history = dict(history)
    length = max((len(values) for values in history.values()), default=0)
    epochs = [1 + epoch for epoch in history.pop("epoch", range(length))]
    panels = {}
    for name in history:
        panels.setdefault(_unit(name), []).append(name)
    if not epochs or not panels:
        raise ValueError(
            f"Expected at least one epoch. Received: history={history}"
        )
    figure = _figure(5 * len(panels), 3.4)
    for index, unit in enumerate(sorted(panels, reverse=True)):
        axes = figure.add_subplot(1, len(panels), index + 1)
        curves = sorted({name.removeprefix("val_") for name in panels[unit]})
        for colour, name in enumerate(curves):
            for key, style in ((name, "-"), (f"val_{name}", "--")):
                if key in history:
                    axes.plot(
                        epochs,
                        history[key],
                        style,
                        color=f"C{colour}",
                        label=key,
                        marker="." if len(epochs) == 1 else None,
                    )
        axes.set_xlabel("epoch")
        axes.set_ylabel(unit)
        if unit == "accuracy":
            axes.set_ylim(-0.02, 1.02)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.tight_layout()
    return figure


def plot_comparison(histories):
    """Draws the histories of several runs over each other.

    Each number has a panel, and each run a colour; what was validated is
    dashed.

    Args:
        histories: Dictionary: name of the run -> history, as `plot_history`
            takes it. A run may lack what others have, or have nothing.

    Returns:
        matplotlib `Figure`, which a notebook shows.

    Raises:
        ValueError: If there is nothing to draw.

    Example:
        >>> figure = plot_comparison(
        ...     {"one": {"loss": [2, 1]}, "other": {"loss": [3], "psnr": [9]}}
        ... )
    """
    names = list(
        dict.fromkeys(
            name.removeprefix("val_")
            for history in histories.values()
            for name, values in history.items()
            if name != "epoch" and len(values)
        )
    )
    if not names:
        raise ValueError(
            f"Expected at least one epoch. Received: histories={histories}"
        )
    columns = min(4, len(names))
    rows = math.ceil(len(names) / columns)
    header = 0.2 + 0.2 * math.ceil((1 + len(histories)) / 5)  # inches
    figure = _figure(3.6 * columns, 2.8 * rows + header)
    for index, name in enumerate(names):
        axes = figure.add_subplot(rows, columns, index + 1)
        for colour, history in enumerate(histories.values()):
            for key, style in ((name, "-"), (f"val_{name}", "--")):
                values = history.get(key, ())
                epochs = history.get("epoch", range(len(values)))
                axes.plot(
                    [1 + epoch for epoch in epochs][: len(values)],
                    values,
                    style,
                    color=f"C{colour}",
                    marker="." if len(values) == 1 else None,
                )
        axes.set_title(name.replace("_", " "), fontsize=9)
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_ylabel(_unit(name))
        axes.grid(alpha=0.3)
    figure.tight_layout(rect=(0, 0, 1, 1 - header / figure.get_figheight()))
    # Beside the panels, where it hides no curve, and with a line for a run
    # that has none.
    lines = [
        axes.plot([], color=f"C{colour}")[0] for colour in range(len(histories))
    ]
    lines += axes.plot([], "k--")
    labels = [*histories, "validation"]
    figure.legend(lines, labels, loc="upper center", ncols=5, fontsize=8)
    return figure


def plot_rows(rows):
    """Draws rows of images under each other, each with its name.

    Originals over their corrupted form over what came back, for instance.

    Args:
        rows: Dictionary: name -> array `(count, height, width, channels)`,
            float in [0, 1] or uint8, of one count.

    Returns:
        matplotlib `Figure`, which a notebook shows.

    Raises:
        ValueError: As `image_grid`.

    Example:
        >>> images = np.zeros((4, 8, 8, 1))
        >>> figure = plot_rows({"original": images, "again": images})
    """
    figure = None
    for index, (name, images) in enumerate(rows.items()):
        grid = image_grid(images, columns=len(images))
        height, width = grid.shape[:2]
        if figure is None:
            margin = 0.5 + 0.08 * max(map(len, rows))  # for the names
            figure = _figure(width / 60 + margin, len(rows) * height / 60)
        axes = figure.add_subplot(len(rows), 1, index + 1)
        axes.imshow(grid, interpolation="nearest")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_frame_on(False)
        axes.set_ylabel(
            name, rotation=0, horizontalalignment="right", fontsize=9
        )
    figure.tight_layout(pad=0.3)
    return figure


def plot_codes(codes, labels, class_names=None):
    """Draws codes of two numbers as points, coloured by class.

    Args:
        codes: Float array `(count, 2)`.
        labels: Integer array `(count,)`.
        class_names: Strings, one a class, or `None` for their numbers.

    Returns:
        matplotlib `Figure`, which a notebook shows.

    Raises:
        ValueError: If the codes are not pairs, one a label.

    Example:
        >>> figure = plot_codes(np.zeros((3, 2)), [0, 1, 1])
    """
    codes, labels = np.asarray(codes), np.asarray(labels)
    if codes.ndim != 2 or codes.shape[1] != 2 or len(codes) != len(labels):
        raise ValueError(
            "Expected codes (count, 2) and as many labels. Received: codes "
            f"of shape {codes.shape}, {len(labels)} labels"
        )
    figure = _figure(5.5, 4.8)
    axes = figure.add_subplot()
    for label in np.unique(labels):
        chosen = codes[labels == label]
        axes.scatter(
            *chosen.T,
            s=6,
            color=f"C{label}" if label < 10 else None,
            alpha=0.6,
            label=str(class_names[label] if class_names else label),
        )
    axes.set_xlabel("first latent")
    axes.set_ylabel("second latent")
    axes.set_aspect("equal", adjustable="datalim")
    axes.legend(
        fontsize=8, markerscale=2, loc="center left", bbox_to_anchor=(1, 0.5)
    )
    figure.tight_layout()
    return figure


def plot_curves(x, curves, xlabel, ylabel):
    """Draws several curves over one axis.

    Args:
        x: Float array `(count,)`.
        curves: Dictionary: name -> float array `(count,)`.
        xlabel: String.
        ylabel: String, with its unit.

    Returns:
        matplotlib `Figure`, which a notebook shows.

    Example:
        >>> figure = plot_curves([0, 1], {"line": [0, 2]}, "x", "nats")
    """
    figure = _figure(5, 3.4)
    axes = figure.add_subplot()
    for name, values in curves.items():
        axes.plot(x, values, label=name)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.tight_layout()
    return figure


def plot_tokens(matrices, tokens, titles=None, columns=4):
    """Draws what tokens have to do with tokens: a square of shades each.

    Where each looks (`GPT.attention_maps`), or what follows it
    (`MarkovChain.transition_matrix`): rows are the tokens asked about, and
    darker is more.

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
    figure = _figure(side * columns + 0.4, (side + 0.3) * rows + 0.2)
    # White space would leave no mark beside its row.
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


def plot_evaluation(measures, class_shares, class_names, samples, nearest=None):
    """Draws what was measured of samples, and some of them.

    Each measure is a bar with its interval; a dashed line is the floor, what
    real images get. Below are samples, with their nearest training images
    under them.

    Args:
        measures: `Measure`s, of `evaluate_samples`.
        class_shares: Dictionary: name -> shares of the classes; may be empty.
        class_names: Strings, one a class, or empty for their numbers.
        samples: Array `(count, height, width, channels)`, float in [0, 1] or
            uint8.
        nearest: Array like `samples`, or `None`.

    Returns:
        matplotlib `Figure`, which a notebook shows.
    """
    columns = 4
    panels = math.ceil((len(measures) + bool(class_shares)) / columns)
    figure = _figure(10, 1.7 * panels + 2.2)
    grid = figure.add_gridspec(
        panels + 1, columns, height_ratios=[1] * panels + [1.3]
    )
    for index, measure in enumerate(measures):
        axes = figure.add_subplot(grid[divmod(index, columns)])
        axes.barh(0, measure.value, 0.5, color="C0")
        if measure.low is not None:
            axes.plot([measure.low, measure.high], [0, 0], "k|-", markersize=8)
        if measure.floor is not None:
            axes.axvline(measure.floor, color="C3", linestyle="--")
        axes.axvline(0, color="0.6", linewidth=0.8)
        if measure.name.endswith("share"):
            axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.5, 0.5)
        axes.set_yticks([])
        axes.tick_params(labelsize=8)
        title = measure.name.replace("_", " ").replace("frechet", "Fréchet")
        if measure.better:
            title += f" ({measure.better} is better)"
        axes.set_title(title, fontsize=7)
    if class_shares:
        axes = figure.add_subplot(grid[divmod(len(measures), columns)])
        width = 0.8 / len(class_shares)
        for index, (name, shares) in enumerate(class_shares.items()):
            places = np.arange(len(shares)) + index * width
            color = "C0" if index == 0 else "0.7"
            axes.bar(places, shares, width, color=color, label=name)
        if len(class_names) in range(1, 11):
            axes.set_xticks(range(len(class_names)), class_names)
        axes.tick_params(labelsize=6)
        axes.set_title("shares of the classes", fontsize=7)
        axes.set_ylim(top=1.4 * max(map(max, class_shares.values())))
        axes.legend(fontsize=6, loc="upper center", ncols=2, frameon=False)
    rows = [("samples", samples), ("nearest", nearest)]
    below = grid[panels, :].subgridspec(2, 1, hspace=0.1)
    for index, (name, images) in enumerate(rows):
        if images is None:
            continue
        axes = figure.add_subplot(below[index])
        axes.imshow(
            image_grid(images, columns=len(images)), interpolation="nearest"
        )
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_frame_on(False)
        axes.set_ylabel(
            name, rotation=0, horizontalalignment="right", fontsize=8
        )
    figure.tight_layout()
    return figure


def write_gif(pictures, path, seconds=6.0, zoom=1):
    """Makes a GIF of pictures, which rests on the last one.

    Args:
        pictures: Paths of pictures of one size, in order, or arrays `(height,
            width, channels)`, float in [0, 1] or uint8; at least one.
        path: Path of the GIF to write.
        seconds: Float, how long the pictures before the last take together.
        zoom: Integer >= 1, how often each pixel of an array is repeated.

    Raises:
        ValueError: If there are no pictures.
    """
    from PIL import Image

    if len(pictures) == 0:
        raise ValueError(f"Expected pictures. Received: {pictures=}")
    frames = [
        Image.open(picture)
        if isinstance(picture, (str, os.PathLike))
        else Image.fromarray(image_grid(picture[None], padding=0, zoom=zoom))
        for picture in pictures
    ]
    # Colours of their own: the default palette has six shades of grey.
    frames = [
        frame.convert("P", palette=Image.Palette.ADAPTIVE) for frame in frames
    ]
    each = max(40, round(1000 * seconds / len(frames)))
    frames[0].save(
        path,
        save_all=True,
        append_images=frames[1:],
        duration=[each] * (len(frames) - 1) + [2000],
        loop=0,
    )


# What a name ends in -> the unit of its panel; all others are losses.
_UNITS = {
    "accuracy": "accuracy",
    "psnr": "PSNR (dB)",
    "active_units": "active units",
    "perplexity": "perplexity",
    "bits_per_character": "bits a character",
}


def _unit(name):
    for ending, unit in _UNITS.items():
        if name.endswith(ending):
            return unit
    return "loss (nats)"


def _figure(width, height):
    from matplotlib.figure import Figure

    class Picture(Figure):
        # Shown by a notebook as the value of a cell, whatever the backend.
        def _repr_png_(self):
            buffer = io.BytesIO()
            self.savefig(buffer, format="png", bbox_inches="tight")
            return buffer.getvalue()

    return Picture(figsize=(width, height), dpi=100)
