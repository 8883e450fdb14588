"""One session in the gateway: its directory, its spool, the life of its client, its sends and files."""

import fcntl
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import structlog
import trio

from pombal.gateway.client import Client, ClientError, ClientFactory
from pombal.gateway.downloads import Downloads
from pombal.gateway.files import Files
from pombal.gateway.gate import Gate
from pombal.gateway.life import Life, Stage, Wishes
from pombal.gateway.options import Options
from pombal.gateway.sending import Sending
from pombal.gateway.spool import Spool
from pombal.link.wire.frames import DaemonHello

log = structlog.get_logger()
T = TypeVar("T")

LOCK = "lock"
SPOOL = "spool.db"
LOCK_WAIT_S = 6.0
"""For the process before us to end; it takes five seconds at most."""
LOCK_LOOK_S = 0.1
SWEEP_EVERY_S = 600.0
STUCK_PROBE_S = 5.0
PATIENCE_S = 3.0


class Taken(Exception):
    """Another process holds the session's directory."""


class Listener(Protocol):
    """The connection that serves the session now."""

    def wake(self) -> None:
        """There is something new: an event, facts, a file."""

    def lost(self, detail: str) -> None: ...


class Session:
    """Made by ``opened``; ``run`` serves it until it is cancelled."""

    def __init__(self, directory: Path, spool: Spool, factory: ClientFactory, gate: Gate, options: Options) -> None:
        self.directory = directory
        self.spool = spool
        self.files = Files(directory)
        self._gate = gate
        self.life = Life(
            directory, spool, factory, gate, woken=self.woken, files_noted=self._files_noted, lost=self._lost
        )
        self.sending = Sending(self.life, spool, self.files, factory, gate, self.woken)
        self.downloads = Downloads(
            self.life, spool, self.files, gate, max_bytes=options.media_max_bytes, ready=self.woken
        )
        self.listener: Listener | None = None
        self._probes: dict[object, float] = {}

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        async with trio.open_nursery() as nursery:
            for part in (self.life.run, self.sending.run, self.downloads.run, self._sweep):
                nursery.start_soon(part)
            task_status.started()

    async def _sweep(self) -> None:
        while True:
            await trio.to_thread.run_sync(self.files.sweep)
            await trio.sleep(SWEEP_EVERY_S)

    async def greeted(self, hello: DaemonHello) -> None:
        """A daemon is here."""
        if any(trio.current_time() - began > STUCK_PROBE_S for began in list(self._probes.values())):
            self._probes.clear()
            self.life.restart()  # it asked, waited, and came back: the client is stuck, whatever it believes
        settings = hello.session.settings
        await self.life.want(
            Wishes(
                device_name=hello.session.device_name,
                proxy=_text(settings.get("proxy")),
                login_timeout_s=_number(settings.get("login_timeout_s"), 30.0),
                qr_rounds=int(_number(settings.get("qr_rounds"), 3)),
            )
        )

    def woken(self) -> None:
        if self.listener is not None:
            self.listener.wake()

    def _files_noted(self) -> None:
        self.downloads.wake()

    async def _lost(self, detail: str) -> None:
        if self.listener is not None:
            self.listener.lost(detail)

    async def ask(self, question: Callable[[Client], T], *, stages: frozenset[Stage]) -> T:
        """What the client answers. Raises ClientError where it is not in one of these stages, Refusal."""
        if Stage.READY in stages:
            with trio.move_on_after(PATIENCE_S):  # for a short drop, which the client mends by itself
                await self.life.alive()
        client = self.life.client
        if client is None or self.life.stage not in stages:
            raise ClientError("not connected to WhatsApp")
        async with self._gate.call():
            return await trio.to_thread.run_sync(question, client, abandon_on_cancel=True)

    async def has_file(self, sha256: str) -> bool:
        return await trio.to_thread.run_sync(self.files.to_send, sha256) is not None

    async def probe(self) -> None:
        """Returns when WhatsApp has answered. One that is given up before is remembered until it is answered."""
        token, began_s = object(), trio.current_time()

        def asked(client: Client) -> None:
            self._probes[token] = began_s
            try:
                client.probe()
            finally:
                self._probes.pop(token, None)

        await self.ask(asked, stages=frozenset({Stage.READY}))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: Any, default: float) -> float:
    return float(value) if isinstance(value, int | float) and value > 0 else default


@asynccontextmanager
async def opened(directory: Path, factory: ClientFactory, gate: Gate, options: Options) -> AsyncIterator[Session]:
    """The session in this directory, which is ours alone. Raises Taken after a while, OSError, sqlite3.Error."""
    await trio.to_thread.run_sync(lambda: directory.mkdir(mode=0o700, parents=True, exist_ok=True))
    async with _locked(directory / LOCK):
        spool = await trio.to_thread.run_sync(lambda: Spool(directory / SPOOL, max_events=options.spool_max_events))
        try:
            yield Session(directory, spool, factory, gate, options)
        finally:
            spool.drain()
            spool.close()


@asynccontextmanager
async def _locked(path: Path) -> AsyncIterator[None]:
    with _open(path) as descriptor:
        deadline_s = trio.current_time() + LOCK_WAIT_S
        while not _try_lock(descriptor):
            if trio.current_time() > deadline_s:
                raise Taken(f"another process holds {path.parent}")
            await trio.sleep(LOCK_LOOK_S)
        yield


@contextmanager
def _open(path: Path) -> Any:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
