"""The client for programs with an event loop: trio, or asyncio for all but ``events`` (which speaks trio-websocket)."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import wraps
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

import anyio
import httpx2
from pydantic import BaseModel

from pombal.http_client import calls
from pombal.http_client.calls import Call, Page, Result
from pombal.http_client.errors import ApiError, Unreachable
from pombal.http_client.following import Cursor
from pombal.http_client.requests import TIMEOUT, Attempts, Token, check, headers, reaching, request_of
from pombal.http_client.websocket import EventStream, follow

P = ParamSpec("P")
Item = TypeVar("Item", bound=BaseModel)


def _method(build: Callable[P, Call[Result]]) -> Callable[Concatenate["AsyncClient", P], Awaitable[Result]]:
    """A function of calls.py as a method that carries its call out."""

    @wraps(build)
    async def method(self: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> Result:
        return await self.carry_out(build(*args, **kwargs))

    return method


def _pages(build: Callable[P, Call[Page[Item]]]) -> Callable[Concatenate["AsyncClient", P], AsyncGenerator[Item, None]]:
    """The same for a list: iterates over all that there is, page by page."""

    @wraps(build)
    async def method(self: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[Item, None]:
        call: Call[Page[Item]] | None = build(*args, **kwargs)
        while call is not None:
            page = await self.carry_out(call)
            for item in page.results:
                yield item
            call = page.next

    return method


class AsyncClient:
    """url: where the daemon's HTTP API is. retry_for_s: how long a call is tried again that found the daemon away.

    http: an httpx2.AsyncClient of your own (proxies, certificates); it is not closed then.
    """

    def __init__(
        self, url: str, token: Token, *, retry_for_s: float = 30.0, http: httpx2.AsyncClient | None = None
    ) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._retry_for_s = retry_for_s
        self._is_ours = http is None
        self._http = http or httpx2.AsyncClient(timeout=TIMEOUT)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        if self._is_ours:
            await self._http.aclose()

    start_session = _method(calls.start_session)
    stop_session = _method(calls.stop_session)
    restart_session = _method(calls.restart_session)
    logout_session = _method(calls.logout_session)
    session_status = _method(calls.session_status)
    delete_session = _method(calls.delete_session)
    session_metrics = _method(calls.session_metrics)
    qr_code = _method(calls.qr_code)
    qr_image = _method(calls.qr_image)
    pair_code = _method(calls.pair_code)
    sessions = _pages(calls.sessions)

    check_contacts = _method(calls.check_contacts)
    send = _method(calls.send)
    message = _method(calls.message)
    mark_read = _method(calls.mark_read)
    cancel = _method(calls.cancel)
    resend = _method(calls.resend)
    latency_stats = _method(calls.latency_stats)
    messages = _pages(calls.messages)
    high_latency = _pages(calls.high_latency)

    async def carry_out(self, call: Call[Result]) -> Result:
        """Raises ApiError or Unreachable, where trying again does not help."""
        attempts = Attempts(self._retry_for_s)
        while True:
            try:
                return await self._once(call)
            except (ApiError, Unreachable) as error:
                pause_s = attempts.pause_s(error, is_repeatable=call.is_repeatable)
                if pause_s is None:
                    raise
            await anyio.sleep(pause_s)

    async def _once(self, call: Call[Result]) -> Result:
        with request_of(call, self._token) as asked, reaching():
            response = await self._http.request(call.method, self._url + call.path, **asked)
        check(response)
        return call.read(response.content)

    @asynccontextmanager
    async def media(self, id: int) -> AsyncIterator[AsyncIterator[bytes]]:
        """The file of a message, in pieces as they arrive."""
        asked = headers(self._token, "*/*")
        with reaching():
            async with self._http.stream("GET", self._url + calls.media_path(id), headers=asked) as response:
                if not response.is_success:
                    await response.aread()
                    check(response)
                yield response.aiter_bytes()

    def events(
        self,
        *,
        after: int | None = None,
        log_id: str | None = None,
        sessions: tuple[str, ...] = (),
        types: tuple[str, ...] = (),
    ) -> AbstractAsyncContextManager[EventStream]:
        """Events past ``after`` (0: from the oldest kept; None: from now), for ever, over lost connections too.

        Keep the ``seq`` of what you have dealt with: with it as ``after`` the next run goes on behind it. An event of
        type `gap` says that some are gone. Raises ApiError where the daemon refuses.
        """
        return follow(self._url, self._token, Cursor(after, log_id, sessions, types))
