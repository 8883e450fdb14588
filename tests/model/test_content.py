"""What a message must carry, and what makes two sends the same."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pombal.model.content import check_media, check_parts, content_hash
from pombal.model.errors import Kind, PombalError
from pombal.model.message import MEDIA_TYPES, MessageType
from pombal.model.phone import Recipient, parse_recipient

TO = parse_recipient("5511999999999")
PARTS: dict[str, Any] = {"text": "hi", "media": {"sha256": "a"}, "location": {"x": 1}, "contact": {"n": 1},
                         "reaction": {"emoji": ""}}  # fmt: skip
NEEDED = {MessageType.TEXT: "text", MessageType.LOCATION: "location", MessageType.CONTACT: "contact",
          MessageType.REACTION: "reaction"} | dict.fromkeys(MEDIA_TYPES, "media")  # fmt: skip


WITH_TEXT = {MessageType.TEXT, MessageType.IMAGE, MessageType.VIDEO, MessageType.DOCUMENT}


@pytest.mark.parametrize("kind", NEEDED)
def test_each_type_needs_its_own_part_and_carries_no_other(kind: MessageType) -> None:
    needed = NEEDED[kind]
    check_parts(kind, {needed: PARTS[needed]})
    if kind in WITH_TEXT:
        check_parts(kind, {needed: PARTS[needed], "text": "caption"})
    with pytest.raises(PombalError, match=f"needs {needed}"):
        check_parts(kind, {name: part for name, part in PARTS.items() if name != needed})
    for other in PARTS.keys() - {needed, "text" if kind in WITH_TEXT else needed}:
        with pytest.raises(PombalError, match=f"cannot carry {other}") as caught:
            check_parts(kind, {needed: PARTS[needed], other: PARTS[other]})
        assert caught.value.kind == Kind.INVALID


@pytest.mark.parametrize(
    ("kind", "mime_type", "fits"),
    [
        (MessageType.IMAGE, "image/jpeg", True),
        (MessageType.IMAGE, "IMAGE/JPEG", True),
        (MessageType.IMAGE, "application/octet-stream", False),
        (MessageType.VIDEO, "image/gif", False),
        (MessageType.AUDIO, "audio/ogg; codecs=opus", True),
        (MessageType.STICKER, "image/png", False),
        (MessageType.STICKER, "image/webp", True),
        (MessageType.DOCUMENT, "application/octet-stream", True),
    ],
)
def test_a_file_is_what_its_type_says(kind: MessageType, mime_type: str, fits: bool) -> None:
    if fits:
        check_media(kind, mime_type)
        return
    with pytest.raises(PombalError, match="any file can go as a document"):
        check_media(kind, mime_type)


def test_an_empty_text_is_none() -> None:
    with pytest.raises(PombalError, match="needs text"):
        check_parts(MessageType.TEXT, {"text": ""})


def test_unknown_cannot_be_sent() -> None:
    with pytest.raises(PombalError, match="can be received but not sent"):
        check_parts(MessageType.UNKNOWN, {"text": "x"})


def test_the_hash_is_stable_over_versions() -> None:
    """It is stored: another way to compute it would make a conflict of every retry after an upgrade."""
    location = {"location": {"latitude": 1.5, "longitude": -2.0, "name": "praça", "address": None}}
    assert content_hash(TO, MessageType.TEXT, "olá", None, None) == (
        "d36be019406521858e67646b4e25b43c356397a39ac67ae332ab4046b8b66ce5"
    )
    assert content_hash(TO, MessageType.LOCATION, None, location, "q") == (
        "a9e38d65c0053560e55a06a17bd7a9661bbc6c44fa3e26fc0f2cc32df749fa60"
    )


@pytest.mark.parametrize("to", ["551199999999", "+55 (11) 9 9999-9999", "551199999999@s.whatsapp.net"])
def test_spellings_of_one_recipient_are_the_same_send(to: str) -> None:
    assert content_hash(parse_recipient(to), MessageType.TEXT, "x", None, None) == content_hash(
        TO, MessageType.TEXT, "x", None, None
    )


def test_media_count_by_their_bytes() -> None:
    one = {"media": {"sha256": "a" * 64, "mime_type": "image/png", "file_name": "a.png"}}
    renamed = {"media": {"sha256": "a" * 64, "mime_type": "image/png", "file_name": "b.png", "size_bytes": 4}}
    other = {"media": {"sha256": "b" * 64, "mime_type": "image/png", "file_name": "a.png"}}
    hashes = [content_hash(TO, MessageType.IMAGE, None, content, None) for content in (one, renamed, other)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_nothing_and_an_empty_content_are_one() -> None:
    assert content_hash(TO, MessageType.TEXT, "x", {}, None) == content_hash(TO, MessageType.TEXT, "x", None, None)


texts = st.none() | st.text(st.characters(codec=None, exclude_categories=()), max_size=20)
sends = st.tuples(
    st.sampled_from([TO, Recipient("1@lid", None), Recipient("1@g.us", None)]),
    st.sampled_from(MessageType),
    texts,
    st.none() | st.dictionaries(st.sampled_from(["location", "contact", "reaction"]), st.integers(), min_size=1),
    st.none() | st.text(max_size=5),
)


@given(sends, sends)
def test_two_sends_have_one_hash_only_if_they_are_equal(one: Any, other: Any) -> None:
    assert (content_hash(*one) == content_hash(*other)) == (one == other)
    assert len(content_hash(*one)) == 64
