"""The gateway, whole, with WhatsApp's real client, against the fake network: what only the two together can show."""

import hashlib
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from pombal.link import base
from pombal.link.base import EndKind, Outgoing
from pombal.link.wire import frames as wire
from pombal.link.wire.commands import CheckContacts, Contacts, GetPairCode, Logout, MarkRead, MediaTaken, Probe
from pombal.model.message import Direction, MessageStatus, MessageType, Origin
from tests.fakes.whatsapp_driver import FakeWhatsApp, fake_whatsapp
from tests.gateway.driving import GatewayProcess, Line, gateway_process

ACCOUNT, MARIA = "5511999990001", "5511988880002"
CHAT = f"{MARIA}@s.whatsapp.net"


@asynccontextmanager
async def network(directory: Path) -> AsyncIterator[FakeWhatsApp]:
    async with fake_whatsapp(directory) as fake:
        await fake.do("person", user=ACCOUNT)
        await fake.do("person", user=MARIA, name="Maria")
        yield fake


@asynccontextmanager
async def gateway(directory: Path, fake: FakeWhatsApp, *options: str) -> AsyncIterator[GatewayProcess]:
    env = {"SSL_CERT_FILE": fake.listening["ca_file"]}
    async with gateway_process(directory, fake.gateway_command, env=env, options=options) as process:
        await process.until_ready()
        yield process


def proxy(fake: FakeWhatsApp) -> dict[str, Any]:
    return {"proxy": fake.listening["proxy"]}


async def linked(fake: FakeWhatsApp, line: Line, user: str = ACCOUNT) -> None:
    qr = await line.event(base.Qr)
    await fake.do("scan", qr=qr.code, user=user)
    await line.event(base.Ready)


@asynccontextmanager
async def linked_line(directory: Path) -> AsyncIterator[tuple[FakeWhatsApp, Line]]:
    """A network, a gateway, and a line for a session that was just linked."""
    async with (
        network(directory / "fake") as fake,
        gateway(directory / "g", fake) as process,
        process.session(**proxy(fake)) as line,
    ):
        await linked(fake, line)
        yield fake, line


def text(n: int, words: str = "oi") -> Outgoing:
    return Outgoing(f"3EB0{n:018X}", CHAT, MARIA, MessageType.TEXT, words)


async def test_a_session_is_linked_writes_and_is_written_to(tmp_path: Path) -> None:
    async with linked_line(tmp_path) as (fake, line):
        await fake.do("receipts", account=ACCOUNT, read=True)
        await line.ask(text(1))
        sent = await line.event(base.Sent)
        assert sent.link_id == text(1).link_id
        await line.event(base.Receipt, lambda receipt: receipt.status == MessageStatus.READ)
        await fake.do("inbound", account=ACCOUNT, sender=MARIA, text="bom dia")
        message = await line.event(base.IncomingMessage)
        assert (message.text, message.chat_id, message.contact_name) == ("bom dia", CHAT, "Maria")
        assert not message.offline
        await line.ask(MarkRead(CHAT, "", (message.link_id,)))
        await fake.do("wait", account=ACCOUNT, read=1)
        found = await line.ask(CheckContacts((MARIA, "5511900000000")))
        assert isinstance(found, Contacts)
        assert [each.exists for each in found.results] == [True, False]
        assert found.results[0].lid == message.contact_lid
        await line.ask(Probe())
        await everything_out(fake, line, message.link_id)
        await everything_in(fake, line)
        await refusals(fake, line)
        await a_cut_line(fake, line)
        await line.ask(Logout())
        assert not any(isinstance(each, base.Ended) for each in line.events)


async def everything_out(fake: FakeWhatsApp, line: Line, quoted: str) -> None:
    """Every type goes out as what it is, under its own id, once."""
    data = bytes(range(256)) * 4_000
    sha256 = hashlib.sha256(data).hexdigest()
    put = await line.put(sha256, data)
    await line.until(lambda: line.answers.get(put))
    media = {"image": "image/png", "audio": "audio/ogg; codecs=opus", "video": "video/mp4", "sticker": "image/webp"}
    contents: list[tuple[str, str | None, dict[str, Any] | None, str | None]] = [
        *((kind, None, file_content(sha256, mime_type), None) for kind, mime_type in media.items()),
        ("document", "segue", file_content(sha256, "application/pdf"), None),
        ("location", None, {"location": {"latitude": 1.5, "longitude": 2.5}}, None),
        ("contact", None, {"contact": {"name": "João", "number": "5511977770003"}}, None),
        ("text", "sim", None, quoted),
        ("reaction", None, {"reaction": {"link_id": quoted, "emoji": "👍"}}, None),
    ]
    wanted = {}
    for number, (kind, words, content, quotes) in enumerate(contents, start=100):
        outgoing = Outgoing(text(number).link_id, CHAT, MARIA, MessageType(kind), words, content, quotes)
        await line.ask(outgoing)
        wanted[outgoing.link_id] = kind
    await line.until(lambda: wanted.keys() <= {each.link_id for each in line.events if isinstance(each, base.Sent)})
    book = {each["id"]: each for each in (await fake.do("book", account=ACCOUNT))["outbound"]}
    assert {link_id: book[link_id]["content"]["type"] for link_id in wanted} == wanted
    assert {book[link_id]["stanzas"] for link_id in wanted} == {1}
    assert {book[link_id]["content"].get("sha256") for link_id in wanted} == {None, sha256}
    assert book[text(107).link_id]["content"]["quoted"] == quoted


def file_content(sha256: str, mime_type: str) -> dict[str, Any]:
    return {"media": {"sha256": sha256, "mime_type": mime_type, "file_name": "a.bin"}}


async def everything_in(fake: FakeWhatsApp, line: Line) -> None:
    """Files, edits, deletions, groups, what the owner writes on the phone, history, what cannot be opened."""
    picture = {"size_bytes": 300_000, "seed": 7, "mime_type": "image/jpeg"}
    await fake.do("inbound", account=ACCOUNT, sender=MARIA, content={"type": "image", "media": picture, "text": "ó"})
    image = await line.event(base.IncomingMessage, lambda each: each.message_type == MessageType.IMAGE)
    assert image.content is not None
    sha256 = image.content["media"]["sha256"]
    await line.until(lambda: sha256 in waiting(line))
    assert hashlib.sha256(await line.get(sha256)).hexdigest() == sha256
    await line.ask(MediaTaken(sha256))
    await fake.do("inbound", account=ACCOUNT, sender=MARIA, content={"type": "edit", "id": image.link_id, "text": "ah"})
    assert await line.event(base.Edited) == base.Edited(CHAT, image.link_id, "ah")
    await fake.do("inbound", account=ACCOUNT, sender=MARIA, content={"type": "delete", "id": image.link_id})
    assert await line.event(base.Revoked) == base.Revoked(CHAT, image.link_id)
    group = await fake.do("group", subject="Time", participants=[ACCOUNT, MARIA])
    await fake.do("inbound", account=ACCOUNT, sender=MARIA, text="no grupo", group=group["id"])
    message = await line.event(base.IncomingMessage, lambda each: each.text == "no grupo")
    assert (message.chat_id, message.participant, message.contact_number) == (group["id"], CHAT, MARIA)
    await line.ask(Outgoing(text(200).link_id, group["id"], None, MessageType.TEXT, "todos"))
    await line.event(base.Sent, lambda each: each.link_id == text(200).link_id)
    await fake.do("device", account=ACCOUNT, to=MARIA, text="do celular")
    message = await line.event(base.IncomingMessage, lambda each: each.text == "do celular")
    assert (message.origin, message.direction, message.chat_id) == (Origin.DEVICE, Direction.OUTBOUND, CHAT)
    await fake.do("inbound", account=ACCOUNT, sender=MARIA, text="por lid", addressing="lid")
    message = await line.event(base.IncomingMessage, lambda each: each.text == "por lid")
    assert message.chat_id == CHAT
    old = {"with": MARIA, "messages": [{"id": "H1", "text": "de antes", "t": 1_700_000_000}]}
    await fake.do("history", account=ACCOUNT, conversations=[old])
    message = await line.event(base.IncomingMessage, lambda each: each.text == "de antes")
    assert (message.origin, message.chat_id) == (Origin.HISTORY, CHAT)
    await fake.do("inbound", account=ACCOUNT, sender=MARIA, text="x", broken=True, heal=False, id="BROKEN")
    message = await line.event(base.IncomingMessage, lambda each: each.link_id == "BROKEN")
    assert message.message_type == MessageType.UNKNOWN


def waiting(line: Line) -> set[str]:
    return {item.sha256 for each in line.heard if isinstance(each, wire.MediaWaiting) for item in each.items}


async def refusals(fake: FakeWhatsApp, line: Line) -> None:
    await fake.do("nack", account=ACCOUNT, code=463)
    await line.ask(text(300))
    assert (await line.event(base.Failed)).kind == "restricted"
    await line.event(base.Restricted)
    nobody = "5511900000000@s.whatsapp.net"
    await line.ask(Outgoing(text(301).link_id, nobody, None, MessageType.TEXT, "oi"))
    failed = await line.event(base.Failed, lambda each: each.link_id == text(301).link_id)
    assert failed.kind == "not_on_whatsapp"


async def a_cut_line(fake: FakeWhatsApp, line: Line) -> None:
    """Short drops mend themselves, and what is sent meanwhile goes out once."""
    before = len(line.deliveries)
    await fake.do("cut", account=ACCOUNT)
    await line.ask(text(400))
    await line.until(lambda: any(isinstance(each.event, base.Ready) for each in line.deliveries[before:]))
    await line.event(base.Sent, lambda each: each.link_id == text(400).link_id)
    await fake.do("stream_error", account=ACCOUNT, code=503)
    await fake.do("inbound", account=ACCOUNT, sender=MARIA, text="depois")
    await line.event(base.IncomingMessage, lambda each: each.text == "depois")


async def test_a_session_outlives_its_processes(tmp_path: Path) -> None:
    """By SIGTERM and by kill -9: no new QR code, nothing on disk is lost, and nothing goes under another id."""
    async with network(tmp_path / "fake") as fake:
        for number, ending in enumerate((signal.SIGTERM, signal.SIGKILL, None)):
            async with gateway(tmp_path / "g", fake) as process, process.session(
                acknowledges=False, **proxy(fake)
            ) as line:  # fmt: skip
                if number == 0:
                    await linked(fake, line)
                await line.event(base.Ready)
                assert number == 0 or not any(isinstance(each, base.Qr) for each in line.events)
                await line.ask(text(number))
                await line.event(base.Sent, lambda each, number=number: each.link_id == text(number).link_id)  # type: ignore[misc]
                await fake.do("inbound", account=ACCOUNT, sender=MARIA, text=f"m{number}")
                await line.event(base.IncomingMessage, lambda each, number=number: each.text == f"m{number}")  # type: ignore[misc]
                texts = [each.text for each in line.events if isinstance(each, base.IncomingMessage)]
                assert set(texts) == {f"m{n}" for n in range(number + 1)} | away(number)
                if ending is not None:
                    process.process.send_signal(ending)
                    await process.ended()
                    # older than a second, the unit of WhatsApp's times: one of the login's own second is told as live
                    await fake.do("inbound", account=ACCOUNT, sender=MARIA, text=f"away{number}", age_s=60)
        offline = {each.text for each in line.events if isinstance(each, base.IncomingMessage) and each.offline}
        assert away(number) <= offline
        for each in (await fake.do("book", account=ACCOUNT))["outbound"]:
            assert (each["stanzas"], len(each["hashes"])) == (1, 1)


def away(number: int) -> set[str]:
    return {f"away{n}" for n in range(number)}


ENDS: dict[str, tuple[EndKind, str, dict[str, Any]]] = {
    "5511900000001": (EndKind.REPLACED, "stream_error", {"conflict": "replaced"}),
    "5511900000002": (EndKind.LOGGED_OUT, "remove_device", {}),
    "5511900000003": (EndKind.BANNED, "fail_logins", {"failure": {"reason": 402, "code": 101, "expire": 3600}}),
    "5511900000004": (EndKind.CLIENT_OUTDATED, "fail_logins", {"failure": {"reason": 405}}),
    "5511900000005": (EndKind.BAD_CREDENTIALS, "fail_logins", {"failure": {"reason": 400}}),
}


async def test_each_end_is_told_as_what_it_is_and_hurts_no_neighbour(tmp_path: Path) -> None:
    """Seven sessions in one process; one of them wants a passkey, and one is linked by code."""
    async with network(tmp_path / "fake") as fake, gateway(tmp_path / "g", fake) as process:
        async with trio.open_nursery() as nursery:
            for user, (kind, fault, params) in ENDS.items():
                nursery.start_soon(_ends, fake, process, user, kind, fault, params)
            nursery.start_soon(_wants_a_passkey, fake, process)
            nursery.start_soon(_linked_by_code, fake, process)
        assert process.process.poll() is None
        assert "gateway ready" in process.logged()


async def _ends(
    fake: FakeWhatsApp, process: GatewayProcess, user: str, kind: EndKind, fault: str, params: dict[str, Any]
) -> None:
    async with process.session(f"s{user}", **proxy(fake)) as line:
        await linked(fake, line, user)
        await fake.do(fault, account=user, **params)
        if fault == "fail_logins":
            await fake.do("cut", account=user)
        ended = await line.event(base.Ended)
        assert ended.kind == kind
        assert (ended.until_ms is not None) == (kind == EndKind.BANNED)
        await line.settled()
        assert sum(isinstance(each, base.Ended) for each in line.events) == 1
    await fake.do("fail_logins", account=user, failure=None)
    async with process.session(f"s{user}", **proxy(fake)) as line:  # a person's start, once it is mended
        await line.event(base.Qr if kind == EndKind.LOGGED_OUT else base.Ready)
        await line.close(1000)


async def _wants_a_passkey(fake: FakeWhatsApp, process: GatewayProcess) -> None:
    user = "5511900000006"
    await fake.do("passkey", user=user)
    async with process.session(f"s{user}", **proxy(fake)) as line:
        await fake.do("scan", qr=(await line.event(base.Qr)).code, user=user)
        assert (await line.event(base.Ended)).kind == EndKind.PASSKEY_REQUIRED


async def _linked_by_code(fake: FakeWhatsApp, process: GatewayProcess) -> None:
    user = "5511900000007"
    async with process.session(f"s{user}", **proxy(fake)) as line:
        await line.event(base.Qr)
        made = await line.ask(GetPairCode(f"+{user}"))
        assert isinstance(made, base.PairCode)
        await fake.do("enter_code", user=user, code=made.code)
        assert (await line.event(base.Authenticated)).identity == user
        await line.event(base.Ready)
