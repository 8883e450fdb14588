"""The same life by the command line: every client command against a running daemon, as scripts use it."""

import json
from pathlib import Path
from typing import Any

from tests.daemon.harness import Home, ready_session

ANA, BIA = "5511987654321", "5521998765432"


async def test_a_session_by_the_command_line(home: Home) -> None:
    async def run(*words: str) -> Any:
        return (await home.command(*words, "--json")).json

    async with home.daemon() as daemon:
        created = await run("session", "create", "vendas", "--setting", "auto_scan_ms=60000")
        assert (created["name"], created["link"]) == ("vendas", "simulator")
        assert (await run("session", "qr", "vendas"))["code"].startswith("2@")
        refusal = await home.command("send", "vendas", ANA, "oi", "--json")
        assert (refusal.code, refusal.out) == (1, "")
        assert "scan" in refusal.err
        async with daemon.client() as client:
            await client.simulator_scan("vendas")
        sent = await run("send", "vendas", ANA, "Olá!", "--id", "t1", "--wait", "read", "--timeout", "30")
        assert (sent["message_id"], sent["status"]) == ("t1", "read")
        assert (await run("message", "show", "vendas", "t1"))["latency_to_read_ms"] == sent["latency_to_read_ms"]
        assert (await run("session", "show", "vendas"))["total_messages_sent"] == 1
        assert [each["name"] for each in (await run("session", "list"))["results"]] == ["vendas"]
        stats = await run("latency", "--session", "vendas", "--since", "1h")
        assert stats["measured_messages"] == 1
        assert stats["percentiles"]["to_delivered"]["max"] == sent["latency_to_delivered_ms"]
        metrics = await run("session", "metrics", "vendas")
        assert metrics["latency"]["percentiles"] == stats["percentiles"]
        assert (await run("contact", "check", "vendas", ANA, "5511900000000"))["results"][0]["exists"]
        assert (await run("session", "update", "vendas", "--owner", "dx"))["owner"] == "dx"
        assert (await run("session", "stop", "vendas"))["status_reason"] == "stopped"
        assert (await run("session", "start", "vendas"))["status"] == "connecting"
        await run("session", "restart", "vendas")
        assert (await run("session", "delete", "vendas", "--yes"))["deleted"] is True
        kinds = [event["type"] for event in (await run("events", "--after", "0", "--limit", "500"))["results"]]
        assert kinds[0] == "session.created"
        assert kinds[-1] == "session.deleted"
        await daemon.stop()


async def test_history_and_its_remedies_by_the_command_line(home: Home, tmp_path: Path) -> None:
    async def run(*words: str) -> Any:
        return (await home.command(*words, "--json")).json

    picture = tmp_path / "foto.png"
    picture.write_bytes(b"\x89PNG" + bytes(700_000))
    async with home.daemon() as daemon, daemon.client() as client:
        await ready_session(client)
        image = await run("send", "vendas", ANA, "a foto", "--file", str(picture), "--wait", "delivered")
        assert (image["message_type"], image["media"]["size_bytes"]) == ("image", 700_004)
        back = tmp_path / "back.png"
        assert (await run("message", "media", str(image["id"]), "-o", str(back)))["id"] == image["id"]
        assert back.read_bytes() == picture.read_bytes()
        await client.simulator_inject("vendas", BIA, text="açaí")
        (found,) = (await run("message", "search", "acai"))["results"]
        assert (await run("message", "mark-read", "vendas", found["message_id"])) == {"marked": 1}
        assert len((await run("message", "list", "--direction", "outbound"))["results"]) == 1
        assert len((await run("message", "high-latency", "--threshold-ms", "0"))["results"]) == 2
        await client.session_stop("vendas")
        await daemon.stop()


async def backed_up(home: Home) -> Path:
    """A backup, below a directory that has no other."""
    made = await home.command("db", "backup", str(home.root / "backups"), "--config", str(home.config))
    assert made.code == 0, made.err
    (backup,) = (home.root / "backups").glob("pombal-*")
    return backup


async def test_the_daemon_by_the_command_line(home: Home) -> None:
    async with home.daemon() as daemon, daemon.client() as client:
        await ready_session(client)
        status = (await home.command("status", "--json")).json
        assert (status["pid"], status["sessions"]["ready"]) == (daemon.pid, 1)
        actors = {actor["name"]: actor for actor in (await home.command("ps", "--json")).json["results"]}
        assert {"recorder", "control", "http", "housekeeping", "vendas"} <= set(actors)
        assert actors["vendas"]["state"] == "running"
        followed = await home.command("events", "--after", "0", "--json")
        assert json.loads(followed.out.splitlines()[0])
        checked = await home.command("db", "check", "--config", str(home.config), "--json")
        assert checked.json["problems"] == []
        backup = await backed_up(home)
        in_use = await home.command("db", "restore", str(backup), "--yes", "--config", str(home.config))
        assert in_use.code == 1
        assert f"pid {daemon.pid}" in in_use.err
        await daemon.stop()
    nobody = await home.command("status")
    assert nobody.code == 3
    assert "pombal serve" in nobody.err


async def test_a_backup_brings_everything_back_under_a_new_log(home: Home) -> None:
    async with home.daemon() as daemon, daemon.client() as client:
        await ready_session(client)
        await client.message_send("vendas", ANA, text="kept", message_id="kept")
        before = await client.daemon_status()
        backup = await backed_up(home)
        await client.message_send("vendas", ANA, text="lost", message_id="lost")
        await daemon.stop()
    assert (await home.command("db", "restore", str(backup), "--yes", "--config", str(home.config))).code == 0
    async with home.daemon() as daemon, daemon.client() as client:
        assert [message.message_id for message in (await client.message_list()).results] == ["kept"]
        assert (await client.daemon_status()).log_id != before.log_id
        async with client.events(after=before.last_event_seq, log_id=before.log_id) as events:
            assert (await anext(events))["type"] == "gap", "a reader of the old log is told"
        await daemon.stop()
