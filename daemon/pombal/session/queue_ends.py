"""How a session's queue ends otherwise than by being sent: given up as a whole, or left without an answer."""

from pombal.model.changes import FailQueue
from pombal.session.context import SessionContext
from pombal.session.seat import Seat

SLICE = 500


async def settle_unanswered(seat: Seat, context: SessionContext) -> None:
    """On a link that cannot deduplicate: what was dispatched without an answer becomes uncertain, never sent again."""
    while True:
        failed: int = await context.recorder.commit(
            FailQueue(
                at=context.clock(),
                session_key=seat.key,
                error_kind="unanswered",
                limit=SLICE,
                only_dispatched=True,
                error_detail="the connection ended before WhatsApp answered; look whether it arrived before you resend",
            )
        )
        if failed < SLICE:
            return


async def fail_queue(seat: Seat, context: SessionContext, kind: str, detail: str) -> None:
    """Give up everything that waits in a session's queue."""
    while True:
        failed: int = await context.recorder.commit(
            FailQueue(at=context.clock(), session_key=seat.key, error_kind=kind, error_detail=detail, limit=SLICE)
        )
        if failed < SLICE:
            return
