"""Options of `keras-genai generate` that all modalities share."""

# The defaults for drawing the next token.
CHOICE = {"temperature": 1.0, "top_k": 0, "top_p": 1.0}


def given(options, names):
    """The options that were given.

    Args:
        options: Object with the options as attributes, `None` if not given.
        names: Iterable of strings.

    Returns:
        Dictionary: name -> value.
    """
    values = {name: getattr(options, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def check_num_samples(count, most, of):
    """Refuses to make too few or too many samples.

    Args:
        count: Integer, the value of `--num-samples`, or `None`.
        most: Integer.
        of: String, the kind of output with this limit, and one without: `"a
            picture; an array takes more"`.

    Raises:
        ValueError: If it is below 1 or above `most`.
    """
    if count is not None and count < 1:
        raise ValueError(
            f"Expected one sample or more. Received: --num-samples {count}"
        )
    if count is not None and count > most:
        raise ValueError(
            f"Expected {most:,} samples or fewer in {of}. "
            f"Received: --num-samples {count}"
        )
