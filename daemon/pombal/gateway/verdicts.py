"""What a client's signals mean for its session: pure, so that each can be tried as a plain function."""

import re
from dataclasses import dataclass

from pombal.gateway import client
from pombal.gateway.client import Signal
from pombal.link.base import EndKind

PASSKEY = "this account wants a passkey to link a device, which WhatsApp's open clients cannot give yet"

# neonize.ConnectFailureReason
LOGGED_OUT, TEMP_BANNED, MAIN_DEVICE_GONE, UNKNOWN_LOGOUT, CLIENT_OUTDATED, BAD_USER_AGENT = 2, 3, 4, 5, 6, 7
_PASSING = frozenset({8, 9, 10})  # internal server error, experimental, service unavailable
_MISSING_FIELD = re.compile(r"required field (?:neonize\.)?(\w+)")


@dataclass(frozen=True, slots=True)
class End:
    """Only a person's start goes on from here."""

    kind: EndKind
    detail: str
    for_s: int | None = None


@dataclass(frozen=True, slots=True)
class RoundOver:
    """Nobody scanned while these codes lasted."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Start another client, after a pause. may_have_lost: the client broke with messages on their way to us."""

    detail: str
    may_have_lost: bool = False


Verdict = End | RoundOver | Retry


def verdict_on(signal: Signal) -> Verdict | None:
    """None for signals after which the client goes on."""
    match signal:
        case client.LoggedOut(reason):
            return _logged_out(reason)
        case client.Replaced():
            return End(EndKind.REPLACED, "another device has taken this session's place with the same keys")
        case client.Banned(reason, for_s):
            return End(
                EndKind.BANNED, f"WhatsApp has banned this account for a while: {reason.replace('_', ' ')}", for_s
            )
        case client.Outdated():
            return End(EndKind.CLIENT_OUTDATED, "WhatsApp no longer takes this version; a newer Pombal is needed")
        case client.ConnectRefused(reason, detail):
            return _refused(reason, detail)
        case client.LoginStatus(status):
            return _login(status)
        case client.PairRefused(detail):
            return Retry(f"the pairing failed: {detail}")
        case client.KeepAliveMissed():
            return Retry("WhatsApp's server does not answer")
        case client.RunEnded(error):
            return _ended(error)
    return None


def _logged_out(reason: int) -> End:
    if reason == UNKNOWN_LOGOUT:
        return End(EndKind.BANNED, "WhatsApp has banned this account (406)")
    if reason == MAIN_DEVICE_GONE:
        return End(EndKind.LOGGED_OUT, "the phone itself is logged out, or the account is locked (403)")
    return End(EndKind.LOGGED_OUT, "this device was removed on the phone")


def _refused(reason: int | None, detail: str) -> Verdict:
    if reason in _PASSING:
        return Retry(f"WhatsApp's server refused the connection: {detail or 'try again later'}")
    if reason == TEMP_BANNED:
        return End(EndKind.BANNED, "WhatsApp has banned this account for a while")
    if reason in (CLIENT_OUTDATED, BAD_USER_AGENT):
        return End(EndKind.CLIENT_OUTDATED, "WhatsApp no longer takes this version; a newer Pombal is needed")
    if reason == LOGGED_OUT:
        return _logged_out(reason)
    return End(EndKind.BAD_CREDENTIALS, f"WhatsApp refused this session's keys: {detail or 'without a reason'}")


def _login(status: str) -> Verdict | None:
    if status == "timeout":
        return RoundOver()
    if "passkey" in status:
        return End(EndKind.PASSKEY_REQUIRED, PASSKEY)
    if status == "err-client-outdated":
        return End(EndKind.CLIENT_OUTDATED, "WhatsApp no longer takes this version; a newer Pombal is needed")
    if status in ("error", "err-unexpected-state"):
        return Retry(f"the pairing failed: {status}")
    return None


def _ended(error: str | None) -> Verdict:
    """neonize gives up where it cannot write an event down: the one that it names is what happened."""
    missing = _MISSING_FIELD.search(error or "")
    if missing is None:
        return Retry(error or "WhatsApp's client ended by itself")
    if missing[1] == "TemporaryBan":
        return End(EndKind.BANNED, "WhatsApp has banned this account for a while, and did not say why")
    if missing[1] in ("ConnectFailure", "LoggedOut"):
        return End(EndKind.BAD_CREDENTIALS, "WhatsApp refused this session's keys, with a reason that is not known yet")
    return Retry(f"WhatsApp's client could not tell an event ({missing[1]})", may_have_lost=True)
