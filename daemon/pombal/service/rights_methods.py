"""contact.erase and contact.erasure: what a person may ask of whoever holds their messages."""

from functools import partial

import trio

from pombal.model import params as p
from pombal.model import results as r
from pombal.model.audit import masked
from pombal.model.caller import Caller
from pombal.model.changes import WantErasure
from pombal.model.erasure import ErasureRow, ErasureState
from pombal.model.errors import Kind, PombalError, not_found
from pombal.model.ids import new_ulid
from pombal.model.person import Person, parse_person
from pombal.service.deps import Deps
from pombal.store.erasure_queries import erasure_by_id


class RightsMethods:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def erase(self, params: p.ContactEraseParams, caller: Caller) -> r.Erasure:
        """Written down, then carried out by an actor of its own: whoever asked may go, and the daemon may die."""
        person = parse_person(params.number)
        self._refuse_own(person)
        wanted: ErasureRow = await self._deps.recorder.commit(
            WantErasure(at=self._deps.clock(), id=new_ulid(), person=person, masked=masked(params.number))
        )
        self._deps.erasures.wanted()
        with trio.move_on_after(float("inf") if params.wait_s is None else params.wait_s):
            while (move := self._deps.erasures.next_move()) is not None:
                if (await self._stored(wanted.id)).state == ErasureState.DONE:
                    break
                await move.wait()
        return self._shown(await self._stored(wanted.id))

    async def erasure(self, params: p.ContactErasureParams, caller: Caller) -> r.Erasure:
        return self._shown(await self._stored(params.erasure))

    def _refuse_own(self, person: Person) -> None:
        """A session's own number is not a contact's: its account would go on under it."""
        own = next((seat for seat in self._deps.registry if seat.phone_number in person.numbers), None)
        if own is not None:
            raise PombalError(
                Kind.CONFLICT, f"this is the number of session {own.name!r} itself; delete that with purge instead"
            )

    async def _stored(self, erasure: str) -> ErasureRow:
        row = await self._deps.reader.run(partial(erasure_by_id, erasure=erasure))
        if row is None:
            raise not_found(f"there is no erasure {erasure[:64]!r}")
        return row

    def _shown(self, row: ErasureRow) -> r.Erasure:
        """While rows are still being removed, by what has gone so far; then by the receipt that was written down."""
        now = self._deps.erasures.progress(row.id)
        return r.Erasure(
            erasure=row.id,
            number=row.masked,
            state=row.state,
            step=None if row.state == ErasureState.DONE else now.step,
            wanted_at=row.wanted_at,
            done_at=row.done_at,
            removed=row.receipt.get("removed", dict(now.removed)),
            not_reached=row.receipt.get("not_reached", now.not_reached),
        )
