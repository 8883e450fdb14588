"""What the links' own sides have to do for a person who is erased."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pombal.model.person import Person


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

    async def erase(self, person: Person, link_ids: Mapping[str, Collection[str]]) -> SideReport:
        """Remove them, so that nothing is left in any file. link_ids: WhatsApp's ids of their messages, by session id.

        Safe to ask again. Raises PombalError (unavailable) where it may succeed later.
        """
