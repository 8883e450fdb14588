"""The daemon as a process of its own: started, watched, driven, stopped and killed as an operator and fate would.

Nothing here sleeps: a start is over when the daemon says READY on its notification socket, a stop when the process has
ended, and everything between is waited for by its event.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import trio

from pombal.control.client import Client, connect
from tests.daemon.notify_socket import NotifySocket, notify_socket

WAIT_S = 40.0
COMMAND = [sys.executable, "-m", "pombal"]
# What would lead a daemon, or a command, to somewhere else than the test's own directory.
_ELSEWHERE = ("POMBAL_", "XDG_", "STATE_DIRECTORY", "RUNTIME_DIRECTORY", "NOTIFY_SOCKET", "LISTEN_", "WATCHDOG_")

Settings = Mapping[str, Mapping[str, Any]]

# The simulator on and quick; crashes and lost links mended soon; any free port.
BASE: Settings = {
    "log": {"format": "json"},
    "http": {"bind": "127.0.0.1:0"},
    "sessions": {"default_link": "simulator", "restart_backoff_min_s": 0.02, "restart_backoff_max_s": 0.1},
    "link": {"reconnect_min_s": 0.02, "reconnect_max_s": 0.2},
    "simulator": {
        "enabled": True, "auto_scan_ms": 0, "connect_ms": 1, "sent_ms": 2, "delivered_ms": 2, "read_ms": 2,
    },
}  # fmt: skip


def merged(*several: Settings) -> dict[str, dict[str, Any]]:
    whole: dict[str, dict[str, Any]] = {}
    for settings in several:
        for section, keys in settings.items():
            whole[section] = {**whole.get(section, {}), **keys}
    return whole


def toml(settings: Settings) -> str:
    lines: list[str] = []
    for section, keys in settings.items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {_value(value)}" for key, value in keys.items()]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_value(part)}" for key, part in value.items()) + " }"
    return json.dumps(value)


def environment(**more: str) -> dict[str, str]:
    """Ours, without what points elsewhere, and without what would have each process compile our modules anew."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith((*_ELSEWHERE, "PYTHONDONTWRITE"))}
    return kept | {"PYTHONWARNINGS": "error", "PYTHONUNBUFFERED": "1"} | more


class Life:
    """One life of the daemon, for whoever talks to it and reads its log."""

    def __init__(self, pid: int, home: "Home", log_path: Path) -> None:
        self.pid = pid
        self.home = home
        self.log_path = log_path

    @property
    def output(self) -> str:
        return self.log_path.read_text(errors="replace")

    @property
    def log(self) -> list[dict[str, Any]]:
        """What it has logged; lines that are no log (a banner, a complaint), or are being written, are left out."""
        lines = self.output.splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]

    def logged(self, event: str) -> list[dict[str, Any]]:
        return [entry for entry in self.log if entry.get("event") == event]

    @property
    def url(self) -> str:
        """Where its HTTP server listens: the port that the kernel chose stands in the log."""
        url: str = self.logged("ready")[-1]["http"][0]
        return url

    def client(self) -> AbstractAsyncContextManager[Client]:
        return connect(self.home.socket)


class Running(Life):
    """A life that can be ended. ``ready`` has been waited for where it comes from ``Home.daemon``."""

    def __init__(self, process: trio.Process, home: "Home", notify: NotifySocket, log_path: Path) -> None:
        super().__init__(process.pid, home, log_path)
        self.process = process
        self.notify = notify

    async def ready(self) -> None:
        """Wait for READY. A process that ends before it fails the test with what it said."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._no_end)
            with trio.fail_after(WAIT_S):
                await self.notify.until("READY")
            nursery.cancel_scope.cancel()

    async def _no_end(self) -> None:
        code = await self.process.wait()
        raise AssertionError(f"the daemon ended with {code}:\n{self.output}")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self) -> int:
        with trio.fail_after(WAIT_S):
            return await self.process.wait()

    async def stop(self) -> None:
        """SIGTERM; it drains and ends well."""
        self.signal(signal.SIGTERM)
        assert await self.ended() == 0, self.output

    async def kill(self) -> None:
        """SIGKILL, as the OOM killer or the power cut."""
        self.process.kill()
        await self.ended()


class Home:
    """A directory with a configuration, and all that a daemon leaves in it from one life to the next."""

    def __init__(self, root: Path, settings: Settings | None = None) -> None:
        self.root = root
        self.state = root / "state"
        self.socket = root / "run" / "control.sock"
        self.config = root / "config.toml"
        self._lives = 0
        self.configure(settings or {})

    @property
    def database(self) -> Path:
        return self.state / "pombal.db"

    @property
    def simulator_db(self) -> Path:
        return self.state / "simulator.db"

    def configure(self, settings: Settings) -> None:
        """Write the configuration: the tests' own defaults, and these."""
        places = {"daemon": {"state_dir": str(self.state), "runtime_dir": str(self.root / "run")}}
        self.config.write_text(toml(merged(BASE, places, settings)))

    @asynccontextmanager
    async def process(self, *, command: list[str] | None = None, **options: Any) -> AsyncIterator[Running]:
        """A daemon that may or may not come up. Killed at the end where it still runs."""
        log_path = self._next_log()
        env = environment(HOME=str(self.root)) | options.pop("env", {})
        async with notify_socket(self.root / "notify") as notify:
            with log_path.open("wb") as log:
                process = await trio.lowlevel.open_process(
                    command or self._serve,
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.root,
                    env={"NOTIFY_SOCKET": str(notify.path)} | env, **options,
                )  # fmt: skip
            try:
                yield Running(process, self, notify, log_path)
            finally:
                process.kill()
                with trio.CancelScope(shield=True):
                    await process.wait()

    @asynccontextmanager
    async def daemon(self, **options: Any) -> AsyncIterator[Running]:
        """A daemon that is ready."""
        async with self.process(**options) as running:
            await running.ready()
            yield running

    @contextmanager
    def shared(self) -> Iterator[Life]:
        """A daemon that is ready, for all tests of a module, which have an event loop each. It must end well."""
        log_path = self._next_log()
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                self._serve, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.root,
                env=environment(HOME=str(self.root)),
            )  # fmt: skip
        life = Life(process.pid, self, log_path)
        try:
            deadline_s = time.monotonic() + WAIT_S
            while not life.logged("ready"):
                assert process.poll() is None, life.output
                assert time.monotonic() < deadline_s, life.output
                time.sleep(0.02)
            yield life
            process.terminate()
            assert process.wait(WAIT_S) == 0, life.output
        finally:
            process.kill()
            process.wait()

    @property
    def _serve(self) -> list[str]:
        return [*COMMAND, "serve", "--config", str(self.config)]

    def _next_log(self) -> Path:
        self._lives += 1
        return self.root / f"log-{self._lives}"

    async def command(self, *words: str, timeout_s: float = WAIT_S) -> "Outcome":
        """`pombal` with these words, to its end."""
        with trio.fail_after(timeout_s):
            done = await trio.run_process(
                [*COMMAND, *words], capture_stdout=True, capture_stderr=True, check=False, cwd=self.root,
                env=environment(HOME=str(self.root), POMBAL_SOCKET=str(self.socket)),
            )  # fmt: skip
        return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())


class Outcome:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)


Event = dict[str, Any]


async def events_until(client: Client, last: Callable[[Event], bool], *, after: int = 0, **filters: Any) -> list[Event]:
    """All events past ``after``, up to the first one that is the last; waits for it."""
    seen = []
    with trio.fail_after(WAIT_S):
        async with client.events(after=after, **filters) as events:
            async for event in events:
                seen.append(event)
                if last(event):
                    return seen
    raise AssertionError("the stream ended")


async def until(client: Client, wanted: Callable[[Event], bool], *, after: int = 0, **filters: Any) -> Event:
    """The first event past ``after`` that is wanted; waits for it."""
    return (await events_until(client, wanted, after=after, **filters))[-1]


async def until_status(client: Client, session: str, status: str, *, after: int = 0) -> Event:
    """The event (past ``after``) by which the session reached the status."""
    return await until(
        client, lambda event: event["data"]["status"] == status, after=after, sessions=[session],
        types=["session.status"],
    )  # fmt: skip


async def ready_session(client: Client, name: str = "vendas", **params: Any) -> None:
    """A new session, paired and ready."""
    await client.session_create(name, **params)
    await until_status(client, name, "ready")


async def until_all(client: Client, session: str, message_ids: set[str], status: str, *, after: int = 0) -> None:
    """Wait until each of these messages has reached the status."""
    missing = set(message_ids)

    def last(event: Event) -> bool:
        if event["data"].get("status") == status:
            missing.discard(event["data"]["message_id"])
        return not missing

    if missing:
        await until(client, last, after=after, sessions=[session], types=["message.status"])
