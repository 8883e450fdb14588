"""The erasure of a person: wanted first, then carried out; what it removed is kept as numbers."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pombal.model.person import Person


class ErasureState(StrEnum):
    """wanted: rows are being removed. scrubbing: they are gone, and what they leave in files is being written over."""

    WANTED = "wanted"
    SCRUBBING = "scrubbing"
    DONE = "done"


@dataclass(slots=True)
class ErasureRow:
    """One row of the store's table ``erasures``; person and media (files to look at) are gone with the rows.

    up_to: the last message id there was when it was wanted; what came later is not part of it.
    """

    id: str
    wanted_at: int
    state: ErasureState
    masked: str
    person: Person | None
    media: tuple[str, ...]
    up_to: int
    done_at: int | None
    receipt: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Progress:
    """Where an erasure stands; ``step`` in words. removed: rows and files by kind.

    not_reached: what this daemon cannot clean, in words for whoever asked.
    """

    step: str = "waits for its turn"
    removed: Counter[str] = field(default_factory=Counter)
    not_reached: list[str] = field(default_factory=list)
