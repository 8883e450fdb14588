"""A mailbox: commands that wait for an actor, each with a deadline and exactly one answer.

The supervisor owns it, so what waits outlives a crash of the actor. Built of a list and an Event made when somebody
waits: an idle mailbox takes some 400 bytes, where a memory channel takes several kilobytes, and there are ten thousand.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import trio

from pombal.model.errors import Kind, PombalError

C = TypeVar("C")


class Envelope(Generic[C]):
    """One command, its deadline, and the place for its answer."""

    __slots__ = ("_answered", "_error", "_owner", "_value", "command", "deadline", "timeout_s")

    def __init__(self, owner: str, command: C, timeout_s: float) -> None:
        self.command = command
        self.timeout_s = timeout_s
        self.deadline = trio.current_time() + timeout_s
        self._owner = owner
        self._answered = trio.Event()
        self._value: Any = None
        self._error: PombalError | None = None

    @property
    def is_answered(self) -> bool:
        """True too when the caller has gone: an answer would reach nobody."""
        return self._answered.is_set()

    @property
    def is_moot(self) -> bool:
        """Nobody waits for an answer any more."""
        return self.is_answered or trio.current_time() >= self.deadline

    def answer(self, value: Any = None) -> None:
        """Answer with a result. The first answer counts; the deadline may have given one already."""
        if not self.is_answered:
            self._value = value
            self._answered.set()

    def refuse(self, error: PombalError) -> None:
        """Answer with an error."""
        if not self.is_answered:
            self._error = error
            self._answered.set()

    def _expire(self) -> None:
        self.refuse(PombalError(Kind.UNAVAILABLE, f"{self._owner} did not answer within {self.timeout_s:g} s"))

    async def wait(self) -> Any:
        """The answer, which is an error at the deadline; a caller that is cancelled makes the command moot."""
        try:
            with trio.move_on_at(self.deadline):
                await self._answered.wait()
        finally:
            self._expire()
        if self._error is not None:
            raise self._error
        return self._value

    @contextmanager
    def handling(self) -> Iterator[None]:
        """Around the actor's work at this command, so that it gets its answer however that ends.

        At the deadline whatever is awaited inside is cancelled. A PombalError is the answer and goes no further; all
        else that leaves the block passes, and is answered ``crashed``.
        """
        try:
            with trio.move_on_at(self.deadline) as scope:
                yield
            if scope.cancelled_caught:
                self._expire()
        except PombalError as error:
            self.refuse(error)
        finally:
            self.refuse(PombalError(Kind.CRASHED, f"{self._owner} died at this command; it is not tried again"))


class Mailbox(Generic[C]):
    """Commands for one actor, in order; the loop ends when the mailbox is closed::

    async for envelope in mailbox:
        with envelope.handling():
            envelope.answer(await work_on(envelope.command))
    """

    __slots__ = ("_arrived", "_is_closed", "_waiting", "capacity", "owner")

    def __init__(self, owner: str, capacity: int) -> None:
        """owner: whom the errors name. capacity: commands that may wait; more are refused at once."""
        self.owner = owner
        self.capacity = capacity
        self._waiting: list[Envelope[C]] = []
        self._arrived: trio.Event | None = None
        self._is_closed = False

    @property
    def depth(self) -> int:
        """Commands that wait; the one the actor is at is not among them."""
        return len(self._waiting)

    async def ask(self, command: C, timeout_s: float) -> Any:
        """Give the actor a command and wait for its answer.

        Raises PombalError: the actor's own refusal; crashed when it died at this command; unavailable when the mailbox
        is full or the deadline passes, waiting or running; shutting_down when the mailbox is closed.
        """
        envelope = self._put(command, timeout_s)
        try:
            return await envelope.wait()
        finally:
            if envelope in self._waiting:
                self._waiting.remove(envelope)

    def tell(self, command: C, timeout_s: float) -> None:
        """Give the actor a command whose answer nobody waits for. Raises PombalError when it finds no place."""
        self._put(command, timeout_s)

    def close(self) -> None:
        """Take nothing more; what waits is answered shutting_down, what is being done may finish."""
        self._is_closed = True
        for envelope in self._waiting:
            envelope.refuse(self._shutting_down())
        self._waiting.clear()
        self._wake()

    def __aiter__(self) -> "Mailbox[C]":
        return self

    async def __anext__(self) -> Envelope[C]:
        """The next command, for one actor at a time: enter its handling() before anything else is awaited."""
        await trio.lowlevel.checkpoint()
        while True:
            while not self._waiting:
                if self._is_closed:
                    raise StopAsyncIteration
                arrived = self._arrived = trio.Event()
                await arrived.wait()
            envelope = self._waiting.pop(0)
            # One whose caller has not yet had its turn to take it out, after the deadline or a cancellation.
            if not envelope.is_moot:
                return envelope

    def _put(self, command: C, timeout_s: float) -> Envelope[C]:
        if self._is_closed:
            raise self._shutting_down()
        if self.depth >= self.capacity:
            # What was told and has expired has no caller who would have taken it out.
            self._waiting = [envelope for envelope in self._waiting if not envelope.is_moot]
        if self.depth >= self.capacity:
            raise PombalError(Kind.UNAVAILABLE, f"{self.owner} is busy: {self.depth} commands wait for it; try later")
        envelope = Envelope(self.owner, command, timeout_s)
        self._waiting.append(envelope)
        self._wake()
        return envelope

    def _wake(self) -> None:
        if self._arrived is not None:
            self._arrived.set()
            self._arrived = None

    def _shutting_down(self) -> PombalError:
        return PombalError(Kind.SHUTTING_DOWN, f"{self.owner} is being shut down")
