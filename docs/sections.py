"""Section titles of our docstrings, in the words that Griffe knows."""

import re

from griffe import Extension

_TITLES = {
    "Example:": "Examples:",
    "Call arguments:": "Other Args: Call arguments",
}


class Sections(Extension):
    """Renames the titles before a docstring is parsed."""

    def on_instance(self, *, obj, **kwargs):
        if obj.docstring:
            obj.docstring.value = re.sub(
                rf"^({'|'.join(_TITLES)})$",
                lambda match: _TITLES[match[1]],
                obj.docstring.value,
                flags=re.MULTILINE,
            )
