"""Parts of a data set by name, with TFDS's slicing: `"train[:10%]+test"`."""

import re
from types import SimpleNamespace


def sizes_of(counts):
    """Puts counts of examples in the form of TFDS.

    Args:
        counts: Dictionary: name of a split -> integer.

    Returns:
        Dictionary: name of a split -> object with `num_examples`.
    """
    return {
        name: SimpleNamespace(num_examples=count)
        for name, count in counts.items()
    }


def ended_split(split, sizes):
    """Lets slices end with their split, as Python's do.

    Args:
        split: String, as for `absolute_split`.
        sizes: Mapping, as for `absolute_split`.

    Returns:
        String: `"train[:256]"` for `"train[:512]"` of 256 examples.
    """

    def ended(part):
        name, start, stop = part.groups()
        if name in sizes:
            stop = min(int(stop), sizes[name].num_examples)
        return f"{name}[{start}:{stop}]"

    return re.sub(r"([^\[+\s]+)\[(\d*):(\d+)\]", ended, split)


def absolute_split(split, sizes):
    """Reads a split with TFDS's slicing, such as `"train[:10%]+test"`.

    Args:
        split: String. A slice that is too long ends with its split.
        sizes: Mapping: name of a split -> object with `num_examples`.

    Returns:
        List of triples (name, start, stop).

    Raises:
        ValueError: If there is no such split.
    """
    import tensorflow_datasets as tfds

    try:
        instructions = tfds.core.ReadInstruction.from_spec(
            ended_split(split, sizes)
        ).to_absolute(sizes)
    except (AssertionError, TypeError, ValueError) as error:
        raise ValueError(
            f"There is no such split. Known: {', '.join(sizes)}, with slices "
            f"as in 'train[:10%]'. Received: split={split!r}"
        ) from error
    return [(part.splitname, part.from_, part.to) for part in instructions]
