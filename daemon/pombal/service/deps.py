"""What the methods work with: the rooms of the daemon, put together by the composition root."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import trio

from pombal.actors.tree import ActorTree
from pombal.auth.tokens import Tokens
from pombal.config.reload import LiveSettings, ReloadReport
from pombal.hub.hub import Hub
from pombal.media.claims import Claims
from pombal.media.files import MediaFiles
from pombal.model.caller import Caller, Role
from pombal.model.clock import Clock
from pombal.model.erasure import Progress
from pombal.model.errors import no_session
from pombal.model.message import MessageType
from pombal.model.removals import Removals
from pombal.recorder.recorder import Recorder
from pombal.session.registry import Registry
from pombal.session.seat import Seat
from pombal.store.reader import Reader


class Network(Protocol):
    """The simulated network, as far as methods play the phone, the people and fate on it."""

    async def scan(self, session_id: str) -> None: ...

    async def inject(
        self, session_id: str, from_: str, text: str | None, message_type: MessageType, count: int
    ) -> list[str]: ...

    async def fault(self, session_id: str, kind: str) -> None: ...


class Erasures(Protocol):
    """Whoever carries erasures out, once they are written down."""

    def wanted(self) -> None: ...

    def progress(self, erasure: str) -> Progress: ...

    def next_move(self) -> trio.Event | None: ...


@dataclass(frozen=True, slots=True)
class Deps:
    """``reload`` reads the configuration file again; ``simulator`` is None where it is switched off.

    ``http_url``: where the HTTP server listens, None where it does not.
    """

    registry: Registry
    recorder: Recorder
    reader: Reader
    hub: Hub
    clock: Clock
    live: LiveSettings
    tree: ActorTree
    media: MediaFiles
    claims: Claims
    removals: Removals
    erasures: Erasures
    database: Path
    started_at_ms: int
    started_mono_ms: int
    reload: Callable[[], ReloadReport]
    simulator: Network | None
    tokens: Tokens
    http_url: Callable[[], str | None]

    def seat(self, name_or_id: str, caller: Caller) -> Seat:
        """A session that is there and that caller may see. Raises PombalError (not_found)."""
        seat = self.registry.find(name_or_id)
        if caller.role == Role.USER and seat.owner != caller.owner:
            raise no_session(name_or_id)
        return seat
