"""The life of a session: one pure transition table, and what each state means for sends and a start of the daemon."""

from dataclasses import dataclass, replace
from enum import StrEnum


class SessionStatus(StrEnum):
    """The six states the platform knows."""

    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    QRCODE = "qrcode"
    AUTHENTICATED = "authenticated"
    READY = "ready"
    ERROR = "error"


class Reason(StrEnum):
    """Why a session is disconnected or in error; stable, for programs."""

    STOPPED = "stopped"
    NETWORK = "network"
    LINK_LOST = "link_lost"
    PAIRING_TIMEOUT = "pairing_timeout"
    LOGGED_OUT = "logged_out"
    REPLACED = "replaced"
    BANNED = "banned"
    BAD_CREDENTIALS = "bad_credentials"
    PASSKEY_REQUIRED = "passkey_required"
    CLIENT_OUTDATED = "client_outdated"
    RESTRICTED = "restricted"
    CRASH_LOOP = "crash_loop"


class Trigger(StrEnum):
    """What can happen to a session."""

    START = "start"  # an operator, or the daemon at its own start
    STOP = "stop"
    QR = "qr"
    AUTHENTICATED = "authenticated"
    READY = "ready"
    LOST = "lost"  # the network went
    LINK_LOST = "link_lost"  # the socket is there, but a probe went unanswered
    PAIRING_TIMEOUT = "pairing_timeout"
    LOGGED_OUT = "logged_out"
    REPLACED = "replaced"
    BANNED = "banned"
    BAD_CREDENTIALS = "bad_credentials"
    PASSKEY_REQUIRED = "passkey_required"
    CLIENT_OUTDATED = "client_outdated"
    RESTRICTED = "restricted"
    CRASH_LOOP = "crash_loop"


@dataclass(frozen=True, slots=True)
class SessionState:
    """A session's status, why, until when (epoch ms; only for bans and restrictions), and whom it was paired with."""

    status: SessionStatus = SessionStatus.DISCONNECTED
    reason: Reason | None = Reason.STOPPED
    until_ms: int | None = None
    identity: str | None = None

    @property
    def place(self) -> tuple[SessionStatus, Reason | None]:
        return self.status, self.reason


Place = tuple[SessionStatus, Reason | None]

STOPPED: Place = (SessionStatus.DISCONNECTED, Reason.STOPPED)
NETWORK: Place = (SessionStatus.DISCONNECTED, Reason.NETWORK)
LINK_LOST: Place = (SessionStatus.DISCONNECTED, Reason.LINK_LOST)
PAIRING_TIMEOUT: Place = (SessionStatus.DISCONNECTED, Reason.PAIRING_TIMEOUT)
CONNECTING: Place = (SessionStatus.CONNECTING, None)
QRCODE: Place = (SessionStatus.QRCODE, None)
AUTHENTICATED: Place = (SessionStatus.AUTHENTICATED, None)
READY: Place = (SessionStatus.READY, None)
RESTRICTED: Place = (SessionStatus.ERROR, Reason.RESTRICTED)
CRASH_LOOP: Place = (SessionStatus.ERROR, Reason.CRASH_LOOP)


def _error(reason: Reason) -> Place:
    return SessionStatus.ERROR, reason


# States that wait for a person: only `start` leads out of them, and the daemon's own start does not.
WAITS_FOR_START: frozenset[Place] = frozenset(
    {
        PAIRING_TIMEOUT,
        _error(Reason.LOGGED_OUT),
        _error(Reason.REPLACED),
        _error(Reason.BANNED),
        _error(Reason.BAD_CREDENTIALS),
        _error(Reason.PASSKEY_REQUIRED),
        _error(Reason.CLIENT_OUTDATED),
    }
)
RUNNING: frozenset[Place] = frozenset({CONNECTING, QRCODE, AUTHENTICATED, READY, NETWORK, LINK_LOST})
ALIVE = RUNNING | {RESTRICTED}
IDLE: frozenset[Place] = frozenset({STOPPED, CRASH_LOOP}) | WAITS_FOR_START
EVERY: frozenset[Place] = ALIVE | IDLE

# Trigger → (the places it is heard in, where it leads). What is not heard changes nothing: it comes from a link that
# has been left already. `lost` while restricted changes nothing either: the restriction is what an operator must see.
TRANSITIONS: dict[Trigger, tuple[frozenset[Place], Place]] = {
    Trigger.START: (IDLE, CONNECTING),
    Trigger.STOP: (EVERY, STOPPED),
    Trigger.QR: (RUNNING, QRCODE),
    Trigger.AUTHENTICATED: (RUNNING, AUTHENTICATED),
    Trigger.READY: (RUNNING, READY),
    Trigger.LOST: (RUNNING, NETWORK),
    Trigger.LINK_LOST: (RUNNING, LINK_LOST),
    Trigger.PAIRING_TIMEOUT: (ALIVE, PAIRING_TIMEOUT),
    Trigger.LOGGED_OUT: (ALIVE, _error(Reason.LOGGED_OUT)),
    Trigger.REPLACED: (ALIVE, _error(Reason.REPLACED)),
    Trigger.BANNED: (ALIVE, _error(Reason.BANNED)),
    Trigger.BAD_CREDENTIALS: (ALIVE, _error(Reason.BAD_CREDENTIALS)),
    Trigger.PASSKEY_REQUIRED: (ALIVE, _error(Reason.PASSKEY_REQUIRED)),
    Trigger.CLIENT_OUTDATED: (ALIVE, _error(Reason.CLIENT_OUTDATED)),
    Trigger.RESTRICTED: (ALIVE, RESTRICTED),
    Trigger.CRASH_LOOP: (EVERY - {STOPPED}, CRASH_LOOP),
}


def transition(
    state: SessionState, trigger: Trigger, now_ms: int, *, until_ms: int | None = None, identity: str | None = None
) -> SessionState:
    """The state after trigger; the same object where nothing changes, so that one change is told once.

    until_ms: when a ban or restriction ends, where WhatsApp said so. identity: whom `authenticated` paired with.
    A restriction that has run out is left by the next `ready` or `lost`.
    """
    heard_in, (status, reason) = TRANSITIONS[trigger]
    heard = state.place in heard_in or (_restriction_is_over(state, now_ms) and heard_in >= RUNNING)
    if not heard:
        return state
    after = replace(state, status=status, reason=reason, until_ms=until_ms, identity=identity or state.identity)
    return state if after == state else after


def _restriction_is_over(state: SessionState, now_ms: int) -> bool:
    return state.place == RESTRICTED and (state.until_ms or 0) <= now_ms


def at_daemon_start(state: SessionState, now_ms: int) -> SessionState:
    """An active session's stored state when the daemon starts: whatever it was, it is not connected now."""
    if state.place in WAITS_FOR_START:
        return state
    if state.place == RESTRICTED and not _restriction_is_over(state, now_ms):
        return state
    status, reason = CONNECTING
    return replace(state, status=status, reason=reason, until_ms=None)


def starts_with_daemon(state: SessionState) -> bool:
    """Whether an active session comes back by itself, or waits for a person's `start`."""
    return state.place not in WAITS_FOR_START


def accepts_sends(state: SessionState) -> bool:
    """Whether a new message is queued (202) or refused (423): it must have a chance to go out without a person."""
    if state.place == QRCODE:
        return state.identity is not None
    return state.place in ALIVE or state.place == CRASH_LOOP


ADVICE: dict[Reason, str] = {
    Reason.STOPPED: "it was stopped; start it",
    Reason.NETWORK: "the network is down; it comes back by itself",
    Reason.LINK_LOST: "the connection fell silent and is being made anew",
    Reason.PAIRING_TIMEOUT: "nobody scanned the QR code; start it and scan",
    Reason.LOGGED_OUT: "the phone removed this device; start it and scan the QR code again",
    Reason.REPLACED: "another program opened this device's connection; end it there, then start it here",
    Reason.BANNED: "WhatsApp banned the number; appeal in the phone's app, and start it once the ban has ended",
    Reason.BAD_CREDENTIALS: "WhatsApp refused the stored keys; start it and scan the QR code again",
    Reason.PASSKEY_REQUIRED: "the account demands a passkey to link a device; switch that off on the phone, then start "
    "it and scan the QR code again",
    Reason.CLIENT_OUTDATED: "WhatsApp refuses this version of the client; upgrade Pombal (pombal[web]), then start it",
    Reason.RESTRICTED: "WhatsApp restricts the account; messages wait until that ends, so let it rest",
    Reason.CRASH_LOOP: "it crashed too often and is tried again after a pause; the daemon's log says why",
}
"""What an operator does about each reason, in words that fit behind 'session X is disconnected: '."""
