"""A daemon that says what a test wants it to: JSON-RPC on a Unix socket, in threads, with every call recorded."""

import contextlib
import json
import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

WAIT_S = 20.0
Result = dict[str, Any]


class Refusal(Exception):
    """Answered as an error of this kind."""

    def __init__(self, kind: str, message: str, **facts: str) -> None:
        super().__init__(message)
        self.data = {"kind": kind} | facts


class HangUp(Exception):
    """The connection is closed."""


class Subscription:
    """What a test plays to one subscriber."""

    def __init__(self, write: Callable[[Any], None], params: Result, daemon: "FakeDaemon") -> None:
        self._write = write
        self.params = params
        self.daemon = daemon

    def emit(self, *events: Result) -> None:
        for event in events:
            self._write({"jsonrpc": "2.0", "method": "event", "params": {"subscription": "1", "event": event}})


Answer = Result | Refusal | Callable[[Result], Result]
Play = Callable[[Subscription], None]


class FakeDaemon:
    """``answers`` holds what a method answers with; ``plays`` what each subscription in turn is told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log_id = "LOG"
        self.answers: dict[str, Answer] = {}
        self.plays: list[Play | Refusal] = []
        self.calls: list[tuple[str, Result]] = []
        self._changed = threading.Condition()
        self._played = 0

    def called(self, method: str) -> list[Result]:
        return [params for name, params in self.calls if name == method]

    def wait_for_call(self, method: str, times: int = 1) -> None:
        """Block until a method was called so often."""
        with self._changed:
            arrived = self._changed.wait_for(lambda: len(self.called(method)) >= times, WAIT_S)
        assert arrived, f"{method} was not called: {self.calls}"

    def answer(self, request: Result, write: Callable[[Any], None]) -> None:
        method, params = request["method"], request.get("params", {})
        with self._changed:
            self.calls.append((method, params))
            self._changed.notify_all()
        reply = {"jsonrpc": "2.0", "id": request["id"]}
        try:
            if method == "events.subscribe":
                play = self._next_play()
                write(reply | {"result": {"subscription": "1", "log_id": self.log_id}})
                play(Subscription(write, params, self))
                return
            write(reply | {"result": self._result(method, params)})
        except Refusal as refusal:
            error = {"code": -32000, "message": str(refusal), "data": refusal.data}
            write(reply | {"error": error})

    def _result(self, method: str, params: Result) -> Result:
        answer = self.answers.get(method, Refusal("unsupported", f"no answer is prepared for {method}"))
        if isinstance(answer, Refusal):
            raise answer
        return answer if isinstance(answer, Mapping) else answer(params)

    def _next_play(self) -> Play:
        with self._changed:
            play = self.plays[self._played] if self._played < len(self.plays) else _nothing
            self._played += 1
        if isinstance(play, Refusal):
            raise play
        return play


def _nothing(subscription: Subscription) -> None:
    """Accept, and stay silent."""


class _Connection(socketserver.StreamRequestHandler):
    server: "_Server"

    def handle(self) -> None:
        # A client that has what it wants closes while we still write.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, HangUp):
            for line in self.rfile:
                self.server.daemon.answer(json.loads(line), self._write)

    def _write(self, message: Any) -> None:
        self.wfile.write(json.dumps(message).encode() + b"\n")


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, daemon: FakeDaemon) -> None:
        self.daemon = daemon
        super().__init__(str(daemon.path), _Connection)


@contextlib.contextmanager
def running(path: Path) -> Iterator[FakeDaemon]:
    daemon = FakeDaemon(path)
    with _Server(daemon) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield daemon
        finally:
            server.shutdown()
            thread.join()
