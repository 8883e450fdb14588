"""The supervision tree as it is: one entry an actor, for `daemon.actors` and the metrics."""

import heapq
from enum import StrEnum
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from pombal.model.clock import Clock, system_clock
from pombal.model.text import storable
from pombal.model.times import Instant

CRASH_TEXT_MAX_CHARACTERS = 500


class ActorState(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    BACKING_OFF = "backing_off"  # crashed; waits before its restart
    COOLING_DOWN = "cooling_down"  # crashed too often; rests before it is tried again
    STOPPED = "stopped"


class Box(Protocol):
    """What the tree wants to know of a mailbox (or of a bounded channel)."""

    @property
    def depth(self) -> int: ...

    @property
    def capacity(self) -> int: ...


class Crash(BaseModel):
    model_config = ConfigDict(frozen=True)

    error: str
    at: Instant


class Actor(BaseModel):
    """One actor as others see it. uptime_seconds counts from its entry, over restarts.

    memory_bytes: of an actor that is a process of its own (kind `gateway`), else null.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    kind: str
    state: ActorState
    mailbox_depth: int
    mailbox_capacity: int
    restarts: int
    last_crash: Crash | None
    uptime_seconds: float
    memory_bytes: int | None = None


class ActorInfo:
    """One entry of the tree, kept up to date by the actor's supervisor."""

    __slots__ = (
        "_clock",
        "entered_at_ms",
        "kind",
        "last_crash",
        "mailbox",
        "memory_bytes",
        "name",
        "restarts",
        "state",
    )

    def __init__(self, name: str, kind: str, mailbox: Box | None = None, clock: Clock = system_clock) -> None:
        self.name = name
        self.kind = kind
        self.mailbox = mailbox
        self.state = ActorState.STARTING
        self.restarts = 0
        self.last_crash: Crash | None = None
        self.memory_bytes: int | None = None
        self._clock = clock
        self.entered_at_ms = clock().mono_ms

    def crashed(self, error: BaseException) -> None:
        """Note a crash: what it was, in one line, and when."""
        text = storable(describe(error))[:CRASH_TEXT_MAX_CHARACTERS]
        self.last_crash = Crash(error=text, at=self._clock().wall_ms)

    def show(self) -> Actor:
        box = self.mailbox
        return Actor(
            name=self.name,
            kind=self.kind,
            state=self.state,
            mailbox_depth=box.depth if box else 0,
            mailbox_capacity=box.capacity if box else 0,
            restarts=self.restarts,
            last_crash=self.last_crash,
            uptime_seconds=(self._clock().mono_ms - self.entered_at_ms) / 1000,
            memory_bytes=self.memory_bytes,
        )


def describe(error: BaseException) -> str:
    """'ValueError: bad number'; of a group, the first one that is no group, for that is what happened."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


class ActorTree:
    """Every actor of the process, by kind and name. Ten thousand entries cost memory, no tasks and no time."""

    def __init__(self, clock: Clock = system_clock) -> None:
        self._clock = clock
        self._actors: dict[str, dict[str, ActorInfo]] = {}

    def enter(self, name: str, kind: str, mailbox: Box | None = None) -> ActorInfo:
        """Make an entry; an actor that lives already under this kind and name is a mistake (ValueError)."""
        of_kind = self._actors.setdefault(kind, {})
        if name in of_kind:
            raise ValueError(f"there is a {kind} named {name} already")
        info = of_kind[name] = ActorInfo(name, kind, mailbox, self._clock)
        return info

    def leave(self, info: ActorInfo) -> None:
        """Take the entry out; one that has left already changes nothing."""
        of_kind = self._actors.get(info.kind, {})
        if of_kind.get(info.name) is info:
            del of_kind[info.name]

    def page(
        self,
        kind: str | None = None,
        after: tuple[str, str] | None = None,
        limit: int = 100,
        *,
        crashed: bool | None = None,
    ) -> list[ActorInfo]:
        """At most limit actors, those past ``after``; pass the (kind, name) of the last to go on.

        The daemon's own come first, then those of which there are many, in the order of (kind, name). crashed: only
        those that have crashed since they entered, or only those that never did.
        """
        kinds = [kind] if kind is not None else list(self._actors)
        found = (info for each in kinds for info in self._actors.get(each, {}).values())
        wanted = (
            info
            for info in found
            if (after is None or _place(info.kind, info.name) > _place(*after))
            and (crashed is None or crashed == (info.last_crash is not None))
        )
        return heapq.nsmallest(limit, wanted, key=lambda info: _place(info.kind, info.name))

    def max_depths(self) -> dict[str, int]:
        """The fullest mailbox of each kind that has any."""
        depths: dict[str, int] = {}
        for kind, infos in self._actors.items():
            of_kind = [info.mailbox.depth for info in infos.values() if info.mailbox is not None]
            if of_kind:
                depths[kind] = max(of_kind)
        return depths


def _place(kind: str, name: str) -> tuple[bool, str, str]:
    """An actor that there is one of has its kind for a name."""
    return kind != name, kind, name
