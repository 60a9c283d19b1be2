"""How a page asks a model: refusals are shown, and one call runs at a time."""

import contextlib
import functools
import inspect
import io
import tempfile
from pathlib import Path

import gradio as gr
from gradio.components.base import server
from gradio_client import utils as client_utils

from keras_genai.demo.checks import shortened
from keras_genai.demo.drawing import read_picture

_KEPT_DRAWINGS = 16


class Events:
    """Binds the controls of one model's part of a page to its calls.

    Args:
        name: String, the model's.
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
            What Gradio returns, to be cancelled.
        """
        return trigger(
            _refusing(function),
            inputs,
            outputs,
            api_name=f"{self.prefix}{api_name}" if api_name else None,
            api_visibility="public" if api_name else "private",
            # Gradio's own checks stumble over lists, for instance.
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
        # What went wrong inside is not for everybody to read.
        raise gr.Error("It failed; the server's log says why.") from error


# --- Sheets to draw on -------------------------------------------------------


def guard(sheet):
    """Keeps a sheet from what its class would do for anyone who asks.

    Gradio's sheets fetch a picture by its address, decode one of any size, and
    keep as many layers as they are told that there are. It is the object that
    is changed: of a subclass Gradio writes a stub into its folder.

    Args:
        sheet: `gr.ImageEditor`, to be read by `read_sheet` alone.

    Returns:
        The same.
    """
    move = sheet.async_move_resource_to_block_cache

    async def move_uploaded(path):
        if client_utils.is_http_url_like(str(path)):
            raise gr.Error(
                "Expected an uploaded file: nothing is fetched. "
                f"Received: {shortened(path)}",
                print_exception=False,
            )
        return await move(path)

    @server
    def keep_composite(data):
        if data.data["type"] == "composite":
            _, drawn = data.files[0]
            while len(sheet.blob_storage) >= _KEPT_DRAWINGS:
                sheet.blob_storage.pop(next(iter(sheet.blob_storage)))
            sheet.blob_storage[data.data["id"]] = drawn

    sheet.async_move_resource_to_block_cache = move_uploaded
    sheet.accept_blobs = keep_composite
    return sheet


def read_sheet(sheet, payload):
    """Reads what was drawn.

    Args:
        sheet: What `guard` returned.
        payload: Dictionary, what the browser or the HTTP API sent.

    Returns:
        uint8 array `(height, width, 3)`, or `None` of a white sheet.

    Raises:
        ValueError: If it is no picture, or too large.
    """
    payload = payload or {}
    if payload.get("id") is not None:
        file = sheet.blob_storage.pop(payload["id"], None)
        file = None if file is None else io.BytesIO(file)
    else:
        file = payload.get("composite") or payload.get("background")
        file = None if file is None else file["path"]
    picture = None if file is None else read_picture(file)
    return None if picture is None or picture.min() == 255 else picture


def new_file(component, name):
    """A path to write to, from where a page serves files.

    Args:
        component: The component that will show it.
        name: String, the file's.

    Returns:
        `pathlib.Path`.
    """
    folder = Path(component.GRADIO_CACHE)
    folder.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(dir=folder)) / name
