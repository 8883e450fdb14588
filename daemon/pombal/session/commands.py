"""What a session's actor can be asked to do; each is one envelope in its mailbox."""

from collections.abc import Sequence
from dataclasses import dataclass

from pombal.model.message import MessageRow


@dataclass(frozen=True, slots=True)
class Start:
    """→ SessionRow. Start it, if it does not run already; never waits for a scan."""


@dataclass(frozen=True, slots=True)
class Stop:
    """→ SessionRow. Close its link; its queue is kept."""


@dataclass(frozen=True, slots=True)
class Restart:
    """→ SessionRow. Close its link and open it again."""


@dataclass(frozen=True, slots=True)
class Logout:
    """→ SessionRow. Remove this device from the account, then stop. not_ready where no link is open."""


@dataclass(frozen=True, slots=True)
class Delete:
    """→ {deleted, messages_deleted}. Unlink as well as can be, fail the queue, delete; the actor ends with it."""

    purge: bool


@dataclass(frozen=True, slots=True)
class GetPairCode:
    """→ PairCode. A code for linking without a camera."""

    phone_number: str


@dataclass(frozen=True, slots=True)
class CheckContacts:
    """→ list[ContactInfo]."""

    numbers: Sequence[str]


@dataclass(frozen=True, slots=True)
class TellRead:
    """→ None. Tell the senders of these inbound messages that they were read."""

    rows: Sequence[MessageRow]


# What changes how a session is stored: not begun while that could not be recorded.
RECORDED = (Start, Stop, Restart, Logout, Delete)

Command = Start | Stop | Restart | Logout | Delete | GetPairCode | CheckContacts | TellRead
CLOSES_LINK = (Stop, Restart, Delete)
"""For these, whatever a command before them is doing at the link is given up: a link that hangs must not hang them."""
