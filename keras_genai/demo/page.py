"""A page for exported models, and the server that shows it."""

import contextlib
import os
import re
import shutil
import tempfile
import weakref

from keras_genai.extras import how_to_install
from keras_genai.modalities import get_modality

_MAX_REQUEST_BYTES = 6 * 2**20
_OLD = 3600  # seconds after which a file that was served is removed
_CSS = """
.pixels img { image-rendering: pixelated; }
.pixels .grid-container {
  grid-template-columns: repeat(auto-fill, minmax(100px, 1fr));
}
"""


def build_page(paths):
    """Builds a page in the browser for exported models, a tab each.

    Models of images have sliders along the directions in which their images
    change most, labels, seeds, and the way from one sample to another;
    autoencoders and VAEs have a sheet to draw on; models of text have a
    prompt, and the text streams; models of music have sound and a piano roll.
    Only SavedModels are loaded.

    Args:
        paths: List of paths of SavedModels, or of runs, which have one in
            `export/`.

    Returns:
        `gr.Blocks`, for `launch`.

    Raises:
        ImportError: If Gradio is not installed.
        ValueError: If there is no export at one of the paths.
    """
    gr = _import_gradio()
    from keras_genai.demo.blocks import Page
    from keras_genai.demo.events import Events
    from keras_genai.demo.served import load

    models = [load(path) for path in paths]
    if not models:
        raise ValueError("Expected a run or an export. Received: paths=[]")
    names = _different([model.name for model in models], "-")
    slugs = _different([_slug(name) for name in names], "_")
    folder = _own_folder()
    with (
        _files_in(folder),
        Page(
            title="keras_genai",
            fill_width=True,
            analytics_enabled=False,
            delete_cache=(_OLD, _OLD),
        ) as page,
        gr.Tabs(),
    ):
        weakref.finalize(page, shutil.rmtree, folder, ignore_errors=True)
        for name, slug, model in zip(names, slugs, models, strict=True):
            prefix = f"{slug}_" if len(models) > 1 else ""
            events = Events(name, prefix)
            with gr.Tab(f"{name} ({model.family})"):
                exports = get_modality(model.makes).exports
                openings = exports.build_page(model, events)
            for function, inputs, outputs in openings:
                events.bind(page.load, function, inputs, outputs)
    return page.queue(api_open=False)


def launch(page, host="127.0.0.1", port=7860):
    """Serves a page, and returns at once.

    The page sends no data to other servers, and fetches none. Requests are
    bounded: 6 MiB each, for each model one call that runs and 32 that wait,
    256 MiB of files in all. If the page is for this machine only, requests to
    another name and from another page are refused. The answer to a refused
    request is one sentence; the reason for a failure is only in the server's
    log.

    Args:
        page: The result of `build_page`.
        host: String, the address to listen at. Defaults to `"127.0.0.1"`,
            this machine only.
        port: Integer. Defaults to `7860`; 0 for one that is free.

    Returns:
        String, the page's address.

    Raises:
        ImportError: If Gradio is not installed.
        OSError: If the port is taken.
        ValueError: If the port is invalid.
    """
    if not 0 <= port < 2**16:
        raise ValueError(
            f"Expected a port from 0 to 65535. Received: port={port}"
        )
    gr = _import_gradio()
    from keras_genai.demo.gate import Gate

    @contextlib.asynccontextmanager
    async def gated(app):
        # Around Gradio's own middleware, before the first request.
        app.middleware_stack = Gate(
            app.middleware_stack, page, host, _MAX_REQUEST_BYTES
        )
        yield

    with _files_in(page.GRADIO_CACHE), _reached_directly(host):
        _, address, _ = page.launch(
            server_name=host,
            server_port=port or None,
            share=False,
            prevent_thread_lock=True,
            quiet=True,
            show_error=False,  # except `gr.Error`
            inbrowser=False,
            ssr_mode=False,
            run_history=False,
            enable_monitoring=False,
            mcp_server=False,
            footer_links=["api"],
            max_file_size=_MAX_REQUEST_BYTES,
            state_session_capacity=100,
            app_kwargs={"lifespan": gated},
            # Fonts of the machine: the default fonts come from Google.
            theme=gr.themes.Base(
                primary_hue="blue",
                neutral_hue="slate",
                font=["system-ui", "sans-serif"],
                font_mono=["ui-monospace", "monospace"],
            ),
            css=_CSS,
        )
    return address


@contextlib.contextmanager
def _reached_directly(host):
    """Keeps Gradio, which checks its own server, from using a proxy."""
    others = os.environ.get("no_proxy", os.environ.get("NO_PROXY", ""))
    hosts = [others, host, "localhost", "127.0.0.1", "::1"]
    with _environment("no_proxy", ",".join(filter(None, hosts))):
        yield


def _own_folder():
    """Makes a folder for the files of one page, in Gradio's folder.

    Gradio names files by their contents, and a page deletes its files when it
    closes: in a shared folder it would delete those of another page too.
    """
    from gradio.utils import get_upload_folder

    whole = get_upload_folder()
    os.makedirs(whole, exist_ok=True)
    return tempfile.mkdtemp(dir=os.path.realpath(whole))


def _files_in(folder):
    """Makes Gradio keep its files in a folder."""
    return _environment("GRADIO_TEMP_DIR", folder)


@contextlib.contextmanager
def _environment(name, value):
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]
        if before is not None:
            os.environ[name] = before


def _import_gradio():
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    try:
        import gradio
    except ImportError as error:
        raise ImportError(
            f"The page needs Gradio: {how_to_install('demo')}"
        ) from error
    return gradio


def _different(names, link):
    """Names, with a number after those that occur before."""
    found = []
    for name in names:
        other, number = name, 1
        while other in found:
            number += 1
            other = f"{name}{link}{number}"
        found.append(other)
    return found


def _slug(name):
    return re.sub(r"\W+", "_", name).strip("_").lower()
