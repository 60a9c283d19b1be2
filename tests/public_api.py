"""Lists every public name with its signature.

    python tests/public_api.py             shows what differs from the list
    python tests/public_api.py --write     accepts it

The list is `tests/public_api.txt`, a name a line, sorted, so that a change of
a signature is a change of a line. `docs/compatibility.md` says how a name is
given up.
"""

import difflib
import inspect
import sys
from pathlib import Path

FILE = Path(__file__).with_suffix(".txt")


def lines():
    """What the package has.

    Returns:
        Sorted list of strings: qualified name and signature.
    """
    import keras_genai

    found = {}
    for name in keras_genai._HOME:
        found.update(described(name, getattr(keras_genai, name)))
    for name in keras_genai._MODULES:
        module = getattr(keras_genai, name)
        found[name] = signature(module)
        for member in public(module):
            if member in keras_genai._HOME:
                found[f"{name}.{member}"] = f" = {member}"
            else:
                value = getattr(module, member)
                found.update(described(f"{name}.{member}", value))
    return sorted(f"{name}{signature}" for name, signature in found.items())


def public(module):
    """Names that a module gives: `__all__`, or what it defines itself."""
    if hasattr(module, "__all__"):
        return module.__all__
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and getattr(value, "__module__", None) == module.__name__
    ]


def described(name, value):
    """Signatures of a name and, if it is a class, of what it has."""
    found = {name: signature(value)}
    if inspect.isclass(value):
        for member, attribute in members(value).items():
            found[f"{name}.{member}"] = signature(attribute)
    return found


def members(owner):
    """Public attributes that a class has from this package."""
    ours = [
        base
        for base in reversed(owner.__mro__)
        if base.__module__.startswith("keras_genai")
    ]
    return {
        name: inspect.getattr_static(owner, name)
        for base in ours
        for name in vars(base)
        if not name.startswith("_")
    }


def signature(value):
    """The signature of what can be called, the type of what cannot."""
    value = getattr(value, "__wrapped__", value)  # of class methods too
    if not callable(value):
        return f": {type(value).__name__}"
    parameters = inspect.signature(value)
    return str(parameters.replace(return_annotation=parameters.empty))


def difference():
    """Lines that went and lines that came, as a diff without context."""
    accepted = FILE.read_text().splitlines()
    return [
        line
        for line in difflib.unified_diff(accepted, lines(), n=0, lineterm="")
        if not line.startswith(("---", "+++", "@@"))
    ]


if __name__ == "__main__":
    if "--write" in sys.argv:
        FILE.write_text("\n".join(lines()) + "\n")
    else:
        print("\n".join(difference()))
