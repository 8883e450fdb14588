"""A session's seat: what is known of it in memory, kept by the registry while actors come, crash and go."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import trio

from pombal.actors.mailbox import Mailbox
from pombal.actors.tree import ActorInfo
from pombal.model.session import NOT_LIVE, LinkKind, LiveFacts, SessionRow
from pombal.model.session_state import SessionState
from pombal.session.census import Census
from pombal.session.commands import Command
from pombal.session.outbox import Outbox

if TYPE_CHECKING:
    from pombal.session.connection import Connection


@dataclass(frozen=True, slots=True)
class Code:
    """A QR or pairing code that can be shown until expires_at_ms."""

    code: str
    expires_at_ms: int


@dataclass(slots=True)
class Seat:
    """One session. ``state`` is where its transition table stands; the store follows, and is what others are shown.

    It moves by ``move_to`` alone, which keeps the registry's ``census`` up; None once the registry has forgotten the
    seat.
    """

    key: int
    id: str
    name: str
    owner: str
    link: LinkKind
    settings: dict[str, Any]
    device_name: str | None
    phone_number: str | None
    is_active: bool
    state: SessionState
    mailbox: Mailbox[Command]
    actor: ActorInfo
    outbox: Outbox
    census: Census | None
    qr: Code | None = None
    pair_code: Code | None = None
    is_deleted: bool = False
    connection: "Connection | None" = field(default=None, repr=False)
    link_work: trio.CancelScope | None = field(default=None, repr=False)
    _closers: int = 0

    def move_to(self, state: SessionState) -> None:
        if self.census is not None:
            self.census.moved(self.state, state, self.link)
        self.state = state

    def live_facts(self) -> LiveFacts:
        return NOT_LIVE if self.connection is None else self.connection.live_facts()

    @property
    def is_about_to_close(self) -> bool:
        return self._closers > 0

    @contextmanager
    def about_to_close(self) -> Iterator[None]:
        """While somebody waits for the link to be closed: what a command is doing at it is given up for that."""
        self._closers += 1
        if self.link_work is not None:
            self.link_work.cancel()
        try:
            yield
        finally:
            self._closers -= 1

    def follow(self, row: SessionRow) -> None:
        """Take over what an operator may change, as it is stored now."""
        self.owner, self.device_name, self.phone_number = row.owner, row.device_name, row.phone_number
        self.settings = row.settings
