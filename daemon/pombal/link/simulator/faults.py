"""Everything that can be made to go wrong for one account, by name."""

from collections.abc import Callable
from functools import partial

import trio

from pombal.link.base import Ended, EndKind, Garbage, Restricted
from pombal.link.simulator.account import Account, Parcel
from pombal.link.simulator.engine import Engine
from pombal.link.simulator.link import SimulatedLink
from pombal.model.errors import Kind, PombalError, invalid

RESTRICTED_MS = 60_000
BANNED_MS = 86_400_000

Fault = Callable[[Account, Engine], None]


def apply_fault(kind: str, account: Account, engine: Engine) -> None:
    """Make it happen now. Raises PombalError: invalid for an unknown kind, not_ready where it needs a connection."""
    if kind not in FAULTS:
        raise invalid(f"{kind[:40]!r} is no fault; the simulator knows {', '.join(FAULTS)}")
    FAULTS[kind](account, engine)


def _connection(account: Account) -> SimulatedLink:
    if account.link is None:
        raise PombalError(Kind.NOT_READY, f"{account.name} is not connected; this fault needs a connection")
    return account.link


def _end(kind: EndKind, detail: str, account: Account, engine: Engine) -> None:
    """Told at once, or, to an account that is not connected, when it next connects; it may try again after that."""
    until_ms = engine.clock().wall_ms + BANNED_MS if kind == EndKind.BANNED else None
    ended = Ended(kind, detail, until_ms)
    if account.link is not None:
        account.link.end(ended)
    else:
        account.fated = ended


def _unpair(kind: EndKind, detail: str, account: Account, engine: Engine) -> None:
    if not account.is_paired:
        raise PombalError(Kind.NOT_READY, f"{account.name} is not paired; scan its QR code first")
    account.is_paired = False
    _end(kind, detail, account, engine)


def _disconnect(account: Account, engine: Engine) -> None:
    _connection(account).lose("the simulator was told to drop the connection")


def _crash(account: Account, engine: Engine) -> None:
    _connection(account).crash()


def _hang(account: Account, engine: Engine) -> None:
    _connection(account).is_hung = True


def _stall(account: Account, engine: Engine) -> None:
    _connection(account).stall()


def _nack(account: Account, engine: Engine) -> None:
    account.refusals += 1


def _restrict(account: Account, engine: Engine) -> None:
    account.restricted_until_s = trio.current_time() + RESTRICTED_MS / 1000
    account.restricted_until_ms = engine.clock().wall_ms + RESTRICTED_MS
    if account.is_online:
        _connection(account).tell(Restricted(account.restricted_until_ms, "too many messages to strangers"))


def _garbage(account: Account, engine: Engine) -> None:
    """Bytes that are no UTF-8, a NUL, and half of an emoji: what no store takes as it is."""
    noise = b"\x00\xf8\x06\xff\xfe\xc3(" + account.dice("garbage").bits().to_bytes(8, "big") + b"</message"
    raw = noise.decode("utf-8", "surrogateescape") + "\ud83d\0é😵\udfff"
    account.keep([Parcel(Garbage(raw, "the node ends in the middle of a token"))])


FAULTS: dict[str, Fault] = {
    "disconnect": _disconnect,
    "logged_out": partial(_unpair, EndKind.LOGGED_OUT, "the phone removed this device"),
    "replaced": partial(_end, EndKind.REPLACED, "another client took over the connection"),
    "banned": partial(_end, EndKind.BANNED, "the account broke the terms of service"),
    "restricted": _restrict,
    "client_outdated": partial(_end, EndKind.CLIENT_OUTDATED, "this version of the client is no longer accepted"),
    "passkey_required": partial(_end, EndKind.PASSKEY_REQUIRED, "linking a device needs the account's passkey"),
    "bad_credentials": partial(_unpair, EndKind.BAD_CREDENTIALS, "the device's keys are not accepted"),
    "crash": _crash,
    "hang": _hang,
    "stall": _stall,
    "nack": _nack,
    "garbage": _garbage,
}
