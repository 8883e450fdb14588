"""Handing one message to the link: marked, sent, and honest about what became of it."""

import trio

from pombal.link.base import Link, Outgoing, SendRefused
from pombal.model.changes import Advance, Change, MarkDispatched
from pombal.model.clock import Stamp
from pombal.model.message import MessageRow, MessageStatus
from pombal.model.text import storable
from pombal.session.context import SessionContext
from pombal.session.lanes import is_upload, upload_s
from pombal.session.seat import Seat


class HandOver:
    def __init__(self, seat: Seat, context: SessionContext, link: Link) -> None:
        self._seat = seat
        self._context = context
        self._link = link
        self._giving_since_mono_ms: int | None = None

    def is_stuck(self, now_mono_ms: int, timeout_ms: float) -> bool:
        """Whether the link has been given a message without a file and, for longer than timeout_ms, not taken it."""
        since = self._giving_since_mono_ms
        return since is not None and now_mono_ms - since > timeout_ms

    async def carry(self, row: MessageRow, message: Outgoing, at: Stamp) -> None:
        """Give the link a message that the outbox calls dispatched. Raises LinkLost.

        What cannot be deduplicated is on disk as dispatched before it goes.
        """
        recorder, mark = self._context.recorder, MarkDispatched(at=at, message_ids=(row.id,))
        if not self._link.deduplicates:
            await recorder.commit(mark)
        refusal = await self._refusal(row, message)
        if refusal is not None:
            await recorder.submit([mark, refusal])
        elif self._link.deduplicates:
            await recorder.submit([mark])

    async def _refusal(self, row: MessageRow, message: Outgoing) -> Change | None:
        """Send; what has to be recorded where the link does not take it."""
        try:
            if is_upload(row):
                return await self._send_file(row, message)
            await self._send(message)
        except SendRefused as refusal:
            return self._advance(row, MessageStatus.FAILED, refusal.kind, refusal.detail)
        return None

    async def _send(self, message: Outgoing) -> None:
        """One at a time. For how long is watched from outside: a deadline of its own costs as much as the message."""
        self._giving_since_mono_ms = self._context.clock().mono_ms
        try:
            await self._link.send(message)
        finally:
            self._giving_since_mono_ms = None

    async def _send_file(self, row: MessageRow, message: Outgoing) -> Change | None:
        """A file may take as long as its size asks for. One that takes longer is given up, and the link is not:
        others go on over it."""
        outbox = self._context.settings.outbox
        timeout_s = outbox.ack_timeout_s + upload_s(row, outbox)
        with trio.move_on_after(timeout_s):
            await self._link.send(message)
            self._seat.outbox.handed_over(row, self._context.clock().mono_ms)
            return None
        status = MessageStatus.FAILED if self._link.deduplicates else MessageStatus.UNCERTAIN
        return self._advance(row, status, "upload_timeout", f"the file was not uploaded within {timeout_s:.0f} s")

    def _advance(self, row: MessageRow, status: MessageStatus, kind: str, detail: str) -> Change:
        return Advance(
            at=self._context.clock(), session_key=self._seat.key, link_id=row.link_id, status=status,
            error_kind=storable(kind), error_detail=storable(detail),
        )  # fmt: skip
