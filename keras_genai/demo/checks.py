"""What a request may hold: anything else is refused before a model runs.

A page's own controls keep to their bounds; its HTTP API gets whatever JSON
can hold.
"""

import math
import reprlib

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60
_SHORT.maxlong = 20


def check_integer(name, value, low, high):
    """Takes an integer within bounds; JSON may have it as a float.

    Args:
        name: String, what the error calls it.
        value: Anything.
        low: Integer, the least that is taken.
        high: Integer, the greatest that is taken.

    Returns:
        Integer.

    Raises:
        ValueError: If it is not one, or out of bounds.

    Example:
        >>> check_integer("seed", 3.0, 0, 10)
        3
    """
    if _is_number(value) and low <= value <= high and value == int(value):
        return int(value)
    raise ValueError(
        f"Expected `{name}`: an integer from {low} to {high}. "
        f"Received: {name}={shortened(value)}"
    )


def check_number(name, value, low, high):
    """Takes a finite number within bounds.

    Args:
        name: String, what the error calls it.
        value: Anything.
        low: Float, the least that is taken.
        high: Float, the greatest that is taken.

    Returns:
        Float.

    Raises:
        ValueError: If it is not one, or out of bounds.

    Example:
        >>> check_number("noise", 1, 0, 2)
        1.0
    """
    if _is_number(value) and low <= value <= high:
        return float(value)
    raise ValueError(
        f"Expected `{name}`: a number from {low} to {high}. "
        f"Received: {name}={shortened(value)}"
    )


def check_text(name, value, longest):
    """Takes a text that is neither empty nor too long.

    Args:
        name: String, what the error calls it.
        value: Anything.
        longest: Integer, characters at most.

    Returns:
        String.

    Raises:
        ValueError: If it is not one, too long, or cannot be written as UTF-8.

    Example:
        >>> check_text("prompt", "Once", 10)
        'Once'
    """
    if isinstance(value, str) and 1 <= len(value) <= longest:
        try:
            value.encode()
        except UnicodeEncodeError:  # half of a surrogate pair
            pass
        else:
            return value
    received = shortened(value)
    if isinstance(value, str):
        received += f", {len(value)} characters"
    raise ValueError(
        f"Expected `{name}`: a text of 1 to {longest} characters. "
        f"Received: {name}={received}"
    )


def shortened(value):
    """What an error shows of a value, which may be of any size."""
    return _SHORT.repr(value)


def _is_number(value):
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return isinstance(value, int) or math.isfinite(value)
