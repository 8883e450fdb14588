"""contact.export and contact.erase: what a person may ask of whoever holds their messages."""

from functools import partial

import trio

from pombal.model import params as p
from pombal.model import results as r
from pombal.model.audit import OK, masked
from pombal.model.caller import Caller
from pombal.model.erasure import ErasureRow, ErasureState
from pombal.model.erasure_changes import WantErasure
from pombal.model.errors import Kind, PombalError, not_found
from pombal.model.ids import new_ulid
from pombal.model.person import Person, parse_person
from pombal.service.auditing import Auditing
from pombal.service.deps import Deps
from pombal.service.exports import Exports
from pombal.store.erasure_queries import erasure_by_id


class RightsMethods:
    def __init__(self, deps: Deps, auditing: Auditing) -> None:
        self._deps = deps
        self._auditing = auditing
        self._exports = Exports(deps)

    async def export(self, params: p.ContactExportParams, caller: Caller) -> r.ContactExport:
        name, export = await self._exports.make(parse_person(params.number))
        counts = {what: export.counts[what] for what in ("messages", "media_files", "events", "contacts", "rejected")}
        return r.ContactExport(export=name, size_bytes=export.size_bytes, **counts)

    async def export_chunk(self, params: p.ContactExportChunkParams, caller: Caller) -> r.MediaChunk:
        data, eof = await self._exports.read(params.export, params.offset, params.limit)
        return r.MediaChunk(data=data, eof=eof)

    async def erase(self, params: p.ContactEraseParams, caller: Caller) -> r.Erasure:
        """Written down, then carried out by an actor of its own: whoever asked may go, and the daemon may die."""
        person = parse_person(params.number)
        self._refuse_own(person)
        wanted: ErasureRow = await self._deps.recorder.commit(
            WantErasure(
                at=self._deps.clock(),
                id=new_ulid(),
                person=person,
                masked=masked(params.number),
                noted=await self._auditing.change("contact.erase", params, caller, OK),
            )
        )
        self._deps.erasures.wanted()
        self._exports.discard_all()
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
