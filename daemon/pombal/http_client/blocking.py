"""The client for programs without an event loop: a Django view, a script. Safe to use from several threads."""

import json
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx2
from pydantic import BaseModel

from pombal.http_client import calls
from pombal.http_client.calls import Call, Page, Result
from pombal.http_client.errors import ApiError, Unreachable
from pombal.http_client.following import LOG_PATH, STREAM_PATH, Backoff, Cursor, Event
from pombal.http_client.requests import TIMEOUT, Attempts, Token, check, headers, reaching, request_of

P = ParamSpec("P")
Item = TypeVar("Item", bound=BaseModel)


def _method(build: Callable[P, Call[Result]]) -> Callable[Concatenate["Client", P], Result]:
    """A function of calls.py as a method that carries its call out."""

    @wraps(build)
    def method(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> Result:
        return self.carry_out(build(*args, **kwargs))

    return method


def _pages(build: Callable[P, Call[Page[Item]]]) -> Callable[Concatenate["Client", P], Generator[Item, None, None]]:
    """The same for a list: iterates over all that there is, page by page."""

    @wraps(build)
    def method(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> Generator[Item, None, None]:
        call: Call[Page[Item]] | None = build(*args, **kwargs)
        while call is not None:
            page = self.carry_out(call)
            yield from page.results
            call = page.next

    return method


class Client:
    """url: where the daemon's HTTP API is. retry_for_s: how long a call is tried again that found the daemon away.

    http: an httpx2.Client of your own (proxies, certificates); it is not closed then.
    """

    def __init__(self, url: str, token: Token, *, retry_for_s: float = 30.0, http: httpx2.Client | None = None) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._retry_for_s = retry_for_s
        self._is_ours = http is None
        self._http = http or httpx2.Client(timeout=TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._is_ours:
            self._http.close()

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

    def carry_out(self, call: Call[Result]) -> Result:
        """Raises ApiError or Unreachable, where trying again does not help."""
        attempts = Attempts(self._retry_for_s)
        while True:
            try:
                return self._once(call)
            except (ApiError, Unreachable) as error:
                pause_s = attempts.pause_s(error, is_repeatable=call.is_repeatable)
                if pause_s is None:
                    raise
            time.sleep(pause_s)

    def _once(self, call: Call[Result]) -> Result:
        with request_of(call, self._token) as asked, reaching():
            response = self._http.request(call.method, self._url + call.path, **asked)
        check(response)
        return call.read(response.content)

    @contextmanager
    def media(self, id: int) -> Iterator[Iterator[bytes]]:
        """The file of a message, in pieces as they arrive."""
        asked = headers(self._token, "*/*")
        with reaching(), self._http.stream("GET", self._url + calls.media_path(id), headers=asked) as response:
            if not response.is_success:
                response.read()
                check(response)
            yield response.iter_bytes()

    def events(
        self,
        *,
        after: int | None = None,
        log_id: str | None = None,
        sessions: tuple[str, ...] = (),
        types: tuple[str, ...] = (),
    ) -> Generator[Event, None, None]:
        """Events past ``after`` (0: from the oldest kept; None: from now), for ever, over lost connections too.

        Keep the ``seq`` of what you have dealt with: with it as ``after`` the next run goes on behind it. An event of
        type `gap` says that some are gone. Raises ApiError where the daemon refuses.
        """
        cursor = Cursor(after, log_id, sessions, types)
        backoff = Backoff()
        while True:
            asked_for_s = None
            try:
                for event in self._stream(cursor):
                    backoff.reset()
                    yield event
            except ApiError as error:
                if not backoff.helps(error):
                    raise
                asked_for_s = error.retry_after_s
            except Unreachable:
                pass  # it comes back
            time.sleep(backoff.next_s(asked_for_s))

    def _stream(self, cursor: Cursor) -> Generator[Event, None, None]:
        """Events until the connection ends. Server-Sent Events: one connection, no tasks."""
        if cursor.log_id is None:  # the stream itself does not say
            cursor.learn(self._once(Call(method="GET", path=LOG_PATH, query={"limit": 1}, read=json.loads)))
        asked: dict[str, Any] = {"params": cursor.query(), "headers": headers(self._token, "text/event-stream")}
        with reaching(), self._http.sse(self._url + STREAM_PATH, **asked) as source:
            if not source.response.is_success:
                source.response.read()
                check(source.response)
            for sent in source:
                for event in cursor.take(sent.data) if sent.data else ():
                    if event.type == "gap":  # perhaps for its being another log now
                        cursor.log_id = None
                    yield event
