"""Params of a wrong shape are refused with field and reason, whatever they hold."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pombal.model import params as p
from pombal.model.errors import Kind, PombalError
from pombal.model.events import EventType
from pombal.model.params import parse_params
from pombal.model.params_base import MEDIA_CHUNK_MAX_BYTES
from pombal.service.catalog import METHODS

SEND: dict[str, Any] = {"session": "a", "to": "5511999999999", "text": "oi"}
BARE = {name: value for name, value in SEND.items() if name != "text"}
MEDIA = {"sha256": "a" * 64, "mime_type": "image/png"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.just("\udfff"), inner, max_size=3),
    max_leaves=8,
)


def refused(model: type[p.Params], raw: Any) -> PombalError:
    with pytest.raises(PombalError) as raised:
        parse_params(model, raw)
    assert raised.value.kind == Kind.INVALID
    return raised.value


def fields(model: type[p.Params], raw: Any) -> list[str]:
    return [error["field"] for error in refused(model, raw).data["errors"]]


@given(st.sampled_from(sorted(METHODS)), st.data())
def test_anything_is_taken_or_refused_in_words(name: str, data: st.DataObject) -> None:
    model = METHODS[name].params
    names = st.sampled_from(sorted(model.model_fields) or ["x"]) | st.text()
    raw = data.draw(st.dictionaries(names, JSON, max_size=5) | JSON)
    try:
        parse_params(model, raw)
    except PombalError as error:
        told = json.dumps([error.message, error.data], ensure_ascii=False).encode()
        told.decode()


def test_a_send_has_a_type_of_its_own_accord() -> None:
    sent = parse_params(p.SendParams, SEND)
    assert (sent.type, sent.message_id) == ("text", None)


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (SEND | {"session": 5}, "session"),
        (SEND | {"session": ""}, "session"),
        (SEND | {"session": "x" * 65}, "session"),
        (SEND | {"text": 5}, "text"),
        (SEND | {"type": "tekst"}, "type"),
        (SEND | {"type": "unknown"}, ""),
        (SEND | {"text": ""}, ""),
        (SEND | {"text": None}, ""),
        (SEND | {"message_id": "é"}, "message_id"),
        (SEND | {"message_id": ""}, "message_id"),
        (SEND | {"message_id": "a b"}, "message_id"),
        (SEND | {"message_id": "x" * 129}, "message_id"),
        (SEND | {"location": {"latitude": 1, "longitude": 2}}, ""),
        (SEND | {"type": "location", "location": {"latitude": 91, "longitude": 2}}, "location.latitude"),
        (SEND | {"type": "location", "location": {"latitude": "1", "longitude": 2}}, "location.latitude"),
        (BARE | {"type": "location", "location": {"latitude": 1, "longitude": -180.5}}, "location.longitude"),
        (BARE | {"type": "location", "location": {"latitude": float("nan"), "longitude": 1}}, "location.latitude"),
        (BARE | {"type": "location"}, ""),
        (BARE | {"type": "contact", "contact": {"name": "a\0b", "number": "5511999999999"}}, ""),
        (BARE | {"type": "contact", "contact": {"name": "Ana"}}, "contact"),
        (BARE | {"type": "contact", "contact": {"name": "Ana", "number": "12"}}, "contact"),
        (BARE | {"type": "contact", "contact": {"name": "Ana", "vcard": "FN:Ana"}}, "contact"),
        (BARE | {"type": "reaction", "reaction": {"emoji": "👍"}}, "reaction.message_id"),
        (BARE | {"type": "reaction"}, ""),
        (SEND | {"type": "reaction", "reaction": {"emoji": "👍", "message_id": "m"}}, ""),
        (SEND | {"type": "image"}, ""),
        (SEND | {"type": "image", "media": MEDIA | {"mime_type": "video/mp4"}}, ""),
        (SEND | {"type": "image", "media": MEDIA | {"mime_type": "image"}}, "media.mime_type"),
        (SEND | {"type": "image", "media": MEDIA | {"mime_type": "image/png\n"}}, "media.mime_type"),
        (SEND | {"type": "image", "media": MEDIA | {"sha256": "A" * 64}}, "media.sha256"),
        (BARE | {"type": "audio", "media": MEDIA}, ""),
        (BARE | {"type": "sticker", "media": MEDIA}, ""),
        (SEND | {"type": "sticker", "media": MEDIA | {"mime_type": "image/webp"}}, ""),
        (SEND | {"typ": "text"}, "typ"),
        ({"session": "a", "text": "oi"}, "to"),
    ],
)
def test_sends_that_are_wrong(raw: dict[str, Any], field: str) -> None:
    assert fields(p.SendParams, raw) == [field]


@pytest.mark.parametrize("text", ["😀" * 10, "مرحبا", "x" * 65_536, "a\ud800b", " "])
def test_texts_that_the_service_looks_at_further(text: str) -> None:
    assert parse_params(p.SendParams, SEND | {"text": text}).text == text


@pytest.mark.parametrize(
    "raw",
    [
        SEND | {"type": "image", "media": MEDIA},
        SEND | {"type": "video", "media": MEDIA | {"mime_type": "video/3gpp"}},
        SEND | {"type": "document", "media": MEDIA | {"mime_type": "application/vnd.ms-excel"}},
        BARE | {"type": "document", "media": MEDIA},
        BARE | {"type": "audio", "media": MEDIA | {"mime_type": "audio/ogg; codecs=opus"}},
        BARE | {"type": "sticker", "media": MEDIA | {"mime_type": "image/webp"}},
        BARE | {"type": "location", "location": {"latitude": -90, "longitude": 180.0, "name": "Polo"}},
        BARE | {"type": "contact", "contact": {"name": "Ana", "vcard": "BEGIN:VCARD\nFN:Ana\nEND:VCARD"}},
        BARE | {"type": "reaction", "reaction": {"message_id": "m", "emoji": ""}},
    ],
)
def test_sends_of_every_type(raw: dict[str, Any]) -> None:
    assert parse_params(p.SendParams, raw).type == raw["type"]


def test_a_lone_surrogate_in_a_part_is_mended() -> None:
    contact = {"name": "a\ud800", "number": "+55 11 99999-9999"}
    sent = parse_params(p.SendParams, BARE | {"type": "contact", "contact": contact})
    assert sent.contact is not None
    assert sent.contact.name == "a\ufffd"


@pytest.mark.parametrize("name", ["..", "start", "a" * 65, "", "A", "é", "a/b", "-a", "a\n", 5, None])
def test_names_that_no_session_may_have(name: Any) -> None:
    assert fields(p.SessionCreateParams, {"name": name}) == ["name"]


@pytest.mark.parametrize("number", [2**63, 10**400, -(2**63) - 1])
def test_integers_past_64_bits(number: int) -> None:
    error = refused(p.MessageGetParams, {"id": number})
    assert error.data["errors"][0]["field"] == "id"
    if number > 0:
        assert "64-bit" in error.message


def test_the_last_integer_that_fits() -> None:
    assert parse_params(p.MessageGetParams, {"id": 2**63 - 1}).id == 2**63 - 1


@pytest.mark.parametrize("limit", [0, 501, "10", 1.5, True, None])
def test_limits(limit: Any) -> None:
    assert fields(p.MessageListParams, {"limit": limit}) == ["limit"]


def test_events_may_be_listed_by_the_thousand() -> None:
    assert parse_params(p.EventListParams, {"limit": 1000, "types": ["gap"]}).types == [EventType.GAP]
    assert fields(p.EventListParams, {"limit": 1001}) == ["limit"]
    assert fields(p.EventListParams, {"after": -1}) == ["after"]


@pytest.mark.parametrize("raw", [{}, {"session": "a"}, {"message_id": "m"}, {"id": 1, "session": "a"}])
def test_a_message_is_asked_for_in_one_way(raw: dict[str, Any]) -> None:
    assert "give session and message_id, or id alone" in refused(p.MessageGetParams, raw).message


def test_an_update_knows_what_was_given() -> None:
    update = parse_params(p.SessionUpdateParams, {"name": "a", "device_name": None, "settings": {"seed": 1}})
    assert update.changes() == {"device_name": None, "settings": {"seed": 1}}
    assert "nothing to change" in refused(p.SessionUpdateParams, {"name": "a"}).message
    assert fields(p.SessionUpdateParams, {"name": "a", "owner": None}) == ["owner"]


def test_media_chunks() -> None:
    assert parse_params(p.MediaPutParams, {"data": "aGk="}).data == b"hi"
    assert fields(p.MediaPutParams, {"data": "aGk"}) == ["data"]
    assert fields(p.MediaPutParams, {"data": "a\nGk="}) == ["data"]
    assert fields(p.MediaPutParams, {"data": 5}) == ["data"]
    assert fields(p.MediaPutParams, {"data": "AAAA" * (MEDIA_CHUNK_MAX_BYTES // 3 + 1)}) == ["data"]
    assert "offset 0" in refused(p.MediaPutParams, {"data": "aGk=", "offset": 2}).message


def test_from_is_written_as_it_is_called() -> None:
    assert parse_params(p.InjectParams, {"name": "a", "from": "5511"}).from_ == "5511"
    assert fields(p.InjectParams, {"name": "a", "from_": "5511"}) == ["from", "from_"]


@pytest.mark.parametrize("raw", [[], [1], "x", 5, False])
def test_params_are_an_object(raw: Any) -> None:
    assert "must be an object" in refused(p.NoParams, raw).message


def test_many_faults_are_told_up_to_a_number_and_never_quote_what_was_given() -> None:
    raw = {f"secret{number}": "hunter2" for number in range(20)}
    error = refused(p.NoParams, raw)
    assert len(error.data["errors"]) == 5
    assert error.message.endswith("and 15 more")
    assert "hunter2" not in json.dumps([error.message, error.data])
