"""WhatsApp Web's own side of an erasure."""

from collections.abc import Collection, Mapping
from pathlib import Path

import trio

from pombal.model.person import Person
from pombal.model.person_sides import SideReport


class WebSide:
    """A LinkSide. The files in which WhatsApp's client keeps keys and names of those it has met are not cleaned yet."""

    name = "web"

    def __init__(self, state: Path) -> None:
        self._state = state

    async def also_called(self, person: Person) -> Person:
        return person

    async def erase(self, person: Person, link_ids: Mapping[str, Collection[str]]) -> SideReport:
        there = await trio.to_thread.run_sync(_directories, self._state)
        return SideReport(
            0, [f"WhatsApp Web's own files of session {name}; they go with the session" for name in there]
        )


def _directories(state: Path) -> list[str]:
    return sorted(path.name for path in state.iterdir() if path.is_dir()) if state.is_dir() else []
