"""The bodies of requests: how large, how slow, and how much of them altogether. Plain ASGI."""

from math import inf

import trio
from fastapi.exceptions import HTTPException
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pombal.config.settings import HttpSettings

MULTIPART = "multipart/form-data"
# Beside a file, a multipart body has a few fields and the boundaries.
AROUND_A_FILE_BYTES = 1_048_576


class BodyLimits:
    """Refuses a body that is too large (413), too slow (408), or one too many in memory (503).

    Files that come as multipart are spooled to disk by the framework, so they count against their own limit and not
    against the memory.
    """

    def __init__(self, app: ASGIApp, settings: HttpSettings, file_max_bytes: int) -> None:
        self._app = app
        self._settings = settings
        self._file_max_bytes = file_max_bytes
        self.held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(self, self._settings, Headers(scope=scope), receive)
        try:
            await self._app(scope, body.receive, send)
        finally:
            self.held_bytes -= body.held_bytes

    def max_bytes(self, is_file: bool) -> int:
        return self._file_max_bytes + AROUND_A_FILE_BYTES if is_file else self._settings.body_max_bytes

    def hold(self, size_bytes: int) -> None:
        """Count it in memory, for as long as its request lasts. Raises HTTPException (503)."""
        if self.held_bytes + size_bytes > self._settings.bodies_max_bytes:
            raise HTTPException(
                503, "too many large requests at once; try again in a moment ([http] bodies_max_bytes)",
                {"Retry-After": "1"},
            )  # fmt: skip
        self.held_bytes += size_bytes


class _Body:
    """One request's body on its way in."""

    def __init__(self, limits: BodyLimits, settings: HttpSettings, headers: Headers, receive: Receive) -> None:
        self._limits = limits
        self._settings = settings
        self._receive = receive
        self._is_file = headers.get("content-type", "").lower().startswith(MULTIPART)
        length = headers.get("content-length", "")
        self._announced_bytes = int(length) if length.isdigit() and len(length) < 19 else 0
        self._received_bytes = 0
        self._is_whole = False
        self._started_at = -inf
        self.held_bytes = 0

    async def receive(self) -> Message:
        """Raises HTTPException, which the application answers with."""
        if self._is_whole:
            return await self._receive()  # waits for the client to go
        self._refuse_too_large(self._announced_bytes)
        message = await self._next()
        if message["type"] == "http.disconnect":
            # The framework would call it a fault of ours.
            raise HTTPException(400, "the client went away in the middle of its body")
        self._take(len(message.get("body", b"")))
        self._is_whole = not message.get("more_body", False)
        return message

    async def _next(self) -> Message:
        if self._started_at == -inf:
            self._started_at = trio.current_time()
        settings = self._settings
        allowed_s = settings.body_timeout_s + self._received_bytes / settings.body_bytes_per_second
        with trio.CancelScope(deadline=self._started_at + allowed_s):
            return await self._receive()
        raise HTTPException(
            408,
            f"the body came too slowly: it has {settings.body_timeout_s:g} s, and more only as it keeps up "
            f"{settings.body_bytes_per_second} bytes a second",
        )

    def _take(self, size_bytes: int) -> None:
        self._received_bytes += size_bytes
        self._refuse_too_large(self._received_bytes)
        if not self._is_file:
            self._limits.hold(size_bytes)
            self.held_bytes += size_bytes

    def _refuse_too_large(self, size_bytes: int) -> None:
        max_bytes = self._limits.max_bytes(self._is_file)
        if size_bytes > max_bytes:
            raise HTTPException(413, f"a body may have {max_bytes} bytes here; a file goes as multipart/form-data")
