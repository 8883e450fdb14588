"""The supervisor (one_for_one): restarts a child that crashes, and says so when it crashes too often.

An Exception that leaves a child is a crash. Losing a connection is not: what is expected, a child retries by itself.
"""

import random
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import structlog
import trio

from pombal.actors.policy import CrashLog, RestartPolicy
from pombal.actors.tree import ActorInfo, ActorState

log = structlog.get_logger()

T = TypeVar("T")
Child = Callable[[], Awaitable[None]]
OnCrash = Callable[[Exception], Awaitable[None]]

_jitter = random.Random()  # noqa: S311  # spreads restarts; nothing secret comes from it


class RestartIntensityExceeded(Exception):
    """A child crashed more often than its policy allows; the cause is its last crash."""

    def __init__(self, actor: str, policy: RestartPolicy) -> None:
        super().__init__(f"{actor} crashed more than {policy.intensity} times in {policy.period_s:g} s")
        self.actor = actor


class StartedOnce(Generic[T]):
    """A task_status for a child that is started again and again, while its nursery.start() may hear of it once."""

    __slots__ = ("_task_status",)

    def __init__(self, task_status: trio.TaskStatus[T]) -> None:
        self._task_status: trio.TaskStatus[T] | None = task_status

    def started(self, value: T = None) -> None:  # type: ignore[assignment]  # as trio's own: no value is None
        if self._task_status is not None:
            task_status, self._task_status = self._task_status, None
            task_status.started(value)


async def supervise(
    actor: ActorInfo,
    child: Child,
    policy: RestartPolicy,
    *,
    on_crash: OnCrash | None = None,
    refusals: tuple[type[Exception], ...] = (),
) -> None:
    """Run child until it returns of its own will; restart it after a pause when it crashes.

    on_crash is awaited after each crash, before the pause. refusals are no crashes: a child that says that it cannot
    be started as things are will say so again, so they pass. Raises RestartIntensityExceeded from the last crash; the
    caller decides what that means for it: a session cools down and is tried again, the recorder ends the process.
    """
    crashes = CrashLog(policy, _jitter)
    try:
        while True:
            actor.state = ActorState.RUNNING
            try:
                return await child()
            except refusals:
                raise
            except Exception as error:  # a group of nothing but Exceptions is one too
                # A cancellation here discards the crash, which has been logged by then.
                await _report(actor, error, on_crash)  # noqa: ASYNC120
                pause_s = crashes.crashed(trio.current_time())
                if pause_s is None:
                    raise RestartIntensityExceeded(actor.name, policy) from error
            except BaseExceptionGroup as group:
                raise _without_crashes(actor, group) from None
            actor.state = ActorState.BACKING_OFF
            await trio.sleep(pause_s)
            actor.restarts += 1
    finally:
        actor.state = ActorState.STOPPED


async def _report(actor: ActorInfo, error: Exception, on_crash: OnCrash | None) -> None:
    actor.crashed(error)
    log.error("actor crashed", actor=actor.name, kind=actor.kind, exc_info=error)
    if on_crash is None:
        return
    try:
        await on_crash(error)
    except Exception:  # telling of a crash must not take the neighbours down
        log.exception("crash could not be reported", actor=actor.name, kind=actor.kind)


def _without_crashes(actor: ActorInfo, group: BaseExceptionGroup[BaseException]) -> BaseExceptionGroup[BaseException]:
    """What must pass (Cancelled, KeyboardInterrupt) of a child that crashed while it was being ended.

    Its crash is logged here: let through, it would outlive the cancellation and end the neighbours.
    """
    crash, rest = group.split(Exception)
    if crash is not None:
        error = crash.exceptions[0]
        actor.crashed(error)
        log.error("actor crashed while it was ended", actor=actor.name, kind=actor.kind, exc_info=crash)
    return rest if rest is not None else group
