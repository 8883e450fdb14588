"""What both clients do alike: how a call becomes a request, which errors it raises, and when it is tried again."""

import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx2

from pombal.http_client.calls import Call
from pombal.http_client.errors import AWAY, ApiError, Unreachable, api_error

Token = str | Callable[[], str]
"""A token, or what gives the present one: tokens expire."""

RETRY_FIRST_S, RETRY_MAX_S = 0.25, 10.0
TIMEOUT = httpx2.Timeout(connect=10.0, read=60.0, write=60.0, pool=60.0)


def headers(token: Token, accept: str = "application/json") -> dict[str, str]:
    return {"Authorization": f"Bearer {token if isinstance(token, str) else token()}", "Accept": accept}


@contextmanager
def request_of(call: Call[Any], token: Token) -> Iterator[dict[str, Any]]:
    """The arguments of httpx2's request; a file is open meanwhile, from its start."""
    with ExitStack() as opened:
        asked: dict[str, Any] = {"headers": headers(token, call.accept), "params": call.query}
        if call.file is not None:
            asked["files"] = {"file": (call.file.name, opened.enter_context(call.file.open("rb")))}
        if call.form is not None:
            asked["data"] = {name: _field(value) for name, value in call.form.items()}
        if call.json is not None:
            asked["json"] = call.json
        yield asked


def _field(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@contextmanager
def reaching() -> Iterator[None]:
    """httpx2's errors as Unreachable."""
    try:
        yield
    except httpx2.TransportError as error:
        never_sent = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)
        raise Unreachable(str(error) or type(error).__name__, was_sent=not never_sent) from error


def check(response: httpx2.Response) -> None:
    """Raises ApiError. A streamed response must have been read where it is one."""
    if not response.is_success:
        raise api_error(response.status_code, response.content, response.headers.get("retry-after"))


class Attempts:
    """When to try a call again: at growing intervals, for as long as retry_for_s; None: not any more."""

    def __init__(self, retry_for_s: float, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._until_s = now_s() + retry_for_s
        self._pause_s = RETRY_FIRST_S

    def pause_s(self, error: ApiError | Unreachable, *, is_repeatable: bool) -> float | None:
        """How long to wait before the next try."""
        if not _may_be_retried(error, is_repeatable):
            return None
        pause_s = self._pause_s * random.uniform(0.5, 1.0)  # noqa: S311  # so that clients do not come all at once
        self._pause_s = min(self._pause_s * 2, RETRY_MAX_S)
        if isinstance(error, ApiError) and error.retry_after_s is not None:
            pause_s = error.retry_after_s
        return pause_s if self._now_s() + pause_s < self._until_s else None


def _may_be_retried(error: ApiError | Unreachable, is_repeatable: bool) -> bool:
    if isinstance(error, Unreachable):
        return is_repeatable or not error.was_sent
    # 429 was turned away at the door, nothing was done.
    return error.status == 429 or (error.status in AWAY and is_repeatable)
