"""Arguments of a model and of its recipe, by their own names."""

import ast
import dataclasses
import inspect
import re

from keras_genai.names import did_you_mean

# Fields of a recipe that have their own option, or cannot be set.
_TRAIN_OPTIONS = (
    *("family", "source", "split", "image_size", "batch_size", "epochs"),
    *("model_arguments", "skip_broken"),
)
# Arguments of models that the data or other options determine.
_FROM_DATA = (
    *("image_shape", "num_classes", "vocabulary_size", "tokenizer", "seed"),
)


def with_own_arguments(recipe, extra, options=()):
    """Sets arguments of the model or recipe from `--name value` pairs.

    Args:
        recipe: `Recipe`.
        extra: Strings, `--name value` or `--name=value`.
        options: Strings, other options, for suggestions in errors.

    Returns:
        `Recipe`.

    Raises:
        ValueError: If there is no such argument, or one has no value.
    """
    own, of_recipe = own_arguments(recipe), recipe_arguments(recipe)
    # `--name=value` is `--name value`; a value may have a `=` of its own.
    extra = [
        part
        for text in extra
        for part in text.split("=", text.startswith("--"))
    ]
    names = [text.removeprefix("--").replace("-", "_") for text in extra[::2]]
    for name, text in zip(names, extra[::2], strict=True):
        if name not in (*own, *of_recipe) or not text.startswith("--"):
            model_options, recipe_options = map(_options, (own, of_recipe))
            known = [*options, *model_options, *recipe_options]
            raise ValueError(
                f"{recipe.family} has no argument {text!r}."
                f"{did_you_mean(text, known)} It has: "
                f"{', '.join(model_options)}; the recipe has: "
                f"{', '.join(recipe_options)}"
            )
    if len(extra) % 2:
        raise ValueError(
            f"Expected a value after {extra[-1]!r}. Received: none"
        )
    values = {
        name: _value(text)
        for name, text in zip(names, extra[1::2], strict=True)
    }
    changes = {name: values.pop(name) for name in of_recipe if name in values}
    changes["model_arguments"] = {**recipe.model_arguments, **values}
    return dataclasses.replace(recipe, **changes)


def add_own_arguments(parser, recipe):
    """Adds the arguments of a model and its recipe to the parser's help.

    Args:
        parser: `argparse.ArgumentParser`, of which only the help is used.
        recipe: `Recipe`.
    """
    for title, defaults, classes in (
        (f"of {recipe.family}", own_arguments(recipe), _families(recipe)),
        ("of its recipe", recipe_arguments(recipe), type(recipe).__mro__),
    ):
        group = parser.add_argument_group(title)
        described = _described(classes)
        for name, default in defaults.items():
            text = f"{described.get(name, '')} ({default})".strip()
            group.add_argument(
                *_options([name]), metavar="VALUE", help=text.replace("%", "%%")
            )


def own_arguments(recipe):
    """The arguments of a recipe's model that may be chosen.

    Args:
        recipe: `Recipe`.

    Returns:
        Dictionary: name -> default value.
    """
    family, *_ = _families(recipe)
    parameters = {
        name: parameter
        for each in reversed(_families(recipe))
        for name, parameter in inspect.signature(each).parameters.items()
        if parameter.kind is not parameter.VAR_KEYWORD
    }
    return {
        name: recipe.model_arguments.get(name, parameter.default)
        for name, parameter in parameters.items()
        if name not in family.network_names
        # PixelCNN is conditional if it gets a number of classes.
        and (name not in _FROM_DATA or _is_choice(name, parameter))
    }


def recipe_arguments(recipe):
    """The fields of a recipe that may be chosen by their names.

    Args:
        recipe: `Recipe`.

    Returns:
        Dictionary: name -> default value.
    """
    return {
        field.name: getattr(recipe, field.name)
        for field in dataclasses.fields(recipe)
        if field.name not in _TRAIN_OPTIONS
    }


def _families(recipe):
    """The model's class, and the parent that gets its other arguments."""
    import keras_genai

    family = getattr(keras_genai, recipe.family)
    parents = [each for each in family.__mro__[1:] if vars(each).get("recipe")]
    return [family, *parents[:1]] if family.hands_on else [family]


def _is_choice(name, parameter):
    return name == "num_classes" and parameter.default is None


def _described(classes):
    """Name -> the docstrings' text on an argument, without its default."""
    found = {}
    for each in classes:
        text = inspect.cleandoc(each.__doc__ or "")
        for name, said in re.findall(
            r"^    (\w+): (.+(?:\n        .+)*)", text, re.MULTILINE
        ):
            said = " ".join(said.split())
            found.setdefault(name, re.sub(r" Defaults to `[^`]*`\.", "", said))
    return found


def _options(names):
    return [f"--{name.replace('_', '-')}" for name in names]


def _value(text):
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
