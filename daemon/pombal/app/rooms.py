"""Building the rooms, each from those before it. Nothing runs yet when this is done, but the writer's thread."""

import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import structlog
import trio

from pombal import __version__
from pombal.actors.tree import ActorTree
from pombal.app.erasing import Erasing
from pombal.app.housekeeping import Housekeeping
from pombal.app.media_collector import MediaCollector
from pombal.app.retention import Retention
from pombal.app.set_aside import SetAside
from pombal.app.telemetry import Telemetry
from pombal.auth.keys import load_keys
from pombal.auth.tokens import Tokens
from pombal.config.errors import StartRefused
from pombal.config.paths import Paths
from pombal.config.reload import LiveSettings, ReloadReport
from pombal.config.secret_files import SecretExposed, check_secret
from pombal.config.settings import Settings, WebSettings
from pombal.hub.hub import Hub
from pombal.link.base import OpenLink
from pombal.link.simulator import LeftBehindSide, SimulatedNetwork, SimulatorSide, validate_settings
from pombal.link.web import WebLinks, WebSide, check_session_settings
from pombal.media.claims import Claims
from pombal.media.files import MediaFiles
from pombal.media.shelf import Shelf
from pombal.model.changes import PutMedia
from pombal.model.clock import system_clock
from pombal.model.errors import Kind, PombalError
from pombal.model.person_sides import LinkSide
from pombal.model.removals import Removals
from pombal.model.session import LinkKind, SessionRow
from pombal.ops.metrics import Metrics
from pombal.recorder.recorder import Recorder, RecorderClosed
from pombal.recorder.writer_thread import ThreadedWriter, WriterThread
from pombal.service.deps import Deps
from pombal.service.service import PombalService
from pombal.service.session_methods import CheckSettings
from pombal.session.context import SessionContext
from pombal.session.registry import Registry
from pombal.store.connection import log_id_of, open_writer
from pombal.store.message_queries import queue_depths
from pombal.store.reader import Reader
from pombal.store.session_queries import present_sessions
from pombal.store.writer import CommitReport, Writer

log = structlog.get_logger()

CLOSE_TIMEOUT_S = 10.0


@dataclass(slots=True)
class Rooms:
    """The daemon's rooms. stored_sessions and queue_depths: what the store knew when it was opened."""

    writer: ThreadedWriter
    reader: Reader
    recorder: Recorder
    recorder_done: trio.Event
    hub: Hub
    network: SimulatedNetwork | None
    web: WebLinks
    context: SessionContext
    registry: Registry
    housekeeping: Housekeeping
    retention: Retention
    removals: Removals
    erasing: Erasing
    metrics: Metrics
    service: PombalService
    tokens: Tokens
    stored_sessions: list[SessionRow]
    queue_depths: dict[int, int]


async def build_rooms(
    live: LiveSettings,
    paths: Paths,
    tree: ActorTree,
    reload: Callable[[], ReloadReport],
    http_url: Callable[[], str | None],
    stack: AsyncExitStack,
) -> Rooms:
    """Open the store and put everything on top of it. The stack closes what was opened, last.

    Raises StoreError, StartRefused.
    """
    settings = live.current
    _refuse_exposed(settings.web)
    tokens = Tokens(load_keys(settings.auth, paths.token_secret), lambda: live.current.auth)
    writer, reader, log_id = _open_store(settings, paths, stack)
    metrics = Metrics(__version__, lambda: live.current.metrics)
    telemetry = Telemetry(metrics, lambda: live.current.latency)
    hub = Hub(reader, settings.events, log_id, writer.writer.last_seq, system_clock)

    def committed(report: CommitReport) -> None:
        """In commit order: readers first, then the outboxes, then the books."""
        hub.publish(report.events)
        registry.committed(report)
        telemetry.committed(report)

    recorder = Recorder(settings.recorder, writer, committed)
    network = _network(live, paths)
    files = MediaFiles(paths.media)
    claims = Claims()
    removals = Removals(metrics.retention_removed)
    collector = MediaCollector(recorder, reader, files, claims, system_clock, removals.add_files)
    shelf = Shelf(files, claims, lambda: live.current.media.max_bytes, partial(_commit_media, recorder))
    web = WebLinks(settings.web, shelf, tree, paths.gateways, paths.web, os.environ)
    context = _context(recorder, reader, network, web, live, collector)
    registry = Registry(context, tree, metrics.session_restarted)
    sides = _sides(web, network, live, paths)
    erasing = Erasing(recorder, reader, writer, collector, sides, hub.forget_shown, system_clock)
    deps = Deps(
        registry=registry,
        recorder=recorder,
        reader=reader,
        hub=hub,
        clock=system_clock,
        live=live,
        tree=tree,
        media=files,
        claims=claims,
        removals=removals,
        erasures=erasing,
        database=paths.database,
        started_at_ms=system_clock().wall_ms,
        started_mono_ms=system_clock().mono_ms,
        reload=reload,
        simulator=network,
        tokens=tokens,
        http_url=http_url,
    )
    stored_sessions = await reader.run(present_sessions)
    await trio.to_thread.run_sync(files.sweep)
    await trio.to_thread.run_sync(web.sweep, {row.id for row in stored_sessions})
    return Rooms(
        writer=writer,
        reader=reader,
        recorder=recorder,
        recorder_done=trio.Event(),
        hub=hub,
        network=network,
        web=web,
        context=context,
        registry=registry,
        housekeeping=Housekeeping(recorder, reader, registry, live, system_clock),
        retention=Retention(recorder, registry, live, system_clock, collector, removals),
        removals=removals,
        erasing=erasing,
        metrics=metrics,
        service=PombalService(deps, _checks(network, settings.web)),
        tokens=tokens,
        stored_sessions=stored_sessions,
        queue_depths=await reader.run(queue_depths),
    )


def _open_store(settings: Settings, paths: Paths, stack: AsyncExitStack) -> tuple[ThreadedWriter, Reader, str]:
    """The writer, the readers, and the id of the event log. Raises StoreError."""
    connection = open_writer(
        paths.database, settings.recorder, settings.store,
        progress=lambda step: log.info("the database is brought up to date", migration=step),
    )  # fmt: skip
    log_id = log_id_of(connection)
    writer = Writer(connection, system_clock, settings.latency.acceptable_ms, settings.recorder.held_messages)
    threaded = ThreadedWriter(writer, WriterThread())
    stack.push_async_callback(_close_writer, threaded)
    reader = Reader(paths.database, settings.store, settings.recorder.busy_timeout_ms)
    stack.callback(reader.close)
    return threaded, reader, log_id


def _refuse_exposed(web: WebSettings) -> None:
    """Now and not only when a session connects. A file that is not there yet is told then: it may come."""
    try:
        if web.gateway_token_file is not None:
            check_secret(Path(web.gateway_token_file))
    except SecretExposed as error:
        raise StartRefused(f"[web] gateway_token_file {error}") from None
    except OSError as error:
        log.warning("the token of the gateway elsewhere cannot be read", path=web.gateway_token_file, error=str(error))


def _network(live: LiveSettings, paths: Paths) -> SimulatedNetwork | None:
    simulator = live.current.simulator
    if not simulator.enabled:
        return None
    return SimulatedNetwork(simulator, system_clock, paths.simulator_db if simulator.durable else None)


def _sides(web: WebLinks, network: SimulatedNetwork | None, live: LiveSettings, paths: Paths) -> list[LinkSide]:
    """Who keeps something of people beside the store."""
    sides: list[LinkSide] = [WebSide(web, paths.web), SetAside(paths.replaced)]
    if network is not None:
        sides.append(SimulatorSide(network))
    if network is None or not live.current.simulator.durable:
        sides.append(LeftBehindSide(paths.simulator_db))
    return sides


def _checks(network: SimulatedNetwork | None, web: WebSettings) -> dict[LinkKind, CheckSettings]:
    """For each link that sessions can be created on: what refuses bad settings of a session."""
    checks: dict[LinkKind, CheckSettings] = {LinkKind.WEB: partial(check_session_settings, web=web)}
    if network is not None:
        checks[LinkKind.SIMULATOR] = validate_settings
    return checks


async def _commit_media(recorder: Recorder, sha256: str, size_bytes: int) -> None:
    """The row of a file that a link brought. Raises PombalError (unavailable)."""
    try:
        await recorder.commit(PutMedia(at=system_clock(), sha256=sha256, size_bytes=size_bytes))
    except RecorderClosed:
        raise PombalError(Kind.UNAVAILABLE, "nothing is recorded any more; the file comes again") from None


def _context(
    recorder: Recorder, reader: Reader, network: SimulatedNetwork | None, web: WebLinks, live: LiveSettings,
    collector: MediaCollector,
) -> SessionContext:  # fmt: skip
    links: dict[LinkKind, OpenLink] = {LinkKind.WEB: web.open}
    forget: dict[LinkKind, Callable[[str], Any]] = {LinkKind.WEB: web.forget}
    if network is not None:
        links[LinkKind.SIMULATOR] = network.open
        forget[LinkKind.SIMULATOR] = network.forget
    return SessionContext(
        recorder=recorder,
        reader=reader,
        links=links,
        forget=forget,
        forget_media=collector.forget,
        clock=system_clock,
        live=live,
        starts=trio.Semaphore(live.current.sessions.start_concurrency),
        draining=trio.Event(),
    )


async def _close_writer(writer: ThreadedWriter) -> None:
    """Bounded and shielded: after a hard stop a writer that hangs must not keep the process."""
    with trio.move_on_after(CLOSE_TIMEOUT_S, shield=True):
        await writer.close()
