"""WhatsApp's events as the daemon is told them."""

from typing import Any

import pytest

from pombal.gateway.history import history_told
from pombal.gateway.incoming import message_told, receipt_told, undecryptable_told
from pombal.link import base
from pombal.model.message import Direction, MessageStatus, MessageType, Origin
from tests.gateway.protos import (
    GROUP,
    OWN,
    OWN_LID,
    PEER,
    PEER_LID,
    SHA256,
    e2e,
    file_fields,
    from_peer,
    history_pb,
    info,
    jid,
    message_event,
    neonize_pb,
    source,
)


def told(event: Any, **options: Any) -> base.IncomingMessage:
    options.setdefault("is_offline", False)
    result = message_told(event, **options)
    assert result is not None
    assert isinstance(result.event, base.IncomingMessage)
    return result.event


def test_a_text_from_a_contact() -> None:
    assert told(message_event(e2e.Message(conversation="oi"))) == base.IncomingMessage(
        link_id="3EB0AA",
        chat_id=f"{PEER}@s.whatsapp.net",
        timestamp_s=1_790_000_000,
        text="oi",
        contact_number=PEER,
        contact_lid=f"{PEER_LID}@lid",
        contact_name="Maria",
    )


def test_a_contact_that_writes_under_their_lid_is_the_same_chat() -> None:
    by_lid = source(jid(PEER_LID, "lid"), jid(PEER_LID, "lid", 3), sender_alt=jid(PEER, device=3))
    by_number = told(message_event(e2e.Message(conversation="oi")))
    assert told(message_event(e2e.Message(conversation="oi"), by_lid)) == by_number


def test_a_lid_without_its_number_is_asked_of_the_client() -> None:
    by_lid = source(jid(PEER_LID, "lid"), jid(PEER_LID, "lid", 3))
    event = message_event(e2e.Message(conversation="oi"), by_lid)
    assert told(event).chat_id == f"{PEER_LID}@lid"
    assert told(event).contact_number is None
    known = told(event, counterpart={f"{PEER_LID}@lid": f"{PEER}@s.whatsapp.net"}.get)
    assert (known.chat_id, known.contact_number) == (f"{PEER}@s.whatsapp.net", PEER)


def test_a_group_message_has_its_chat_and_who_wrote_it() -> None:
    in_group = source(jid(GROUP, "g.us"), jid(PEER_LID, "lid", 3), sender_alt=jid(PEER))
    message = told(message_event(e2e.Message(conversation="oi"), in_group))
    assert message.chat_id == f"{GROUP}@g.us"
    assert message.participant == f"{PEER}@s.whatsapp.net"
    assert (message.contact_number, message.contact_lid) == (PEER, f"{PEER_LID}@lid")


def test_a_message_written_on_the_phone_is_outbound() -> None:
    mine = source(jid(PEER), jid(OWN), from_me=True, sender_alt=jid(OWN_LID, "lid"), recipient_alt=jid(PEER_LID, "lid"))
    message = told(message_event(e2e.Message(conversation="já vou"), mine))
    assert (message.direction, message.origin) == (Direction.OUTBOUND, Origin.DEVICE)
    assert (message.chat_id, message.contact_number, message.contact_lid) == (
        f"{PEER}@s.whatsapp.net", PEER, f"{PEER_LID}@lid",
    )  # fmt: skip
    assert message.contact_name is None


def test_what_waited_for_us_is_offline() -> None:
    assert told(message_event(e2e.Message(conversation="oi")), is_offline=True).offline


@pytest.mark.parametrize("chat", [jid("status", "broadcast"), jid("120363", "newsletter"), jid("1", "bot")])
def test_status_updates_and_channels_are_no_conversations(chat: Any) -> None:
    event = message_event(e2e.Message(conversation="promo"), source(chat, jid(PEER)))
    assert message_told(event, is_offline=False) is None


def test_a_file_brings_what_its_download_needs() -> None:
    image = e2e.Message(imageMessage=e2e.ImageMessage(**file_fields(mimetype="image/jpeg")))
    result = message_told(message_event(image), is_offline=False)
    assert result is not None
    assert result.download is not None
    assert (result.download.sha256, result.download.size_bytes) == (SHA256.hex(), 1234)
    assert e2e.Message.FromString(result.download.message) == image


def protocol(kind: str, **more: Any) -> Any:
    message = e2e.ProtocolMessage(type=kind, **more)
    message.key.ID = "3EB0TARGET"
    return e2e.Message(protocolMessage=message)


@pytest.mark.parametrize("is_wrapped", [False, True])
def test_an_edit(is_wrapped: bool) -> None:
    message = protocol("MESSAGE_EDIT", editedMessage=e2e.Message(conversation="corrigido"))
    if is_wrapped:
        message = e2e.Message(editedMessage=e2e.FutureProofMessage(message=message))
    result = message_told(message_event(message, is_edit=True), is_offline=False)
    assert result is not None
    assert result.event == base.Edited(f"{PEER}@s.whatsapp.net", "3EB0TARGET", "corrigido")


def test_a_deletion() -> None:
    result = message_told(message_event(protocol("REVOKE")), is_offline=False)
    assert result is not None
    assert result.event == base.Revoked(f"{PEER}@s.whatsapp.net", "3EB0TARGET")


def test_device_talk_is_not_told() -> None:
    assert message_told(message_event(protocol("APP_STATE_SYNC_KEY_SHARE")), is_offline=False) is None


def undecryptable(mode: str) -> Any:
    return neonize_pb.UndecryptableMessage(Info=info(from_peer()), IsUnavailable=False, DecryptFailMode=mode)


def test_what_cannot_be_decrypted_is_told_as_unknown() -> None:
    message = undecryptable_told(undecryptable("DECRYPT_FAIL_SHOW"), is_offline=False)
    assert message is not None
    assert (message.message_type, message.text, message.link_id) == (MessageType.UNKNOWN, None, "3EB0AA")
    assert undecryptable_told(undecryptable("DECRYPT_FAIL_HIDE"), is_offline=False) is None


def receipt(kind: str, *, from_me: bool = False) -> Any:
    return neonize_pb.Receipt(
        MessageSource=source(jid(PEER), jid(PEER), from_me=from_me), MessageIDs=["3EB0A", "3EB0B"],
        Timestamp=1_790_000_000, Type=kind,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("DELIVERED", MessageStatus.DELIVERED),
        ("INACTIVE", MessageStatus.DELIVERED),
        ("READ", MessageStatus.READ),
        ("PLAYED", MessageStatus.READ),
    ],
)
def test_receipts(kind: str, status: MessageStatus) -> None:
    assert receipt_told(receipt(kind)) == base.Receipt(("3EB0A", "3EB0B"), status, 1_790_000_000)


@pytest.mark.parametrize("kind", ["SENDER", "RETRY", "READ_SELF", "SERVER_ERROR", "PEER_MSG", "HISTORY_SYNC"])
def test_receipts_between_devices_are_not_told(kind: str) -> None:
    assert receipt_told(receipt(kind)) is None


def test_our_own_devices_receipts_are_not_told() -> None:
    assert receipt_told(receipt("READ", from_me=True)) is None


def test_receipts_are_told_under_our_own_ids() -> None:
    result = receipt_told(receipt("READ"), {"3EB0A": "ours-1", "3EB0B": "ours-2"}.__getitem__)
    assert result is not None
    assert result.link_ids == ("ours-1", "ours-2")


def history(conversation_id: str, *messages: Any, **more: Any) -> Any:
    conversation = history_pb.Conversation(ID=conversation_id, **more)
    for message in messages:
        conversation.messages.add().message.CopyFrom(message)
    return history_pb.HistorySync(syncType="RECENT", conversations=[conversation])


def web_message(text: str, link_id: str, *, from_me: bool = False, participant: str = "") -> Any:
    item = history_pb.HistorySyncMsg().message
    item.key.ID, item.key.fromMe, item.messageTimestamp = link_id, from_me, 1_780_000_000
    item.message.conversation = text
    if participant:
        item.participant = participant
    return item


def test_history_is_told_oldest_first_and_as_history() -> None:
    synced = history(f"{PEER_LID}@lid", web_message("2", "B", from_me=True), web_message("1", "A"))
    synced.phoneNumberToLidMappings.add(pnJID=f"{PEER}@s.whatsapp.net", lidJID=f"{PEER_LID}@lid")
    synced.pushnames.add(ID=f"{PEER}@s.whatsapp.net", pushname="Maria")
    first, second = history_told(synced)
    assert [first.text, second.text] == ["1", "2"]
    assert {first.origin, second.origin} == {Origin.HISTORY}
    assert [first.direction, second.direction] == [Direction.INBOUND, Direction.OUTBOUND]
    assert (first.chat_id, first.contact_number, first.contact_lid, first.contact_name) == (
        f"{PEER}@s.whatsapp.net", PEER, f"{PEER_LID}@lid", "Maria",
    )  # fmt: skip


def test_a_groups_history_names_who_wrote() -> None:
    synced = history(f"{GROUP}@g.us", web_message("oi", "A", participant=f"{PEER}:3@s.whatsapp.net"))
    (message,) = history_told(synced)
    assert (message.chat_id, message.participant) == (f"{GROUP}@g.us", f"{PEER}@s.whatsapp.net")


def test_history_without_words_is_left_out() -> None:
    empty = history_pb.HistorySyncMsg().message
    empty.key.ID = "A"
    assert list(history_told(history("status@broadcast", web_message("promo", "A")))) == []
    assert list(history_told(history(f"{PEER}@s.whatsapp.net", empty))) == []
