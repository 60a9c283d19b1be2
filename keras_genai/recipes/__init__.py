"""Recipes: the choices that make a run, shared by command line and tutorials.

A recipe is data: what to train, on what, for how long. `dataset` and `model`
turn it into the two objects that `fit` needs:

    recipe = RECIPES["dcgan"]["default"]
    train = recipe.dataset(seed=0)
    model = recipe.model(train, seed=0)
    model.fit(train, epochs=recipe.epochs)
"""

from keras_genai.recipes.base import Recipe
from keras_genai.recipes.images import AnnealedRecipe, GANRecipe, ImageRecipe
from keras_genai.recipes.music import MusicRecipe
from keras_genai.recipes.presets import (
    RECIPES,  # noqa: F401 - public as `keras_genai.RECIPES`
    get_recipe,
    recipe_from_record,
)
from keras_genai.recipes.text import TextRecipe
from keras_genai.recipes.tokens import TokenRecipe

__all__ = [
    "AnnealedRecipe",
    "GANRecipe",
    "ImageRecipe",
    "MusicRecipe",
    "Recipe",
    "TextRecipe",
    "TokenRecipe",
    "get_recipe",
    "recipe_from_record",
]
