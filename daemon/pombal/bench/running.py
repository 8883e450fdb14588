"""The real daemon, as a process of its own on a state directory of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from pombal.bench.scraping import sample_of, scrape
from pombal.control.client import Client, NoDaemon, connect
from pombal.model.session_state import SessionStatus

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_LOOK_EVERY_S = 0.01
_LOG_TAIL_BYTES = 2000

Counted = Callable[[int], None]

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 60.0
STALLED_S = 60.0


class BenchmarkFailed(Exception):
    """What was to be measured did not happen; the text says what, and what the daemon had to say."""


@dataclass
class Running:
    """A daemon that answers."""

    process: trio.Process
    client: Client
    state: Path
    control_socket: Path
    port: int

    @property
    def database(self) -> Path:
        return self.state / "pombal.db"

    def kill(self) -> None:
        """As kill -9 does."""
        self.process.kill()

    async def token(self) -> str:
        return (await self.client.token_create("benchmark", role="admin")).token

    async def until_ready(self, sessions: int, counted: Counted = lambda _: None) -> None:
        """Until so many sessions are ready; counted is told how many are."""

        async def ready() -> int:
            return (await self.client.daemon_status()).sessions.get(SessionStatus.READY, 0)

        await self._until(ready, sessions, counted, "sessions ready")

    async def until_seq(self, seq: int, counted: Counted = lambda _: None) -> None:
        """Until the event log has grown so far; counted is told how far it is."""

        async def reached() -> int:
            return (await self.client.daemon_status()).last_event_seq

        await self._until(reached, seq, counted, "events")

    async def until_read(self, messages: int, counted: Counted = lambda _: None) -> None:
        """Until so many messages have reached their last status; counted is told how many have."""

        async def read() -> int:
            sample = ("pombal_message_status_total", {"status": "read", "link": "simulator"})
            return round(sample_of(await scrape(self.port), *sample))

        await self._until(read, messages, counted, "messages read")

    async def _until(self, look: Callable[[], Awaitable[int]], goal: int, counted: Counted, what: str) -> None:
        """Raises BenchmarkFailed where nothing moves for long: a benchmark that hangs has found something, too."""
        reached, since = -1, trio.current_time()
        while (now := await look()) < goal:
            if now != reached:
                reached, since = now, trio.current_time()
                counted(now)
            elif trio.current_time() > since + STALLED_S:
                raise BenchmarkFailed(f"nothing moves at {now} of {goal} {what}:\n{said(self.state)}")
            await trio.sleep(_LOOK_EVERY_S)

    def rss_bytes(self) -> int:
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * _PAGE_BYTES

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


Sections = Mapping[str, Mapping[str, Any]]
"""Of a configuration: by name, each with its settings."""


@asynccontextmanager
async def running(state: Path, config: Sections | None = None) -> AsyncIterator[Running]:
    """A daemon on state, stopped in the end. config: what differs from every benchmark's own settings.

    Raises BenchmarkFailed where it does not come up.
    """
    await trio.Path(state).mkdir(mode=0o700, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="pombal-") as runtime,  # a socket's path may be a hundred characters long
        socket.create_server(("127.0.0.1", 0), backlog=512) as listener,
        (state / "daemon.log").open("wb") as log,
    ):
        file = state / "config.toml"
        file.write_text(_configuration(state, runtime, listener.fileno(), config or {}))
        process = await trio.lowlevel.open_process(
            [sys.executable, "-m", "pombal", "serve", "--config", str(file)],
            stderr=log, stdout=subprocess.DEVNULL, pass_fds=[listener.fileno()],
        )  # fmt: skip
        try:
            control_socket = Path(runtime) / "control.sock"
            async with _connected(process, state, control_socket) as client:
                yield Running(process, client, state, control_socket, listener.getsockname()[1])
        finally:
            with trio.CancelScope(shield=True):
                await _stop(process)


def _configuration(state: Path, runtime: str, descriptor: int, config: Sections) -> str:
    """A log line a message is a cost of its own, so there is none; everything else is as by default."""
    ours: Sections = {
        "daemon": {"state_dir": str(state), "runtime_dir": runtime},
        "http": {"bind": f"fd://{descriptor}"},
        "log": {"level": "error"},  # a backlog is late, message by message, and each would be warned of
        "sessions": {"default_link": "simulator"},
        "simulator": {"enabled": True},
    }
    lines = []
    for section in dict.fromkeys([*ours, *config]):
        settings = {**ours.get(section, {}), **config.get(section, {})}
        # A JSON string, number, boolean or list is one of TOML's as well.
        lines += [f"[{section}]", *(f"{name} = {json.dumps(value)}" for name, value in settings.items())]
    return "\n".join(lines) + "\n"


@asynccontextmanager
async def _connected(process: trio.Process, state: Path, path: Path) -> AsyncIterator[Client]:
    deadline = trio.current_time() + START_TIMEOUT_S
    async with AsyncExitStack() as stack:
        while True:
            try:
                client = await stack.enter_async_context(connect(path))
                break
            except NoDaemon:
                if process.poll() is not None or trio.current_time() > deadline:
                    raise BenchmarkFailed(f"the daemon did not start:\n{said(state)}") from None
                await trio.sleep(_LOOK_EVERY_S)
        yield client


async def _stop(process: trio.Process) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with trio.move_on_after(STOP_TIMEOUT_S):
            await process.wait()
            return
        process.kill()
        await process.wait()


def said(state: Path) -> str:
    """The end of what the daemon has logged."""
    with (state / "daemon.log").open("rb") as log:
        log.seek(max(0, log.seek(0, os.SEEK_END) - _LOG_TAIL_BYTES))
        return log.read().decode(errors="replace")
