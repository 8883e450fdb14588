"""Phone numbers and WhatsApp addresses, so that one person has one spelling."""

import re
from dataclasses import dataclass

from pombal.model.errors import invalid

USER_SERVER = "s.whatsapp.net"
LID_SERVER = "lid"
GROUP_SERVER = "g.us"
SERVERS = frozenset({USER_SERVER, LID_SERVER, GROUP_SERVER})

_PUNCTUATION = re.compile(r"[\s().\-/]")
_E164 = re.compile(r"[1-9]\d{6,14}")
# Anatel's numbering plan: 55, a two-digit area code, and for mobiles (old first digit 6 to 9) a leading 9 since 2016.
# WhatsApp keeps accounts from before then under the short form, so both spellings lead to the same phone.
_BRAZIL_SHORT_MOBILE = re.compile(r"(55[1-9][1-9])([6-9]\d{7})")
_BRAZIL_LONG_MOBILE = re.compile(r"(55[1-9][1-9])9([6-9]\d{7})")


@dataclass(frozen=True, slots=True)
class Recipient:
    """To whom: WhatsApp's address, and the E.164 digits where it is a person known by number."""

    chat_id: str
    contact_number: str | None

    @property
    def key(self) -> str:
        """The same for every spelling of one recipient; part of a message's content hash."""
        return self.contact_number or self.chat_id


def parse_number(text: str) -> str:
    """'+55 (11) 99999-9999' → '5511999999999'. Raises PombalError (invalid) for what is no E.164 number."""
    digits = _PUNCTUATION.sub("", text.strip()).removeprefix("+")
    if not digits.isascii() or not _E164.fullmatch(digits):
        raise invalid(
            f"{text[:40]!r} is no phone number: country code, area code and number, 7 to 15 digits (5511999999999)"
        )
    return digits


def is_e164(digits: str) -> bool:
    return digits.isascii() and _E164.fullmatch(digits) is not None


def server_of(address: str) -> str:
    """'s.whatsapp.net', 'lid', 'g.us' …; empty for what is no address."""
    return address.partition("@")[2]


def is_person(address: str) -> bool:
    """Whether one person is behind an address, by number or by LID; groups, channels and lists are many."""
    return server_of(address) in (USER_SERVER, LID_SERVER)


def with_ninth_digit(number: str) -> str:
    """The one spelling we record: Brazilian mobiles with their ninth digit, every other number as it is."""
    if short := _BRAZIL_SHORT_MOBILE.fullmatch(number):
        return f"{short[1]}9{short[2]}"
    return number


def spellings(number: str) -> tuple[str, ...]:
    """All forms under which WhatsApp may know the number, the recorded one first."""
    number = with_ninth_digit(number)
    if long := _BRAZIL_LONG_MOBILE.fullmatch(number):
        return (number, long[1] + long[2])
    return (number,)


def parse_recipient(to: str) -> Recipient:
    """A phone number in any usual spelling, or a WhatsApp address (…@s.whatsapp.net, …@lid, …@g.us).

    Raises PombalError (invalid).
    """
    user, at, server = to.strip().partition("@")
    if not at:
        number = with_ninth_digit(parse_number(to))
        return Recipient(f"{number}@{USER_SERVER}", number)
    if server not in SERVERS or not re.fullmatch(r"[0-9]{1,32}(-[0-9]{1,32})?", user):
        raise invalid(f"{to[:60]!r} is no recipient: a phone number, or …@s.whatsapp.net, …@lid or …@g.us")
    if server == USER_SERVER:
        return parse_recipient(user)
    return Recipient(f"{user}@{server}", None)


def number_of(chat_id: str) -> str | None:
    """The recorded number behind a …@s.whatsapp.net address; None for groups and LIDs."""
    user, _, server = chat_id.partition("@")
    if server != USER_SERVER or not _E164.fullmatch(user):
        return None
    return with_ninth_digit(user)
