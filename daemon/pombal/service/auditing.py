"""What is written into the audit log, and when: behind the change itself, before its answer."""

import pwd
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
import trio
from pydantic import BaseModel

from pombal.model.audit import CRASHED, OK, UNHEARD, caller_of, target_of
from pombal.model.caller import Access, Caller
from pombal.model.changes import NoteCall
from pombal.model.errors import PombalError
from pombal.service.catalog import METHODS
from pombal.service.deps import Deps

log = structlog.get_logger()

# Traffic, thousands an hour, and each a record of its own; and what is only looked at: a code, every few seconds.
UNNOTED = frozenset(
    (
        "message.send", "message.mark_read", "media.put", "simulator.inject",
        "session.qr", "audit.list", "contact.erasure", "contact.export_chunk",
    )
)  # fmt: skip
# What goes on for long after it was decided: its row is written with the decision.
NOTED_WITHIN = frozenset({"contact.erase"})
WAIT_S = 5.0
LOOK_UP_S = 1.0


class Auditing:
    """Notes calls that change something or show a secret, those that were refused among them."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._users: dict[int, str | None] = {}

    @asynccontextmanager
    async def of(self, method: str, params: BaseModel, caller: Caller) -> AsyncIterator[None]:
        """Around a call. What was answered as done is in the log by then, unless the store cannot be written."""
        if METHODS[method].access == Access.READ or method in UNNOTED:
            yield
            return
        outcome = UNHEARD  # nobody waits any more: it may have been done
        try:
            yield
            outcome = OK
        except PombalError as refusal:
            outcome = refusal.kind
            raise
        except Exception:
            outcome = CRASHED
            raise
        finally:
            with trio.move_on_after(WAIT_S, shield=True):
                await self._note(method, params, caller, outcome)  # noqa: ASYNC102  # bounded and shielded

    async def change(self, method: str, params: BaseModel, caller: Caller, outcome: str) -> NoteCall:
        """The row, for whoever writes it in the transaction of the change itself (NOTED_WITHIN)."""
        return NoteCall(
            at=self._deps.clock(),
            method=method,
            outcome=outcome,
            caller=caller_of(caller, await self._user(caller.uid)),
            target=target_of(params),
        )

    async def _note(self, method: str, params: BaseModel, caller: Caller, outcome: str) -> None:
        if method in NOTED_WITHIN and outcome in (OK, UNHEARD):
            return
        change = await self.change(method, params, caller, outcome)
        try:
            if self._deps.recorder.unavailable is None:
                await self._deps.recorder.commit(change)
            else:  # a refusal says so at once; it is noted when the store is well again
                await self._deps.recorder.submit([change])
        except PombalError as error:  # the daemon drains
            log.warning("call not in the audit log", method=method, outcome=outcome, reason=error.message)

    async def _user(self, uid: int | None) -> str | None:
        """The name behind a uid; looked up once, in a thread, for it may ask a network service."""
        if uid is not None and uid not in self._users:
            name = None
            with trio.move_on_after(LOOK_UP_S):
                name = await trio.to_thread.run_sync(_name_of, uid, abandon_on_cancel=True)
            self._users[uid] = name
        return None if uid is None else self._users[uid]


def _name_of(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None
