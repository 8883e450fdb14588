"""Files that came with messages: taken from the gateway one after the other, beside the messages and never before."""

from contextlib import suppress

import structlog
import trio

from pombal.config.settings import WebSettings
from pombal.link.base import LinkLost, MediaShelf
from pombal.link.web.conversation import Conversation
from pombal.link.web.questions import GatewayDeclined
from pombal.link.web.transfers import get_file
from pombal.link.wire.commands import MediaTaken
from pombal.link.wire.frames import MediaItem
from pombal.model.errors import Kind, PombalError

log = structlog.get_logger()

RETRY_MIN_S = 1.0
RETRY_MAX_S = 60.0


class Puller:
    """For one conversation. What it could not take for good is left to the next one, or said to be unwanted."""

    def __init__(self, conversation: Conversation, shelf: MediaShelf, settings: WebSettings, session: str) -> None:
        self._conversation = conversation
        self._shelf = shelf
        self._settings = settings
        self._session = session
        self._left: set[str] = set()
        self._pause_s = RETRY_MIN_S

    async def run(self) -> None:
        """Until the link is lost, of which its user hears when it has read what came before that."""
        with suppress(LinkLost):
            while self._conversation.is_open:
                item = self._next()
                if item is None:
                    await self._conversation.media_bell.wait()
                else:
                    await self._pull(item)

    def _next(self) -> MediaItem | None:
        return next((item for item in self._conversation.media_waiting if item.sha256 not in self._left), None)

    async def _pull(self, item: MediaItem) -> None:
        settings = self._settings
        try:
            await get_file(
                self._conversation, self._shelf, item, settings.transfer_timeout_s, settings.answer_timeout_s
            )
        except GatewayDeclined as declined:
            self._leave(item, str(declined))
        except PombalError as error:
            await self._refused(item, error)
        else:
            self._taken(item)

    def _taken(self, item: MediaItem) -> None:
        """Lists that come from now on know of it; the one at hand does not."""
        conversation = self._conversation
        conversation.media_waiting = tuple(each for each in conversation.media_waiting if each.sha256 != item.sha256)
        self._pause_s = RETRY_MIN_S

    async def _refused(self, item: MediaItem, error: PombalError) -> None:
        match error.kind:
            case Kind.TOO_LARGE:
                log.warning("file of a message not kept", session=self._session, reason=error.message)
                await self._unwanted(item)
            case Kind.UNAVAILABLE:
                log.warning("file of a message waits", session=self._session, reason=error.message)
                await trio.sleep(self._pause_s)
                self._pause_s = min(RETRY_MAX_S, self._pause_s * 2)
            case _:
                self._leave(item, error.message)

    async def _unwanted(self, item: MediaItem) -> None:
        try:
            await self._conversation.ask(MediaTaken(item.sha256), self._settings.answer_timeout_s)
        except GatewayDeclined as declined:
            self._leave(item, str(declined))
        else:
            self._taken(item)

    def _leave(self, item: MediaItem, reason: str) -> None:
        """Not again over this connection."""
        log.error("file of a message cannot be taken", session=self._session, sha256=item.sha256, reason=reason)
        self._left.add(item.sha256)
