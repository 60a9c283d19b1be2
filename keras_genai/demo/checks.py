"""Checks of requests: invalid ones are refused before a model runs.

The controls of a page keep their bounds, but its HTTP API can get any JSON.
"""

import math
import reprlib

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60
_SHORT.maxlong = 20


def check_integer(name, value, low, high):
    """Checks an integer within bounds; JSON may have it as a float.

    Args:
        name: String, its name in errors.
        value: Anything.
        low: Integer, the least valid value.
        high: Integer, the greatest valid value.

    Returns:
        Integer.

    Raises:
        ValueError: If it is not an integer, or out of bounds.

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
    """Checks a finite number within bounds.

    Args:
        name: String, its name in errors.
        value: Anything.
        low: Float, the least valid value.
        high: Float, the greatest valid value.

    Returns:
        Float.

    Raises:
        ValueError: If it is not a number, or out of bounds.

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
    """Checks a text, which must not be empty or too long.

    Args:
        name: String, its name in errors.
        value: Anything.
        longest: Integer, characters at most.

    Returns:
        String.

    Raises:
        ValueError: If it is not a text, is empty or too long, or cannot be
            written as UTF-8.

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
    """A short form of a value of any size, for errors."""
    return _SHORT.repr(value)


def _is_number(value):
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return isinstance(value, int) or math.isfinite(value)
