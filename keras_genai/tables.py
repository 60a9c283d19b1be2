"""Tables of plain text."""


def aligned(rows, left=(0,)):
    """Aligns rows in columns, two spaces apart.

    Args:
        rows: Lists of strings, all of the same length.
        left: Integers, columns that are aligned to the left; the others are
            aligned to the right. Defaults to the first one.

    Returns:
        String, a line for each row.

    Example:
        >>> print(aligned([["loss", "0.5"], ["kl", "12.25"]]))
        loss    0.5
        kl    12.25
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if index in left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
