"""What a server takes of a request before anything reads it."""


class LimitRequests:
    """ASGI middleware that refuses bodies longer than so many bytes.

    Args:
        app: ASGI application.
        max_bytes: Integer, the longest body.
    """

    def __init__(self, app, max_bytes):
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > self.max_bytes:
            await self._refuse(send)
            return
        taken = 0

        async def bounded():
            # A body may come in chunks, and say nothing of its length.
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self.max_bytes:
                return {"type": "http.disconnect"}
            return message

        await self.app(scope, bounded, send)

    async def _refuse(self, send):
        body = b"Expected a request of at most %d bytes." % self.max_bytes
        await send(
            {
                "type": "http.response.start",
                "status": 413,
                "headers": [
                    (b"content-type", b"text/plain"),
                    (b"connection", b"close"),
                ],
            }
        )
        await send({"type": "http.response.body", "body": body})
