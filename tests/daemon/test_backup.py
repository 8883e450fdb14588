"""A backup of a busy daemon, a disaster, and the life after it: nothing is sent twice."""

from collections.abc import Callable
from pathlib import Path

import trio

from pombal.control.client import Client
from tests.daemon.books import check_database, messages_in, rows
from tests.daemon.harness import Home, Settings, ready_session, until_all, until_status

ANA = "5511987654321"
# A connection that is lost stays lost until somebody opens it.
BUSY: Settings = {
    "simulator": {"durable": True, "inbound_rate": 30.0, "sent_ms": 1},
    "link": {"reconnect_min_s": 3600.0, "reconnect_max_s": 3600.0},
}
HELD = {f"held-{number}" for number in range(20)}


async def test_a_backup_under_load_is_restored_and_nothing_is_sent_twice(
    home_with: Callable[[Settings], Home],
) -> None:
    home = home_with(BUSY)
    async with home.daemon() as daemon, daemon.client() as client:
        await ready_session(client)
        await ready_session(client, "suporte")
        await queue_some(client)
        backup = await back_up_beside_sends(home, client)
        seq = (await client.daemon_status()).last_event_seq
        await client.session_restart("vendas")
        await until_all(client, "vendas", HELD, "sent", after=seq)
        await daemon.stop()
    said = (await home.command("db", "restore", str(backup), "--yes", "--json", "--config", str(home.config))).json
    assert said["held"] >= len(HELD)
    assert (said["missing"], said["files"]) == (0, 1)
    await be_whole(home)
    async with home.daemon() as daemon, daemon.client() as client:
        assert (await client.daemon_status()).log_id == said["log_id"]
        await until_status(client, "vendas", "ready", after=seq_of(home))
        await client.message_send("vendas", ANA, text="new", message_id="new")
        await until_all(client, "vendas", {"new"}, "read", after=0)
        await daemon.stop()
    times = {row["link_id"]: row["times_sent"] for row in rows(home.simulator_db, "SELECT * FROM received_sends")}
    held = [row for row in messages_in(home.database) if row["message_id"] in HELD]
    assert len(held) == len(HELD)
    assert {times[row["link_id"]] for row in held} == {1}
    # Whatever receipt came again has settled them; what none came for waits for a person.
    assert {row["status"] for row in held} <= {"uncertain", "sent", "delivered", "read"}
    await be_whole(home)


async def queue_some(client: Client) -> None:
    """Sends that wait for a session without a connection."""
    await client.simulator_fault("vendas", "disconnect")
    await until_status(client, "vendas", "disconnected")
    picture = await client.put_media(b"a picture")
    await client.message_send("suporte", ANA, type="image", media={"sha256": picture.sha256, "mime_type": "image/png"})
    for name in HELD:
        assert (await client.message_send("vendas", ANA, text=name, message_id=name)).status == "queued"


async def back_up_beside_sends(home: Home, client: Client) -> Path:
    """While one session sends as fast as it can, and people write to both."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(send_on, client)
        made = await home.command("db", "backup", str(home.root / "backups"), "--config", str(home.config), "--json")
        nursery.cancel_scope.cancel()
    assert made.json["missing_files"] == 0
    return Path(made.json["backup"])


async def send_on(client: Client) -> None:
    number = 0
    while True:
        number += 1
        await client.message_send("suporte", ANA, text=f"number {number}")


async def be_whole(home: Home) -> None:
    check_database(home.database)
    checked = await home.command("db", "check", "--deep", "--config", str(home.config))
    assert checked.code == 0, checked.err


def seq_of(home: Home) -> int:
    """The last event before this life: those of a session that was ready in the backup are older."""
    (found,) = rows(home.database, "SELECT max(seq) AS seq FROM events WHERE type = 'session.gap'")
    return int(found["seq"])
