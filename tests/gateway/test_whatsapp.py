"""The gateway, whole, with WhatsApp's real client, against the fake network: what only the two together can show."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pombal.link import base
from pombal.link.base import Outgoing
from pombal.model.message import MessageStatus, MessageType
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


async def linked(fake: FakeWhatsApp, line: Line) -> None:
    qr = await line.event(base.Qr)
    await fake.do("scan", qr=qr.code, user=ACCOUNT)
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
