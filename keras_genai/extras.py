"""How to install the optional packages."""


def how_to_install(extra):
    """Returns the command that installs an extra.

    Args:
        extra: String, a name of `setup.cfg`'s `options.extras_require`.

    Returns:
        String.

    Example:
        >>> how_to_install("music")
        "pip install -e '.[music]' in a clone of the repository"
    """
    return f"pip install -e '.[{extra}]' in a clone of the repository"
