"""Recipients: WhatsApp's own id of a person is asked for before the first message to them, and kept."""

from collections.abc import Collection, Sequence
from functools import partial

import structlog
import trio

from pombal.actors.backoff import Backoff
from pombal.link.base import ContactInfo, Link, LinkLost, SendRefused
from pombal.model.changes import Advance, Change, LearnContacts
from pombal.model.contact import Contact
from pombal.model.errors import Kind, PombalError
from pombal.model.message import MessageRow, MessageStatus
from pombal.model.phone import USER_SERVER, spellings, with_ninth_digit
from pombal.model.text import storable
from pombal.session.context import SessionContext
from pombal.session.moves import count_error
from pombal.session.randomness import jitter
from pombal.session.seat import Seat
from pombal.store.contact_queries import known_contacts

log = structlog.get_logger()

ASKED_AT_ONCE = 50
"""Numbers in one question: WhatsApp takes more amiss."""
NOT_ON_WHATSAPP = "not_on_whatsapp"


def is_stranger(row: MessageRow, link: Link) -> bool:
    """Whether the recipient has to be asked about before the message can go. Groups and LIDs are ids already."""
    return link.resolves and row.contact_number is not None and not row.is_resolved


async def ask(link: Link, numbers: Collection[str]) -> list[ContactInfo]:
    """What WhatsApp knows of these recorded numbers, in their order, in whatever spelling it has the account.

    Raises LinkLost, SendRefused, and PombalError (unavailable) where a number was left without an answer.
    """
    answers = await _asked(link, list(numbers))
    others = [spelling for number in numbers if not answers[number].exists for spelling in spellings(number)[1:]]
    if others:
        by_spelling = await _asked(link, others)
        answers |= {with_ninth_digit(number): info for number, info in by_spelling.items() if info.exists}
    return [_storable(number, answers[number]) for number in numbers]


def _storable(number: str, info: ContactInfo) -> ContactInfo:
    if not info.exists:
        return ContactInfo(number, exists=False)
    canonical_id = storable(info.canonical_id) if info.canonical_id else f"{number}@{USER_SERVER}"
    return ContactInfo(number, True, canonical_id, storable(info.lid) if info.lid else None)


async def _asked(link: Link, numbers: list[str]) -> dict[str, ContactInfo]:
    answers: dict[str, ContactInfo] = {}
    for start in range(0, len(numbers), ASKED_AT_ONCE):
        page = numbers[start : start + ASKED_AT_ONCE]
        answers |= {info.number: info for info in await link.check_contacts(page)}
    if missing := set(numbers) - answers.keys():
        raise PombalError(Kind.UNAVAILABLE, f"WhatsApp left {len(missing)} numbers without an answer; try again")
    return answers


def contacts_in(answers: Sequence[ContactInfo]) -> tuple[Contact, ...]:
    """Those that exist, as they are kept."""
    return tuple(
        Contact(info.number, info.canonical_id, info.lid) for info in answers if info.exists and info.canonical_id
    )


class Recipients:
    """Makes messages to strangers ready for one open link."""

    def __init__(self, seat: Seat, context: SessionContext, link: Link) -> None:
        self._seat = seat
        self._context = context
        self._link = link

    async def resolve(self, rows: Sequence[MessageRow]) -> None:
        """Give these waiting messages their recipients' ids; those to numbers that are not on WhatsApp fail.

        Returns once that is on disk, and the outbox knows. What WhatsApp will not say now is asked again until it does
        or the link goes. Raises LinkLost.
        """
        numbers = list(dict.fromkeys(row.contact_number for row in rows if row.contact_number is not None))
        read = partial(known_contacts, session_key=self._seat.key, numbers=numbers)
        known = await self._context.reader.run(read)
        answers = await self._insist([number for number in numbers if number not in known])
        contacts = {**known, **{contact.number: contact for contact in contacts_in(answers)}}
        strangers = [row for row in rows if row.contact_number not in contacts]
        ids = tuple(row.id for row in rows if row.contact_number in contacts)
        at = self._context.clock()
        learnt = LearnContacts(at=at, session_key=self._seat.key, contacts=tuple(contacts.values()), message_ids=ids)
        addressed, *_ = await self._context.recorder.commit_all([learnt, *map(self._failed, strangers)])
        self._seat.outbox.readdress(addressed)

    def _failed(self, row: MessageRow) -> Change:
        return Advance(
            at=self._context.clock(), session_key=self._seat.key, link_id=row.link_id, status=MessageStatus.FAILED,
            error_kind=NOT_ON_WHATSAPP, error_detail=f"the number {row.contact_number} is not on WhatsApp",
        )  # fmt: skip

    async def _insist(self, numbers: Sequence[str]) -> list[ContactInfo]:
        settings = self._context.settings.link
        backoff = Backoff(settings.reconnect_min_s, settings.reconnect_max_s, jitter)
        while numbers:
            try:
                return await self._ask_in_time(numbers)
            except (SendRefused, PombalError) as refusal:
                why = refusal.detail if isinstance(refusal, SendRefused) else refusal.message
                log.warning("recipients not resolved", session=self._seat.name, numbers=len(numbers), reason=why)
                await count_error(self._seat, self._context, f"WhatsApp does not say who recipients are: {why}")
            await trio.sleep(backoff.next_s())
        return []

    async def _ask_in_time(self, numbers: Sequence[str]) -> list[ContactInfo]:
        timeout_s = self._context.settings.outbox.ack_timeout_s
        with trio.move_on_after(timeout_s):
            return await ask(self._link, numbers)
        raise LinkLost(f"no answer about recipients within {timeout_s:g} s")
