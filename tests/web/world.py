"""Pombal with its real gateway on one side, the fake WhatsApp network on the other: what both say of each other."""

import os
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from pombal.control.client import Client
from pombal.model.message import Message
from tests.daemon.harness import Home, Running, Settings, merged
from tests.fakes.whatsapp_driver import FakeWhatsApp

# Generous, for a machine that does much else; nothing here is measured by it.
WAIT_S = 120.0
POLL_S = 0.05
LAST_WORDS_CHARACTERS, LAST_EVENTS = 10_000, 20
ME, ANA, BIA = "5511999990001", "5511988880002", "5521977770003"
Event = dict[str, Any]


def account(number: int) -> str:
    return f"55119999{number:05}"


class World:
    def __init__(self, root: Path, fake: FakeWhatsApp, settings: Settings) -> None:
        self.fake = fake
        python, *launcher = fake.gateway_command
        # Warnings of libraries inside the gateway are none of ours; those of Pombal are errors (see environment()).
        self._base: Settings = {
            "web": {"gateway_command": [python, "-W", "default", *launcher], "proxy": fake.listening["proxy"]},
            "outbox": {"messages_per_second": 1000.0, "burst": 100},
            "sessions": {"default_link": "web"},
            "simulator": {"enabled": False},
        }
        self.home = Home(root, self.settings(settings))

    def settings(self, more: Settings) -> Settings:
        """The tests' own for WhatsApp Web, and these."""
        return merged(self._base, more)

    @asynccontextmanager
    async def daemon(self) -> AsyncIterator[Running]:
        """A life of the daemon; its last words, and the fake's, are shown where the test fails in it."""
        async with self.home.daemon(env={"SSL_CERT_FILE": self.fake.listening["ca_file"]}) as running:
            try:
                yield running
            except Exception:
                print(running.output[-LAST_WORDS_CHARACTERS:])
                print(await self.fake.do("status"), *self.fake.events[-LAST_EVENTS:], sep="\n")
                raise

    async def link(self, client: Client, name: str = "vendas", user: str = ME, **params: Any) -> None:
        """A session from nothing to ready: its QR code is scanned by this number's phone."""
        await client.session_create(name, **params)
        await self.scan(client, name, user)

    async def scan(self, client: Client, name: str, user: str, *, after: int = 0) -> None:
        await until_status(client, name, "qrcode", after=after)
        await self.fake.do("scan", qr=(await client.session_qr(name)).code, user=user)
        await until_status(client, name, "ready", after=after)

    async def round_trip(self, client: Client, name: str = "vendas", user: str = ME) -> None:
        """A message each way arrives."""
        sent = await client.message_send(name, ANA, text=f"ida {random.random()}")
        got = (await self.fake.do("inbound", account=user, sender=ANA, text="volta"))["ids"][0]
        await until_message(client, sent.message_id, "delivered", session=name)
        await until_received(client, {got}, session=name)


@dataclass(frozen=True)
class Gateway:
    """A gateway process, seen from outside."""

    pid: int

    def signal(self, number: signal.Signals) -> None:
        """One that has ended meanwhile hears nothing."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    @property
    def is_there(self) -> bool:
        return Path(f"/proc/{self.pid}").exists()


def gateways(daemon: Running) -> list[Gateway]:
    """The gateway processes of this daemon, the oldest first."""
    children = [
        int(pid)
        for task in Path(f"/proc/{daemon.pid}/task").glob("*/children")
        for pid in task.read_text().split()
        if b"launcher.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    return [Gateway(pid) for pid in sorted(children)]


async def until_true(condition: Callable[[], Awaitable[bool]]) -> None:
    """What two other processes know between them has no event of its own to wait for."""
    with trio.fail_after(WAIT_S):
        while not await condition():  # noqa: ASYNC110
            await trio.sleep(POLL_S)


async def last_seq(client: Client) -> int:
    return (await client.daemon_status()).last_event_seq


async def events_until(client: Client, last: Callable[[Event], bool], *, after: int = 0, **filters: Any) -> list[Event]:
    """All events past ``after`` up to the last one; waits for it."""
    seen = []
    with trio.fail_after(WAIT_S):
        async with client.events(after=after, **filters) as events:
            async for event in events:
                seen.append(event)
                if last(event):
                    return seen
    raise AssertionError("the stream ended")


async def until_status(
    client: Client, name: str, status: str, *, after: int = 0, reason: str | None = None
) -> list[Event]:
    """The session's statuses past ``after``, up to this one."""

    def is_it(event: Event) -> bool:
        data = event["data"]
        return bool(data["status"] == status and (reason is None or data["status_reason"] == reason))

    return await events_until(client, is_it, after=after, sessions=[name], types=["session.status"])


async def until_message(
    client: Client, message_id: str, status: str, *, session: str = "vendas", after: int = 0
) -> Message:
    """The message, once it has that status."""
    await events_until(
        client, lambda event: event["data"]["message_id"] == message_id and event["data"]["status"] == status,
        after=after, sessions=[session], types=["message.status"],
    )  # fmt: skip
    return await client.message_get(session, message_id)


async def until_all(
    client: Client, message_ids: set[str], status: str, *, session: str = "vendas", after: int = 0
) -> None:
    missing = set(message_ids)

    def last(event: Event) -> bool:
        if event["data"]["status"] == status:
            missing.discard(event["data"]["message_id"])
        return not missing

    if missing:
        await events_until(client, last, after=after, sessions=[session], types=["message.status"])


async def until_received(client: Client, link_ids: set[str], *, session: str = "vendas") -> list[Event]:
    """The events of these inbound messages."""
    missing = set(link_ids)

    def last(event: Event) -> bool:
        missing.discard(event["data"]["link_id"])
        return not missing

    seen = await events_until(client, last, sessions=[session], types=["message.received"])
    return [event for event in seen if event["data"]["link_id"] in link_ids]


async def received(client: Client, link_id: str, *, session: str = "vendas") -> Message:
    """The recorded message with this id of WhatsApp's; waits for it."""
    event = (await until_received(client, {link_id}, session=session))[-1]
    return await client.message_get(id=event["data"]["id"])
