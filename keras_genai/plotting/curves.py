"""Numbers -> curves."""

import math

from keras_genai.plotting.figures import new_figure

# The end of a name -> the unit of its panel; all others are losses.
_UNITS = {
    "accuracy": "accuracy",
    "psnr": "PSNR (dB)",
    "active_units": "active units",
    "perplexity": "perplexity",
    "bits_per_character": "bits a character",
    "nats_per_step": "nats a step",
}


def plot_history(history):
    """Draws the history of `fit`, epoch by epoch.

    Numbers of one unit share a panel: losses, accuracies, decibels. A name
    with `val_` is drawn dashed in the colour of its training curve.

    Args:
        history: Dictionary: name -> values, one an epoch, as
            `keras.callbacks.History.history`. `"epoch"`, if present, numbers
            them from 0.

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
    figure = new_figure(5 * len(panels), 3.4)
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

    Each number has a panel, and each run a colour; validation curves are
    dashed.

    Args:
        histories: Dictionary: name of the run -> history, as `plot_history`
            takes it. A run may lack some or all numbers of the others.

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
    figure = new_figure(3.6 * columns, 2.8 * rows + header)
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
    # Outside of the panels, so that it hides no curve, and with a line for a
    # run without curves.
    lines = [
        axes.plot([], color=f"C{colour}")[0] for colour in range(len(histories))
    ]
    lines += axes.plot([], "k--")
    labels = [*histories, "validation"]
    figure.legend(lines, labels, loc="upper center", ncols=5, fontsize=8)
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
    figure = new_figure(5, 3.4)
    axes = figure.add_subplot()
    for name, values in curves.items():
        axes.plot(x, values, label=name)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.tight_layout()
    return figure


def _unit(name):
    for ending, unit in _UNITS.items():
        if name.endswith(ending):
            return unit
    return "loss (nats)"
