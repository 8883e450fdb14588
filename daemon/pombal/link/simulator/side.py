"""The simulated network's own side of an erasure, whether it is switched on or has left its file behind."""

import sqlite3
from contextlib import closing
from pathlib import Path

import trio

from pombal.link.simulator.ledger import erase, open_ledger
from pombal.link.simulator.network import SimulatedNetwork
from pombal.model.errors import Kind, PombalError
from pombal.model.person import Person
from pombal.model.person_sides import Belongings, SideReport


class SimulatorSide:
    """A LinkSide. The network knows people by the number and LID that its messages carry, and no others."""

    name = "simulator"

    def __init__(self, network: SimulatedNetwork) -> None:
        self._network = network

    async def also_called(self, person: Person) -> Person:
        return person

    async def erase(self, person: Person, belongings: Belongings) -> SideReport:
        return SideReport(await self._network.forget_person(person))


class LeftBehindSide:
    """A LinkSide, for the database of a network that is not running: switched off, or no longer durable."""

    name = "simulator's file"

    def __init__(self, path: Path) -> None:
        self._path = path

    async def also_called(self, person: Person) -> Person:
        return person

    async def erase(self, person: Person, belongings: Belongings) -> SideReport:
        return SideReport(await trio.to_thread.run_sync(self._erase, person))

    def _erase(self, person: Person) -> int:
        if not self._path.exists():
            return 0
        with closing(open_ledger(self._path)) as ledger:
            try:
                return erase(ledger, person)
            except sqlite3.OperationalError as error:
                raise PombalError(Kind.UNAVAILABLE, f"{self._path} cannot be cleaned now: {error}") from error
