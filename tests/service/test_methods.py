"""Every method, asked well and badly; what it answers with is what the catalog says."""

from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pombal.model.errors import Kind, PombalError
from pombal.model.params import NoParams
from pombal.model.removal_changes import PruneEvents
from pombal.service.catalog import METHODS
from tests.fakes.rooms import ADMIN, World, outcome, running
from tests.service.world import READER, ask, injected, ready, simulated

TRANSPORTS_OWN = {"message.send", "events.subscribe", "events.unsubscribe"}


async def test_catalog_and_handlers_agree(autojump_clock: MockClock, world: World) -> None:
    assert set(world.service.handlers) == set(METHODS) - TRANSPORTS_OWN
    assert all(name == method.name for name, method in METHODS.items())
    assert all(method.summary.endswith(".") for method in METHODS.values())


@pytest.mark.parametrize("method", [*sorted(TRANSPORTS_OWN), "unknown"])
async def test_what_is_the_transports_own_cannot_be_called(
    autojump_clock: MockClock, world: World, method: str
) -> None:
    with pytest.raises(PombalError) as refused:
        await world.service.call(method, NoParams(), ADMIN)
    assert refused.value.kind == Kind.UNSUPPORTED


BAD: list[tuple[str, dict[str, Any], Kind]] = [
    ("session.create", {}, Kind.INVALID),
    ("session.create", {"name": ".."}, Kind.INVALID),
    ("session.create", {"name": "start"}, Kind.INVALID),
    ("session.create", {"name": "a" * 65}, Kind.INVALID),
    ("session.create", {"name": "Ana"}, Kind.INVALID),
    ("session.create", {"name": "a\0b"}, Kind.INVALID),
    ("session.create", {"name": "ana"}, Kind.ALREADY_EXISTS),
    ("session.create", {"name": "new", "link": "web"}, Kind.UNSUPPORTED),
    ("session.create", {"name": "new", "link": "carrier-pigeon"}, Kind.INVALID),
    ("session.create", {"name": "new", "settings": {"seeds": 1}}, Kind.INVALID),
    ("session.create", {"name": "new", "settings": {"seed": "one"}}, Kind.INVALID),
    ("session.create", {"name": "new", "phone_number": "12"}, Kind.INVALID),
    ("session.update", {"name": "ana"}, Kind.INVALID),
    ("session.update", {"name": "ana", "settings": {"burst": -1}}, Kind.INVALID),
    ("session.update", {"name": "nobody", "owner": "x"}, Kind.NOT_FOUND),
    ("session.get", {"name": "nobody"}, Kind.NOT_FOUND),
    ("session.start", {"name": "nobody"}, Kind.NOT_FOUND),
    ("session.stop", {"name": "nobody"}, Kind.NOT_FOUND),
    ("session.restart", {"name": "nobody"}, Kind.NOT_FOUND),
    ("session.logout", {"name": "nobody"}, Kind.NOT_FOUND),
    ("session.delete", {"name": "nobody"}, Kind.NOT_FOUND),
    ("session.metrics", {"name": "nobody"}, Kind.NOT_FOUND),
    ("session.qr", {"name": "nobody"}, Kind.NOT_FOUND),
    ("session.qr", {"name": "ana"}, Kind.NOT_READY),
    ("session.pair_code", {"name": "ana", "phone_number": "5511999999999"}, Kind.NOT_READY),
    ("session.pair_code", {"name": "ana", "phone_number": "letters"}, Kind.INVALID),
    ("session.list", {"cursor": "x"}, Kind.INVALID),
    ("session.list", {"limit": 0}, Kind.INVALID),
    ("session.list", {"status": "asleep"}, Kind.INVALID),
    ("message.get", {}, Kind.INVALID),
    ("message.get", {"id": 1, "session": "ana", "message_id": "m"}, Kind.INVALID),
    ("message.get", {"id": 99}, Kind.NOT_FOUND),
    ("message.get", {"id": 2**63}, Kind.INVALID),
    ("message.get", {"session": "nobody", "message_id": "m"}, Kind.NOT_FOUND),
    ("message.get", {"session": "ana", "message_id": "m"}, Kind.NOT_FOUND),
    ("message.list", {"session": "nobody"}, Kind.NOT_FOUND),
    ("message.list", {"since": "yesterday"}, Kind.INVALID),
    ("message.list", {"contact_number": "letters"}, Kind.INVALID),
    ("message.list", {"cursor": "9" * 400}, Kind.INVALID),
    ("message.list", {"limit": 501}, Kind.INVALID),
    ("message.high_latency", {"threshold_ms": -1}, Kind.INVALID),
    ("message.mark_read", {"session": "ana", "message_ids": []}, Kind.INVALID),
    ("message.mark_read", {"session": "ana", "message_ids": ["unknown"]}, Kind.NOT_FOUND),
    ("message.cancel", {"session": "ana", "message_id": "unknown"}, Kind.NOT_FOUND),
    ("message.resend", {"session": "ana", "message_id": "unknown"}, Kind.NOT_FOUND),
    ("contact.check", {"session": "ana", "numbers": ["letters"]}, Kind.INVALID),
    ("contact.check", {"session": "nobody", "numbers": ["5511999999999"]}, Kind.NOT_FOUND),
    ("latency.stats", {"session": "nobody"}, Kind.NOT_FOUND),
    ("latency.stats", {"since": "soon"}, Kind.INVALID),
    ("events.list", {"after": -1}, Kind.INVALID),
    ("events.list", {"types": ["rain"]}, Kind.INVALID),
    ("daemon.actors", {"cursor": "x"}, Kind.INVALID),
    ("daemon.status", {"verbose": True}, Kind.INVALID),
    ("simulator.scan", {"name": "nobody"}, Kind.NOT_FOUND),
    ("simulator.scan", {"name": "ana"}, Kind.NOT_READY),
    ("simulator.inject", {"name": "ana", "from": "letters"}, Kind.INVALID),
    ("simulator.inject", {"name": "ana", "from": "5511922220000", "count": 0}, Kind.INVALID),
    ("simulator.fault", {"name": "ana", "kind": "earthquake"}, Kind.INVALID),
]


async def test_bad_params_are_refused_by_their_kind_and_change_nothing(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    told = len(world.events())
    for method, raw, kind in BAD:
        with pytest.raises(PombalError) as refused:
            await ask(world, method, ADMIN, **raw)
        assert refused.value.kind == kind, (method, raw, refused.value.message)
        assert 0 < len(refused.value.message) < 1000
    assert len(world.events()) == told


# The daemon


async def test_status(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    await ask(world, "session.create", name="bia", start=False)
    await trio.sleep(10)
    status = await ask(world, "daemon.status")
    assert status["sessions"]["ready"] == 1
    assert status["sessions"]["disconnected"] == 1
    assert set(status["sessions"]) == {"disconnected", "connecting", "qrcode", "authenticated", "ready", "error"}
    assert status["uptime_seconds"] >= 10
    assert status["store"]["size_bytes"] > 0
    assert status["last_event_seq"] == world.hub.last_seq
    assert status["log_id"] == world.hub.log_id


async def test_actors_page_by_page(autojump_clock: MockClock, world: World) -> None:
    for number in range(5):
        await ready(world, f"s{number}")
    names, cursor = list[str](), None
    while True:
        page = await ask(world, "daemon.actors", kind="session", limit=2, **({"cursor": cursor} if cursor else {}))
        names += [actor["name"] for actor in page["results"]]
        assert all(actor["state"] == "running" for actor in page["results"])
        if (cursor := page["next"]) is None:
            break
    assert names == [f"s{number}" for number in range(5)]


async def test_actors_show_a_crash(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    await ask(world, "simulator.fault", name="ana", kind="crash")
    await world.until("ana", "disconnected", "link_lost")
    await world.until("ana", "ready")
    (actor,) = (await ask(world, "daemon.actors", kind="session"))["results"]
    assert actor["restarts"] == 1
    assert "told to crash" in actor["last_crash"]
    assert (await ask(world, "daemon.actors", crashed=True))["results"] == [actor]


async def test_reload(autojump_clock: MockClock, world: World) -> None:
    assert await ask(world, "daemon.reload") == {"changed": [], "needs_restart": []}


# Sessions


async def test_a_session_by_name_and_by_id(autojump_clock: MockClock, world: World) -> None:
    session_id = await ready(world)
    by_name, by_id = await ask(world, "session.get", name="ana"), await ask(world, "session.get", name=session_id)
    assert by_name == by_id
    assert (by_name["status"], by_name["is_connected"], by_name["link_alive"]) == ("ready", True, True)
    assert by_name["last_frame_at"] is not None
    assert by_name["connected_at"].endswith("Z")


async def test_sessions_are_listed_filtered_and_paged(autojump_clock: MockClock, world: World) -> None:
    await ready(world, "ana")
    await ask(world, "session.create", name="bia", start=False, owner="loja", device_name="Balcão")
    await ready(world, "caio")

    async def names(**raw: Any) -> list[str]:
        return [session["name"] for session in (await ask(world, "session.list", **raw))["results"]]

    assert await names() == ["ana", "bia", "caio"]
    assert await names(status="ready") == ["ana", "caio"]
    assert await names(is_active=False) == ["bia"]
    assert await names(owner="loja") == ["bia"]
    assert await names(link="web") == []
    assert await names(search="CAI") == ["caio"]
    first = await ask(world, "session.list", limit=2)
    assert await names(limit=2, cursor=first["next"]) == ["caio"]
    assert first["last_seq"] == world.hub.last_seq


async def test_list_then_subscribe_misses_nothing(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    page = await ask(world, "message.list")
    injected_ids = await injected(world, "oi")
    async with world.service.subscribe(
        after=page["last_seq"], sessions=None, types=None, log_id=world.hub.log_id, transport="test", caller=ADMIN
    ) as subscription:
        (event,) = await subscription.next_batch()
    assert event.object()["data"]["message_id"] == injected_ids[0]


async def test_an_update_changes_what_is_given(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    shown = await ask(world, "session.update", name="ana", owner="loja", device_name="Balcão")
    assert (shown["owner"], shown["device_name"], shown["status"]) == ("loja", "Balcão", "ready")
    shown = await ask(world, "session.update", name="ana", device_name=None)
    assert (shown["owner"], shown["device_name"]) == ("loja", None)
    assert world.events("session.updated")[-1]["fields"] == ["device_name"]


async def test_the_qr_code_is_waited_for_and_rotates(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with simulated(tmp_path, auto_scan_ms=None, qr_lifetime_ms=20_000.0, qr_rounds=3) as world:
        await ask(world, "session.create", name="ana")
        first = await ask(world, "session.qr", name="ana")
        assert trio.current_time() < 1
        await trio.sleep(21)
        second = await ask(world, "session.qr", name="ana")
        assert second["code"] != first["code"]
        assert second["expires_at"] > first["expires_at"]
        await world.until("ana", "disconnected", "pairing_timeout")
        with pytest.raises(PombalError) as refused:
            await ask(world, "session.qr", name="ana")
        assert "start it and scan" in refused.value.message


async def test_a_qr_code_that_has_expired_is_not_shown(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with simulated(tmp_path, auto_scan_ms=None) as world:
        await ask(world, "session.create", name="ana")
        await ask(world, "session.qr", name="ana")
        world.clock.turned_ms += 60_000  # the link has not told the next one
        assert await outcome(ask(world, "session.qr", name="ana")) == Kind.NOT_READY


async def test_pairing_with_a_code(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with simulated(tmp_path, auto_scan_ms=None) as world:
        await ask(world, "session.create", name="ana")
        code = await ask(world, "session.pair_code", name="ana", phone_number="+55 11 98888-7777")
        assert len(code["code"]) == 9
        await world.until_true(lambda: len(world.events("session.pair_code")) == 1)
        assert await ask(world, "simulator.scan", name="ana") == {"scanned": True}
        await world.until("ana", "ready")
        assert world.row().phone_number == "5511988887777"


async def test_metrics_of_a_session(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    await injected(world, count=3)
    await world.send(message_id="m1")
    await world.until_status("m1", "delivered")
    await ask(world, "simulator.fault", name="ana", kind="nack")
    await world.send(message_id="m2")
    await world.until_status("m2", "failed")
    metrics = await ask(world, "session.metrics", name="ana")
    assert metrics["total_messages_received"] == 3
    assert metrics["total_messages_sent"] + metrics["total_messages_failed"] == 2
    assert metrics["error_rate"] == 0.5
    assert metrics["outbox_depth"] == 0
    assert metrics["latency"]["total_messages"] == 5


async def test_deletion(autojump_clock: MockClock, world: World) -> None:
    session_id = await ready(world)
    await injected(world, count=2)
    assert await ask(world, "session.delete", name="ana", purge=True) == {"deleted": True, "messages_deleted": 2}
    assert (await ask(world, "session.get", name=session_id))["status"] == "disconnected"
    assert (await ask(world, "session.list"))["results"] == []
    assert await outcome(ask(world, "simulator.inject", name="ana", **{"from": "5511922220000"})) == Kind.NOT_FOUND


@pytest.mark.parametrize("command", ["stop", "delete"])
async def test_a_simulated_link_that_hangs_does_not_hang_what_closes_it(
    autojump_clock: MockClock, world: World, command: str
) -> None:
    await ready(world)
    await ask(world, "simulator.fault", name="ana", kind="hang")
    await world.send(message_id="m1")
    await wait_all_tasks_blocked()
    began = trio.current_time()
    await ask(world, f"session.{command}", name="ana")
    assert trio.current_time() - began <= 5


# Messages


async def test_messages_are_found_and_paged(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    await injected(world, "Olá, João", count=3)
    await world.send("tchau", message_id="m1")
    await world.until_status("m1", "read")

    async def found(**raw: Any) -> list[str]:
        return [message["text_content"] for message in (await ask(world, "message.list", **raw))["results"]]

    assert await found() == ["tchau"] + ["Olá, João"] * 3
    assert await found(order="asc") == ["Olá, João"] * 3 + ["tchau"]
    assert await found(search="joao ola") == ["Olá, João"] * 3
    assert await found(direction="outbound", status="read") == ["tchau"]
    assert await found(contact_number="+55 (11) 98765-4321") == ["tchau"]
    assert await found(since="1h", until="0s") == ["tchau"] + ["Olá, João"] * 3
    assert await found(session="ana", message_type="image") == []
    page = await ask(world, "message.list", limit=3)
    assert await found(limit=3, cursor=page["next"]) == ["Olá, João"]
    by_id = await ask(world, "message.get", id=page["results"][0]["id"])
    assert by_id == await ask(world, "message.get", session="ana", message_id="m1")


async def test_high_latency(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with simulated(tmp_path, sent_ms=100.0, delivered_ms=6000.0) as world:
        await ready(world)
        await world.send(message_id="m1")
        await world.until_status("m1", "delivered")
        (slow,) = (await ask(world, "message.high_latency"))["results"]
        assert (slow["message_id"], slow["is_latency_acceptable"]) == ("m1", False)
        assert slow["total_latency_ms"] >= 6000
        assert (await ask(world, "message.high_latency", threshold_ms=7000))["results"] == []
        stats = await ask(world, "latency.stats", session="ana", direction="outbound")
        assert stats["high_latency_count"] == 1
        assert stats["acceptable_rate"] == 0.0
        assert stats["average_latency_to_sent_ms"] == pytest.approx(100, abs=5)
        assert stats["percentiles"]["to_delivered"]["max"] == slow["latency_to_delivered_ms"]


async def test_latency_of_nothing(autojump_clock: MockClock, world: World) -> None:
    stats = await ask(world, "latency.stats", since="1h")
    assert (stats["total_messages"], stats["acceptable_rate"], stats["acceptable_ms"]) == (0, None, 5000)
    assert stats["percentiles"]["inbound"] == {"p50": None, "p95": None, "p99": None, "max": None}


async def test_mark_read_once(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    ids = await injected(world, count=3)
    assert await ask(world, "message.mark_read", session="ana", message_ids=[ids[0], ids[1], ids[0]]) == {"marked": 2}
    assert await ask(world, "message.mark_read", session="ana", message_ids=ids) == {"marked": 1}
    assert await outcome(ask(world, "message.mark_read", session="ana", message_ids=[ids[0], "no"])) == Kind.NOT_FOUND
    assert (await ask(world, "message.get", session="ana", message_id=ids[0]))["status"] == "read"


async def test_marking_read_does_not_wait_for_the_link(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    ids = await injected(world, count=1)
    await ask(world, "simulator.fault", name="ana", kind="hang")
    began = trio.current_time()
    await ask(world, "message.mark_read", session="ana", message_ids=ids)
    await ask(world, "session.stop", name="ana")
    assert trio.current_time() == began


async def test_contacts(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    answer = await ask(world, "contact.check", session="ana", numbers=["11 12345", "+55 11 8765-4321", "5511900000000"])
    known = answer["results"]
    assert [contact["number"] for contact in known] == ["1112345", "5511987654321", "5511900000000"]
    assert known[1]["exists"] is True
    assert known[1]["canonical_id"] == "5511987654321@s.whatsapp.net"
    assert known[2]["exists"] is False
    await ask(world, "session.stop", name="ana")
    assert await outcome(ask(world, "contact.check", session="ana", numbers=["5511999999999"])) == Kind.NOT_READY


# Events


async def test_events_are_listed(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    await injected(world, count=5)
    newest = await ask(world, "events.list", limit=3)
    assert [event["seq"] for event in newest["results"]] == list(range(newest["last_seq"] - 2, newest["last_seq"] + 1))
    oldest = await ask(world, "events.list", after=0, limit=2)
    assert [event["seq"] for event in oldest["results"]] == [1, 2]
    received = await ask(world, "events.list", after=0, types=["message.received"], sessions=["ana"])
    assert len(received["results"]) == 5
    assert (await ask(world, "events.list", sessions=["nobody"]))["results"] == []
    everything = await ask(world, "events.list", after=0, limit=1, count=True)
    assert everything["count"] == newest["last_seq"]


async def test_events_that_retention_took_leave_a_gap(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    now = world.clock()
    gone = await world.recorder.commit(PruneEvents(at=now, before_ms=now.wall_ms + 1, limit=3))
    assert gone == 3
    page = await ask(world, "events.list", after=1, limit=2)
    assert page["results"][0] == {"seq": 3, "type": "gap", "data": {"from": 2, "to": 3}}
    assert [event["seq"] for event in page["results"]] == [3, 4]
    for whole in (0, 3):  # from the oldest that is kept, and from the end of the gap, nothing is missing
        assert (await ask(world, "events.list", after=whole))["results"][0]["seq"] == 4


async def test_a_reader_sees_no_code(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with simulated(tmp_path, auto_scan_ms=None) as world:
        await ask(world, "session.create", name="ana")
        await ask(world, "session.qr", name="ana")
        await world.until("ana", "qrcode")
        (shown,) = (await ask(world, "events.list", ADMIN, types=["session.qr"]))["results"]
        (hidden,) = (await ask(world, "events.list", READER, types=["session.qr"]))["results"]
        assert shown["data"]["code"] is not None
        assert hidden["data"]["code"] is None


# The simulator


FAULTS = {
    "logged_out": ("error", "logged_out"),
    "replaced": ("error", "replaced"),
    "banned": ("error", "banned"),
    "restricted": ("error", "restricted"),
    "client_outdated": ("error", "client_outdated"),
    "passkey_required": ("error", "passkey_required"),
    "bad_credentials": ("error", "bad_credentials"),
    "disconnect": ("disconnected", "network"),
    "crash": ("disconnected", "link_lost"),
    "stall": ("disconnected", "link_lost"),
}


@pytest.mark.parametrize("kind", FAULTS)
async def test_every_fault_that_moves_a_session(autojump_clock: MockClock, world: World, kind: str) -> None:
    await ready(world)
    assert await ask(world, "simulator.fault", name="ana", kind=kind) == {"fault": kind}
    await world.until("ana", *FAULTS[kind])
    if kind == "restricted":
        assert (await world.send(message_id="m1")).created
        await world.until_status("m1", "sent")
        assert trio.current_time() >= 60
    elif FAULTS[kind][0] == "error":
        assert await outcome(world.send()) == Kind.NOT_READY
        await ask(world, "session.start", name="ana")
    await world.until("ana", "ready")


async def test_garbage_is_kept_and_nothing_stops(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    await ask(world, "simulator.fault", name="ana", kind="garbage")
    await injected(world)
    assert world.connection.execute("SELECT count(*) FROM rejected").fetchone() == (1,)
    assert world.row().status == "ready"


async def test_a_hung_link_is_left_and_the_message_goes_over_the_next(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    await ask(world, "simulator.fault", name="ana", kind="hang")
    await world.send(message_id="m1")
    await world.until_status("m1", "sent")
    assert 30 <= trio.current_time() <= 35


async def test_without_the_simulator(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await world.ready()
        assert await outcome(ask(world, "simulator.scan", name="ana")) == Kind.UNSUPPORTED
