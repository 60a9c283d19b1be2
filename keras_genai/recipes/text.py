"""Recipes for text."""

import dataclasses
import inspect

from keras_genai.recipes.tokens import TokenRecipe


@dataclasses.dataclass(frozen=True)
class TextRecipe(TokenRecipe):
    """A recipe for text.

    Attributes:
        tokenizer: `"character"`, `"byte"`, or the path of a saved tokenizer.
        windows: `"random"` or `"tiled"`.
        prompt: String that the samples of each epoch continue.
    """

    source: object = "tiny_shakespeare"
    batch_size: int = 64
    tokenizer: str = "character"
    windows: str = "random"
    prompt: str = "\n"

    makes = "text"

    def dataset(self, seed=None, offline=False, split=None, like=None):
        from keras_genai.data.text import text_dataset
        from keras_genai.data.tokenizers import load_tokenizer

        tokenizer = self.tokenizer
        if split and like is None:
            like = self.dataset(seed, offline)
        if like is not None:
            tokenizer = like.tokenizer
        elif tokenizer not in ("character", "byte"):
            tokenizer = load_tokenizer(tokenizer)
        return text_dataset(
            self.source,
            split=split or self.split,
            tokenizer=tokenizer,
            sequence_length=self.sequence_length,
            batch_size=self.batch_size,
            windows="tiled" if split else self.windows,
            steps_per_epoch=None if split else self.steps_per_epoch,
            seed=seed,
            offline=offline,
            skip_broken=self.skip_broken,
        )

    def arguments_from(self, dataset):
        import keras_genai

        arguments = {"tokenizer": dataset.tokenizer}
        parameters = inspect.signature(
            getattr(keras_genai, self.family)
        ).parameters
        if "max_sequence_length" in parameters:
            arguments["max_sequence_length"] = self.sequence_length
        return arguments

    def compile_arguments(self, model, steps_per_epoch):
        if not model.trainable_variables:  # a Markov chain counts
            return {}
        return super().compile_arguments(model, steps_per_epoch)
