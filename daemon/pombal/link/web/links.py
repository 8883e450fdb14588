"""The link `web`: opens connections to gateways, local or elsewhere, and owns what runs for them."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import structlog
import trio

from pombal.actors.tree import ActorTree
from pombal.config.settings import WebSettings
from pombal.link.base import LinkContext, LinkLost, MediaShelf
from pombal.link.web import directories
from pombal.link.web.bell import Bell
from pombal.link.web.conversation import Conversation
from pombal.link.web.dial import Way, way_to_socket, way_to_url
from pombal.link.web.fleet import Fleet
from pombal.link.web.link import WebLink
from pombal.link.web.pulling import Puller
from pombal.link.web.settings import told_settings, validate_settings
from pombal.link.wire import CloseCode, frames

log = structlog.get_logger()

LOOK_EVERY_S = 0.2


class WebLinks:
    """``open`` is an OpenLink; it needs ``run``."""

    def __init__(
        self,
        settings: WebSettings,
        shelf: MediaShelf,
        tree: ActorTree,
        runtime: Path,
        state: Path,
        environ: Mapping[str, str],
    ) -> None:
        """runtime, state: the directories for gateways' sockets and for what they keep."""
        self._settings = settings
        self._shelf = shelf
        self._state = state
        self._fleet = Fleet(settings, runtime, state, tree, environ)
        self._nursery: trio.Nursery | None = None
        self._is_draining = False
        self.elsewhere: set[str] = set()
        self._open_links: Counter[str] = Counter()
        self._talking: dict[str, Conversation] = {}
        self._held: dict[str, trio.Event] = {}
        self._closed = Bell()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled; gateways are ended then."""
        self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
        async with trio.open_nursery() as nursery:
            await nursery.start(self._fleet.run)
            self._nursery = nursery
            try:
                task_status.started()
                await trio.sleep_forever()
            finally:
                self._nursery = None

    @asynccontextmanager
    async def open(self, context: LinkContext) -> AsyncIterator[WebLink]:
        """A connection for one session. Raises LinkLost, PombalError (invalid) for settings that cannot be."""
        while (held := self._held.get(context.session_id)) is not None:
            await held.wait()
        self._open_links[context.session_id] += 1
        try:
            async with self._conversation(context) as conversation, self._link(conversation, context) as link:
                yield link
        finally:
            self._open_links[context.session_id] -= 1
            self._closed.ring()

    @asynccontextmanager
    async def left_alone(self, session_id: str) -> AsyncIterator[None]:
        """Inside, no gateway of ours is at the session's files. Its link is lost for that long, and connects again."""
        released = self._held[session_id] = trio.Event()
        try:
            while self._open_links[session_id]:
                if (conversation := self._talking.get(session_id)) is not None:
                    await conversation.close(CloseCode.NORMAL)  # not only lost: the gateway is to leave the session
                with trio.move_on_after(LOOK_EVERY_S):  # one may be on its way to a conversation just now
                    await self._closed.wait()
            await self._fleet.let_go(session_id)
            yield
        finally:
            del self._held[session_id]
            released.set()

    def forget(self, session_id: str) -> None:
        """The session has been deleted: its keys go, once no gateway has them in use."""
        if self._nursery is not None:
            self._nursery.start_soon(self._remove, session_id)

    def sweep(self, sessions: Collection[str]) -> None:
        """Blocking; at boot: what is left of sessions that are no more goes."""
        directories.sweep(self._state, sessions)

    def going_away(self) -> None:
        """From now on links close as those of a daemon that comes back: gateways elsewhere stay connected."""
        self._is_draining = True

    async def stop(self) -> None:
        """Once all links are closed, end the gateways, and wait for it."""
        while self._open_links.total():
            await self._closed.wait()
        await self._fleet.stop()

    async def _remove(self, session_id: str) -> None:
        await self._fleet.let_go(session_id)
        wait_s = self._settings.stop_timeout_s
        removed = await trio.to_thread.run_sync(partial(directories.remove, self._state / session_id, wait_s))
        if not removed:
            log.error("the keys of a deleted session are not all removed", session_id=session_id)

    @asynccontextmanager
    async def _conversation(self, context: LinkContext) -> AsyncIterator[Conversation]:
        """With a gateway elsewhere, or with one of ours, which is leased meanwhile."""
        url = validate_settings(context.settings).gateway_url or self._settings.gateway_url
        if url is not None:
            self.elsewhere.add(context.session_id)
            way = way_to_url(url, context.session_id, self._settings.gateway_token_file)
            async with self._talk(way, context) as conversation:
                yield conversation
            return
        async with self._fleet.lease(context.session_id) as process:
            way = way_to_socket(process.socket, context.session_id)
            async with self._talk(way, context, lambda: self._fleet.suspect(process)) as conversation:
                yield conversation

    @asynccontextmanager
    async def _talk(
        self, way: Way, context: LinkContext, suspect: Callable[[], None] | None = None
    ) -> AsyncIterator[Conversation]:
        """suspect: called where the gateway does not answer any more."""
        if self._nursery is None:
            raise LinkLost("the daemon is still starting")
        session = frames.SessionInfo(
            context.session_id, context.session_name, context.identity, context.phone_number, context.device_name,
            told_settings(context.settings, self._settings),
        )  # fmt: skip
        conversation = Conversation(way, session, self._settings)
        self._talking[context.session_id] = conversation
        self._nursery.start_soon(conversation.serve)  # noqa: ASYNC113  # greeted waits for it
        try:
            await conversation.greeted()
            yield conversation
        finally:
            if conversation.is_unresponsive and suspect is not None:
                suspect()
            code = CloseCode.GOING_AWAY if self._is_draining else CloseCode.NORMAL
            if self._talking.get(context.session_id) is conversation:
                del self._talking[context.session_id]
            await conversation.close(code)  # noqa: ASYNC102  # bounded and shielded within

    @asynccontextmanager
    async def _link(self, conversation: Conversation, context: LinkContext) -> AsyncIterator[WebLink]:
        """The link, and beside it whoever takes the files that come."""
        gap = self._fleet.gaps.get(context.session_id)
        forget_gap = partial(self._fleet.gap_said, context.session_id)
        puller = Puller(conversation, self._shelf, self._settings, context.session_name)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(puller.run)
            yield WebLink(conversation, self._shelf, self._settings, gap, forget_gap)
            nursery.cancel_scope.cancel()
