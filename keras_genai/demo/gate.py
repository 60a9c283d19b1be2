"""The gate of a page, before every request and after every answer."""

import ipaddress
import os
from urllib.parse import urlsplit

from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

_API = "/gradio_api/"
# The parts of Gradio's API that a page and its callers use.
_READ = (
    *("app_id", "call", "heartbeat", "info", "openapi.json", "queue"),
    *("startup-events", "theme.css", "upload_progress"),
)
_SENT = ("call", "cancel", "component_server", "queue", "reset", "upload")
_UPLOADS = ("component_server", "upload")
_FOREIGN = "Expected a request from the page's own address."
_FAILED = "It failed; the server's log has the reason."
_MALFORMED = f"Expected a request as {_API}info describes it."
_SENTENCES = {
    404: "Expected an address that the page has.",
    500: _FAILED,
    503: "Expected fewer calls that wait; try again later.",
}


class Gate:
    """ASGI middleware around the whole of Gradio.

    It refuses the following, before Gradio reads anything:

    - another `Host` than this machine's, if the page is for this machine only:
      a foreign name that leads here is DNS rebinding;
    - an `Origin` that is not the page itself. Gradio never sees an origin, so
      it gives no CORS header;
    - addresses that a page does not need, such as those that fetch or forward,
      and files outside the page's folder;
    - bodies that are too long or are not a valid form.

    The answer to a refusal or a failure is one sentence from here, because
    Gradio's answers reveal folders and objects.

    Args:
        app: ASGI application.
        page: `Page`, whose folder has the files that are served.
        host: String, the address that the server listens at.
        max_bytes: Integer, the longest body.
    """

    def __init__(self, app, page, host, max_bytes):
        self.app = app
        self.page = page
        self.host = host
        self.max_bytes = max_bytes

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        answer = self._refuse(scope, headers)
        if answer is None and scope["method"] not in ("GET", "HEAD"):
            body = await self._read(headers, receive)
            receive = _replayed(body, receive)
            answer = await self._refuse_body(scope, headers, body)
        if answer is not None:
            await _answer(*answer)(scope, receive, send)
            return
        headers = [pair for pair in scope["headers"] if pair[0] != b"origin"]
        await self._pass({**scope, "headers": headers}, receive, send)

    def _refuse(self, scope, headers):
        """The status and sentence of a refusal by the headers, or `None`."""
        host = headers.get(b"host", b"").decode("latin-1")
        if _is_loopback(self.host) and not (
            _is_loopback(_name(host)) or _name(host) == self.host
        ):
            return 421, "Expected the name of this machine as `Host`."
        origin = headers.get(b"origin")
        if origin is not None and _place(origin.decode("latin-1")) != host:
            return 403, _FOREIGN
        if not self._is_needed(scope["method"], scope["path"]):
            return 404, _SENTENCES[404]
        return None

    def _is_needed(self, method, path):
        if not path.startswith(_API):
            return True
        path = path.removeprefix(_API)
        if path.startswith("file="):
            return path.startswith(f"file={self.page.GRADIO_CACHE}{os.sep}")
        used = _READ if method in ("GET", "HEAD") else _SENT
        return path.partition("/")[0] in used

    async def _read(self, headers, receive):
        """Reads a body, or `None` if it is too long or does not end."""
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > self.max_bytes:
            return None
        body, more = bytearray(), True
        while more:
            message = await receive()
            body += message.get("body", b"")
            if message["type"] != "http.request" or len(body) > self.max_bytes:
                return None
            more = message.get("more_body", False)
        return bytes(body)

    async def _refuse_body(self, scope, headers, body):
        if body is None:
            return 413, f"Expected a request of at most {self.max_bytes} bytes."
        kind = headers.get(b"content-type", b"")
        if not kind.startswith(b"multipart/"):
            return None
        if scope["path"].removeprefix(_API).rstrip("/") not in _UPLOADS:
            return 400, _MALFORMED
        try:
            # Gradio's own parser leaves files behind when it fails.
            async with Request(scope, _replayed(body)).form():
                pass
        except Exception:
            return 400, _MALFORMED
        await to_thread.run_sync(self.page.make_room)
        return None

    async def _pass(self, scope, receive, send):
        """Lets Gradio answer, but replaces its refusals and failures."""
        status = None

        async def answer(message):
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            if status < 400:
                await send(message)

        failure = None
        try:
            await self.app(scope, receive, answer)
        except Exception as error:
            if status is not None and status < 400:
                if not _is_refusal(error):
                    raise
                # An unknown stream: the client has the error, and the stream
                # ends.
                await send({"type": "http.response.body"})
                return
            # Calls run later, in the queue: here the request itself has
            # failed.
            status = 400
            if scope["method"] in ("GET", "HEAD") or isinstance(error, OSError):
                status, failure = 500, error
        if status >= 400:
            sentence = _SENTENCES.get(status, _MALFORMED)
            await _answer(status, sentence)(scope, receive, send)
        if failure is not None:
            raise failure  # to the log


def _is_refusal(error):
    # Starlette wraps errors that come after the answer has begun.
    return isinstance(error.__cause__ or error, HTTPException)


def _answer(status, sentence):
    close = {"connection": "close"} if status == 413 else None
    return JSONResponse({"detail": sentence}, status, headers=close)


def _replayed(body, receive=None):
    """A function that gives the body that was read, then further messages."""
    given = False

    async def replay():
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body}

    return replay


def _place(origin):
    """The host and port of an origin."""
    return origin.partition("://")[2]


def _name(host):
    """The host without its port, or `None` if it is missing."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _is_loopback(name):
    """Whether a host's name or number can only mean this machine."""
    try:
        return ipaddress.ip_address((name or "").strip("[]")).is_loopback
    except ValueError:
        return name == "localhost"
