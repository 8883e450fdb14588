"""Who is on WhatsApp, whichever way their number is spelled."""

from collections.abc import Callable, Sequence

from pombal.link.base import ContactInfo
from pombal.model.phone import spellings

LookUp = Callable[[Sequence[str]], dict[str, tuple[str, str | None]]]
"""Of these spellings, the ones that have an account, with its phone number's address and its LID."""


def found_by_spelling(numbers: Sequence[str], look_up: LookUp) -> list[ContactInfo]:
    """In the order of numbers. Brazil's mobiles are asked for with and without their ninth digit, in one question."""
    asked = {number: spellings(number) for number in numbers}
    found = look_up(list(dict.fromkeys(each for forms in asked.values() for each in forms)))
    return [_info(number, asked[number], found) for number in numbers]


def _info(number: str, forms: Sequence[str], found: dict[str, tuple[str, str | None]]) -> ContactInfo:
    for form in forms:
        if form in found:
            address, lid = found[form]
            return ContactInfo(number, True, address, lid)
    return ContactInfo(number, False)
