"""A figure that a notebook shows."""

import io


def new_figure(width, height):
    """Makes an empty figure that belongs to no backend.

    Args:
        width: Float, inches.
        height: Float, inches.

    Returns:
        matplotlib `Figure`, which a notebook shows.
    """
    from matplotlib.figure import Figure

    class Picture(Figure):
        # A notebook shows it as the value of a cell, with any backend.
        def _repr_png_(self):
            buffer = io.BytesIO()
            self.savefig(buffer, format="png", bbox_inches="tight")
            return buffer.getvalue()

    return Picture(figsize=(width, height), dpi=100)
