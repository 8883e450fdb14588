"""Moving a session along its transition table: decide in memory, record in order, tell once."""

from collections.abc import Sequence
from typing import Any

from pombal.model.changes import CountSession, SetSessionState
from pombal.model.session import SessionRow
from pombal.model.session_state import QRCODE, Trigger, transition
from pombal.model.text import storable
from pombal.session.context import SessionContext
from pombal.session.seat import Seat


def moved(
    seat: Seat, context: SessionContext, trigger: Trigger, *, until_ms: int | None = None, identity: str | None = None,
    **fields: Any,
) -> SetSessionState | None:  # fmt: skip
    """The change that records what trigger does to the session; None where that is nothing.

    fields: what changes with it (is_active, phone_number, device_name, last_error); recorded even if the state stays.
    """
    after = transition(seat.state, trigger, context.clock().wall_ms, until_ms=until_ms, identity=identity)
    if after is seat.state and not fields:
        return None
    seat.move_to(after)
    seat.is_active = fields.get("is_active", seat.is_active)
    if after.place != QRCODE:
        seat.qr = seat.pair_code = None
    return standing(seat, context, **fields)


def standing(seat: Seat, context: SessionContext, **fields: Any) -> SetSessionState:
    """The change that records where the session stands, all of it.

    A move whose recording was cancelled, with the task that made it, is made up for by whichever is recorded next.
    """
    return SetSessionState(
        at=context.clock(),
        session_key=seat.key,
        state=seat.state,
        fields={"is_active": seat.is_active, **{name: _storable(value) for name, value in fields.items()}},
        link_alive=seat.live_facts().link_alive,
    )


def _storable(value: Any) -> Any:
    return storable(value) if isinstance(value, str) else value


async def move(seat: Seat, context: SessionContext, trigger: Trigger, **details: Any) -> None:
    """Move, and have it recorded in its turn."""
    if (change := moved(seat, context, trigger, **details)) is not None:
        await context.recorder.submit([change])


async def move_and_wait(seat: Seat, context: SessionContext, trigger: Trigger, **details: Any) -> SessionRow:
    """Move on an operator's wish, which is always recorded; the session as it is stored then."""
    return await recorded(context, [moved(seat, context, trigger, **details) or standing(seat, context)])


async def recorded(context: SessionContext, moves: Sequence[SetSessionState]) -> SessionRow:
    """The session as it is stored after these moves."""
    row: SessionRow = (await context.recorder.commit_all(moves))[-1]
    return row


async def count_error(seat: Seat, context: SessionContext, error: str, *, restarts: int = 0) -> None:
    """Something went wrong that is no change of state by itself."""
    await context.recorder.submit(
        [CountSession(at=context.clock(), session_key=seat.key, errors=1, restarts=restarts, last_error=error[:500])]
    )
