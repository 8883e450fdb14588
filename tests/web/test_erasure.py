"""A contact erased from a session on WhatsApp Web: its keys' database and its spool are cleaned, and it goes on."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import trio

from tests.daemon.test_erasure import traces
from tests.fakes.whatsapp_driver import FakeWhatsApp
from tests.web.world import (
    ANA,
    BIA,
    ME,
    WAIT_S,
    Event,
    World,
    events_until,
    last_seq,
    received,
    until_message,
    until_status,
)

pytestmark = pytest.mark.system("libmagic.so.1")

SECRETS = ("alvejada segredissima", "Resposta confidencialíssima")


def lid_of(state: Path, number: str) -> str | None:
    """The digits of the LID that WhatsApp's client keeps for a number."""
    (path,) = (state / "web").glob("*/keys.db")
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as keys:
        row = keys.execute("SELECT lid FROM whatsmeow_lid_map WHERE pn = ?", [number]).fetchone()
    return None if row is None else str(row[0])


def is_message(link_id: str) -> Callable[[Event], bool]:
    return lambda event: bool(event["data"]["link_id"] == link_id)


async def test_nothing_is_left_and_the_session_goes_on(world: World, fake: FakeWhatsApp) -> None:
    for person in (ANA, BIA):
        await fake.do("person", user=person)
    async with world.daemon() as daemon, daemon.client() as client:
        await world.link(client)
        for number, text in ((ANA, SECRETS[0]), (BIA, "bom dia")):
            got = (await fake.do("inbound", account=ME, sender=number, text=text))["ids"][0]
            await received(client, got)
            sent = await client.message_send("vendas", number, text=SECRETS[1] if number == ANA else "boa tarde")
            await until_message(client, sent.message_id, "delivered")
        lid = lid_of(world.home.state, ANA)
        known = [ANA, *([] if lid is None else [lid]), *SECRETS]
        assert {text for name, text in traces(world.home.state, *known) if name.startswith("web/")}
        seq = await last_seq(client)
        with trio.fail_after(WAIT_S):
            done = await client.contact_erase(ANA)
        assert (done.state, done.not_reached) == ("done", [])
        assert done.removed["web"] > 0
        await until_status(client, "vendas", "ready", after=seq)
        assert traces(world.home.state, *known) == []
        seq = await last_seq(client)
        sent = await client.message_send("vendas", ANA, text="de novo")
        await until_message(client, sent.message_id, "delivered", after=seq)
        for number in (BIA, ANA):
            got = (await fake.do("inbound", account=ME, sender=number, text="ainda aqui"))["ids"][0]
            await events_until(client, is_message(got), after=seq, types=["message.received"])
        await daemon.stop()
