"""States that wait for a person: each is shown with its reason, once, and nothing is tried behind the person's back."""

import os
import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from pombal.control.client import Client
from tests.fakes.whatsapp_driver import FakeWhatsApp
from tests.web.world import ANA, World, account, events_until, last_seq, until_message, until_status

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
    """All of them side by side; while they rest, one session without a fault goes on."""
    world.home.configure(world.settings({"web": {"sessions_per_process": 10}}))
    await fake.do("person", user=ANA)
    async with world.daemon() as daemon, daemon.client() as client:
        await world.link(client, "unharmed", account(99))
        for number, case in enumerate(CASES):
            await world.link(client, case.name, account(number))
        seq = await last_seq(client)
        for number, case in enumerate(CASES):
            await _ends(client, fake, case, account(number), seq)
        ended_at = len(fake.events)
        for _ in range(20):
            await world.round_trip(client, "unharmed", account(99))
        for number, case in enumerate(CASES):
            await _was_told_once(client, case, seq)
            assert [each for each in fake.events[ended_at:] if each.get("user") == account(number)] == []
        await daemon.stop()


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


async def _was_told_once(client: Client, case: Case, seq: int) -> None:
    now = await last_seq(client)
    page = await client.events_list(after=seq, sessions=[case.name], types=["session.status"], limit=1000)
    reasons = [event["data"]["status_reason"] for event in page.results]
    assert reasons.count(case.reason) == 1, reasons
    assert len(reasons) <= 4, reasons
    assert now >= seq


async def test_a_passkey_is_asked_for(world: World, fake: FakeWhatsApp) -> None:
    user = account(1)
    await fake.do("passkey", user=user)
    async with world.daemon() as daemon, daemon.client() as client:
        await client.session_create("vendas")
        await until_status(client, "vendas", "qrcode")
        await fake.do("scan", qr=(await client.session_qr("vendas")).code, user=user)
        await until_status(client, "vendas", "error", reason="passkey_required")
        await daemon.stop()


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


async def test_a_client_that_is_outdated_is_told_so_before_it_is_linked(world: World, fake: FakeWhatsApp) -> None:
    await fake.do("linking", failure={"reason": 405})
    async with world.daemon() as daemon, daemon.client() as client:
        await client.session_create("vendas")
        await events_until(
            client, lambda event: event["data"]["status_reason"] == "client_outdated", sessions=["vendas"],
            types=["session.status"],
        )  # fmt: skip
        await daemon.stop()
