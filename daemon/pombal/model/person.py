"""One person under all the names that WhatsApp has for them, and what of a text points at them."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pombal.model.errors import invalid
from pombal.model.phone import LID_SERVER, USER_SERVER, is_person, number_of, parse_recipient, spellings

REDACTED = "[erased]"
# '+55 (11) 98765-4321': what people put between the digits of a number.
_BETWEEN = r"[\s().+\-/\u00a0\u2011]{0,3}"
TAIL_DIGITS = 4
BRAZIL = "55"


@dataclass(frozen=True)
class Person:
    """numbers: E.164 digits, every spelling that WhatsApp may use. lids: whole addresses, '…@lid'."""

    numbers: frozenset[str]
    lids: frozenset[str] = frozenset()

    @property
    def addresses(self) -> frozenset[str]:
        """Their chats, and themselves as members of groups."""
        return frozenset(f"{number}@{USER_SERVER}" for number in self.numbers) | self.lids

    @cached_property
    def digits(self) -> tuple[str, ...]:
        """What stands before the @ of each of their addresses."""
        return tuple(sorted(self.numbers | {lid.partition("@")[0] for lid in self.lids}))

    @property
    def tails(self) -> tuple[str, ...]:
        """The last digits of each: no text without one of these can point at them. For a first, cheap look."""
        return tuple(sorted({digits[-TAIL_DIGITS:] for digits in self.digits}))

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        # The longest first: a number with its country code, and then, as Brazilians write it at home, without.
        at_home = {number.removeprefix(BRAZIL) for number in self.numbers if number.startswith(BRAZIL)}
        each = (_BETWEEN.join(digits) for digits in sorted({*self.digits, *at_home}, key=len, reverse=True))
        return re.compile(rf"(?<!\d)[+(]?(?:{'|'.join(each)})(?!\d)")

    def is_in(self, text: str) -> bool:
        """Whether a text holds one of their numbers or LIDs, in any usual spelling."""
        return self._pattern.search(text) is not None

    def redact(self, text: str) -> str:
        """The text with their numbers and LIDs taken out."""
        return self._pattern.sub(REDACTED, text)

    def redact_all(self, value: Any) -> Any:
        """The same in every text of a JSON value."""
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, dict):
            return {name: self.redact_all(part) for name, part in value.items()}
        return [self.redact_all(part) for part in value] if isinstance(value, list) else value

    def known_as(self, numbers: frozenset[str], lids: frozenset[str]) -> "Person":
        """With these as well; the same person where that is nothing new."""
        numbers = self.numbers | {spelling for number in numbers for spelling in spellings(number)}
        lids = self.lids | {lid for lid in lids if lid.endswith(f"@{LID_SERVER}")}
        return self if (numbers, lids) == (self.numbers, self.lids) else Person(numbers, lids)


def parse_person(whom: str) -> Person:
    """A phone number in any usual spelling, or one person's WhatsApp address. Raises PombalError (invalid)."""
    recipient = parse_recipient(whom)
    if not is_person(recipient.chat_id):
        raise invalid(f"{whom[:60]!r} is no person: give a phone number, or an address …@s.whatsapp.net or …@lid")
    number = recipient.contact_number or number_of(recipient.chat_id)
    if number is not None:
        return Person(frozenset(spellings(number)))
    return Person(frozenset(), frozenset({recipient.chat_id}))
