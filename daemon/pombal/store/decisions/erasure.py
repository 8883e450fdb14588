"""Erasing a person: each step a slice of its own, so that none holds up a commit; see erasure/ for their order."""

from typing import Any

from pydantic_core import to_json

from pombal.model import erasure_changes, removal_changes
from pombal.model.erasure import ErasureRow, ErasureState
from pombal.model.message import Direction, MessageRow, MessageStatus, MessageType, Origin
from pombal.model.message_status import Step
from pombal.model.person import Person
from pombal.store.decisions.audit import note
from pombal.store.decisions.outbound import take_step
from pombal.store.decisions.retention import count_as_earlier, remove
from pombal.store.erasure_queries import erasure_by_id, unfinished_erasures
from pombal.store.loading import Wanted
from pombal.store.person_queries import IS_CONTACT, given_of
from pombal.store.retained import note_pruned
from pombal.store.rows import packed
from pombal.store.statements import id_hash
from pombal.store.workspace import Workspace

ERASED = "erased"


def want(change: erasure_changes.WantErasure, space: Workspace) -> ErasureRow:
    """Write down that a person is to be erased; the same erasure where that was wanted before and is not done."""
    if change.noted is not None:
        note(change.noted, space)
    for there in unfinished_erasures(space.connection):
        if there.person is not None and there.person.numbers & change.person.numbers | (
            there.person.lids & change.person.lids
        ):
            return there
    row = ErasureRow(
        change.id, change.at.wall_ms, ErasureState.WANTED, change.masked, change.person, (),
        space.counters.next_message - 1, None,
    )  # fmt: skip
    space.connection.execute(
        "INSERT INTO erasures (id, wanted_at, state, masked, person, up_to, receipt) VALUES (?, ?, ?, ?, ?, ?, '{}')",
        [row.id, row.wanted_at, row.state, row.masked, _person(change.person, ()), row.up_to],
    )
    return row


def messages(change: erasure_changes.EraseMessages, space: Workspace) -> removal_changes.RemovedMessages:
    """Remove a person's messages. What waited to be sent to them is given up first, so that the outboxes know."""
    space.load(Wanted(messages=set(change.message_ids)))
    rows = [space.messages[row_id] for row_id in change.message_ids if row_id in space.messages]
    for row in rows:
        if row.status == MessageStatus.QUEUED:
            at_ms = space.clock.resolve_ms(row.id, change.at)
            step = Step(MessageStatus.FAILED, at_ms, ERASED, "its contact was erased")
            take_step(space, row, step, change.at.wall_ms)
    space.flush()
    _remember_sends(rows, space)
    ids = [row.id for row in rows]
    if ids:
        count_as_earlier(ids, space)
        note_pruned(space.connection, max(row.happened_at for row in rows) + 1, max(ids))
    gone = remove(ids, space)
    if gone.media:
        _keep_media(change.erasure, gone.media, space)
    return gone


def _remember_sends(rows: list[MessageRow], space: Workspace) -> None:
    sent = [row for row in rows if row.direction == Direction.OUTBOUND and row.origin == Origin.API]
    space.connection.execute(
        "INSERT OR IGNORE INTO erased_sends SELECT value->>0, value->>1 FROM json_each(?)",
        [packed([[row.session_key, id_hash(row.session_key, row.message_id)] for row in sent])],
    )


def _keep_media(erasure: str, media: tuple[str, ...], space: Workspace) -> None:
    """In the same transaction: whoever dies here must know after the restart which files to look at."""
    there = erasure_by_id(space.connection, erasure)
    if there is not None and there.person is not None:
        all_of_them = tuple(sorted({*there.media, *media}))
        space.connection.execute(
            "UPDATE erasures SET person = ? WHERE id = ?", [_person(there.person, all_of_them), erasure]
        )


def redact(change: erasure_changes.RedactMentions, space: Workspace) -> int:
    """Take a person's number out of what others wrote; their words stay theirs. A card with it loses what it says."""
    space.load(Wanted(messages=set(change.message_ids)))
    rows = [space.messages[row_id] for row_id in change.message_ids if row_id in space.messages]
    for row in rows:
        space.rewrite(_redacted(row, change.person))
    space.flush()
    space.connection.execute(
        "UPDATE messages SET error_detail = NULL WHERE error_detail IS NOT NULL "
        "AND id IN (SELECT value FROM json_each(?))",
        [packed([row.id for row in rows if row.error_detail and change.person.is_in(row.error_detail)])],
    )
    return len(rows)


def _redacted(row: MessageRow, person: Person) -> MessageRow:
    quoted = row.quoted_message_id
    content = row.content
    if row.message_type == MessageType.CONTACT and content is not None:
        content = {"contact": None}
    return row.but(
        text_content=None if row.text_content is None else person.redact(row.text_content),
        content=person.redact_all(content),
        quoted_message_id=None if quoted is not None and person.is_in(quoted) else quoted,
    )


def events(change: erasure_changes.EraseEvents, space: Workspace) -> int:
    """What these events said is gone; that there was one, of what kind and when, stays."""
    space.flush()
    cursor = space.connection.execute(
        "UPDATE events SET data = iif(message IS NULL, '{\"erased\":true}', NULL) "
        "WHERE seq IN (SELECT value FROM json_each(?))",
        [packed(change.seqs)],
    )
    return cursor.rowcount


def rejected(change: erasure_changes.EraseRejected, space: Workspace) -> int:
    cursor = space.connection.execute(
        "DELETE FROM rejected WHERE id IN (SELECT value FROM json_each(?))", [packed(change.ids)]
    )
    return cursor.rowcount


def audit(change: erasure_changes.RedactAudit, space: Workspace) -> int:
    """Who did what and when stays; a number that a name or an id was made of does not."""
    rows = space.connection.execute(
        "SELECT id, target, caller FROM audit WHERE id IN (SELECT value FROM json_each(?))", [packed(change.ids)]
    ).fetchall()
    for row_id, target, caller in rows:
        space.connection.execute(
            "UPDATE audit SET target = ?, caller = ? WHERE id = ?",
            [change.person.redact(target), change.person.redact(caller), row_id],
        )
    return len(rows)


def contacts(change: erasure_changes.EraseContacts, space: Workspace) -> int:
    """Whom sessions know by which ids, and what errors and deleted sessions say of them."""
    space.flush()
    given = given_of(change.person)
    removed = space.connection.execute(f"DELETE FROM contacts WHERE {IS_CONTACT}", given).rowcount
    space.contacts = {
        key: contact
        for key, contact in space.contacts.items()
        if contact.number not in change.person.numbers and contact.lid not in change.person.lids
    }
    space.load_sessions(set(change.session_keys))
    for key in change.session_keys:
        session = space.session(key)
        if session.last_error is not None and change.person.is_in(session.last_error):
            session.last_error = change.person.redact(session.last_error)
        if session.deleted_at is not None:
            session.phone_number = session.identity = None
        space.touch(session)
    return removed


def forget_person(change: erasure_changes.ForgetPerson, space: Workspace) -> None:
    """Nothing of them is left but in what was written over by nobody yet: from here on nobody knows who it was."""
    space.connection.execute(
        "UPDATE erasures SET state = ?, person = NULL, receipt = ? WHERE id = ?",
        [ErasureState.SCRUBBING, _json(change.receipt), change.erasure],
    )


def finish(change: erasure_changes.FinishErasures, space: Workspace) -> None:
    space.connection.execute(
        "UPDATE erasures SET state = ?, done_at = ? WHERE id IN (SELECT value FROM json_each(?))",
        [ErasureState.DONE, change.at.wall_ms, packed(change.erasures)],
    )


def merge_search(change: erasure_changes.MergeSearch, space: Workspace) -> bool:
    """A step towards one segment, in which nothing is left of what was removed; False once there is no more to do.

    A negative number of pages begins: https://sqlite.org/fts5.html#the_merge_command.
    """
    space.flush()
    before = space.connection.total_changes
    pages = -change.pages if change.begins else change.pages
    space.connection.execute("INSERT INTO messages_search (messages_search, rank) VALUES ('merge', ?)", [pages])
    return change.begins or space.connection.total_changes - before >= MERGED_MIN


MERGED_MIN = 2
"""Fewer changes than these say that there was nothing to merge."""


def _person(person: Person, media: tuple[str, ...]) -> str:
    return _json({"numbers": sorted(person.numbers), "lids": sorted(person.lids), "media": list(media)})


def _json(value: Any) -> str:
    return to_json(value).decode()
