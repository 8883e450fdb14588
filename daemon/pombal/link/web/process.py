"""One gateway process: started, waited for until it answers, and ended by its standard input and SIGTERM alike."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import structlog
import trio

from pombal.config.settings import WebSettings
from pombal.link.base import LinkLost
from pombal.link.web.child_log import ChildLog

log = structlog.get_logger()

LOOK_EVERY_S = 0.02
LAST_WORDS_S = 0.2  # to read what it wrote before it ended, where something it started keeps its standard error open
# A child of ours must not feed our watchdog, take our sockets or read our credentials.
NOT_INHERITED = (
    "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES",
    "CREDENTIALS_DIRECTORY",
)  # fmt: skip


def default_command() -> list[str]:
    return [sys.executable, "-m", "pombal", "gateway", "web"]


class GatewayProcess:
    """``run`` is its life, in a nursery that outlives those who use it."""

    def __init__(self, name: str, settings: WebSettings, socket: Path, state: Path, environ: Mapping[str, str]) -> None:
        """socket: where it is to listen. state: where it keeps what lasts, a directory for each session in it."""
        self.name = name
        self.socket = socket
        self.pid: int | None = None
        self.is_retiring = False
        self.has_ended = trio.Event()
        self._command = [
            *(settings.gateway_command or default_command()),
            "--socket",
            str(socket),
            "--state",
            str(state),
        ]
        self._settings = settings
        self._environ = {key: value for key, value in environ.items() if key not in NOT_INHERITED}
        self._scope = trio.CancelScope()
        self._log = ChildLog(name, settings.log_lines_per_s)
        self._was_ready = False
        self._returncode: int | None = None
        self._failure: str | None = None

    @property
    def is_usable(self) -> bool:
        """Whether sessions may be given to it."""
        return self._was_ready and not self.is_retiring and not self.has_ended.is_set() and not self._is_stopping

    @property
    def _is_stopping(self) -> bool:
        return self._scope.cancel_called

    @property
    def may_have_lost(self) -> bool:
        """Whether it ended otherwise than in order. Status 0 says that all it had heard is on disk."""
        return self._was_ready and self._returncode not in (None, 0)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until it has ended, by itself or by ``stop``; started once it answers. Raises LinkLost before that."""
        try:
            with self._scope:
                process = await self._open()
                self.pid = process.pid
                try:
                    await self._live(process, task_status)
                finally:
                    timeout_s = self._settings.stop_timeout_s
                    self._returncode = await _end(process, timeout_s)  # noqa: ASYNC102  # shielded within
        finally:
            self.has_ended.set()
            self.socket.unlink(missing_ok=True)
        if not self._was_ready:
            raise LinkLost(self._failure or f"the gateway was stopped at its start{self._said()}")

    def stop(self) -> None:
        """Have it end; ``has_ended`` says when it has."""
        self._scope.cancel()

    def how_it_ended(self) -> str:
        return f"the gateway {_ending(self._returncode)}{self._said() if self._returncode else ''}"

    async def _open(self) -> trio.Process:
        try:
            # A session of its own: Ctrl-C at a terminal is for the daemon, which ends its gateways in order.
            return await trio.lowlevel.open_process(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                start_new_session=True, env=self._environ,
            )  # fmt: skip
        except OSError as error:
            raise LinkLost(f"the gateway {self._command[0]} cannot be started: {error.strerror}") from error

    async def _live(self, process: trio.Process, task_status: trio.TaskStatus[None]) -> None:
        async with trio.open_nursery() as nursery:
            if process.stderr is not None:
                nursery.start_soon(self._log.read, process.stderr)
            if await self._answers(process):
                self._was_ready = True
                task_status.started()
                await process.wait()
            nursery.cancel_scope.deadline = trio.current_time() + LAST_WORDS_S
        if not self._was_ready:
            self._failure = f"the gateway {_failed(process, self._settings)}{self._said()}"

    async def _answers(self, process: trio.Process) -> bool:
        """Wait until it listens; False where it ended before that, or took too long."""
        with trio.move_on_after(self._settings.start_timeout_s):
            while process.poll() is None:
                if await _listens(self.socket):
                    return True
                await trio.sleep(LOOK_EVERY_S)
        return False

    def _said(self) -> str:
        return f"; it said: {self._log.last[-1][:300]}" if self._log.last else ""


async def _listens(socket: Path) -> bool:
    try:
        stream = await trio.open_unix_socket(socket)
    except OSError:
        return False
    await trio.aclose_forcefully(stream)
    return True


async def _end(process: trio.Process, timeout_s: float) -> int:
    """By the end of its standard input, then by SIGTERM, then by force: bounded, whoever is cancelled meanwhile.

    Not by both at once: one that is leaving already may have given its handler of SIGTERM up, and would die of it.
    """
    with trio.CancelScope(shield=True):
        if process.stdin is not None:
            await trio.aclose_forcefully(process.stdin)
        if not await _waited(process, timeout_s / 2):
            with suppress(ProcessLookupError):
                process.terminate()
            if not await _waited(process, timeout_s / 2):
                log.warning("gateway killed, it did not end by itself", pid=process.pid, stop_timeout_s=timeout_s)
                _kill_group(process.pid)
        returncode = await process.wait()
        if process.stderr is not None:
            await trio.aclose_forcefully(process.stderr)
    return returncode


async def _waited(process: trio.Process, timeout_s: float) -> bool:
    with trio.move_on_after(timeout_s):
        await process.wait()
    return process.returncode is not None


def _kill_group(pid: int) -> None:
    """It leads a session of its own, so what a wrapper started goes with it."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _failed(process: trio.Process, settings: WebSettings) -> str:
    if process.poll() is None:
        return f"did not answer within {settings.start_timeout_s:g} s"
    return f"{_ending(process.returncode)} at its start"


def _ending(returncode: int | None) -> str:
    if returncode is None:
        return "ended"
    if returncode < 0:
        return f"was ended by {signal.Signals(-returncode).name}"
    return f"ended with status {returncode}"
