"""States that wait for a person: each is shown with its reason, once, and nothing is tried behind the person's back."""

import os
import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from pombal.control.client import Client
from tests.fakes.whatsapp_driver import FakeWhatsApp
from tests.web.world import ANA, World, account, last_seq, until_message, until_status

pytestmark = pytest.mark.system("libmagic.so.1")

# By hand, on a machine with nothing else to do (.ci/long): within so many seconds.
PROMPT_S = float(os.environ.get("POMBAL_WEB_PROMPT_S", "0"))


@dataclass(frozen=True)
class Case:
    """What happens to a linked session, and what it is to show."""

    name: str
    does: str
    params: dict[str, Any] = field(default_factory=dict)
    reason: str = "logged_out"
    cuts: bool = False


HOUR_S = 3600


def refused(name: str, shown: str, **failure: int) -> Case:
    """The server cuts the line and refuses the next login."""
    return Case(name, "fail_logins", {"failure": failure}, shown, cuts=True)


CASES = [
    Case("removed", "remove_device"),
    Case("replaced", "stream_error", {"conflict": "replaced"}, "replaced"),
    refused("refused", "logged_out", reason=401),
    refused("outdated", "client_outdated", reason=405),
    refused("banned", "banned", reason=406),
    refused("bad-keys", "bad_credentials", reason=400),
    refused("banned-a-while", "banned", reason=402, code=101, expire=HOUR_S),
]


async def test_each_end_is_shown_once_and_left_alone(world: World, fake: FakeWhatsApp) -> None:
    """All of them side by side: while nobody scans the one code of one session (20 s), the others end and rest."""
    world.home.configure(world.settings({"web": {"sessions_per_process": 20, "qr_rounds": 1}}))
    await fake.do("person", user=ANA)
    async with world.daemon() as daemon, daemon.client() as client:
        await fake.do("linking", refs=1)
        await client.session_create("nobody")
        await until_status(client, "nobody", "qrcode")
        await fake.do("linking", refs=6)
        for number, case in enumerate(CASES):
            await world.link(client, case.name, account(number))
        seq = await last_seq(client)
        for number, case in enumerate(CASES):
            await _ends(client, fake, case, account(number), seq)
        ended_at = len(fake.events)
        await _ends_before_it_is_linked(client, fake)
        await until_status(client, "nobody", "disconnected", reason="pairing_timeout")
        for number, case in enumerate(CASES):
            assert await _reasons(client, case.name, seq) in ([case.reason], [None, case.reason])
            assert [each for each in fake.events[ended_at:] if each.get("user") == account(number)] == []
        assert (await _reasons(client, "nobody", 0)).count("pairing_timeout") == 1
        await daemon.stop()


async def _ends_before_it_is_linked(client: Client, fake: FakeWhatsApp) -> None:
    """An account that wants a passkey; a client that WhatsApp no longer takes."""
    await fake.do("passkey", user=account(50))
    await client.session_create("passkey")
    await until_status(client, "passkey", "qrcode")
    await fake.do("scan", qr=(await client.session_qr("passkey")).code, user=account(50))
    await until_status(client, "passkey", "error", reason="passkey_required")
    await fake.do("linking", failure={"reason": 405})
    await client.session_create("old")
    await until_status(client, "old", "error", reason="client_outdated")
    for name, reason in (("passkey", "passkey_required"), ("old", "client_outdated")):
        assert (await _reasons(client, name, 0)).count(reason) == 1


async def _ends(client: Client, fake: FakeWhatsApp, case: Case, user: str, seq: int) -> None:
    began = time.monotonic()
    await fake.do(case.does, account=user, **case.params)
    if case.cuts:
        await fake.do("cut", account=user)
    shown = (await until_status(client, case.name, "error", after=seq, reason=case.reason))[-1]["data"]
    if PROMPT_S:
        assert time.monotonic() - began < PROMPT_S
    assert not shown["is_connected"]
    assert (shown["status_until"] is not None) == ("expire" in case.params.get("failure", {}))


async def _reasons(client: Client, name: str, seq: int) -> list[str | None]:
    """Why, at each event that told the session's status past ``seq``."""
    page = await client.events_list(after=seq, sessions=[name], types=["session.status"], limit=1000)
    return [event["data"]["status_reason"] for event in page.results]


async def test_cold_contacts_are_restricted_and_the_rest_waits(world: World, fake: FakeWhatsApp) -> None:
    """463 fails the one message with its own kind, once, and holds back the others."""
    await fake.do("person", user=ANA)
    async with world.daemon() as daemon, daemon.client() as client:
        await world.link(client, user=account(1))
        await fake.do("nack", account=account(1), code=463)
        cold = await client.message_send("vendas", ANA, text="fria")
        failed = await until_message(client, cold.message_id, "failed")
        assert failed.error is not None
        assert failed.error.kind == "restricted"
        await until_status(client, "vendas", "error", reason="restricted")
        waiting = await client.message_send("vendas", ANA, text="depois")
        assert waiting.status == "queued"
        book = (await fake.do("book", account=account(1)))["outbound"]
        assert [(entry["stanzas"], entry["refused"]) for entry in book] == [(1, [463])]
        await daemon.stop()
