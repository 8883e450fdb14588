"""Running `pombal`: in this process for most tests, in one of its own where signals, pipes or a terminal matter."""

import json
import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from typer.testing import CliRunner

from pombal.cli.main import app

WAIT_S = 20.0
COMMAND = [sys.executable, "-c", "from pombal.cli.main import main; main()"]


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one object that was printed."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


class Runner:
    """Call it with a command's words, as one types them."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def __call__(self, *words: str, stdin: str | bytes = "", env: dict[str, str] | None = None) -> Outcome:
        result = CliRunner().invoke(app, list(words), input=stdin, env=env)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(result.exit_code, result.stdout, result.stderr)

    @contextmanager
    def process(self, *words: str, stdout: int = subprocess.PIPE) -> Iterator["subprocess.Popen[str]"]:
        """The command as a process of its own, killed at the end where it has not ended."""
        with subprocess.Popen(
            [*COMMAND, *words], stdout=stdout, stderr=subprocess.PIPE, text=True, env=os.environ | {"TERM": "xterm"}
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    @contextmanager
    def terminal(self, *words: str, columns: int = 100, env: dict[str, str] | None = None) -> Iterator["Terminal"]:
        """The command with a terminal for its output."""
        ours, theirs = pty.openpty()
        with os.fdopen(ours, "r+b", buffering=0) as screen:
            environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": "60"} | (env or {})
            # A session of its own and the terminal its controlling one, so that what is typed can be a Ctrl-C.
            process = subprocess.Popen(
                ["setsid", "--ctty", *COMMAND, *words], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
            )
            os.close(theirs)
            try:
                yield Terminal(process, screen)
            finally:
                process.kill()
                process.wait()


class Terminal:
    """What a person would see, with the escape sequences that make it."""

    def __init__(self, process: "subprocess.Popen[bytes]", screen: IO[bytes]) -> None:
        self.process = process
        self._screen = screen
        self.seen = b""

    def wait_for(self, text: str) -> str:
        """Read until text appears; everything seen so far."""
        while text.encode() not in self.seen:
            assert self._read(), f"{text!r} never appeared in {self.seen.decode(errors='replace')}"
        return self.seen.decode(errors="replace")

    def type(self, keys: bytes) -> None:
        self._screen.write(keys)

    def finish(self) -> int:
        """Read to the end; the exit code."""
        while self._read():
            pass
        return self.process.wait(WAIT_S)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._screen], [], [], WAIT_S)
        assert ready, f"nothing more came after {self.seen.decode(errors='replace')}"
        try:
            data = self._screen.read(65_536)
        except OSError:  # Linux says EIO when the last one has closed the other side
            return False
        self.seen += data
        return bool(data)
