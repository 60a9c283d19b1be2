import gc
import io
import types

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from keras_genai.plotting import (
    image_grid,
    plot_codes,
    plot_curves,
    plot_history,
    plot_images,
    plot_piano_roll,
    plot_rows,
    plot_tokens,
    write_gif,
)


def test_image_grid_places_every_image():
    images = np.arange(1, 6, dtype="uint8").reshape(5, 1, 1, 1)
    images = images.repeat(2, axis=1).repeat(3, axis=2)  # 2 high, 3 wide
    grid = image_grid(images, columns=2, padding=1)
    assert grid.shape == (3 * 3 + 1, 2 * 4 + 1, 3)
    assert grid.dtype == np.uint8
    for index in range(5):
        top, left = 1 + index // 2 * 3, 1 + index % 2 * 4
        cell = grid[top : top + 2, left : left + 3]
        assert (cell == index + 1).all()
    # All else is white: the padding and the place that stays empty.
    assert (grid == 255).sum() == grid.size - 5 * 2 * 3 * 3


@pytest.mark.parametrize(
    "count, rows, columns", [(1, 1, 1), (4, 2, 2), (5, 2, 3)]
)
def test_image_grid_is_as_square_as_can_be(count, rows, columns):
    grid = image_grid(np.zeros((count, 4, 4, 1)), padding=0)
    assert grid.shape == (4 * rows, 4 * columns, 3)


def test_image_grid_zooms_and_keeps_colours():
    image = np.arange(12, dtype="uint8").reshape(1, 2, 2, 3)
    grid = image_grid(image, padding=0, zoom=3)
    np.testing.assert_array_equal(
        grid, image[0].repeat(3, axis=0).repeat(3, axis=1)
    )


def test_image_grid_of_floats_clips_and_rounds():
    images = np.array([-0.5, 0.0, 0.5, 1.0, 1.5]).reshape(5, 1, 1, 1)
    grid = image_grid(images, columns=5, padding=0)
    assert grid[0, :, 0].tolist() == [0, 0, 128, 255, 255]


@pytest.mark.parametrize("shape", [(0, 4, 4, 1), (4, 4, 1), (2, 4, 4, 2)])
def test_image_grid_refuses_other_shapes(shape):
    with pytest.raises(ValueError, match=r"Received: shape \("):
        image_grid(np.zeros(shape))


def test_plot_images_is_a_figure_that_a_notebook_shows():
    figure = plot_images(np.zeros((3, 4, 4, 1)), columns=3)
    assert isinstance(figure, Figure)
    (axes,) = figure.axes
    shown = axes.get_images()[0].get_array()
    np.testing.assert_array_equal(
        shown, image_grid(np.zeros((3, 4, 4, 1)), columns=3)
    )
    with Image.open(io.BytesIO(figure._repr_png_())) as picture:
        assert picture.format == "PNG"


def test_plot_images_with_titles():
    images = np.linspace(0, 1, 3).reshape(3, 1, 1, 1)
    figure = plot_images(images, titles=["a", "b", "c"], columns=2)
    assert [axes.get_title() for axes in figure.axes] == ["a", "b", "c"]
    values = [axes.get_images()[0].get_array() for axes in figure.axes]
    assert [int(value[0, 0, 0]) for value in values] == [0, 128, 255]
    with pytest.raises(ValueError, match="shorter"):
        plot_images(images, titles=["a"])


def test_plot_history_has_a_panel_of_losses_and_one_of_accuracies():
    history = {
        "d_loss": [1.4, 1.3, 1.2],
        "val_d_loss": [1.5, 1.4, 1.3],
        "g_loss": [0.7, 0.8, 0.9],
        "d_real_accuracy": [0.5, 0.6, 0.7],
        "epoch": [0, 1, 2],
    }
    figure = plot_history(history)
    losses, accuracies = figure.axes
    assert losses.get_ylabel() == "loss (nats)"
    assert accuracies.get_ylabel() == "accuracy"
    curves = {line.get_label(): line for line in losses.get_lines()}
    assert set(curves) == {"d_loss", "val_d_loss", "g_loss"}
    assert curves["d_loss"].get_xdata().tolist() == [1, 2, 3]
    assert curves["g_loss"].get_ydata().tolist() == [0.7, 0.8, 0.9]
    assert curves["val_d_loss"].get_linestyle() == "--"
    assert curves["val_d_loss"].get_color() == curves["d_loss"].get_color()
    assert curves["g_loss"].get_color() != curves["d_loss"].get_color()
    (line,) = accuracies.get_lines()
    assert line.get_label() == "d_real_accuracy"
    assert "epoch" in history  # what was handed in is left alone


def test_plot_history_of_one_epoch_shows_points():
    (axes,) = plot_history({"loss": [2.0]}).axes
    assert axes.get_lines()[0].get_marker() == "."


@pytest.mark.parametrize("history", [{}, {"loss": []}, {"epoch": [0]}])
def test_plot_history_refuses_nothing(history):
    with pytest.raises(ValueError, match="at least one epoch"):
        plot_history(history)


def test_rows_carry_their_names_and_pictures():
    images = np.random.default_rng(0).random((4, 6, 5, 1))
    figure = plot_rows({"original": images, "again": images / 2})
    assert [axes.get_ylabel() for axes in figure.axes] == ["original", "again"]
    for axes, shown in zip(figure.axes, (images, images / 2), strict=True):
        np.testing.assert_array_equal(
            axes.images[0].get_array(), image_grid(shown, columns=4)
        )
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_codes_are_points_in_the_colour_of_their_class():
    codes = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    axes = plot_codes(codes, [1, 0, 1], ["cat", "dog"]).axes[0]
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend == ["cat", "dog"]
    points = [np.array(dots.get_offsets()) for dots in axes.collections]
    np.testing.assert_array_equal(points[0], codes[[1]])
    np.testing.assert_array_equal(points[1], codes[[0, 2]])
    for wrong, labels in ((codes[:, :1], [0, 1, 2]), (codes, [0, 1])):
        with pytest.raises(ValueError, match=r"Expected codes \(count, 2\)"):
            plot_codes(wrong, labels)


def test_curves_are_drawn_over_one_axis():
    axes = plot_curves([0, 1], {"a": [1, 2], "b": [3, 4]}, "x", "nats").axes[0]
    drawn = {line.get_label(): list(line.get_ydata()) for line in axes.lines}
    assert drawn == {"a": [1, 2], "b": [3, 4]}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x", "nats")


def test_write_gif_keeps_every_shade_and_rests_on_the_last(tmp_path):
    ramp = np.arange(256, dtype="uint8").reshape(16, 16)
    paths = []
    for turn in range(3):
        paths.append(tmp_path / f"{turn}.png")
        Image.fromarray(np.rot90(ramp, turn)).convert("RGB").save(paths[-1])
    write_gif(paths, tmp_path / "ramp.gif", seconds=0.9)
    gc.collect()  # would warn of files that were left open
    durations = []
    with Image.open(tmp_path / "ramp.gif") as gif:
        assert gif.info["loop"] == 0
        for turn in range(3):
            gif.seek(turn)
            durations.append(gif.info["duration"])
            np.testing.assert_array_equal(
                np.asarray(gif.convert("L")), np.rot90(ramp, turn)
            )
    assert durations == [300, 300, 2000]


def test_write_gif_refuses_nothing(tmp_path):
    with pytest.raises(ValueError, match=r"pictures=\[\]"):
        write_gif([], tmp_path / "none.gif")


def test_write_gif_takes_arrays(tmp_path):
    images = np.stack([np.zeros((2, 3, 1)), np.ones((2, 3, 1))])
    write_gif(images, tmp_path / "blink.gif", zoom=2)
    with Image.open(tmp_path / "blink.gif") as gif:
        assert (gif.n_frames, gif.size) == (2, (6, 4))
        gif.seek(1)
        assert (np.asarray(gif.convert("L")) == 255).all()


def test_history_keeps_units_apart():
    names = ("loss", "val_loss", "psnr", "active_units", "kl_loss")
    figure = plot_history({name: [1.0, 2.0] for name in names})
    panels = {
        axes.get_ylabel(): {line.get_label() for line in axes.lines}
        for axes in figure.axes
    }
    assert panels == {
        "loss (nats)": {"loss", "val_loss", "kl_loss"},
        "PSNR (dB)": {"psnr"},
        "active units": {"active_units"},
    }


def test_plot_tokens_draws_each_matrix_with_its_tokens():
    matrices = np.tril(np.ones((3, 4, 4)))
    tokens = ["a", " ", "\n", "\\"]
    figure = plot_tokens(matrices, tokens, ["one", "two", "three"], columns=2)
    assert [axes.get_title() for axes in figure.axes] == ["one", "two", "three"]
    for axes in figure.axes:
        labels = [label.get_text() for label in axes.get_yticklabels()]
        assert labels == ["a", "␣", "↵", "\\\\"]
        (image,) = axes.get_images()
        np.testing.assert_array_equal(image.get_array(), matrices[0])
    assert len(plot_tokens(matrices[0], tokens).axes) == 1


def test_plot_tokens_refuses_other_matrices():
    for shape in ((3, 4), (2, 3, 4, 3), (4, 4)):
        with pytest.raises(ValueError, match="Expected matrices"):
            plot_tokens(np.zeros(shape), ["a", "b", "c"])


def test_bits_and_perplexity_have_panels_of_their_own():
    names = ("loss", "perplexity", "bits_per_character")
    figure = plot_history({name: [2.0, 1.0] for name in names})
    units = {axes.get_ylabel() for axes in figure.axes}
    assert units == {"loss (nats)", "perplexity", "bits a character"}


def score(events):
    events = np.array(events)
    pitches = events.copy()
    for step in range(1, len(events)):
        held = events[step] == -1
        pitches[step, held] = pitches[step - 1, held]
    return types.SimpleNamespace(
        pitches=lambda: pitches, onsets=lambda: events >= 0
    )


# Soprano: a note held for two steps, and repeated; bass: a note, then silent.
DUET = score([[72, 48], [-1, -1], [72, -2], [74, -1]])


def bars(axes, given=False):
    """(quarter, quarters, pitch, colour), as drawn."""
    return sorted(
        (
            bar.get_x(),
            bar.get_width(),
            round(bar.get_y() + bar.get_height() / 2, 6),
            to_hex(bar.get_edgecolor() if given else bar.get_facecolor()),
        )
        for container in axes.containers
        for bar in container
        if (bar.get_hatch() is not None) == given
    )


def beginnings(axes):
    """(quarter, pitch) of the marks where notes begin."""
    return sorted(
        (segment[0, 0], round(segment[:, 1].mean(), 6))
        for lines in axes.collections
        for segment in lines.get_segments()
    )


def test_piano_roll_draws_each_note_and_where_it_begins():
    figure = plot_piano_roll(DUET, voice_names=["soprano", "bass"])
    (axes,) = figure.axes
    legend = {
        patch.get_label(): to_hex(patch.get_facecolor())
        for patch in figure.legends[0].get_patches()
    }
    assert list(legend) == ["soprano", "bass"]
    above, below = legend.values()
    assert above != below
    assert bars(axes) == [
        (0, 0.5, 48, below),
        (0, 0.5, 72, above),
        (0.5, 0.25, 72, above),
        (0.75, 0.25, 74, above),
    ]
    assert beginnings(axes) == [(0, 48), (0, 72), (0.5, 72), (0.75, 74)]
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_piano_roll_names_its_pitches_and_rules_its_bars():
    (axes,) = plot_piano_roll(score(np.full((40, 1), 60))).axes
    names = {
        place: label.get_text()
        for place, label in zip(
            axes.get_yticks(), axes.get_yticklabels(), strict=True
        )
    }
    assert names[60] == "C4"
    assert all(name[0] in "CEG" for name in names.values())
    ruled = [line.get_xdata()[0] for line in axes.lines]
    assert ruled == [0, 4, 8]  # 40 sixteenths are 10 quarters
    assert list(axes.get_xticks()) == [0, 4, 8]
    assert axes.get_xlim() == (0, 10)


def test_piano_roll_hatches_what_was_given():
    mask = np.zeros((4, 2), bool)
    mask[:1] = True  # half of the first two notes
    for given, pale, full in (
        ([0], [(0, 72), (0.5, 72), (0.75, 74)], [(0, 48)]),
        (
            mask,
            [(0, 48), (0, 72)],
            [(0.25, 48), (0.25, 72), (0.5, 72), (0.75, 74)],
        ),
        ([], [], [(0, 48), (0, 72), (0.5, 72), (0.75, 74)]),
    ):
        figure = plot_piano_roll(DUET, given=given)
        (axes,) = figure.axes
        assert [bar[::2] for bar in bars(axes, given=True)] == pale
        assert [bar[::2] for bar in bars(axes)] == full
        # A note begins once, in whatever parts it is drawn.
        assert len(beginnings(axes)) == 4
        names = [text.get_text() for text in figure.legends[0].get_texts()]
        assert names == ["voice 1", "voice 2"] + ["given"] * bool(pale)


def test_piano_roll_shows_both_voices_of_a_unison():
    (axes,) = plot_piano_roll(score([[60, 60], [-1, 62]])).axes
    heights = {}
    for container in axes.containers:
        for bar in container:
            key = (bar.get_x(), round(bar.get_y() + bar.get_height() / 2))
            heights.setdefault(key, []).append(bar.get_height())
    lower, upper = heights[0, 60]  # in the order in which they are drawn
    assert lower == 2 * upper
    assert heights[0.25, 60] == heights[0.25, 62] == [lower]


def test_piano_rolls_share_their_axes():
    silent = score([[-2, -2]] * 8)
    scores = [DUET, silent, score([[90, 50]])]
    figure = plot_piano_roll(scores, ["a", "b", "c"], columns=2)
    assert [axes.get_title("left") for axes in figure.axes] == ["a", "b", "c"]
    assert {axes.get_xlim() for axes in figure.axes} == {(0, 2)}
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    low, high = figure.axes[0].get_ylim()
    assert low < 48 < 90 < high
    assert bars(figure.axes[1]) == []
    assert bars(plot_piano_roll(silent).axes[0]) == []


def test_piano_roll_takes_a_split():
    figure = plot_piano_roll(types.SimpleNamespace(scores=(DUET, DUET)))
    first, second = map(bars, figure.axes)
    assert first == second != []


@pytest.mark.parametrize(
    "arguments, received",
    [
        ({"scores": []}, "0 scores"),
        ({"columns": 0}, "1 scores, columns=0"),
        ({"scores": np.zeros((4, 2))}, "ndarray"),
        ({"titles": ["a", "b"]}, "2 titles, 1 scores"),
        ({"voice_names": ["a"]}, r"voice_names=\['a'\]"),
        ({"given": [2]}, r"given=\[2\]"),
        ({"given": [-1]}, r"given=\[-1\]"),
        ({"given": np.ones((3, 2), bool)}, r"given of shape \(3, 2\)"),
        ({"given": [True, False]}, r"given of shape \(2,\), dtype bool"),
    ],
)
def test_piano_roll_refuses_what_does_not_fit(arguments, received):
    with pytest.raises(ValueError, match=f"Received: {received}"):
        plot_piano_roll(**{"scores": DUET, **arguments})
