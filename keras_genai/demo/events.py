"""Calls from a page to a model: errors are shown, one call runs at a time."""

import contextlib
import functools
import inspect
import io
import tempfile
from pathlib import Path

import gradio as gr
from gradio.components.base import server

from keras_genai.demo.checks import shortened
from keras_genai.demo.drawing import read_picture

_KEPT_DRAWINGS = 16


class Events:
    """Binds the controls of one model's part of a page to its calls.

    Args:
        name: String, the model's name.
        prefix: String before its names in the HTTP API.
    """

    def __init__(self, name, prefix=""):
        self.name = name
        self.prefix = prefix

    def bind(self, trigger, function, inputs, outputs, api_name=None):
        """Calls a function when something happens.

        Args:
            trigger: Method of a component or of a page, as `button.click`.
            function: Takes the values as JSON has them, and checks them; its
                `ValueError`s are shown.
            inputs: List of components.
            outputs: List of components.
            api_name: String, its name in the HTTP API; `None` for none.

        Returns:
            Gradio's event, which can be cancelled.
        """
        return trigger(
            _refusing(function),
            inputs,
            outputs,
            api_name=f"{self.prefix}{api_name}" if api_name else None,
            api_visibility="public" if api_name else "private",
            # Gradio's own checks fail for lists, for example.
            preprocess=False,
            concurrency_limit=1,
            concurrency_id=self.name,
            show_progress="minimal",
        )


def _refusing(function):
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def refusing(*inputs):
            with _shown():
                yield from function(*inputs)

    else:

        @functools.wraps(function)
        def refusing(*inputs):
            with _shown():
                return function(*inputs)

    return refusing


@contextlib.contextmanager
def _shown():
    try:
        yield
    except ValueError as error:
        raise gr.Error(str(error), print_exception=False) from None
    except Exception as error:
        # Internal errors are not shown to users.
        raise gr.Error("It failed; the server's log has the reason.") from error


# --- Sheets to draw on -------------------------------------------------------


def guard(sheet):
    """Limits a sheet, whose class would do too much for any request.

    Gradio's sheets keep as many drawings and layers as a request says. This
    changes the object itself, because for a subclass Gradio would write a stub
    into its own folder.

    Args:
        sheet: `gr.ImageEditor`, to be read only by `read_sheet`.

    Returns:
        The same sheet.
    """

    @server
    def keep_composite(data):
        if data.data["type"] == "composite":
            _, drawn = data.files[0]
            while len(sheet.blob_storage) >= _KEPT_DRAWINGS:
                sheet.blob_storage.pop(next(iter(sheet.blob_storage)))
            sheet.blob_storage[data.data["id"]] = drawn

    sheet.accept_blobs = keep_composite
    return sheet


def read_sheet(sheet, payload):
    """Reads a drawing.

    Args:
        sheet: The result of `guard`.
        payload: Anything that the browser or the HTTP API sent.

    Returns:
        uint8 array `(height, width, 3)`, or `None` for a white sheet.

    Raises:
        ValueError: If it is not a picture, is too large, or is not an uploaded
            file.
    """
    file = _drawn_file(sheet, payload)
    picture = None if file is None else read_picture(file)
    return None if picture is None or picture.min() == 255 else picture


def _drawn_file(sheet, payload):
    """The file of a drawing, a path or binary; `None` if it is missing."""
    if payload is None:
        return None
    if not isinstance(payload, dict):
        raise ValueError(
            "Expected a drawing: an object, or null. "
            f"Received: {shortened(payload)}"
        )
    drawing = payload.get("id")
    if isinstance(drawing, str):
        drawn = sheet.blob_storage.pop(drawing, None)
        return None if drawn is None else io.BytesIO(drawn)
    file = payload.get("composite") or payload.get("background")
    return None if file is None else _uploaded(sheet, file)


def _uploaded(sheet, file):
    """The path of a file, which must be in the folder of the page."""
    path = file.get("path") if isinstance(file, dict) else None
    with contextlib.suppress(OSError, TypeError, ValueError):
        folder = Path(sheet.GRADIO_CACHE).resolve()
        found = Path(path).resolve()
        if found.is_relative_to(folder) and found.is_file():
            return found
    raise ValueError(
        "Expected the path of an uploaded file: other files are not "
        f"read, and none is fetched. Received: path={shortened(path)}"
    )


def new_file(component, name):
    """A path to write to, in the folder that a page serves.

    Args:
        component: The component that will show it.
        name: String, the file's name.

    Returns:
        `pathlib.Path`.
    """
    folder = Path(component.GRADIO_CACHE)
    folder.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(dir=folder)) / name
