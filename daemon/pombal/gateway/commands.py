"""What the daemon asks of a session, but for sends and files: carried out, and refused in the protocol's words."""

import sqlite3
import time
from dataclasses import dataclass

import structlog

from pombal.gateway.client import ClientError, Refusal
from pombal.gateway.files import NotTheFile
from pombal.gateway.life import Stage
from pombal.gateway.session import Session
from pombal.link import base
from pombal.link.wire import commands as wire
from pombal.model.errors import PombalError
from pombal.model.phone import parse_number

log = structlog.get_logger()

PAIR_CODE_S = 150
"""WhatsApp's servers close the connection on which a code was made after some 160 seconds (pair-code.go)."""
READY = frozenset({Stage.READY})


class NotReady(Exception):
    """Not in this state."""


@dataclass(frozen=True, slots=True)
class Refused:
    kind: str
    detail: str


async def carry_out(session: Session, command: wire.Command) -> wire.Result:
    """Raises what ``refusal_of`` knows."""
    match command:
        case wire.MarkRead(chat_id, participant, link_ids):
            sender = participant or chat_id
            await session.ask(lambda client: client.mark_read(chat_id, sender, link_ids), stages=READY)
        case wire.CheckContacts(numbers):
            found = await session.ask(lambda client: client.check(numbers), stages=READY)
            return wire.Contacts(tuple(found))
        case wire.GetPairCode(phone_number):
            return await _pair_code(session, phone_number)
        case wire.Logout():
            await session.ask(lambda client: client.logout(), stages=READY)
            await session.life.unlinked()
        case wire.Probe():
            await session.probe()
        case wire.HasMedia(sha256):
            return wire.Has(await session.has_file(sha256))
        case wire.MediaTaken(sha256):
            await session.downloads.taken(sha256)
        case _:
            raise Refusal("unsupported", f"{type(command).__name__} is no command of this kind")
    return wire.Done()


async def _pair_code(session: Session, phone_number: str) -> base.PairCode:
    """Only while codes are shown: before, the client has no connection for it."""
    if session.life.stage != Stage.PAIRING:
        raise NotReady("a pairing code can be made while QR codes are shown")
    number = parse_number(phone_number)
    code = await session.ask(lambda client: client.pair_code(number), stages=frozenset({Stage.PAIRING}))
    made = base.PairCode(code, time.time_ns() // 1_000_000 + PAIR_CODE_S * 1000)
    session.life.pair_code_shown(made)
    return made


def refusal_of(error: Exception) -> Refused:
    """How a command that failed is answered; what nobody expected is logged."""
    match error:
        case ClientError():
            return Refused("lost", str(error))
        case Refusal(kind=kind, detail=detail):
            return Refused(kind, detail)
        case NotReady():
            return Refused("not_ready", str(error))
        case NotTheFile():
            return Refused("invalid", str(error))
        case PombalError():
            return Refused(error.kind, str(error))
        case FileNotFoundError():
            return Refused("not_found", "there is no such file")
        case OSError() | sqlite3.Error():
            return Refused("unavailable", f"{type(error).__name__}: {error}"[:200])
    log.error("a command broke", exc_info=error)
    return Refused("unavailable", f"the gateway failed: {type(error).__name__}")
