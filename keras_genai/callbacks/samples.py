"""Samples, epoch after epoch."""

import sys
from pathlib import Path

import keras

from keras_genai.data.music import write_midi
from keras_genai.files import complete_or_absent
from keras_genai.plotting import image_grid, plot_piano_roll, write_gif


class SampleImages(keras.callbacks.Callback):
    """Shows the images of a model for the same noise, epoch after epoch.

    Writes a picture of a grid of samples, makes a GIF of all of them at the
    end, and in a notebook shows the newest one in place.

    Args:
        directory: Path of a folder for `epoch_000.png` (before training),
            `epoch_001.png`, ..., or `None` to write none.
        gif: Path of the GIF to write when training ends, or `None`. Needs
            `directory`.
        num_samples: Integer >= 1, images on a picture. Defaults to `64`.
        period: Integer >= 1, epochs from one picture to the next.
        seed: Integer, seed of the noise. Defaults to `0`.
        inline: Boolean, whether to show pictures in a notebook, or `None` to
            detect a notebook.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> callback = SampleImages(num_samples=16, period=5)
    """

    def __init__(
        self,
        directory=None,
        gif=None,
        num_samples=64,
        period=1,
        seed=0,
        inline=None,
    ):
        super().__init__()
        if num_samples < 1 or period < 1:
            raise ValueError(
                "`num_samples` and `period` must be at least 1. Received: "
                f"num_samples={num_samples}, period={period}"
            )
        if gif is not None and directory is None:
            raise ValueError(
                "A GIF is made of the pictures in `directory`. "
                f"Received: gif={str(gif)!r}, directory=None"
            )
        self.directory = None if directory is None else Path(directory)
        self.gif = gif
        self.num_samples = num_samples
        self.period = period
        self.seed = seed
        self.inline = "ipykernel" in sys.modules if inline is None else inline
        self._display = None

    def on_train_begin(self, logs=None):
        if self.directory is not None:
            self.directory.mkdir(parents=True, exist_ok=True)
            if not any(self.directory.glob("epoch_*.png")):
                self._sample(0)

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.period == 0:
            self._sample(epoch + 1)

    def on_train_end(self, logs=None):
        if self.gif is not None:
            pictures = self.directory.glob("epoch_*.png")
            # Epoch 1000 follows 999.
            in_order = sorted(pictures, key=lambda p: (len(p.name), p.name))
            with complete_or_absent(self.gif) as partial:
                write_gif(in_order, partial)

    def _sample(self, epoch):
        images = self.model.generate(self.num_samples, seed=self.seed)
        picture = keras.utils.array_to_img(
            image_grid(images, zoom=max(1, 56 // images.shape[1])),
            scale=False,
        )
        if self.directory is not None:
            path = self.directory / f"epoch_{epoch:03d}.png"
            with complete_or_absent(path) as partial:
                picture.save(partial)
        if self.inline:
            self._show(picture)

    def _show(self, picture):
        from IPython.display import display

        if self._display is None:
            self._display = display(picture, display_id=True)
        else:
            self._display.update(picture)


class SampleText(keras.callbacks.Callback):
    """Writes a model's continuations of a prompt, epoch after epoch.

    Args:
        directory: Path of a folder for `epoch_001.txt`, ..., or `None` to
            write none.
        prompt: String. Defaults to a line break.
        max_new_tokens: Integer >= 1. Defaults to `400`.
        period: Integer >= 1, epochs from one text to the next.
        seed: Integer. Defaults to `0`.
        show: Boolean. Whether texts are printed. Defaults to `False`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> callback = SampleText(prompt="ROMEO:", show=True)
    """

    def __init__(
        self,
        directory=None,
        prompt="\n",
        max_new_tokens=400,
        period=1,
        seed=0,
        show=False,
    ):
        super().__init__()
        if max_new_tokens < 1 or period < 1:
            raise ValueError(
                "`max_new_tokens` and `period` must be at least 1. Received: "
                f"max_new_tokens={max_new_tokens}, period={period}"
            )
        self.directory = None if directory is None else Path(directory)
        self.prompt = prompt
        self.max_new_tokens = max_new_tokens
        self.period = period
        self.seed = seed
        self.show = show

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.period:
            return
        text = self.model.generate(
            self.prompt, self.max_new_tokens, seed=self.seed
        )
        if self.directory is not None:
            self.directory.mkdir(parents=True, exist_ok=True)
            path = self.directory / f"epoch_{epoch + 1:03d}.txt"
            with complete_or_absent(path) as partial:
                partial.write_text(text, encoding="utf-8")
        if self.show:
            print(f"\n{text}")


class SampleScores(keras.callbacks.Callback):
    """Writes a model's scores from the same seed, epoch after epoch.

    Args:
        directory: Path of a folder for `epoch_001.mid` and its piano roll
            `epoch_001.png`, ...; of several scores the files are
            `epoch_001-1.mid`, `epoch_001-2.mid`, ..., with one picture of all.
        num_steps: Integer >= 1, sixteenths that a score has at most. Defaults
            to `128`.
        num_samples: Integer >= 1, scores an epoch. Defaults to `1`.
        period: Integer >= 1, epochs from one to the next.
        seed: Integer. Defaults to `0`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> callback = SampleScores("samples", num_steps=64)
    """

    def __init__(
        self, directory, num_steps=128, num_samples=1, period=1, seed=0
    ):
        super().__init__()
        if min(num_steps, num_samples, period) < 1:
            raise ValueError(
                "`num_steps`, `num_samples` and `period` must be at least 1. "
                f"Received: num_steps={num_steps}, num_samples={num_samples}, "
                f"period={period}"
            )
        self.directory = Path(directory)
        self.num_steps = num_steps
        self.num_samples = num_samples
        self.period = period
        self.seed = seed

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.period:
            return
        scores = self.model.generate(
            self.num_samples, self.num_steps, seed=self.seed
        )
        self.directory.mkdir(parents=True, exist_ok=True)
        name = f"epoch_{epoch + 1:03d}"
        for number, score in enumerate(scores, 1):
            which = f"-{number}" if len(scores) > 1 else ""
            write_midi(score, self.directory / f"{name}{which}.mid")
        with complete_or_absent(self.directory / f"{name}.png") as partial:
            plot_piano_roll(scores).savefig(partial)
