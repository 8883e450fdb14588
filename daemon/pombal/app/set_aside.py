"""Former databases that a restore has put aside: an erasure does not reach into them, and says so."""

from pathlib import Path

import trio

from pombal.model.person import Person
from pombal.model.person_sides import Belongings, SideReport


class SetAside:
    """A LinkSide, though there is no link.

    They hold everybody's messages, and may be all that is left of the newest: nobody but a person removes them.
    """

    name = "replaced"

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def also_called(self, person: Person) -> Person:
        return person

    async def erase(self, person: Person, belongings: Belongings) -> SideReport:
        there = await trio.to_thread.run_sync(_directories, self._directory)
        return SideReport(0, [f"the former database in {path}, put aside by a restore: remove it" for path in there])


def _directories(directory: Path) -> list[Path]:
    return sorted(path for path in directory.iterdir() if path.is_dir()) if directory.is_dir() else []
