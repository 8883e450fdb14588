"""One person has one spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pombal.model.errors import Kind, PombalError
from pombal.model.phone import number_of, parse_number, parse_recipient, spellings, with_ninth_digit

areas = st.from_regex(r"[1-9][1-9]", fullmatch=True)
subscribers = st.from_regex(r"[6-9][0-9]{7}", fullmatch=True)
numbers = st.from_regex(r"[1-9][0-9]{6,14}", fullmatch=True)


@given(areas, subscribers)
def test_every_spelling_of_a_brazilian_mobile_leads_to_one_recipient(area: str, rest: str) -> None:
    short, long = f"55{area}{rest}", f"55{area}9{rest}"
    pretty = (f"+55 ({area}) 9{rest[:4]}-{rest[4:]}", f"+55 {area} {rest[:4]}.{rest[4:]}", f" {short}\t")
    addresses = (f"{short}@s.whatsapp.net", f"{long}@s.whatsapp.net")
    found = {parse_recipient(to) for to in (short, long, f"+{short}", f"+{long}", *pretty, *addresses)}
    assert len(found) == 1
    (recipient,) = found
    assert recipient.contact_number == recipient.key == long
    assert recipient.chat_id == f"{long}@s.whatsapp.net"
    assert spellings(short) == spellings(long) == (long, short)
    assert number_of(addresses[0]) == number_of(addresses[1]) == long


@given(numbers)
def test_the_ninth_digit_is_added_once(number: str) -> None:
    once = with_ninth_digit(number)
    assert with_ninth_digit(once) == once
    assert once in spellings(number)
    assert {with_ninth_digit(spelling) for spelling in spellings(number)} == {once}


@pytest.mark.parametrize("number", ["551133334444", "5511233334444", "4915112345678", "12025550123", "551012345678"])
def test_other_numbers_stay_as_they_are(number: str) -> None:
    assert with_ninth_digit(number) == number
    assert spellings(number) == (number,)


@pytest.mark.parametrize(
    "text",
    ["", "+", "abc", "0551199999999", "123456", "1" * 16, "55 11 9999x", "٥٥١١٩٩٩٩٩٩٩٩", "++5511999999999", "\0"],
)
def test_what_is_no_number_is_refused_with_the_rule(text: str) -> None:
    with pytest.raises(PombalError, match="is no phone number: country code") as caught:
        parse_number(text)
    assert caught.value.kind == Kind.INVALID


@pytest.mark.parametrize(
    "to", ["x@s.whatsapp.net", "551199@example.org", "@lid", "1@lid@g.us", "123:4@lid", "1 2@g.us"]
)
def test_what_is_no_recipient_is_refused(to: str) -> None:
    with pytest.raises(PombalError) as caught:
        parse_recipient(to)
    assert caught.value.kind == Kind.INVALID


@pytest.mark.parametrize("to", ["123456789@lid", "1203630250-1600000000@g.us", "120363025000000000@g.us"])
def test_groups_and_lids_are_known_by_their_address(to: str) -> None:
    recipient = parse_recipient(f" {to} ")
    assert (recipient.chat_id, recipient.contact_number, recipient.key) == (to, None, to)
    assert number_of(to) is None
