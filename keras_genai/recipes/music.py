"""Recipes for music."""

import dataclasses

from keras_genai.recipes.tokens import TokenRecipe


@dataclasses.dataclass(frozen=True)
class MusicRecipe(TokenRecipe):
    """A recipe for scores.

    Attributes:
        num_voices: Integer >= 1, voices that MIDI files are read with.
        num_steps: Integer >= 1, sixteenths of the scores that are composed
            after an epoch or for an evaluation.
    """

    source: object = "bach_chorales"
    batch_size: int = 4
    sequence_length: int = 256
    steps_per_epoch: int | None = 120
    learning_rate: float = 4e-3
    num_voices: int = 4
    num_steps: int = 128

    makes = "music"

    def dataset(self, seed=None, offline=False, split=None, like=None):
        from keras_genai.data.music import (
            MusicTokenizer,
            load_scores,
            music_dataset,
        )

        def scores(split):
            return load_scores(
                self.source, split, offline, self.num_voices, self.skip_broken
            )

        if like is None:
            # The range includes the held-out scores: otherwise a held-out note
            # outside of the training range could not be read.
            pieces = scores("train+validation+test").scores
            tokenizer = MusicTokenizer.from_scores(pieces)
        else:
            tokenizer = like.tokenizer
        return music_dataset(
            scores(split or self.split),
            tokenizer=tokenizer,
            sequence_length=self.sequence_length,
            batch_size=self.batch_size,
            windows="tiled" if split else "random",
            steps_per_epoch=None if split else self.steps_per_epoch,
            seed=seed,
        )

    def arguments_from(self, dataset):
        return {
            "tokenizer": dataset.tokenizer,
            "max_sequence_length": self.sequence_length,
        }
