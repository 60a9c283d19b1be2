"""Scores -> piano rolls."""

import math

import numpy as np

from keras_genai.plotting.figures import new_figure

_STEPS_PER_QUARTER = 4
# Colour-blind readers can distinguish them too (Okabe and Ito, 2008); the
# first voice, the highest, has a warm colour.
_COLOURS = ("#D55E00", "#E69F00", "#009E73", "#0072B2", "#CC79A7", "#56B4E9")
_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_BLACK_KEYS = (1, 3, 6, 8, 10)


def plot_piano_roll(
    scores, titles=None, voice_names=None, columns=1, given=None
):
    """Draws scores as bars, pitch against time, a colour a voice.

    A dark edge marks where a note begins, so that repeated notes differ from a
    held one. If voices sing the same note, the lower one shows around the
    upper one. All scores share both axes.

    Args:
        scores: `Score`, a sequence of them, or the `Scores` of a split. A
            score is any object with `pitches()`, the MIDI pitches `(steps,
            voices)` of each sixteenth step, negative where a voice is silent,
            and `onsets()`, booleans of that shape, `True` where notes begin.
        titles: Strings, one a score, or `None`.
        voice_names: Strings, one a voice, or `None` for their numbers.
        columns: Integer >= 1, scores side by side. Defaults to `1`.
        given: The part that was given to the model, drawn pale and hatched: a
            sequence of voices, counted from 0, or a boolean array `(steps,
            voices)` for each score. Defaults to `None`.

    Returns:
        matplotlib `Figure`, which a notebook shows.

    Raises:
        ValueError: If there are no scores, if one of them is not a score, if
            the number of titles or names is wrong, or if `given` does not fit.

    Example:
        >>> import types
        >>> pitches = np.array([[72, 64], [72, 62]])
        >>> score = types.SimpleNamespace(
        ...     pitches=lambda: pitches, onsets=lambda: pitches < 72
        ... )
        >>> figure = plot_piano_roll(score, voice_names=["alto", "bass"])
    """
    scores = getattr(scores, "scores", scores)  # of a split
    scores = [scores] if hasattr(scores, "pitches") else list(scores)
    if not scores or columns < 1:
        raise ValueError(
            "Expected at least one score and one column. "
            f"Received: {len(scores)} scores, columns={columns}"
        )
    for score in scores:
        if not hasattr(score, "pitches"):
            raise ValueError(
                "Expected scores, which have `pitches()` and `onsets()`. "
                f"Received: {type(score).__name__}"
            )
    if titles is not None and len(titles) != len(scores):
        raise ValueError(
            f"Expected a title for each score. Received: {len(titles)} titles, "
            f"{len(scores)} scores"
        )
    pitches = [np.asarray(score.pitches(), "int64") for score in scores]
    num_voices = max(each.shape[1] for each in pitches)
    if voice_names is None:
        voice_names = [f"voice {voice + 1}" for voice in range(num_voices)]
    if len(voice_names) != num_voices:
        raise ValueError(
            f"Expected {num_voices} voice names. "
            f"Received: voice_names={voice_names}"
        )
    masks = [_mask(given, each.shape) for each in pitches]

    sounding = np.concatenate([each[each >= 0] for each in pitches])
    if not len(sounding):
        sounding = np.array([60, 72])
    low, high = sounding.min() - 1, sounding.max() + 1
    quarters = max(map(len, pitches)) / _STEPS_PER_QUARTER
    columns = min(columns, len(scores))
    rows = math.ceil(len(scores) / columns)
    header = 0.2  # inches
    width = min(max(0.3 * quarters + 0.6, 4), 11 / min(columns, 2))
    height = max(0.1 * (high - low + 1), 1) + 0.75
    figure = new_figure(width * columns, height * rows + header)
    for index, score in enumerate(scores):
        axes = figure.add_subplot(rows, columns, index + 1)
        _draw_keys(axes, low, high, quarters)
        _draw_notes(axes, pitches[index], score.onsets(), masks[index])
        if index % columns == 0:
            axes.set_ylabel("pitch", fontsize=9)
        if index + columns >= len(scores):
            axes.set_xlabel("time (quarters)", fontsize=9)
        if titles is not None:
            axes.set_title(titles[index], fontsize=9, loc="left")
    figure.tight_layout(rect=(0, 0, 1, 1 - header / figure.get_figheight()))
    _draw_legend(figure, voice_names, any(mask.any() for mask in masks))
    return figure


def _mask(given, shape):
    # (steps, voices), True where the score was given
    mask = np.zeros(shape, bool)
    given = np.asarray(() if given is None else given)
    if given.dtype == bool and given.shape == shape:
        return given
    voices = given.ndim == 1 and np.issubdtype(given.dtype, np.integer)
    if given.size and not (
        voices and 0 <= given.min() <= given.max() < shape[1]
    ):
        raise ValueError(
            f"Expected `given` as voices in [0, {shape[1]}), or as booleans "
            f"of shape {shape}. Received: "
            + (
                f"given={given.tolist()}"
                if voices
                else f"given of shape {given.shape}, dtype {given.dtype}"
            )
        )
    mask[:, given.astype("int64")] = True
    return mask


def _draw_keys(axes, low, high, quarters):
    # The black keys are grey rows, as in music programs.
    for pitch in range(low, high + 1):
        if pitch % 12 in _BLACK_KEYS:
            axes.axhspan(pitch - 0.5, pitch + 0.5, color="0.955", zorder=0)
    bar = 4 * max(1, math.ceil(quarters / 100))
    for quarter in range(0, math.ceil(quarters) + 1, 4):
        axes.axvline(quarter, color="0.8", linewidth=0.7, zorder=1)
    axes.set_xticks(range(0, math.ceil(quarters) + 1, bar))
    marked = [p for p in range(low, high + 1) if p % 12 in (0, 4, 7)]
    axes.set_yticks(marked, [_note_name(pitch) for pitch in marked])
    axes.tick_params(labelsize=7, length=2)
    axes.set_xlim(0, quarters)
    axes.set_ylim(low - 0.5, high + 0.5)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _draw_notes(axes, pitches, onsets, mask):
    steps, num_voices = pitches.shape
    # The upper voices last, over the lower ones.
    for voice in reversed(range(num_voices)):
        pitch, begins = pitches[:, voice], np.asarray(onsets)[:, voice]
        # Thinner where lower voices sing the same.
        below = (pitches[:, voice + 1 :] == pitch[:, None]).sum(axis=1)
        height = 0.86 * 0.5**below
        # A bar lasts as long as the note, and as long as its style is the
        # same.
        state = np.column_stack([pitch, below, mask[:, voice]])
        changes = begins.copy()
        changes[0] = True
        changes[1:] |= (state[1:] != state[:-1]).any(axis=1)
        starts = np.flatnonzero(changes)
        lengths = np.diff(starts, append=steps)
        colour = _COLOURS[voice % len(_COLOURS)]
        for there in (False, True):
            chosen = (pitch[starts] >= 0) & (mask[starts, voice] == there)
            axes.barh(
                pitch[starts[chosen]],
                lengths[chosen] / _STEPS_PER_QUARTER,
                height[starts[chosen]],
                starts[chosen] / _STEPS_PER_QUARTER,
                zorder=2,
                **_look(colour, there),
            )
        begun = np.flatnonzero(begins)
        axes.vlines(
            begun / _STEPS_PER_QUARTER,
            pitch[begun] - height[begun] / 2,
            pitch[begun] + height[begun] / 2,
            color=_mixed(colour, "black", 0.5),
            linewidth=1.6,
            zorder=3,
        )


def _look(colour, given):
    if not given:
        return {"color": colour, "linewidth": 0}
    return {
        "facecolor": _mixed(colour, "white", 0.75),
        "edgecolor": colour,
        "hatch": "/////",
        "linewidth": 0.4,
    }


def _mixed(colour, other, share):
    from matplotlib.colors import to_rgb

    return tuple(
        (1 - share) * np.array(to_rgb(colour)) + share * np.array(to_rgb(other))
    )


def _draw_legend(figure, voice_names, given):
    from matplotlib.patches import Patch

    marks = [
        Patch(label=name, **_look(_COLOURS[voice % len(_COLOURS)], False))
        for voice, name in enumerate(voice_names)
    ]
    if given:
        marks.append(Patch(label="given", **_look("0.4", True)))
    figure.legend(
        handles=marks,
        loc="upper center",
        ncols=8,
        fontsize=8,
        frameon=False,
        handlelength=1.2,
        handleheight=0.8,
    )


def _note_name(pitch):
    return f"{_NAMES[pitch % 12]}{pitch // 12 - 1}"
