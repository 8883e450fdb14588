"""The daemon: the order of start and drain, and which nursery owns what."""

import gc
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import structlog
import trio

from pombal import __version__
from pombal.actors.policy import RestartPolicy
from pombal.actors.supervisor import StartedOnce, supervise
from pombal.actors.tree import ActorInfo, ActorTree
from pombal.api.app import create_app
from pombal.api.bodies import BodyLimits
from pombal.api.context import Api
from pombal.api.rate_limit import RateLimit
from pombal.api.server import HttpServer
from pombal.app.facts import Facts
from pombal.app.rooms import Rooms, build_rooms
from pombal.config.errors import ConfigError, StartRefused
from pombal.config.load import load_config
from pombal.config.paths import Paths
from pombal.config.reload import LiveSettings, ReloadReport
from pombal.config.settings import Settings
from pombal.control.bind import adopted, bind_socket
from pombal.control.peers import peer_rules
from pombal.control.server import ControlServer, identify_by
from pombal.dashboard.app import create_router
from pombal.dashboard.error_pages import ErrorPages
from pombal.dashboard.pages import all_pages
from pombal.dashboard.site import Site
from pombal.model.clock import system_clock
from pombal.ops.logging import configure_logging
from pombal.ops.loop_lag import measure_loop_lag
from pombal.ops.notify import Notifier, listen_fds, watchdog_interval_s
from pombal.ops.signals import handle_signals
from pombal.ops.watchdog import feed_watchdog

log = structlog.get_logger()

# For the daemon's own actors: one that cannot be kept up ends the process, and systemd starts it again.
CORE_POLICY = RestartPolicy(intensity=5, period_s=60.0, backoff_min_s=0.1, backoff_max_s=5.0)
STATUS_EVERY_S = 5.0
# Ten thousand sessions that start are millions of objects, and none is garbage. Python's own 700 looks for some among
# them at every turn, and walks them all several times, half a second each. A thousand messages of one transaction are
# tens of thousands of objects for a moment: a threshold below that looks through them again and again in vain. One far
# above it would take tens of milliseconds at a time.
GC_THRESHOLDS = (30_000, 7, 10)
# What is left of HTTP when the hub has closed gets this long, at most a quarter of the drain.
WRITE_OUT_S = 5.0

Play = Callable[["Daemon"], Awaitable[None]]


class Daemon:
    """One life of the daemon. ``drain`` and ``cancel`` may be called from the trio thread at any time."""

    def __init__(self, settings: Settings, paths: Paths, config_path: Path | None) -> None:
        self.live = LiveSettings(settings)
        self.paths = paths
        self.tree = ActorTree()
        self.has_failed = False
        self.http_urls: list[str] = []
        self._config_path = config_path
        self._asked_to_drain = trio.Event()
        self._scope = trio.CancelScope()
        self._housekeeping = trio.CancelScope()
        self._retention = trio.CancelScope()
        self._erasing = trio.CancelScope()
        self.rooms: Rooms
        self.facts: Facts

    def drain(self) -> None:
        """Stop in order: nothing accepted is lost. The deadline is [daemon] drain_s."""
        self._asked_to_drain.set()

    def cancel(self) -> None:
        """Stop at once. What was acknowledged is on disk already."""
        self.has_failed = True
        self._scope.cancel()

    def reload(self) -> ReloadReport:
        """Read the configuration file again; what may change now, changes. Raises ConfigError, and changes nothing."""
        path = None if self._config_path is None else str(self._config_path)
        settings = load_config(path, os.environ).settings
        try:
            self._http.reload_certificate()
        except StartRefused as error:
            raise ConfigError(self._config_path or Path("config.toml"), [str(error)]) from error
        report = self.live.replace(settings)
        configure_logging(self.live.current.log, environ=os.environ)
        self.rooms.writer.writer.acceptable_ms = self.live.current.latency.acceptable_ms
        log.info("configuration reloaded", **report.object())
        return report

    async def run(self, play: Play | None = None) -> None:
        """Start, serve, and drain when asked to. play: something to do once the daemon is ready (the demo)."""
        with Notifier(os.environ) as notifier, self._scope:
            async with self._started(notifier) as nursery:
                if play is not None:
                    nursery.start_soon(play, self)
                await self._asked_to_drain.wait()
                notifier.stopping("draining")
                with trio.move_on_after(self.live.current.daemon.drain_s) as deadline:
                    await self._drain()
                if deadline.cancelled_caught:
                    self.has_failed = True
                    log.error("drain took too long", drain_s=self.live.current.daemon.drain_s)
                nursery.cancel_scope.cancel()
        log.info("stopped")

    @asynccontextmanager
    async def _started(self, notifier: Notifier) -> AsyncIterator[trio.Nursery]:
        """Everything is up inside. The nursery owns the daemon's own actors; the store is closed after all of them."""
        gc.set_threshold(*GC_THRESHOLDS)
        async with AsyncExitStack() as stack:
            rooms = self.rooms = await build_rooms(self.live, self.paths, self.tree, self.reload, self._http_url, stack)
            self.facts = Facts(rooms, self.live, self.tree, self.paths, system_clock())
            rooms.metrics.read_gauges_from(self.facts.sources())
            self._http = self._new_http_server()
            nursery = await stack.enter_async_context(trio.open_nursery())
            await nursery.start(
                partial(
                    handle_signals, drain=self.drain, cancel=self.cancel, reload=lambda: self._reload_told(notifier)
                )
            )
            await self._start_core(nursery)
            await self._start_transports(nursery)
            self._watch(nursery, notifier)
            self.facts.is_started = True
            # A full collection walks everything that lives long, a quarter of a second beside ten thousand sessions:
            # what is here now stays, and is walked no more.
            gc.collect()
            gc.freeze()
            # In the log first: who waits for systemd's word finds there where to ask.
            log.info("ready", sessions=len(rooms.registry), socket=str(self.paths.socket), http=self.http_urls)
            notifier.ready(self.facts.status_line())
            yield nursery

    async def _start_core(self, nursery: trio.Nursery) -> None:
        rooms = self.rooms
        nursery.start_soon(self._keep, self.tree.enter("recorder", "recorder", rooms.recorder), self._record)
        if rooms.network is not None:
            await nursery.start(rooms.network.run)
        await nursery.start(self._keep_web)
        await nursery.start(rooms.registry.run)
        await rooms.registry.reconcile(rooms.stored_sessions, rooms.queue_depths)
        nursery.start_soon(self._keep_house)
        nursery.start_soon(self._keep_retention)
        nursery.start_soon(self._keep_erasing)
        nursery.start_soon(measure_loop_lag, rooms.metrics.loop_lag)

    async def _keep_web(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        once = StartedOnce(task_status)
        await self._keep(self.tree.enter("web", "web"), lambda: self.rooms.web.run(task_status=once))

    async def _keep_house(self) -> None:
        with self._housekeeping:
            await self._keep(self.tree.enter("housekeeping", "housekeeping"), self.rooms.housekeeping.run)

    async def _keep_retention(self) -> None:
        with self._retention:
            await self._keep(self.tree.enter("retention", "retention"), self.rooms.retention.run)

    async def _keep_erasing(self) -> None:
        with self._erasing:
            await self._keep(self.tree.enter("erasing", "erasing"), self.rooms.erasing.run)

    async def _record(self) -> None:
        await self.rooms.recorder.run()
        self.rooms.recorder_done.set()

    async def _start_transports(self, nursery: trio.Nursery) -> None:
        settings, rooms = self.live.current, self.rooms
        rules = peer_rules(settings.control)
        self._control = ControlServer(
            rooms.service, settings.control, identify_by(rules), rooms.metrics.control_request
        )
        self._control_done = trio.Event()
        inherited = listen_fds(os.environ)
        control = inherited.get("control")
        listen = partial(bind_socket, self.paths.socket, rules) if control is None else partial(adopted, control)
        await nursery.start(self._serve_control, listen)
        self._http_done = trio.Event()
        if settings.http.enabled:
            bind = f"fd://{inherited['http']}" if "http" in inherited else settings.http.bind
            await nursery.start(self._serve_http, bind)
        else:
            self._http_done.set()

    async def _serve_control(
        self,
        listen: Callable[[], AbstractContextManager[trio.SocketListener]],
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        once = StartedOnce(task_status)

        async def serve() -> None:
            with listen() as listener:
                await self._control.serve(listener, task_status=once)

        await supervise(self.tree.enter("control", "control"), serve, CORE_POLICY, refusals=(StartRefused,))
        self._control_done.set()

    def _new_http_server(self) -> HttpServer:
        rooms = self.rooms
        api = Api(
            service=rooms.service,
            tokens=rooms.tokens,
            settings=lambda: self.live.current,
            health=self.facts.health,
            render_metrics=rooms.metrics.render,
            rate_limit=RateLimit(lambda: self.live.current.http.requests_per_minute),
        )
        app = create_app(api, rooms.metrics.http_request)
        site = Site(rooms.service, rooms.tokens, self.live, self.facts.health, system_clock)
        app.include_router(create_router(site, all_pages()))
        settings = self.live.current
        limited = BodyLimits(app, settings.http, settings.media.max_bytes)
        return HttpServer(ErrorPages(limited, site), settings.http)

    async def _serve_http(self, bind: str, task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED) -> None:
        started = _HttpStarted(self, StartedOnce(task_status))
        serve = partial(self._http.serve, bind, task_status=started)
        await supervise(self.tree.enter("http", "http"), serve, CORE_POLICY, refusals=(StartRefused,))
        self._http_done.set()

    async def _keep(self, actor: ActorInfo, child: Callable[[], Awaitable[None]]) -> None:
        """An actor of the daemon's own. Beyond its restart intensity the process ends, and says so."""
        try:
            await supervise(actor, child, CORE_POLICY)
        except Exception:  # being cancelled, as the drain does to housekeeping, is no failure
            self.has_failed = True
            raise

    def _watch(self, nursery: trio.Nursery, notifier: Notifier) -> None:
        if (interval_s := watchdog_interval_s(os.environ)) is not None:
            nursery.start_soon(feed_watchdog, notifier.watchdog, interval_s, lambda: self.facts.health().is_live)
        nursery.start_soon(self._tell_status, notifier)

    async def _tell_status(self, notifier: Notifier) -> None:
        while notifier.is_heard:
            notifier.status(self.facts.status_line())
            await trio.sleep(STATUS_EVERY_S)

    def _http_url(self) -> str | None:
        return self.http_urls[0] if self.http_urls else None

    def _reload_told(self, notifier: Notifier) -> None:
        notifier.reloading()
        try:
            self.reload()
        finally:
            notifier.ready(self.facts.status_line())

    async def _drain(self) -> None:
        """Nothing more comes in; what is in goes to disk, is acknowledged and told; then the doors close."""
        rooms = self.rooms
        self.facts.is_draining = True
        self._http.drain()
        self._housekeeping.cancel()
        self._retention.cancel()
        self._erasing.cancel()
        rooms.registry.close_mailboxes()
        rooms.context.draining.set()
        rooms.web.going_away()
        await rooms.registry.quiet()  # what is read from a link now could no longer be recorded
        rooms.recorder.close()
        await rooms.recorder_done.wait()
        rooms.registry.stop()
        await rooms.web.stop()
        rooms.hub.close()
        self._control.drain()
        # Streams end now that the hub has; a client that does not take its last events must not hold up the rest.
        self._http.finish(min(WRITE_OUT_S, self.live.current.daemon.drain_s / 4))
        await self._control_done.wait()
        await self._http_done.wait()
        log.info("drained", last_event_seq=rooms.hub.last_seq, version=__version__)


class _HttpStarted(trio.TaskStatus[list[str]]):
    """Notes the URLs at each start of the HTTP server; whoever waits for the first hears of that one."""

    def __init__(self, daemon: Daemon, once: StartedOnce[list[str]]) -> None:
        self._daemon = daemon
        self._once = once

    def started(self, value: list[str] | None = None) -> None:
        self._daemon.http_urls = value or []
        self._once.started(self._daemon.http_urls)
