"""Sends: under the id that they were given, in order within a chat, once; refused in words."""

import hashlib
import threading
from pathlib import Path
from typing import Any

import pytest
import trio

from pombal.gateway import client, sending
from pombal.gateway.client import ClientError, Refusal, SentAs, Uploaded
from pombal.gateway.failures import is_passing, understood
from pombal.gateway.outgoing import Referred, built
from pombal.link import base
from pombal.link.base import Outgoing
from pombal.link.wire.commands import CheckContacts, Contacts, MarkRead
from pombal.model.message import MessageType
from tests.gateway.driving import Line
from tests.gateway.fake_client import FakeFactory
from tests.gateway.hosting import Hosted, hosted
from tests.gateway.protos import GROUP, OWN, PEER, e2e, message_event

CHAT = f"{PEER}@s.whatsapp.net"
UP = Uploaded("https://x", "/x", b"k" * 32, b"h" * 32, b"e" * 32, 5)
LAST = "3EB0LAST"


def text(link_id: str, chat: str = CHAT, **more: Any) -> Outgoing:
    return Outgoing(link_id, chat, None, MessageType.TEXT, "oi", **more)


async def ready(on: Hosted, line: Line) -> None:
    await line.event(base.Qr)
    on.factory.last.log_in()
    await line.event(base.Ready)


def sent_ids(on: Hosted) -> list[str]:
    return [link_id for _, _, link_id in on.factory.last.sent]


async def test_a_send_goes_under_its_id_and_is_told_as_sent(tmp_path: Path) -> None:
    async with hosted(tmp_path) as on, on.line() as line:
        await ready(on, line)
        await line.ask(text("3EB0A"))
        assert await line.event(base.Sent) == base.Sent("3EB0A", 1_790_000_000)
        assert on.factory.last.sent == [(CHAT, e2e.Message(conversation="oi"), "3EB0A")]


async def test_sends_of_a_chat_keep_their_order(tmp_path: Path) -> None:
    async with hosted(tmp_path) as on, on.line() as line:
        await ready(on, line)
        ids = [f"3EB0{n:04}" for n in range(50)]
        for each in ids:
            await line.start(text(each))
        await line.event(base.Sent, lambda sent: sent.link_id == ids[-1])
        assert sent_ids(on) == ids


async def test_a_send_that_comes_again_is_the_same_message(tmp_path: Path) -> None:
    """On its way, and after its answer: WhatsApp is asked once, and the daemon is told each time."""
    goes = threading.Event()

    def slow(link_id: str) -> SentAs:
        assert goes.wait(60)
        return SentAs(link_id, 7)

    factory = FakeFactory()
    factory.on_send = slow
    async with hosted(tmp_path, factory) as on:
        async with on.line() as line:
            await ready(on, line)
            await line.ask(text("3EB0A"))
            await line.ask(text("3EB0A"))
            goes.set()
            await line.event(base.Sent)
            await line.settled()
        async with on.line() as line:
            await line.ask(text("3EB0A"))
            assert await line.event(base.Sent) == base.Sent("3EB0A", 7)
        assert sent_ids(on) == ["3EB0A"]


async def test_a_try_without_an_answer_is_repeated_under_the_same_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "RETRY_S", 0.01)
    factory, tries = FakeFactory(), []

    def second_time(link_id: str) -> SentAs:
        tries.append(link_id)
        if len(tries) == 1:
            raise ClientError("timed out waiting for message send response")
        return SentAs(link_id, 1)

    factory.on_send = second_time
    async with hosted(tmp_path, factory) as on, on.line() as line:
        await ready(on, line)
        await line.ask(text("3EB0A"))
        await line.event(base.Sent)
        assert tries == ["3EB0A", "3EB0A"]


async def test_without_ids_of_ours_nothing_is_repeated_and_receipts_find_their_message(tmp_path: Path) -> None:
    factory = FakeFactory()
    factory.fixes_ids = False
    answers = {"3EB0A": "THEIRS"}

    def other_id(link_id: str) -> SentAs:
        if link_id not in answers:
            raise ClientError("websocket disconnected before info query returned response")
        return SentAs(answers[link_id], 1)

    factory.on_send = other_id
    async with hosted(tmp_path, factory) as on, on.line() as line:
        await ready(on, line)
        await line.ask(text("3EB0A"))
        assert (await line.event(base.Sent)).link_id == "3EB0A"
        await line.ask(text("3EB0B"))
        await line.ask(text("3EB0A", quoted_link_id="3EB0A"))
        await line.settled()
        from tests.gateway.test_incoming import receipt

        read = receipt("READ")
        del read.MessageIDs[:]
        read.MessageIDs.append("THEIRS")
        await trio.to_thread.run_sync(on.factory.last.callbacks.receipt, read)
        assert (await line.event(base.Receipt)).link_ids == ("3EB0A",)
        await line.until(lambda: sent_ids(on).count("3EB0B") == 1)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("server returned error 463", "restricted"),
        ("server returned error 479", "refused"),
        ("no LID found for 5511@s.whatsapp.net from server", "not_on_whatsapp"),
        ("failed to get group members: that group does not exist", "refused"),
        ("can't send message to unknown server foo", "refused"),
        ("timed out waiting for message send response", None),
        ("websocket not connected", None),
    ],
)
def test_errors_of_whatsapp_are_told_apart(error: str, kind: str | None) -> None:
    refusal = understood(error)
    assert (None if refusal is None else refusal.kind) == kind
    assert is_passing(error) == (kind is None)


async def test_a_refusal_fails_the_message_and_463_restricts_the_account(tmp_path: Path) -> None:
    factory = FakeFactory()

    def refuse(link_id: str) -> SentAs:
        raise Refusal("restricted" if link_id == "3EB0A" else "not_on_whatsapp", "no")

    factory.on_send = refuse
    async with hosted(tmp_path, factory) as on, on.line() as line:
        await ready(on, line)
        await line.ask(text("3EB0A"))
        restricted = await line.event(base.Restricted)
        assert restricted.until_ms > 1_790_000_000_000
        assert await line.event(base.Failed) == base.Failed("3EB0A", "restricted", "no")
        await line.ask(text("3EB0B", f"{OWN}@s.whatsapp.net"))
        failed = await line.event(base.Failed, lambda each: each.link_id == "3EB0B")
        assert failed.kind == "not_on_whatsapp"


async def test_a_message_that_cannot_be_built_fails_and_the_next_one_goes(tmp_path: Path) -> None:
    async with hosted(tmp_path) as on, on.line() as line:
        await ready(on, line)
        await line.ask(Outgoing("3EB0A", CHAT, None, MessageType.LOCATION, None, {}))
        await line.ask(Outgoing("3EB0B", CHAT, None, MessageType.UNKNOWN, None, None))
        await line.ask(text("3EB0C"))
        await line.event(base.Sent)
        assert [each.link_id for each in line.events if isinstance(each, base.Failed)] == ["3EB0A", "3EB0B"]


async def test_a_send_waits_out_a_short_drop(tmp_path: Path) -> None:
    async with hosted(tmp_path) as on, on.line() as line:
        await ready(on, line)
        on.factory.last.say(client.Disconnected())
        await line.ask(text("3EB0A"))
        await line.settled()
        assert on.factory.last.sent == []
        on.factory.last.say(client.Connected(OWN))
        await line.event(base.Sent)


async def test_a_file_is_uploaded_once_and_one_that_is_not_here_is_asked_for(tmp_path: Path) -> None:
    data = b"a picture"
    sha256 = hashlib.sha256(data).hexdigest()
    content = {"media": {"sha256": sha256, "mime_type": "image/png", "file_name": None}}
    async with hosted(tmp_path) as on, on.line() as line:
        await ready(on, line)
        image = Outgoing("3EB0A", CHAT, None, MessageType.IMAGE, "veja", content)
        assert (await line.refusal(image)).kind == "media_missing"
        id_ = await line.put(sha256, data)
        await line.until(lambda: line.answers.get(id_))
        await line.ask(image)
        await line.ask(Outgoing("3EB0B", CHAT, None, MessageType.IMAGE, None, content))
        await line.event(base.Sent, lambda sent: sent.link_id == "3EB0B")
        assert on.factory.last.done == ["upload image"]
        (_, first, _), _ = on.factory.last.sent
        assert first.imageMessage.fileSHA256 == hashlib.sha256(data).digest()
        assert (first.imageMessage.caption, first.imageMessage.mimetype) == ("veja", "image/png")


async def test_quotes_and_reactions_know_whom_they_refer_to(tmp_path: Path) -> None:
    async with hosted(tmp_path) as on, on.line() as line:
        await ready(on, line)
        theirs = message_event(e2e.Message(conversation="bom dia"), link_id="THEIRS")
        await trio.to_thread.run_sync(on.factory.last.callbacks.message, theirs)
        await line.ask(text("3EB0OURS"))
        await line.event(base.Sent)
        await line.ask(text("3EB0A", quoted_link_id="THEIRS"))
        await line.ask(text("3EB0B", quoted_link_id="3EB0OURS"))
        await line.ask(text("3EB0C", quoted_link_id="UNKNOWN"))
        reaction = {"reaction": {"link_id": "THEIRS", "message_id": "x", "emoji": "👍"}}
        await line.ask(Outgoing("3EB0D", CHAT, None, MessageType.REACTION, None, reaction))
        await line.event(base.Sent, lambda sent: sent.link_id == "3EB0D")
        by_id = {link_id: message for _, message, link_id in on.factory.last.sent}
        quote = by_id["3EB0A"].extendedTextMessage.contextInfo
        assert (quote.stanzaID, quote.participant, quote.quotedMessage.conversation) == ("THEIRS", CHAT, "bom dia")
        quote = by_id["3EB0B"].extendedTextMessage.contextInfo
        assert (quote.participant, quote.quotedMessage.conversation) == (f"{OWN}@s.whatsapp.net", "oi")
        assert by_id["3EB0C"].extendedTextMessage.contextInfo.participant == CHAT
        key = by_id["3EB0D"].reactionMessage.key
        assert (key.ID, key.fromMe, key.remoteJID) == ("THEIRS", False, CHAT)


async def test_reading_is_told_and_contacts_are_looked_up(tmp_path: Path) -> None:
    async with hosted(tmp_path) as on, on.line() as line:
        await ready(on, line)
        await line.ask(MarkRead(f"{GROUP}@g.us", CHAT, ("A", "B")))
        await line.ask(MarkRead(CHAT, "", ("C",)))
        assert on.factory.last.read == [(f"{GROUP}@g.us", CHAT, ("A", "B")), (CHAT, CHAT, ("C",))]
        found = await line.ask(CheckContacts((PEER,)))
        assert isinstance(found, Contacts)
        assert found.results[0].canonical_id == CHAT


# Built


def message(message_type: MessageType, content: dict[str, Any], words: str | None = None, **more: Any) -> Any:
    outgoing = Outgoing("3EB0A", more.pop("chat", CHAT), None, message_type, words, content)
    given: dict[str, Any] = {
        "own": f"{OWN}@s.whatsapp.net",
        "now_ms": 1_790_000_000_000,
        "referred": None,
        "uploaded": UP,
    } | more
    return built(e2e, outgoing, **given)


def media(mime_type: str, file_name: str | None = None) -> dict[str, Any]:
    return {"media": {"sha256": "0" * 64, "mime_type": mime_type, "file_name": file_name}}


def test_a_voice_note_is_one_by_its_codec() -> None:
    assert message(MessageType.AUDIO, media("audio/ogg; codecs=opus")).audioMessage.PTT
    assert not message(MessageType.AUDIO, media("audio/mpeg")).audioMessage.PTT


def test_a_document_with_words_has_its_envelope() -> None:
    sent = message(MessageType.DOCUMENT, media("application/pdf", "conta.pdf"), "segue")
    document = sent.documentWithCaptionMessage.message.documentMessage
    assert (document.fileName, document.caption) == ("conta.pdf", "segue")
    assert message(MessageType.DOCUMENT, media("application/pdf")).documentMessage.fileName == "document"


def test_a_contact_without_a_card_gets_one() -> None:
    card = {"contact": {"name": "Silva; João", "number": "+55 11 97777-0003", "vcard": None}}
    vcard = message(MessageType.CONTACT, card).contactMessage.vcard
    assert "FN:Silva\\; João" in vcard
    assert "waid=5511977770003:+5511977770003" in vcard


def test_a_place_needs_no_name() -> None:
    sent = message(MessageType.LOCATION, {"location": {"latitude": 1.5, "longitude": -2.5, "name": None}})
    assert (sent.locationMessage.degreesLatitude, sent.locationMessage.name) == (1.5, "")


def test_a_reaction_in_a_group_names_who_wrote() -> None:
    content = {"reaction": {"link_id": "THEIRS", "emoji": "👍"}}
    sent = message(
        MessageType.REACTION, content, chat=f"{GROUP}@g.us", referred=Referred("THEIRS", CHAT, is_ours=False)
    )
    assert sent.reactionMessage.key.participant == CHAT
    with pytest.raises(ValueError, match="reaction"):
        message(MessageType.REACTION, content)
    with pytest.raises(ValueError, match="file"):
        message(MessageType.IMAGE, media("image/png"), uploaded=None)
