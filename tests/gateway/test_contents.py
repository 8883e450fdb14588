"""What messages say: every kind, built as WhatsApp's own protobufs."""

from typing import Any

import pytest

from pombal.gateway.contents import content_of, media_of, unwrapped
from pombal.model.message import MessageType
from tests.gateway.protos import SHA256, e2e, file_fields

MEDIA = {"size_bytes": 1234, "sha256": SHA256.hex(), "file_name": None}


@pytest.mark.parametrize(
    ("message", "message_type", "text"),
    [
        (e2e.Message(conversation="oi"), MessageType.TEXT, "oi"),
        (e2e.Message(extendedTextMessage=e2e.ExtendedTextMessage(text="veja https://x")), MessageType.TEXT,
         "veja https://x"),
        (e2e.Message(listResponseMessage=e2e.ListResponseMessage(title="Boleto")), MessageType.TEXT, "Boleto"),
        (e2e.Message(buttonsResponseMessage=e2e.ButtonsResponseMessage(selectedDisplayText="Sim")), MessageType.TEXT,
         "Sim"),
        (e2e.Message(pollCreationMessage=e2e.PollCreationMessage(name="?")), MessageType.UNKNOWN, None),
    ],
)  # fmt: skip
def test_what_is_written(message: Any, message_type: MessageType, text: str | None) -> None:
    content = content_of(message)
    assert content is not None
    assert (content.message_type, content.text) == (message_type, text)


@pytest.mark.parametrize(
    ("message", "message_type", "mime_type", "caption"),
    [
        (e2e.Message(imageMessage=e2e.ImageMessage(**file_fields(mimetype="image/jpeg", caption="foto"))),
         MessageType.IMAGE, "image/jpeg", "foto"),
        (e2e.Message(videoMessage=e2e.VideoMessage(**file_fields(mimetype="video/mp4"))), MessageType.VIDEO,
         "video/mp4", None),
        (e2e.Message(ptvMessage=e2e.VideoMessage(**file_fields(mimetype="video/mp4"))), MessageType.VIDEO,
         "video/mp4", None),
        (e2e.Message(audioMessage=e2e.AudioMessage(**file_fields(mimetype="audio/ogg; codecs=opus", PTT=True))),
         MessageType.AUDIO, "audio/ogg; codecs=opus", None),
        (e2e.Message(stickerMessage=e2e.StickerMessage(**file_fields(mimetype="image/webp"))), MessageType.STICKER,
         "image/webp", None),
        (e2e.Message(documentMessage=e2e.DocumentMessage(**file_fields())), MessageType.DOCUMENT,
         "application/octet-stream", None),
    ],
)  # fmt: skip
def test_files(message: Any, message_type: MessageType, mime_type: str, caption: str | None) -> None:
    content = content_of(message)
    assert content is not None
    assert (content.message_type, content.text) == (message_type, caption)
    assert content.content == {"media": {**MEDIA, "mime_type": mime_type}}
    assert media_of(message) is not None


def test_a_document_keeps_its_name_and_its_caption_through_its_envelope() -> None:
    document = e2e.DocumentMessage(**file_fields(mimetype="application/pdf", fileName="conta.pdf", caption="segue"))
    inner = e2e.Message(documentMessage=document)
    outer = e2e.Message(documentWithCaptionMessage=e2e.FutureProofMessage(message=inner))
    content = content_of(unwrapped(outer))
    assert content is not None
    assert content.text == "segue"
    assert content.content == {"media": {**MEDIA, "mime_type": "application/pdf", "file_name": "conta.pdf"}}


def test_a_file_that_whatsapp_no_longer_has_is_told_and_not_downloaded() -> None:
    fields = file_fields(mimetype="image/jpeg") | {"directPath": "", "URL": ""}
    message = e2e.Message(imageMessage=e2e.ImageMessage(**fields))
    content = content_of(message)
    assert content is not None
    assert content.message_type == MessageType.IMAGE
    assert media_of(message) is None


def test_a_place() -> None:
    place = e2e.LocationMessage(degreesLatitude=-23.5, degreesLongitude=-46.6, name="Praça", address="Rua A, 1")
    content = content_of(e2e.Message(locationMessage=place))
    assert content is not None
    assert content.content == {
        "location": {"latitude": -23.5, "longitude": -46.6, "name": "Praça", "address": "Rua A, 1"}
    }


def test_a_live_location_is_a_place() -> None:
    place = e2e.LiveLocationMessage(degreesLatitude=1.5, degreesLongitude=2.5, caption="a caminho")
    content = content_of(e2e.Message(liveLocationMessage=place))
    assert content is not None
    assert (content.message_type, content.text) == (MessageType.LOCATION, "a caminho")


VCARD = "BEGIN:VCARD\nVERSION:3.0\nFN:João\nitem1.TEL;waid=5511977770003:+55 11 97777-0003\nEND:VCARD"


def test_a_contact_card() -> None:
    content = content_of(e2e.Message(contactMessage=e2e.ContactMessage(displayName="João", vcard=VCARD)))
    assert content is not None
    assert content.content == {"contact": {"name": "João", "number": "5511977770003", "vcard": VCARD}}


def test_several_contact_cards_are_one_message() -> None:
    cards = e2e.ContactsArrayMessage(
        displayName="2 contatos",
        contacts=[e2e.ContactMessage(vcard=VCARD), e2e.ContactMessage(displayName="Ana", vcard="FN:Ana\nTEL:+1 2")],
    )
    content = content_of(e2e.Message(contactsArrayMessage=cards))
    assert content is not None
    assert content.content is not None
    contact = content.content["contact"]
    assert (contact["name"], contact["number"]) == ("João", "5511977770003")
    assert "FN:Ana" in contact["vcard"]


def test_a_reaction_names_its_target() -> None:
    reaction = e2e.ReactionMessage(text="👍")
    reaction.key.ID = "3EB0TARGET"
    content = content_of(e2e.Message(reactionMessage=reaction))
    assert content is not None
    assert content.message_type == MessageType.REACTION
    assert content.content == {"reaction": {"link_id": "3EB0TARGET", "emoji": "👍"}}


def test_a_quote_names_what_it_quotes() -> None:
    context = e2e.ContextInfo(stanzaID="3EB0QUOTED", quotedMessage=e2e.Message(conversation="antes"))
    message = e2e.Message(extendedTextMessage=e2e.ExtendedTextMessage(text="sim", contextInfo=context))
    content = content_of(message)
    assert content is not None
    assert content.quoted_link_id == "3EB0QUOTED"


def test_a_context_without_a_quote_quotes_nothing() -> None:
    message = e2e.Message(
        extendedTextMessage=e2e.ExtendedTextMessage(text="sim", contextInfo=e2e.ContextInfo(isForwarded=True))
    )
    content = content_of(message)
    assert content is not None
    assert content.quoted_link_id is None


@pytest.mark.parametrize(
    "message",
    [
        e2e.Message(),
        e2e.Message(messageContextInfo=e2e.MessageContextInfo()),
        e2e.Message(senderKeyDistributionMessage=e2e.SenderKeyDistributionMessage(groupID="g")),
        e2e.Message(protocolMessage=e2e.ProtocolMessage(type="APP_STATE_SYNC_KEY_SHARE")),
    ],
)
def test_what_devices_tell_each_other_says_nothing(message: Any) -> None:
    assert content_of(message) is None


def test_a_group_message_with_its_key_says_what_it_says() -> None:
    message = e2e.Message(
        senderKeyDistributionMessage=e2e.SenderKeyDistributionMessage(groupID="g"), conversation="bom dia"
    )
    content = content_of(message)
    assert content is not None
    assert content.text == "bom dia"


def test_envelopes_are_opened_to_a_bounded_depth() -> None:
    message = e2e.Message(conversation="dentro")
    for _ in range(3):
        message = e2e.Message(ephemeralMessage=e2e.FutureProofMessage(message=message))
    assert unwrapped(message).conversation == "dentro"
    for _ in range(40):
        message = e2e.Message(ephemeralMessage=e2e.FutureProofMessage(message=message))
    unwrapped(message)
