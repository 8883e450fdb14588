"""Somebody who asks for health all the time, over one connection a life, as a load balancer would."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

import httpx2
import trio

from tests.faults.changes import Changes
from tests.faults.keeper import Keeper

EVERY_S = 0.05
PATIENCE_S = 60.0


class Answer(NamedTuple):
    code: int
    failing: tuple[str, ...]
    detail: str


class Prober:
    """problems: where health contradicted itself, or complained while nothing was wrong."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._changes = Changes()
        self._last: Answer | None = None
        self._excused: set[str] = {"started", "not_draining"}
        self.problems: list[str] = []

    async def run(self) -> None:
        while True:
            life = await self._keeper.ready()
            with suppress(httpx2.HTTPError):
                async with httpx2.AsyncClient(base_url=life.url, timeout=PATIENCE_S) as http:
                    while True:
                        self._hear(await http.get("/api/v1/health/"))
                        await trio.sleep(EVERY_S)
            self._last = None
            await trio.sleep(EVERY_S)

    def _hear(self, answer: httpx2.Response) -> None:
        body = answer.json()
        details = [f"{name}: {check['detail']}" for name, check in body["checks"].items() if not check["ok"]]
        self._last = Answer(answer.status_code, tuple(body["failing"]), "; ".join(details))
        if (answer.status_code == 200) != (not body["failing"]):
            self.problems.append(f"health answered {answer.status_code} with failing = {body['failing']}")
        is_slow = "has not answered" in self._last.detail  # which a disk may be whether or not we made it so
        if (wrong := set(body["failing"]) - self._excused) and not is_slow:
            self.problems.append(f"health says {sorted(wrong)} fail ({'; '.join(details)}), but nothing was wrong")
        self._changes.tell()

    @contextmanager
    def excusing(self, *names: str) -> Iterator[None]:
        """In this block, and until it is well again, health may say that these fail."""
        self._excused |= set(names)
        yield
        # Not excused any more once `well` has been seen: it may be told so a little longer than the fault lasts.

    async def until_failing(self, name: str, timeout_s: float = PATIENCE_S) -> str:
        """What health says of it, once it says 503 with this name."""

        def told() -> str | None:
            last = self._last
            return last.detail if last is not None and last.code == 503 and name in last.failing else None

        return await self._changes.until(told, timeout_s, f"health says that {name} fails")

    async def until_well(self) -> None:
        """Wait until it says 200; from then on nothing is excused."""
        self._last = None
        await self._changes.until(
            lambda: self._last is not None and self._last.code == 200, PATIENCE_S, "health says that all is well"
        )
        self._excused = {"started", "not_draining"}
