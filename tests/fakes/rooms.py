"""The real rooms, from recorder to service, on a real database that is used in the trio thread: time can be jumped."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import trio

from pombal.actors.tree import ActorTree
from pombal.app.erasing import Erasing
from pombal.app.media_collector import MediaCollector
from pombal.auth.keys import Keys
from pombal.auth.tokens import Tokens
from pombal.config.reload import LiveSettings, ReloadReport
from pombal.config.settings import RecorderSettings, Settings, StoreSettings
from pombal.hub.hub import Hub
from pombal.link.base import OpenLink
from pombal.media.claims import Claims
from pombal.media.files import MediaFiles
from pombal.model.caller import Caller, Role
from pombal.model.changes import Change
from pombal.model.clock import Stamp
from pombal.model.errors import PombalError
from pombal.model.message import Message, MessageRow
from pombal.model.params import SendParams, SessionCreateParams
from pombal.model.person_sides import LinkSide
from pombal.model.removals import Removals
from pombal.model.session import LinkKind, Session, SessionRow
from pombal.recorder.recorder import Recorder
from pombal.service.base import SendAnswer
from pombal.service.deps import Deps, Network
from pombal.service.service import PombalService
from pombal.session.context import SessionContext
from pombal.session.registry import Registry
from pombal.session.seat import Seat
from pombal.store.connection import log_id_of, open_writer
from pombal.store.message_queries import message_by_id, queue_depths
from pombal.store.reader import Reader
from pombal.store.session_queries import present_sessions, sessions_named
from pombal.store.writer import CommitReport, StoreUnavailable, Writer
from tests.fakes.link import FakeAccount, FakeLink, FakeNetwork

T = TypeVar("T")

WALL_MS = 1_750_000_000_000
ADMIN = Caller("test", Role.ADMIN)
TO = "5511987654321"
OWN_SECRET = b"the own secret of this test's daemon, at random"


class TrioClock:
    """Both clocks go by trio's; the wall clock can be turned."""

    def __init__(self) -> None:
        self.turned_ms = 0

    def __call__(self) -> Stamp:
        mono_ms = round(trio.current_time() * 1000)
        return Stamp(WALL_MS + self.turned_ms + mono_ms, mono_ms)


class InLoopStore:
    """The writer without its thread. ``down``: why it cannot commit; ``commits``: how often it did."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.down: str | None = None
        self.commits = 0
        self.held: trio.Event | None = None

    async def commit(self, batch: Sequence[Change]) -> CommitReport:
        await trio.lowlevel.checkpoint()
        if self.held is not None:
            await self.held.wait()
        if self.down is not None:
            raise StoreUnavailable(self.down)
        self.commits += 1
        return self.writer.commit(batch)

    async def rewrite(self) -> None:
        await trio.lowlevel.checkpoint()
        self.writer.rewrite(lambda: True)

    async def empty_log(self) -> bool:
        await trio.lowlevel.checkpoint()
        return self.writer.empty_log()


class InLoopReader(Reader):
    """The reader without its threads."""

    async def run(self, query: Callable[[sqlite3.Connection], T]) -> T:
        await trio.lowlevel.checkpoint()
        return self._run(query)


def settings_with(**sections: dict[str, Any]) -> Settings:
    """The defaults, with these values changed; sections by name."""
    sessions = {"default_link": "simulator"} | sections.get("sessions", {})
    return Settings.model_validate(sections | {"sessions": sessions})


def open_connection(path: Path) -> sqlite3.Connection:
    connection = open_writer(path, RecorderSettings(busy_timeout_ms=0), StoreSettings())
    connection.execute("PRAGMA synchronous = OFF")  # no test here pulls the plug
    return connection


@dataclass
class World:
    """One life of the rooms. ``reports``: every commit; ``restarts``: each restart that was told to the metrics."""

    path: Path
    live: LiveSettings
    network: FakeNetwork
    clock: TrioClock
    simulator: Network | None = None
    open_link: OpenLink | None = None
    forget: Callable[[str], None] | None = None
    check_settings: Callable[[dict[str, Any]], object] = lambda settings: settings
    sides: list[LinkSide] = field(default_factory=list)
    reports: list[CommitReport] = field(default_factory=list)
    restarts: list[tuple[str, str]] = field(default_factory=list)
    keys: Keys = field(default_factory=lambda: Keys(OWN_SECRET))
    http_url: str | None = "http://127.0.0.1:8001"

    def __post_init__(self) -> None:
        database = self.path / "pombal.db"
        self.connection = open_connection(database)
        settings = self.live.current
        writer = Writer(self.connection, self.clock, settings.latency.acceptable_ms, settings.recorder.held_messages)
        self.store = InLoopStore(writer)
        self.reader = InLoopReader(database, settings.store, 0)
        self.hub = Hub(self.reader, settings.events, log_id_of(self.connection), writer.last_seq, self.clock)
        self.recorder = Recorder(settings.recorder, self.store, self._committed)
        self.tree = ActorTree(self.clock)
        self.media, self.claims = MediaFiles(self.path / "media"), Claims()
        self.removals = Removals(lambda what, count: None)
        self.collector = MediaCollector(
            self.recorder, self.reader, self.media, self.claims, self.clock, self.removals.add_files
        )
        self.erasing = Erasing(
            self.recorder, self.reader, self.store, self.collector, self.sides, self.hub.forget_shown, self.clock
        )
        self.context = SessionContext(
            recorder=self.recorder,
            reader=self.reader,
            links={LinkKind.SIMULATOR: self.open_link or self.network.open},
            forget={LinkKind.SIMULATOR: self.forget or self.network.forget},
            forget_media=self.collector.forget,
            clock=self.clock,
            live=self.live,
            starts=trio.Semaphore(settings.sessions.start_concurrency),
            draining=trio.Event(),
        )
        self.registry = Registry(self.context, self.tree, lambda link, reason: self.restarts.append((link, reason)))
        self.tokens = Tokens(self.keys, lambda: self.live.current.auth)
        self.deps = self._deps(database)
        self.service = PombalService(self.deps, {LinkKind.SIMULATOR: self.check_settings})

    def _deps(self, database: Path) -> Deps:
        return Deps(
            registry=self.registry,
            recorder=self.recorder,
            reader=self.reader,
            hub=self.hub,
            clock=self.clock,
            live=self.live,
            tree=self.tree,
            media=self.media,
            claims=self.claims,
            removals=self.removals,
            erasures=self.erasing,
            database=database,
            started_at_ms=self.clock().wall_ms,
            started_mono_ms=self.clock().mono_ms,
            reload=ReloadReport,
            simulator=self.simulator,
            tokens=self.tokens,
            http_url=lambda: self.http_url,
        )

    def _committed(self, report: CommitReport) -> None:
        self.reports.append(report)
        self.hub.publish(report.events)
        self.registry.committed(report)

    # What tests do

    async def call(self, method: str, params: Any, caller: Caller = ADMIN) -> Any:
        return await self.service.call(method, params, caller)

    async def create(self, name: str = "ana", **fields: Any) -> Session:
        shown: Session = await self.call("session.create", SessionCreateParams(name=name, **fields))
        return shown

    async def ready(self, name: str = "ana", **fields: Any) -> FakeLink:
        """Create a session; its link, once it is ready."""
        session = await self.create(name, **fields)
        await self.until(name, "ready")
        return self.network.account(session.id).link

    async def send(
        self, text: str | None = "oi", session: str = "ana", caller: Caller = ADMIN, **fields: Any
    ) -> SendAnswer:
        """The answer to a send. Raises PombalError for a refusal."""
        params = SendParams.model_validate({"session": session, "to": TO, "text": text} | fields)
        return await self.service.send(params, caller)

    def seat(self, name: str = "ana") -> Seat:
        return self.registry.find(name)

    def account(self, name: str = "ana") -> FakeAccount:
        return self.network.account(self.seat(name).id)

    def link(self, name: str = "ana") -> FakeLink:
        """The newest link of a session."""
        return self.account(name).link

    def row(self, name: str = "ana") -> SessionRow:
        """The session as it is stored."""
        found = self.reader._run(lambda connection: sessions_named(connection, name))
        assert found is not None
        return found

    def message(self, message_id: str, name: str = "ana") -> MessageRow:
        """A message as it is stored."""
        key = self.row(name).key
        found = self.reader._run(lambda connection: message_by_id(connection, key, message_id))
        assert found is not None
        return found

    async def until(self, name: str, status: str, reason: str | None = None) -> None:
        """Wait until the store says so."""
        await self.until_true(lambda: (self.row(name).status, self.row(name).status_reason) == (status, reason))

    async def until_status(self, message_id: str, status: str, name: str = "ana") -> None:
        await self.until_true(lambda: self.message(message_id, name).status == status)

    async def until_true(self, condition: Callable[[], object]) -> None:
        """Look again after each commit."""
        with trio.fail_after(5000):
            while not condition():
                await self.hub.news()

    def events(self, *types: str, name: str | None = None) -> list[dict[str, Any]]:
        """What has been told so far, of these types."""
        written = [each for report in self.reports for each in report.events]
        return [
            {"type": each.row.type.value, "session": each.session.name, "at": each.row.at_ms, **(each.row.data or {})}
            for each in written
            if (not types or each.row.type in types) and (name is None or each.session.name == name)
        ]

    def states(self, name: str = "ana") -> list[tuple[str, str | None]]:
        """The places a session was told to be in, in order."""
        return [
            (event["then"]["status"], event["then"]["status_reason"])
            for event in self.events("session.status", name=name)
        ]

    def statuses(self, message_id: str) -> list[str]:
        """The statuses a message was told to have, in order."""
        written = [each for report in self.reports for each in report.events if each.message is not None]
        return [
            each.row.data["status"]
            for each in written
            if each.row.data and "status" in each.row.data and each.message and each.message.message_id == message_id
        ]

    async def drain(self) -> None:
        """As the daemon does it."""
        self.registry.close_mailboxes()
        self.context.draining.set()
        await self.registry.quiet()
        self.recorder.close()


@asynccontextmanager
async def running(
    path: Path,
    *,
    network: FakeNetwork | None = None,
    clock: TrioClock | None = None,
    sections: dict[str, dict[str, Any]] | None = None,
    **fields: Any,
) -> AsyncIterator[World]:
    """A life of the rooms on the database at path, whose sessions have been reconciled; stopped hard at the end."""
    live = LiveSettings(settings_with(**(sections or {})))
    world = World(path, live, network or FakeNetwork(), clock or TrioClock(), **fields)
    rows, depths = await world.reader.run(present_sessions), await world.reader.run(queue_depths)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(world.recorder.run)
            nursery.start_soon(world.erasing.run)
            await nursery.start(world.registry.run)
            await world.registry.reconcile(rows, depths)
            yield world
            nursery.cancel_scope.cancel()
    finally:
        world.reader.close()
        world.connection.close()


async def outcome(asking: Any) -> Any:
    """The answer, or the kind of the refusal."""
    try:
        return await asking
    except PombalError as error:
        return error.kind


def queued(answer: SendAnswer) -> Message:
    assert answer.message.status == "queued"
    return answer.message
