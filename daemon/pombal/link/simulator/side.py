"""The simulated network's own side of an erasure."""

from collections.abc import Collection, Mapping

from pombal.link.simulator.network import SimulatedNetwork
from pombal.model.person import Person
from pombal.model.person_sides import SideReport


class SimulatorSide:
    """A LinkSide. The network knows people by the number and LID that its messages carry, and no others."""

    name = "simulator"

    def __init__(self, network: SimulatedNetwork) -> None:
        self._network = network

    async def also_called(self, person: Person) -> Person:
        return person

    async def erase(self, person: Person, link_ids: Mapping[str, Collection[str]]) -> SideReport:
        return SideReport(await self._network.forget_person(person))
