"""The recipes that the class of a family declares."""

import ast
import functools
import importlib.util
from pathlib import Path


def families():
    """The families of the package.

    Returns:
        Dictionary: name on the command line, which is that of its file ->
        name of its class.

    Example:
        >>> families()["acgan"]
        'AuxiliaryClassifierGAN'
    """
    import keras_genai

    return {
        module.rpartition(".")[2]: family
        for family, module in keras_genai._FAMILIES.items()
    }


def declared(family):
    """Reads the attribute `recipe` of a family's class.

    Args:
        family: String, name of the class.

    Returns:
        Dictionary: `"kind"`, and, if present, `"default"` and `"quick"`
        (changes of the fields of that kind), `"labels"` (whether the family
        needs the class of each image) and `"also_called"`.

    Example:
        >>> declared("ConditionalVAE")["labels"]
        True
    """
    import keras_genai

    return _read(family, keras_genai._FAMILIES[family])


@functools.cache
def _read(family, module):
    """Reads the attribute, which is written as literals, from the file.

    To import the class would import TensorFlow, which takes seconds, also for
    commands that do not need it.
    """
    package, *names = module.split(".")
    path = Path(importlib.util.find_spec(package).origin)
    if names:
        path = path.parent.joinpath(*names).with_suffix(".py")
    (found,) = (
        statement.value
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name == family
        for statement in node.body
        if isinstance(statement, ast.Assign)
        and statement.targets[0].id == "recipe"
    )
    return ast.literal_eval(found)
