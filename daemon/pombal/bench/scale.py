"""What a message costs more with a thousand times as many sessions, and with hundreds of times as many messages."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import trio

from pombal.bench.figures import Figure
from pombal.bench.injecting import take_in
from pombal.bench.past import fill
from pombal.bench.prepared import prepare_sessions, session_name
from pombal.bench.progress import Progress
from pombal.bench.running import running

_DAYS = 30
_SETTLING_S = 3.0
_SESSIONS_WITH_A_PAST = 100
# By one call, with few sessions as with many: else the calls would be what is compared.
_INJECTED_AT_ONCE = 5


@dataclass(frozen=True)
class Scale:
    """As many messages each time, by as many calls: to few sessions and to many, behind a short past and a long one."""

    messages: int = 50_000
    sessions: tuple[int, int] = (10, 10_000)
    rows: tuple[int, int] = (10_000, 5_000_000)

    async def run(self, root: Path, progress: Progress) -> list[Figure]:
        few, many = [await self._with_sessions(root, count, progress) for count in self.sessions]
        short, long = [await self._with_rows(root, count, progress) for count in self.rows]
        return [
            Figure("scale.sessions", many, "µs a message", few, f"the same with {self.sessions[0]:,} sessions"),
            Figure("scale.rows", long, "µs a message", short, f"the same with {self.rows[0]:,} rows before"),
        ]

    async def _with_sessions(self, root: Path, count: int, progress: Progress) -> float:
        state = root / f"sessions-{count}"
        await trio.to_thread.run_sync(prepare_sessions, state, count)
        return await self._cost_us(state, [session_name(number) for number in range(count)], progress)

    async def _with_rows(self, root: Path, count: int, progress: Progress) -> float:
        state = root / f"rows-{count}"
        state.mkdir(mode=0o700)
        progress.tell(f"writing {count:,} messages of {_DAYS} days")
        await trio.to_thread.run_sync(fill, state / "pombal.db", count, _SESSIONS_WITH_A_PAST, _DAYS)
        return await self._cost_us(state, [f"bench-{number}" for number in range(_SESSIONS_WITH_A_PAST)], progress)

    async def _cost_us(self, state: Path, names: Sequence[str], progress: Progress) -> float:
        each = max(1, self.messages // len(names))
        async with running(state) as daemon:
            with progress.count("sessions ready", len(names)) as counted:
                await daemon.until_ready(len(names), counted)
            await trio.sleep(_SETTLING_S)  # that they are ready is an event as well, and what is counted are events
            seconds = await take_in(daemon, names, each, _INJECTED_AT_ONCE, progress)
        return 1e6 * seconds / (each * len(names))
