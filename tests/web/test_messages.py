"""What people write to each other: every type, both ways, in chats and groups, with what becomes of it afterwards."""

from pathlib import Path
from typing import Any

import pytest

from pombal.control.client import Client
from pombal.model.message import Message
from tests.fakes.whatsapp_driver import FakeWhatsApp
from tests.web.files import hash_of_stored
from tests.web.world import (
    ANA,
    BIA,
    ME,
    World,
    events_until,
    last_seq,
    received,
    until_message,
    until_received,
    until_true,
)

pytestmark = pytest.mark.system("libmagic.so.1")

OLD_NUMBER, NEW_NUMBER = "551188887777", "5511988887777"  # one mobile of Brazil's, without and with its ninth digit
NOBODY = "5511900000000"
PLACE = {"latitude": -23.5505, "longitude": -46.6333, "name": "Praça da Sé"}


def media(size_bytes: int, mime_type: str, **more: Any) -> dict[str, Any]:
    return {"size_bytes": size_bytes, "seed": size_bytes, "mime_type": mime_type, **more}


INBOUND: list[dict[str, Any]] = [
    {"type": "text", "text": "olá 👋 ação"},
    {"type": "image", "media": media(1000, "image/jpeg"), "text": "legenda"},
    {"type": "audio", "media": media(1001, "audio/ogg; codecs=opus"), "voice": True},
    {"type": "video", "media": media(1002, "video/mp4"), "text": "filme"},
    {"type": "document", "media": media(1003, "application/pdf", file_name="nota.pdf")},
    {"type": "sticker", "media": media(1004, "image/webp")},
    {"type": "location", **PLACE},
    {"type": "contact", "name": "Bia", "vcard": f"BEGIN:VCARD\nVERSION:3.0\nFN:Bia\nTEL;waid={BIA}:+{BIA}\nEND:VCARD"},
]


async def test_every_type_comes_in(world: World, fake: FakeWhatsApp) -> None:
    async with world.daemon() as daemon, daemon.client() as client:
        await world.link(client)
        for content in INBOUND:
            link_id = (await fake.do("inbound", account=ME, sender=ANA, content=content))["ids"][0]
            message = await received(client, link_id)
            assert (message.message_type, message.direction, message.origin) == (content["type"], "inbound", "api")
            assert (message.text_content or None) == content.get("text")
            if "media" in content:
                await _file_is_here(client, fake, message, link_id)
        first = (await fake.do("inbound", account=ME, sender=ANA, text="pergunta"))["ids"][0]
        reply = {"type": "text", "text": "resposta", "quoted": {"id": first, "from": ANA, "text": "pergunta"}}
        answer = (await fake.do("inbound", account=ME, sender=ANA, content=reply))["ids"][0]
        original = await received(client, first)
        assert (await received(client, answer)).quoted_message_id == original.message_id
        thumb = {"type": "reaction", "id": first, "text": "👍"}
        reaction = await received(client, (await fake.do("inbound", account=ME, sender=ANA, content=thumb))["ids"][0])
        assert reaction.message_type == "reaction"
        await _edited_and_deleted(client, fake, first)
        await daemon.stop()


async def _file_is_here(client: Client, fake: FakeWhatsApp, message: Message, link_id: str) -> None:
    """The file follows the message by itself; it is the one that was sent."""
    entries = (await fake.do("book", account=ME))["inbound"]
    said = next(entry["content"] for entry in entries if entry["id"] == link_id)
    assert message.media is not None
    assert (message.media.sha256, message.media.size_bytes) == (said["sha256"], said["size_bytes"])
    assert await hash_of_stored(client, message.media.sha256) == said["sha256"]


async def _edited_and_deleted(client: Client, fake: FakeWhatsApp, link_id: str) -> None:
    seq = await last_seq(client)
    await fake.do("inbound", account=ME, sender=ANA, content={"type": "edit", "id": link_id, "text": "corrigida"})
    edited = await events_until(client, lambda _: True, after=seq, types=["message.edited"])
    assert (await client.message_get(id=edited[0]["data"]["id"])).text_content == "corrigida"
    await fake.do("inbound", account=ME, sender=ANA, content={"type": "delete", "id": link_id})
    deleted = await events_until(client, lambda _: True, after=seq, types=["message.deleted"])
    assert deleted[0]["data"]["id"] == edited[0]["data"]["id"]


async def test_every_type_goes_out(world: World, fake: FakeWhatsApp, tmp_path: Path) -> None:
    await fake.do("person", user=ANA)
    async with world.daemon() as daemon, daemon.client() as client:
        await world.link(client)
        got = (await fake.do("inbound", account=ME, sender=ANA, text="pergunta"))["ids"][0]
        question = await received(client, got)
        vcard = "BEGIN:VCARD\nVERSION:3.0\nFN:Bia\nEND:VCARD"
        for kind, params in (
            ("text", {"text": "resposta", "quoted_message_id": question.message_id}),
            ("location", {"location": PLACE}),
            ("contact", {"contact": {"name": "Bia", "vcard": vcard}}),
            ("reaction", {"reaction": {"message_id": question.message_id, "emoji": "❤️"}}),
        ):
            await _goes_out(client, fake, kind, params)
        for kind, mime_type in (
            ("image", "image/jpeg"), ("audio", "audio/ogg"), ("video", "video/mp4"), ("document", "application/pdf"),
            ("sticker", "image/webp"),
        ):  # fmt: skip
            stored = await client.put_media(kind.encode() * 300)
            file = {"sha256": stored.sha256, "mime_type": mime_type, "file_name": f"{kind}.bin"}
            content = await _goes_out(client, fake, kind, {"media": file})
            assert (content["sha256"], content["size_bytes"]) == (stored.sha256, len(kind) * 300)
        entries = (await fake.do("book", account=ME))["outbound"]
        assert [entry["media_verified"] for entry in entries] == [None] * 4 + [True] * 5
        assert entries[0]["content"]["quoted"] == got
        assert entries[3]["content"]["id"] == got
        await daemon.stop()


async def _goes_out(client: Client, fake: FakeWhatsApp, kind: str, params: dict[str, Any]) -> dict[str, Any]:
    sent = await client.message_send("vendas", ANA, type=kind, **params)
    await until_message(client, sent.message_id, "delivered")
    content: dict[str, Any] = (await fake.until("message", id=sent.link_id))["content"]
    assert content["type"] == kind
    return content


async def test_groups_and_people(world: World, fake: FakeWhatsApp) -> None:
    """Groups; then: the ninth digit, LID and number are one contact; a number without WhatsApp fails its message."""
    await fake.do("person", user=OLD_NUMBER)
    group = (await fake.do("group", subject="Equipe", participants=[ME, ANA, BIA]))["id"]
    async with world.daemon() as daemon, daemon.client() as client:
        await world.link(client)
        for sender in (ANA, BIA, ANA):
            got = (await fake.do("inbound", account=ME, sender=sender, text="no grupo", group=group))["ids"][0]
            message = await received(client, got)
            assert message.chat_id == group
            assert message.contact_number == sender
        sent = await client.message_send("vendas", group, text="para todos")
        await until_message(client, sent.message_id, "delivered")
        entry = (await fake.do("book", account=ME))["outbound"][0]
        assert (entry["opened"], entry["chat"]) == (2, group)
        await _people(client, fake)
        await daemon.stop()


async def test_what_the_phone_wrote_what_cannot_be_read_and_what_is_old(world: World, fake: FakeWhatsApp) -> None:
    """Each is recorded as what it is, and none is counted as latency."""
    await fake.do("person", user=ANA)
    async with world.daemon() as daemon, daemon.client() as client:
        await world.link(client)
        own = (await fake.do("device", account=ME, to=ANA, text="do celular"))["ids"][0]
        message = await received(client, own)
        assert (message.origin, message.direction, message.contact_number) == ("device", "outbound", ANA)
        broken = (await fake.do("inbound", account=ME, sender=ANA, text="nunca", broken=True, heal=False))["ids"][0]
        assert (await received(client, broken)).message_type == "unknown"
        healed = (await fake.do("inbound", account=ME, sender=ANA, text="enfim", broken=True))["ids"][0]
        await until_true(lambda: _says(client, healed, "enfim"))
        old = [{"id": "OLD1", "text": "antes", "t": 1_700_000_000}, {"id": "OLD2", "text": "eu", "from_me": True}]
        await fake.do("history", account=ME, conversations=[{"with": BIA, "messages": old}])
        await until_received(client, {"OLD1", "OLD2"})
        for link_id, direction in (("OLD1", "inbound"), ("OLD2", "outbound")):
            message = await received(client, link_id)
            assert (message.origin, message.direction, message.contact_number) == ("history", direction, BIA)
            assert message.total_latency_ms is None
        figures = await client.latency_stats(session="vendas")
        assert figures.measured_messages <= 1  # the one that could not be read, at most
        await daemon.stop()


async def _people(client: Client, fake: FakeWhatsApp) -> None:
    checked = await client.contact_check("vendas", [NEW_NUMBER, OLD_NUMBER, NOBODY])
    assert [each.exists for each in checked.results] == [True, True, False]
    assert checked.results[0].canonical_id == checked.results[1].canonical_id
    sent = [await client.message_send("vendas", each, text="oi") for each in (NEW_NUMBER, OLD_NUMBER)]
    for each in sent:
        await until_message(client, each.message_id, "delivered")
    by = [
        (await fake.do("inbound", account=ME, sender=OLD_NUMBER, text="olá", addressing=mode))["ids"][0]
        for mode in ("pn", "lid")
    ]
    came = [await received(client, each) for each in by]
    went = [await client.message_get("vendas", each.message_id) for each in sent]
    assert len({each.chat_id for each in [*came, *went]}) == 1
    assert {each.contact_number for each in [*came, *went]} == {NEW_NUMBER}
    assert len({each.contact_lid for each in came}) == 1
    nobody = await client.message_send("vendas", NOBODY, text="alguém?")
    failed = await until_message(client, nobody.message_id, "failed")
    assert failed.error is not None
    assert failed.error.kind == "not_on_whatsapp"


async def _says(client: Client, link_id: str, text: str) -> bool:
    """Whether it was filled in: one message, with its text."""
    page = await client.message_list(session="vendas", direction="inbound")
    return [message.text_content for message in page.results if message.link_id == link_id] == [text]
