"""Sends on their way, as the store has them, so that the next step of their lives need not read them again.

Nobody but the writer changes a message. So what a transaction has left is what the next one would read, where both go
row by row, as the steps of a life do. Before any other (an erasure, retention, a queue that is given up, a file that is
put) and after one that failed, everything is let go, and read again when it is asked for.
"""

from collections.abc import Collection, Iterable, Iterator
from itertools import islice

from pombal.model import changes
from pombal.model.changes import Change
from pombal.model.message import Direction, MessageRow, MessageStatus
from pombal.store.loading import Wanted
from pombal.store.statements import LinkKey

_IN_MEMORY = frozenset({
    changes.QueueMessage, changes.CancelMessage, changes.ResendMessage, changes.MarkDispatched, changes.Advance,
    changes.MarkOverdue, changes.RecordMessage, changes.EditMessage, changes.RevokeMessage, changes.MarkRead,
    changes.LearnContacts, changes.SetSessionState, changes.CountSession, changes.TellGap, changes.ShowCode,
})  # fmt: skip
"""Decided by what a workspace holds, and written when all are."""
_ROW_BY_ROW = _IN_MEMORY | {changes.NoteCall, changes.SpreadRollups}
_ON_THEIR_WAY = frozenset({MessageStatus.QUEUED, MessageStatus.SENT, MessageStatus.DELIVERED})
TEXT_MAX_CHARACTERS = 4096
"""Of what is held; a longer text is read again, so that a number of messages bounds their memory as well."""


def goes_row_by_row(batch: Iterable[Change]) -> bool:
    """Whether nothing in batch changes messages but those that a workspace holds."""
    return all(type(change) in _ROW_BY_ROW for change in batch)


def is_decided_in_memory(batch: Iterable[Change]) -> bool:
    """Whether nothing in batch asks SQLite between what is read before and what is written behind."""
    return all(type(change) in _IN_MEMORY for change in batch)


class HeldMessages:
    """By WhatsApp's ids: under each either all rows that the store has, or none. ids_max: so many ids, the newest."""

    def __init__(self, ids_max: int) -> None:
        self._ids_max = ids_max
        self._by_link: dict[LinkKey, list[MessageRow]] = {}
        self._key_of: dict[int, LinkKey] = {}

    def __iter__(self) -> Iterator[tuple[LinkKey, list[MessageRow]]]:
        return iter(self._by_link.items())

    def take(self, wanted: Wanted) -> list[MessageRow]:
        """What is held of wanted's messages and links, which need not be read then: they are taken out of it."""
        keys = {key for key in wanted.links if key in self._by_link}
        keys.update(self._key_of[row_id] for row_id in wanted.messages if row_id in self._key_of)
        rows = [row for key in keys for row in self._by_link[key]]
        wanted.links -= keys
        wanted.messages -= {row.id for row in rows}
        return rows

    def follow(self, known: Iterable[tuple[LinkKey, list[MessageRow]]], whole: Collection[LinkKey]) -> None:
        """What a transaction has left. whole: the ids under which known has all rows that there are."""
        for key, rows in known:
            before = self._by_link.pop(key, None)
            if key in whole and any(map(_is_on_its_way, rows)) and all(map(_is_small, rows)):
                self._by_link[key] = rows
                for row in rows:
                    self._key_of[row.id] = key
            elif before is not None:
                self._forget_ids(before)
        for key in list(islice(self._by_link, max(0, len(self._by_link) - self._ids_max))):
            self._forget_ids(self._by_link.pop(key))

    def clear(self) -> None:
        self._by_link.clear()
        self._key_of.clear()

    def _forget_ids(self, rows: Iterable[MessageRow]) -> None:
        for row in rows:
            del self._key_of[row.id]


def _is_on_its_way(row: MessageRow) -> bool:
    return row.direction == Direction.OUTBOUND and row.status in _ON_THEIR_WAY


def _is_small(row: MessageRow) -> bool:
    return row.content is None and len(row.text_content or "") <= TEXT_MAX_CHARACTERS
