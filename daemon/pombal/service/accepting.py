"""Whether a session takes new messages now: only where they have a chance to go out without a person."""

from pombal.model.errors import Kind, PombalError
from pombal.model.session_state import ADVICE, accepts_sends
from pombal.session.seat import Seat


def not_accepting(seat: Seat) -> PombalError | None:
    """Why it takes none now, with what to do; None where it does."""
    if accepts_sends(seat.state):
        return None
    advice = ADVICE[seat.state.reason] if seat.state.reason else "scan its QR code first"
    return PombalError(
        Kind.NOT_READY,
        f"session {seat.name!r} takes no messages: it is {seat.state.status} ({advice})",
        status=seat.state.status,
        status_reason=seat.state.reason,
    )


def refuse_unless_accepting(seat: Seat) -> None:
    """Raises PombalError (not_ready) with what to do."""
    if (refusal := not_accepting(seat)) is not None:
        raise refusal
