"""A session: the row that is kept, the live facts beside it, and the object that is shown."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from pombal.model.session_state import Reason, SessionState, SessionStatus
from pombal.model.times import Instant


class LinkKind(StrEnum):
    """How a session reaches WhatsApp."""

    SIMULATOR = "simulator"
    WEB = "web"
    CLOUD = "cloud"


@dataclass(slots=True, kw_only=True)
class SessionRow:
    """One row of the store's table ``sessions``; times in epoch milliseconds.

    ``key`` is the store's own integer, ``id`` the ULID that others and directories on disk know it by. ``identity`` is
    whom it was last paired with. Rows of deleted sessions stay, so that their history can be read by id.
    """

    key: int
    id: str
    name: str
    owner: str
    link: LinkKind
    created_at: int
    updated_at: int
    settings: dict[str, Any]
    is_active: bool = False
    status: SessionStatus = SessionStatus.DISCONNECTED
    status_reason: Reason | None = Reason.STOPPED
    status_until: int | None = None
    identity: str | None = None
    device_name: str | None = None
    phone_number: str | None = None
    connected_at: int | None = None
    disconnected_at: int | None = None
    last_activity_at: int | None = None
    total_messages_sent: int = 0
    total_messages_received: int = 0
    total_messages_failed: int = 0
    error_count: int = 0
    restart_count: int = 0
    last_error: str | None = None
    deleted_at: int | None = None
    # Of the totals, what is here in numbers only: an import brought no more of it, or retention took the messages.
    earlier_messages_sent: int = 0
    earlier_messages_received: int = 0
    earlier_messages_failed: int = 0

    @property
    def state(self) -> SessionState:
        return SessionState(self.status, self.status_reason, self.status_until, self.identity)


@dataclass(frozen=True, slots=True)
class LiveFacts:
    """What only the running link knows: is its socket alive, and when did it last hear a frame (epoch ms)."""

    link_alive: bool = False
    last_frame_at: int | None = None


NOT_LIVE = LiveFacts()


class Session(BaseModel):
    """A session as everyone outside sees it: control socket, HTTP and events."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    owner: str
    link: LinkKind
    status: SessionStatus
    status_reason: Reason | None
    status_until: Instant | None
    is_active: bool
    is_connected: bool
    link_alive: bool
    last_frame_at: Instant | None
    device_name: str | None
    phone_number: str | None
    connected_at: Instant | None
    disconnected_at: Instant | None
    last_activity_at: Instant | None
    uptime_seconds: float
    total_messages_sent: int
    total_messages_received: int
    total_messages_failed: int
    error_count: int
    restart_count: int
    last_error: str | None
    created_at: Instant
    updated_at: Instant


def session_object(row: SessionRow, live: LiveFacts, now_ms: int) -> dict[str, Any]:
    """The fields of Session. uptime_seconds counts from the moment it became ready, 0 while it is not."""
    connected = row.status == SessionStatus.READY
    since = row.connected_at if connected and row.connected_at is not None else now_ms
    shown = {field: getattr(row, field) for field in Session.model_fields if hasattr(row, field)}
    return shown | {
        "is_connected": connected,
        "link_alive": live.link_alive,
        "last_frame_at": live.last_frame_at,
        "uptime_seconds": max(0, now_ms - since) / 1000,
    }


def show_session(row: SessionRow, live: LiveFacts, now_ms: int) -> Session:
    """The row as others see it at now_ms, with what its link says of itself."""
    return Session.model_validate(session_object(row, live, now_ms))
