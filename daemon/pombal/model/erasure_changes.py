"""The erasure of a person as changes, each a slice or a step; see store/decisions/erasure.py."""

from collections.abc import Mapping
from typing import Any

from pombal.model.changes import Asked, Change, NoteCall
from pombal.model.frozen import frozen
from pombal.model.person import Person


@frozen(kw_only=True)
class WantErasure(Asked, Change):
    """→ ErasureRow: this one, or the one that the same person is being erased by already.

    noted: who wanted it, for the audit log, in the same transaction: whoever dies afterwards must not take that along.
    """

    id: str
    person: Person
    masked: str
    noted: NoteCall | None = None


@frozen(kw_only=True)
class EraseMessages(Change):
    """→ RemovedMessages. The files that they spoke of are kept with the erasure until ForgetPerson."""

    erasure: str
    message_ids: tuple[int, ...]


@frozen(kw_only=True)
class RedactMentions(Change):
    """→ int, how many of these messages of others are left without the person's number."""

    person: Person
    message_ids: tuple[int, ...]


@frozen(kw_only=True)
class EraseEvents(Change):
    """→ int. These events stay, and say nothing any more."""

    seqs: tuple[int, ...]


@frozen(kw_only=True)
class EraseRejected(Change):
    """→ int, how many rows of `rejected` have gone."""

    ids: tuple[int, ...]


@frozen(kw_only=True)
class RedactAudit(Change):
    """→ int, how many rows of the audit log are left without the person's number."""

    person: Person
    ids: tuple[int, ...]


@frozen(kw_only=True)
class EraseContacts(Change):
    """→ int, how many sessions knew them. session_keys: sessions that hold something of them otherwise."""

    person: Person
    session_keys: tuple[int, ...]


@frozen(kw_only=True)
class ForgetPerson(Change):
    """→ None. Every row is gone: the erasure keeps its numbers, and no longer whom it is about."""

    erasure: str
    receipt: Mapping[str, Any]


@frozen(kw_only=True)
class MergeSearch(Change):
    """→ bool, whether there may be more to do. A step of at most so many pages towards an index without leftovers."""

    pages: int
    begins: bool


@frozen(kw_only=True)
class FinishErasures(Change):
    """→ None. The file has been written anew since: nothing is left of them."""

    erasures: tuple[str, ...]
