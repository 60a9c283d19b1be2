"""`keras-genai demo`: a page in the browser for runs and exports."""

import json

from keras_genai.cli.values import user_path
from keras_genai.startup import prepare_tensorflow


def add_command(commands):
    """Adds `demo` to the parser.

    Args:
        commands: The result of `add_subparsers`.
    """
    parser = commands.add_parser(
        "demo", help="serve a page for runs or exports (the extra demo)"
    )
    parser.add_argument(
        "sources", type=user_path, metavar="RUN_OR_EXPORT", nargs="+"
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="the address to listen at (127.0.0.1: this machine only)",
    )
    parser.add_argument("--port", type=int, default=7860, help="(7860)")
    parser.set_defaults(run=demo, parser=parser)


def demo(options, _):
    """Serves the page until it is interrupted.

    Args:
        options: The result of the parser.

    Raises:
        ImportError: If Gradio is not installed.
        OSError: If the port is taken.
        ValueError: If there is no export, or the port is invalid.
    """
    from keras_genai.demo import build_page, launch

    prepare_tensorflow()
    page = build_page(options.sources)
    address = launch(page, options.host, options.port)
    print(f"{address}\n\n{example(page, address)}", flush=True)
    page.block_thread()


def example(page, address):
    """Shows a use of the HTTP API: a call, and then its answer.

    Args:
        page: The result of `build_page`.
        address: String, the result of `launch`.

    Returns:
        String, two lines for a shell.
    """
    endpoints = page.get_api_info()["named_endpoints"]
    name, endpoint = next(iter(endpoints.items()))
    url = f"{address.rstrip('/')}/gradio_api/call{name}"
    data = json.dumps(
        [each["parameter_default"] for each in endpoint["parameters"]]
    )
    return (
        f"curl {url} -H 'Content-Type: application/json' "
        f"""-d '{{"data": {data}}}'\n"""
        f"curl -N {url}/EVENT_ID  # from the answer to the first"
    )
