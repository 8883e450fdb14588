"""A small model of the store: what each change must be answered with, and what must be stored afterwards."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from pombal.model import changes
from pombal.model.changes import Change, Queued
from pombal.model.clock import Stamp
from pombal.model.errors import Kind, PombalError
from pombal.model.message import MessageRow, MessageStatus
from tests.store.building import queue, reach, receive

RANK = {status: rank for rank, status in enumerate(MessageStatus)}
CHATS = ("5511888888888@s.whatsapp.net", "120363025@g.us")

sessions = st.sampled_from([1, 2])
names = st.sampled_from(["a", "b", "c", "d"])
chats = st.sampled_from(CHATS)
texts = st.sampled_from(["ação rápida", "pombo correio", "🕊 voa", "x" * 300, "", None])
statuses = st.sampled_from(list(MessageStatus)[1:])
operations = st.one_of(
    st.tuples(st.just("queue"), sessions, names, texts),
    st.tuples(st.just("advance"), sessions, names, statuses, st.none() | st.integers(-3, 3)),
    st.tuples(st.just("advance"), sessions, names, statuses, st.none()),
    st.tuples(st.just("dispatch"), sessions, names),
    st.tuples(st.just("overdue"), sessions, names),
    st.tuples(st.just("cancel"), sessions, names),
    st.tuples(st.just("resend"), sessions, names),
    st.tuples(st.just("receive"), sessions, names, chats, texts, st.booleans()),
    st.tuples(st.just("mark_read"), sessions, st.lists(st.tuples(names, chats), min_size=1, max_size=3)),
    st.tuples(st.just("edit"), sessions, names, chats, texts.filter(bool)),
    st.tuples(st.just("revoke"), sessions, names, chats),
    st.tuples(st.just("fail_queue"), st.none() | sessions, st.integers(1, 3), st.booleans()),
    st.tuples(st.just("poison"), sessions),
)


@dataclass
class Kept:
    """A message as the model keeps it."""

    id: int
    status: MessageStatus
    text: str | None
    dispatched: bool = False
    overdue: bool = False


@dataclass
class Model:
    """``do`` turns an operation into a change and says what must come of it."""

    sent: dict[tuple[int, str], Kept] = field(default_factory=dict)
    received: dict[tuple[int, str, str], Kept] = field(default_factory=dict)
    events: int = 0
    rejected: int = 0
    next_id: int = 1

    def do(self, operation: Any, at: Stamp) -> tuple[Change, Any]:
        """The change, and the answer: a Kind for a refusal, None, an id of the message answered with, or a number."""
        name, *arguments = operation
        answer: tuple[Change, Any] = getattr(self, name)(at, *arguments)
        return answer

    def queue(self, at: Stamp, session: int, name: str, text: str | None) -> tuple[Change, Any]:
        change = queue(at, session, name, text)
        known = self.sent.get((session, name))
        if known is not None:
            return change, known.id if known.text == text else Kind.CONFLICT
        self.sent[session, name] = self._new(MessageStatus.QUEUED, text)
        return change, self.sent[session, name].id

    def advance(
        self, at: Stamp, session: int, name: str, status: MessageStatus, seconds_off: int | None
    ) -> tuple[Change, Any]:
        second = None if seconds_off is None else at.wall_ms // 1000 + seconds_off
        failed = {"error_kind": "refused"} if status in ("failed", "uncertain") else {}
        change = reach(at, session, name, status, whatsapp_s=second, **failed)
        return change, self._raise(self.sent.get((session, name)), status)

    def dispatch(self, at: Stamp, session: int, name: str) -> tuple[Change, Any]:
        known = self.sent.get((session, name))
        if known:
            known.dispatched = True
        return changes.MarkDispatched(at=at, message_ids=(known.id if known else 10**6,)), None

    def overdue(self, at: Stamp, session: int, name: str) -> tuple[Change, Any]:
        known = self.sent.get((session, name))
        if known and not known.overdue and known.status == MessageStatus.QUEUED:
            known.overdue = True
            self.events += 1
        return changes.MarkOverdue(at=at, message_ids=(known.id if known else 10**6,)), None

    def cancel(self, at: Stamp, session: int, name: str) -> tuple[Change, Any]:
        change, known = (
            changes.CancelMessage(at=at, session_key=session, message_id=name),
            self.sent.get((session, name)),
        )
        if known is None:
            return change, Kind.NOT_FOUND
        if known.status != MessageStatus.QUEUED or known.dispatched:
            return change, Kind.CONFLICT
        return change, self._raise(known, MessageStatus.FAILED)

    def resend(self, at: Stamp, session: int, name: str) -> tuple[Change, Any]:
        change, known = (
            changes.ResendMessage(at=at, session_key=session, message_id=name),
            self.sent.get((session, name)),
        )
        if known is None:
            return change, Kind.NOT_FOUND
        if known.status not in (MessageStatus.FAILED, MessageStatus.UNCERTAIN):
            return change, Kind.CONFLICT
        known.status, known.dispatched, known.overdue = MessageStatus.QUEUED, False, False
        self.events += 1
        return change, known.id

    def receive(
        self, at: Stamp, session: int, name: str, chat: str, text: str | None, offline: bool
    ) -> tuple[Change, Any]:
        change = receive(at, session, name, text, message_id=f"M-{name}-{chat}", chat_id=chat, offline=offline)
        if (session, name, chat) in self.received:
            return change, None
        kept = self.received[session, name, chat] = self._new(MessageStatus.DELIVERED, text)
        return change, kept.id

    def mark_read(self, at: Stamp, session: int, wanted: list[tuple[str, str]]) -> tuple[Change, Any]:
        ids = tuple(f"M-{name}-{chat}" for name, chat in wanted)
        change = changes.MarkRead(at=at, session_key=session, message_ids=ids)
        found = [self.received.get((session, name, chat)) for name, chat in wanted]
        if None in found:
            return change, Kind.NOT_FOUND
        marked = [kept.id for kept in found if kept and self._raise(kept, MessageStatus.READ) is not None]
        return change, marked

    def edit(self, at: Stamp, session: int, name: str, chat: str, text: str) -> tuple[Change, Any]:
        known = self.received.get((session, name, chat))
        change = changes.EditMessage(at=at, session_key=session, chat_id=chat, link_id=name, text=text)
        if known is None or known.text == text:
            return change, None
        known.text = text
        self.events += 1
        return change, known.id

    def revoke(self, at: Stamp, session: int, name: str, chat: str) -> tuple[Change, Any]:
        known = self.received.get((session, name, chat))
        self.events += known is not None
        return changes.RevokeMessage(at=at, session_key=session, chat_id=chat, link_id=name), known and known.id

    def fail_queue(self, at: Stamp, session: int | None, limit: int, only_dispatched: bool) -> tuple[Change, Any]:
        waiting = [
            kept
            for (key, _), kept in self.sent.items()
            if session in (None, key)
            and kept.status == MessageStatus.QUEUED
            and (kept.dispatched or not only_dispatched)
        ]
        waiting = sorted(waiting, key=lambda kept: kept.id)[:limit]
        for kept in waiting:
            self._raise(kept, MessageStatus.UNCERTAIN if only_dispatched else MessageStatus.FAILED)
        change = changes.FailQueue(
            at=at, session_key=session, error_kind="expired", error_detail="too old", limit=limit,
            only_dispatched=only_dispatched,
        )  # fmt: skip
        return change, len(waiting)

    def poison(self, at: Stamp, session: int) -> tuple[Change, Any]:
        self.rejected += 1
        return receive(at, session, "poison", sent_at_ms=2**63), Kind.INVALID

    def _new(self, status: MessageStatus, text: str | None) -> Kept:
        self.next_id += 1
        self.events += 1
        return Kept(self.next_id - 1, status, text)

    def _raise(self, known: Kept | None, status: MessageStatus) -> int | None:
        """The message's id if something was learnt of its status, else None."""
        if known is None or RANK[status] <= RANK[known.status]:
            return None
        known.status = status
        self.events += 1
        return known.id


def matches(answer: Any, expected: Any) -> bool:
    """Whether the writer's answer is what the model said. A late stamp may be answered with its message, too."""
    match answer:
        case PombalError():
            return bool(answer.kind == expected)
        case Queued():
            return bool(answer.message.id == expected)
        case MessageRow():
            return expected in (answer.id, None)
        case list():
            answer = [row.id for row in answer]
    return bool(answer == expected)
