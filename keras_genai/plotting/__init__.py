"""Arrays -> pictures."""

from keras_genai.plotting.codes import plot_codes
from keras_genai.plotting.curves import (
    plot_comparison,
    plot_curves,
    plot_history,
)
from keras_genai.plotting.evaluation import plot_evaluation
from keras_genai.plotting.files import write_gif
from keras_genai.plotting.images import image_grid, plot_images, plot_rows
from keras_genai.plotting.music import plot_piano_roll
from keras_genai.plotting.tokens import plot_tokens

__all__ = [
    "image_grid",
    "plot_codes",
    "plot_comparison",
    "plot_curves",
    "plot_evaluation",
    "plot_history",
    "plot_images",
    "plot_piano_roll",
    "plot_rows",
    "plot_tokens",
    "write_gif",
]
