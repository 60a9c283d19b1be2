"""Checks of arguments that every folder shares, so that errors read alike."""

from keras_genai.names import did_you_mean


def check_at_least_one(**arguments):
    """Refuses arguments that are not integers of 1 or more.

    Args:
        **arguments: The values, under the names that the user gave them.

    Raises:
        ValueError: If one of them is not such an integer.

    Example:
        >>> check_at_least_one(batch_size=0)
        Traceback (most recent call last):
        ValueError: `batch_size` must be an integer, 1 or more. Received:
        batch_size=0
    """
    for name, value in arguments.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(
                f"`{name}` must be an integer, 1 or more. "
                f"Received: {name}={value!r}"
            )


def check_choice(name, value, known):
    """Refuses a value that is not one of the known ones.

    Args:
        name: String, the name of the argument.
        value: The value that the user gave.
        known: Iterable of strings, the values that exist.

    Raises:
        ValueError: If the value is not one of them.

    Example:
        >>> check_choice("cache", "tape", ("memory", "disk"))
        Traceback (most recent call last):
        ValueError: Expected `cache` among memory, disk. Received: cache='tape'
    """
    known = tuple(known)
    if value not in known:
        raise ValueError(
            f"Expected `{name}` among {', '.join(known)}."
            f"{did_you_mean(str(value), known)} Received: {name}={value!r}"
        )
