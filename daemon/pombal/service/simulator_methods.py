"""simulator.*: play the phone, the people, and fate."""

from pombal.model import params as p
from pombal.model import results as r
from pombal.model.caller import Caller
from pombal.model.errors import Kind, PombalError
from pombal.model.session import LinkKind
from pombal.service.deps import Deps, Network
from pombal.session.seat import Seat


class SimulatorMethods:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def scan(self, params: p.SessionNameParams, caller: Caller) -> r.Scanned:
        network, seat = self._simulated(params.name, caller)
        await network.scan(seat.id)
        return r.Scanned()

    async def inject(self, params: p.InjectParams, caller: Caller) -> r.Injected:
        network, seat = self._simulated(params.name, caller)
        link_ids = await network.inject(seat.id, params.from_, params.text, params.type, params.count)
        return r.Injected(injected=len(link_ids))

    async def fault(self, params: p.FaultParams, caller: Caller) -> r.Faulted:
        network, seat = self._simulated(params.name, caller)
        await network.fault(seat.id, params.kind)
        return r.Faulted(fault=params.kind)

    def _simulated(self, name: str, caller: Caller) -> tuple[Network, Seat]:
        seat = self._deps.seat(name, caller)
        if seat.link != LinkKind.SIMULATOR or self._deps.simulator is None:
            raise PombalError(Kind.UNSUPPORTED, f"session {name!r} is not on the simulator")
        return self._deps.simulator, seat
