"""What the class of a family declares of its recipes."""

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
    """What a family's class says of its recipes, by its attribute `recipe`.

    Args:
        family: String, name of the class.

    Returns:
        Dictionary: `"kind"`, and where there are any `"default"` and
        `"quick"` (changes of the fields of that kind), `"labels"` (whether
        the family is told the class of each image) and `"also_called"`.

    Example:
        >>> declared("ConditionalVAE")["labels"]
        True
    """
    import keras_genai

    return _read(family, keras_genai._FAMILIES[family])


@functools.cache
def _read(family, module):
    """Reads the attribute from the file, where it is written as literals.

    To import the class would import TensorFlow, which takes seconds, for
    commands that need none of it.
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
