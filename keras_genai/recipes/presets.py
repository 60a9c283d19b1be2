"""The recipes of every family, and how they are looked up."""

import collections.abc
import dataclasses
import functools

from keras_genai.names import look_up
from keras_genai.recipes.declared import declared, families
from keras_genai.recipes.images import AnnealedRecipe, GANRecipe
from keras_genai.recipes.music import MusicRecipe
from keras_genai.recipes.text import TextRecipe

_KINDS = {
    "gan": GANRecipe,
    "annealed": AnnealedRecipe,
    "text": TextRecipe,
    "music": MusicRecipe,
}


class _Recipes(collections.abc.Mapping):
    """Every recipe: name of the family -> preset -> `Recipe`."""

    def __iter__(self):
        return iter(families())

    def __len__(self):
        return len(families())

    def __getitem__(self, name):
        return _presets(families()[name])


@functools.cache
def _presets(family):
    said = declared(family)
    default = _KINDS[said["kind"]](family, **said.get("default", {}))
    quick = dataclasses.replace(default, **said.get("quick", {}))
    return {"default": default, "quick": quick}


RECIPES = _Recipes()
"""Every recipe: name of the family -> preset -> `Recipe`."""


def _elsewhere():
    """Other names of families -> their names here."""
    return {
        other: name
        for name, family in families().items()
        for other in (family.lower(), *declared(family).get("also_called", ()))
    }


def recipe_from_record(record):
    """Rebuilds the recipe from the record of a run.

    Args:
        record: Dictionary of its fields, as from `dataclasses.asdict`.

    Returns:
        `Recipe` of the class that the family's recipes have.

    Raises:
        ValueError: If no recipe is for that family, or the fields are wrong.
    """
    known = {family: family for family in families().values()}
    family = look_up(known, "family", str(record.get("family")))
    kind = _KINDS[declared(family)["kind"]]
    try:
        return kind(**record)
    except TypeError as error:
        raise ValueError(
            f"Expected the fields of a {kind.__name__}: {error}. "
            f"Received: {record}"
        ) from error


def get_recipe(model, preset="default"):
    """Looks a recipe up.

    Args:
        model: String, `"dcgan"` or another name in `RECIPES`.
        preset: String, `"default"`, or `"quick"`, which ends within a minute.

    Returns:
        `Recipe`.

    Raises:
        ValueError: If there is no such model or preset.

    Example:
        >>> get_recipe("dcgan", "quick").family
        'DCGAN'
    """
    elsewhere = {} if model in RECIPES else _elsewhere()
    presets = look_up(RECIPES, "model", model, elsewhere)
    return look_up(presets, "preset", preset)
