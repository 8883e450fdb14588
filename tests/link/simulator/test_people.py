import unicodedata

from pombal.link.simulator.behaviour import Dice
from pombal.link.simulator.people import exists, lid_of, person, small_talk
from pombal.model.phone import parse_number, parse_recipient, with_ninth_digit
from pombal.model.text import sendable


def test_people_are_the_same_for_the_same_seed_and_have_real_numbers() -> None:
    people = [person(1, "ana", index) for index in range(500)]
    assert people == [person(1, "ana", index) for index in range(500)]
    assert len({each.number for each in people}) == 500
    assert len({each.name for each in people}) > 250
    for each in people:
        assert parse_number(each.number) == each.number == with_ninth_digit(each.number)
        assert exists(each.number)
        assert parse_recipient(each.chat_id).contact_number == each.number
        assert parse_recipient(each.lid).chat_id == each.lid == lid_of(each.number)


def test_small_talk_is_varied_brazilian_and_sendable() -> None:
    dice = Dice("talk")
    texts = {small_talk(dice) for _ in range(2000)}
    assert len(texts) > 800
    assert all(text == sendable(text) and "{" not in text for text in texts)
    assert any("ã" in text for text in texts)
    assert any(unicodedata.category(char) == "So" for text in texts for char in text)


def test_who_does_not_exist() -> None:
    assert exists("5511987654321")
    assert not exists("551198765")
    assert not exists("5511980000000")
