"""Measures of samples -> a page."""

import math

import numpy as np

from keras_genai.plotting.figures import new_figure
from keras_genai.plotting.images import image_grid


def plot_evaluation(measures, class_shares, class_names, samples, nearest=None):
    """Draws the measures of samples, and some of the samples.

    Each measure is a bar with its interval; a dashed line is the floor, the
    value of real images. Below are samples, with their nearest training images
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
    figure = new_figure(10, 1.7 * panels + 2.2)
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
