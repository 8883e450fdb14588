"""One request and its one answer."""

from collections.abc import Callable
from types import TracebackType

import structlog
from pydantic import BaseModel

from pombal.control import jsonrpc
from pombal.control.jsonrpc import BadRequest
from pombal.control.outgoing import Outgoing
from pombal.model.errors import Kind, PombalError
from pombal.service.base import SendAnswer
from pombal.service.catalog import METHODS

log = structlog.get_logger()

CountRequest = Callable[[str, str], None]
"""Told of each answer: (method, outcome), outcome being `ok` or the kind of refusal."""

# What callers invent must not become a label of a metric.
UNKNOWN_METHOD = "unknown"


class Exchange:
    """Puts exactly one answer out; a notification's (id None) is empty.

    As a context manager: what is raised inside becomes the answer; after the answer it is only logged.
    """

    __slots__ = ("_count", "_id", "_outgoing", "answered", "method", "succeeded")

    def __init__(self, method: str, request_id: bytes | None, outgoing: Outgoing, count: CountRequest) -> None:
        self.method = method if method in METHODS else UNKNOWN_METHOD
        self._id = request_id
        self._outgoing = outgoing
        self._count = count
        self.answered = False
        self.succeeded = False

    def result(self, result: BaseModel) -> None:
        self._answer(b"" if self._id is None else jsonrpc.encode_result(self._id, result), "ok")
        self.succeeded = True

    def sent(self, answer: SendAnswer) -> None:
        self._answer(b"" if self._id is None else jsonrpc.encode_json(self._id, answer.json()), "ok")
        self.succeeded = True

    def refuse(self, error: PombalError) -> None:
        self._answer(b"" if self._id is None else jsonrpc.encode_refusal(self._id, error), error.kind)

    def refuse_line(self, error: BadRequest) -> None:
        self._answer(b"" if self._id is None else jsonrpc.encode_bad_request(error), error.kind)

    def _crash(self) -> None:
        self._answer(b"" if self._id is None else jsonrpc.encode_crash(self._id), Kind.CRASHED)

    def _answer(self, line: bytes, outcome: str) -> None:
        if self.answered:
            raise RuntimeError(f"{self.method} was answered twice")
        self.answered = True
        self._outgoing.answer(line)
        self._count(self.method, outcome)

    def __enter__(self) -> None:
        """Every request passes here, sends twice: so no generator stands behind it."""

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: TracebackType | None) -> bool:
        match error:
            case BadRequest():
                self.refuse_line(error)
            case PombalError() if self.answered:
                log.warning("control request failed after its answer", method=self.method, kind=error.kind)
            case PombalError():
                self.refuse(error)
            case Exception():
                log.error("control request crashed", method=self.method, exc_info=error)
                if not self.answered:
                    self._crash()
        return isinstance(error, Exception)
