"""The workspace of one transaction: what it has read, what it will write, and what it will tell.

Changes are decided one after the other on the rows held here, so a message that is queued, dispatched and sent within
one transaction is read once and written once. Nothing reaches SQLite before ``pack`` and ``flush``.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pombal.model.clock import Clock, ClockHistory, Stamp
from pombal.model.contact import Contact
from pombal.model.events import EventRow, EventType
from pombal.model.message import Direction, MessageRow
from pombal.model.session import SessionRow
from pombal.store.held import HeldMessages
from pombal.store.loading import Wanted, load
from pombal.store.rollups import RollupDeltas
from pombal.store.statements import ContactKey, IdHash, IdKey, LinkKey
from pombal.store.writing import Decided, Texts, pack, write


@dataclass(slots=True)
class Counters:
    """What the writer alone hands out; read again from the database after a transaction that failed."""

    next_message: int
    next_seq: int


@dataclass(slots=True)
class Written:
    """An event with the rows it speaks of, as they were at its commit."""

    row: EventRow
    session: SessionRow
    message: MessageRow | None


@dataclass(slots=True)
class Workspace:
    connection: sqlite3.Connection
    counters: Counters
    now: Clock
    clock: ClockHistory
    acceptable_ms: int
    sessions: dict[int, SessionRow]  # outlives the transaction: only the writer changes sessions
    held: HeldMessages
    messages: dict[int, MessageRow] = field(default_factory=dict)
    media: dict[str, int] = field(default_factory=dict)
    contacts: dict[ContactKey, Contact] = field(default_factory=dict)
    erased_sends: set[IdHash] = field(default_factory=set)
    events: list[Written] = field(default_factory=list)
    completed: list[tuple[SessionRow, MessageRow | None, MessageRow]] = field(default_factory=list)
    rejected: int = 0
    _by_link: dict[LinkKey, list[int]] = field(default_factory=dict)
    _whole: set[LinkKey] = field(default_factory=set)  # of these all rows are in _by_link
    _by_id: dict[IdKey, int] = field(default_factory=dict)
    _number_of_lid: dict[ContactKey, str] = field(default_factory=dict)
    _learnt_contacts: dict[ContactKey, Contact] = field(default_factory=dict)
    _new: set[int] = field(default_factory=set)
    _progressed: set[int] = field(default_factory=set)
    _rewritten: set[int] = field(default_factory=set)
    _dirty_sessions: set[int] = field(default_factory=set)
    _counted_sessions: set[int] = field(default_factory=set)
    _unwritten_events: list[EventRow] = field(default_factory=list)
    _rollups: RollupDeltas = field(default_factory=RollupDeltas)

    # Reading

    def load(self, wanted: Wanted) -> None:
        """Read everything that the changes of this transaction will ask for; takes from wanted what is held already."""
        wanted.sessions -= self.sessions.keys()
        wanted.messages -= self.messages.keys()
        self._whole |= wanted.links
        for row in self.held.take(wanted):
            self._whole.add((row.session_key, row.link_id))
            self._hold([row])
        found = load(self.connection, wanted)
        self._hold_sessions(found.sessions)
        self._hold(found.messages)
        self._hold_contacts(found.contacts)
        self.media |= found.media
        self.erased_sends |= found.erased_sends
        self.load_sessions({row.session_key for row in self.messages.values()})

    def load_sessions(self, keys: set[int]) -> None:
        """Those of them that are not held yet."""
        self._hold_sessions(load(self.connection, Wanted(sessions=keys - self.sessions.keys())).sessions)

    def _hold_sessions(self, rows: Iterable[SessionRow]) -> None:
        for row in rows:
            self.sessions[row.key] = row

    def _hold(self, rows: Iterable[MessageRow]) -> None:
        for row in rows:
            if row.id not in self.messages:
                self._index(row)

    def _index(self, row: MessageRow) -> None:
        self.messages[row.id] = row
        self._by_link.setdefault((row.session_key, row.link_id), []).append(row.id)
        self._by_id[row.session_key, row.message_id, row.direction] = row.id

    def _hold_contacts(self, contacts: Mapping[ContactKey, Contact]) -> None:
        for key, contact in contacts.items():
            self._index_contact(key, self.contacts.setdefault(key, contact))

    def _index_contact(self, key: ContactKey, contact: Contact) -> None:
        self.contacts[key] = contact
        if contact.lid is not None:
            self._number_of_lid[key[0], contact.lid] = contact.number

    def contact(self, session_key: int, number: str | None, lid: str | None) -> Contact | None:
        """Whom a session knows by this number or, failing that, by this LID."""
        if number is None and lid is not None:
            number = self._number_of_lid.get((session_key, lid))
        return None if number is None else self.contacts.get((session_key, number))

    def session(self, key: int) -> SessionRow:
        return self.sessions[key]

    def by_link(self, session_key: int, link_id: str) -> list[MessageRow]:
        """Messages under one of WhatsApp's ids, the oldest first; more than one only where chats share it."""
        return [self.messages[row_id] for row_id in sorted(self._by_link.get((session_key, link_id), ()))]

    def by_message_id(self, session_key: int, message_id: str, direction: Direction) -> MessageRow | None:
        row_id = self._by_id.get((session_key, message_id, direction))
        return None if row_id is None else self.messages[row_id]

    def leave_held(self) -> None:
        """The transaction is on disk, and the next one may go on with its messages."""
        known = ((key, [self.messages[row_id] for row_id in ids]) for key, ids in self._by_link.items())
        self.held.follow(known, self._whole)

    # Writing

    def insert(self, row: MessageRow) -> None:
        self._index(row)
        self._new.add(row.id)
        self._rollups.message(row)
        self._learn(None, row)

    def progress(self, before: MessageRow, after: MessageRow) -> None:
        """A message's status or stamps changed."""
        self.messages[after.id] = after
        self._progressed.add(after.id)
        self._learn(before, after)

    def rewrite(self, after: MessageRow) -> None:
        """A message's text, or what it is found by, changed."""
        self.messages[after.id] = after
        self._rewritten.add(after.id)

    def put_contact(self, session_key: int, contact: Contact) -> None:
        """A person became known, or better known. A LID that was another number's has moved to this one."""
        if contact.lid is not None:
            before = self.contact(session_key, None, contact.lid)
            if before is not None and before.number != contact.number:
                self._keep_contact((session_key, before.number), replace(before, lid=None))
        self._keep_contact((session_key, contact.number), contact)

    def _keep_contact(self, key: ContactKey, contact: Contact) -> None:
        self._index_contact(key, contact)
        self._learnt_contacts[key] = contact

    def requeue(self, before: MessageRow, after: MessageRow) -> None:
        """A message starts again: it counts at the minute of its new queueing."""
        self._rollups.message(before, -1)
        self._rollups.message(after)
        self.progress(before, after)
        self.rewrite(after)

    def reject(self, session_key: int | None, source: str, reason: str, raw: str, at_ms: int) -> None:
        """Keep what could not be recorded, as it came, for a person to look at."""
        self.connection.execute(
            "INSERT INTO rejected (at_ms, session_key, source, reason, raw) VALUES (?, ?, ?, ?, ?)",
            [at_ms, session_key, source, reason, raw],
        )
        self.rejected += 1

    def forget(self, ids: Iterable[int]) -> None:
        """These rows were removed: hold them no longer. Others stay, for the changes that come behind."""
        for row in (self.messages.pop(row_id) for row_id in ids if row_id in self.messages):
            self._by_link[row.session_key, row.link_id].remove(row.id)
            del self._by_id[row.session_key, row.message_id, row.direction]

    def forget_contacts(self, session_key: int) -> None:
        """A session was deleted; whom it knew by which ids serves nobody any more."""
        self.flush()
        self.connection.execute("DELETE FROM contacts WHERE session_key = ?", [session_key])
        self.contacts = {key: contact for key, contact in self.contacts.items() if key[0] != session_key}

    def shown(self, session: SessionRow) -> SessionRow:
        """A copy to answer with: the row itself goes on changing."""
        return replace(session)

    def take_message_id(self, stamp: Stamp) -> int:
        row_id = self.counters.next_message
        self.counters.next_message += 1
        self.clock.queued(row_id, stamp)
        return row_id

    def touch(self, session: SessionRow) -> None:
        """The session's row was changed in place."""
        self._dirty_sessions.add(session.key)

    def count(self, session: SessionRow) -> None:
        """Of the session's row nothing was changed but its totals of messages and its last activity."""
        self._counted_sessions.add(session.key)

    def tell(
        self, kind: EventType, session: SessionRow, at_ms: int, message: MessageRow | None = None, **data: Any
    ) -> None:
        """Write an event into the log, in the transaction of the change that it tells."""
        row = EventRow(self.counters.next_seq, kind, session.key, at_ms, message.id if message else None, data or None)
        self.counters.next_seq += 1
        self._unwritten_events.append(row)
        # Message events need only the session's names; others show the whole row, which goes on changing.
        self.events.append(Written(row, session if message else replace(session), message))

    def flush(self) -> None:
        """Write what is held, so that statements over whole tables see it too."""
        write(self.connection, self.pack())

    def pack(self) -> Texts:
        """What is to be written of what is held, which counts as written from here on."""
        rows, sessions = self.messages, self.sessions
        decided = Decided(
            inserted=[rows[i] for i in sorted(self._new)],
            progressed=[rows[i] for i in self._progressed - self._new],
            rewritten=[rows[i] for i in self._rewritten - self._new],
            sessions=[sessions[key] for key in self._dirty_sessions],
            counted=[sessions[key] for key in self._counted_sessions - self._dirty_sessions],
            events=self._unwritten_events,
            contacts=self._learnt_contacts,
            latencies=self._rollups.rows(),
        )
        self._new, self._progressed, self._rewritten = set(), set(), set()
        self._dirty_sessions, self._counted_sessions = set(), set()
        self._unwritten_events, self._rollups, self._learnt_contacts = [], RollupDeltas(), {}
        return pack(decided)

    def _learn(self, before: MessageRow | None, after: MessageRow) -> None:
        self._rollups.learnt(before, after)
        self.completed.append((self.sessions[after.session_key], before, after))
