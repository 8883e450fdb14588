"""What the links' own sides have to do for a person who is erased."""

from dataclasses import dataclass, field
from typing import Protocol

from pombal.model.person import Person


@dataclass(slots=True)
class Belongings:
    """Of a person's messages: WhatsApp's ids, by session id, and their files, by sha256."""

    link_ids: dict[str, list[str]] = field(default_factory=dict)
    media: set[str] = field(default_factory=set)


@dataclass(slots=True)
class SideReport:
    """removed: how many rows and files. not_reached: what could not be, in words for the receipt."""

    removed: int = 0
    not_reached: list[str] = field(default_factory=list)


class LinkSide(Protocol):
    """A link's own keeping: WhatsApp's keys and what waits on its way here. ``name`` is its name in receipts."""

    name: str

    async def also_called(self, person: Person) -> Person:
        """The person with the names that this side knows for them."""

    async def erase(self, person: Person, belongings: Belongings) -> SideReport:
        """Remove them, so that nothing is left in any file.

        Safe to ask again. Raises PombalError (unavailable) where it may succeed later.
        """
