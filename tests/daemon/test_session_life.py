"""The life of a session from its creation to its end, over the control socket of a running daemon."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pombal.control.client import Client, RemoteError
from pombal.model.latency_results import LatencyStats
from pombal.model.message import Message
from tests.daemon.harness import Home, Life, Settings, events_until, ready_session, until, until_all, until_status

ANA, BIA = "5511987654321", "5521998765432"
NOBODY_SCANS = {"auto_scan_ms": 60_000}
STAGED = {"simulator": {"sent_ms": 20, "delivered_ms": 40, "read_ms": 60}}


@pytest.fixture(scope="module")
def daemon() -> Iterator[Life]:
    """For tests that need no settings of their own, each with a session of its own."""
    with tempfile.TemporaryDirectory(prefix="pombal-") as directory, Home(Path(directory)).shared() as life:
        yield life


async def refused(kind: str, client: Client, method: str, **params: object) -> RemoteError:
    with pytest.raises(RemoteError) as caught:
        await client.call(method, params)
    assert caught.value.kind == kind, caught.value
    return caught.value


async def test_from_qr_to_ready(daemon: Life) -> None:
    async with daemon.client() as client:
        created = await client.session_create("scanned", device_name="Balcão", owner="dx", settings=NOBODY_SCANS)
        assert created.status in ("connecting", "qrcode")  # answered at once; how far it is by then is nobody's promise
        assert (created.is_active, created.owner) == (True, "dx")
        code = await client.session_qr("scanned")
        assert code.code.startswith("2@")
        assert (await client.session_get("scanned")).status == "qrcode"
        refusal = await refused("not_ready", client, "message.send", session="scanned", to=ANA, text="oi")
        assert "scan" in refusal.message
        await client.simulator_scan("scanned")
        await until_status(client, "scanned", "ready")
        shown = await client.session_get(created.id)
        assert shown.is_connected
        assert shown.link_alive
        assert shown.phone_number
        assert shown.device_name == "Balcão"
        states = [
            event["data"]["status"]
            for event in (await client.events_list(after=0, sessions=["scanned"], types=["session.status"])).results
        ]
        assert states == ["connecting", "qrcode", "authenticated", "ready"]
        await refused("not_ready", client, "session.qr", name="scanned")


async def test_a_pairing_code_instead_of_a_camera(daemon: Life) -> None:
    async with daemon.client() as client:
        await client.session_create("typed", settings=NOBODY_SCANS)
        code = await client.session_pair_code("typed", "+55 (11) 98765-4321")
        assert len(code.code) == 9
        await client.simulator_scan("typed")
        await until_status(client, "typed", "ready")
        assert (await client.session_get("typed")).phone_number == ANA


async def test_a_send_goes_its_way_with_all_stamps(home_with: Callable[[Settings], Home]) -> None:
    async with home_with(STAGED).daemon() as daemon, daemon.client() as client:
        await ready_session(client)
        queued = await client.message_send("vendas", "+55 11 8765-4321", text="Olá! 🚚", message_id="ticket-1")
        assert (queued.status, queued.contact_number) == ("queued", ANA)
        assert queued.sent_at is None
        await until_all(client, "vendas", {"ticket-1"}, "read")
        whole = await client.message_get("vendas", "ticket-1")
        stamps = [whole.queued_at, whole.dispatched_at, whole.sent_at, whole.delivered_at, whole.read_at]
        assert all(stamp is not None for stamp in stamps)
        assert stamps == sorted(stamps, key=lambda stamp: stamp or 0)
        _check_latencies(whole)
        events = (await client.events_list(after=0, types=["message.queued", "message.status"])).results
        assert [event["data"]["status"] for event in events] == ["queued", "sent", "delivered", "read"]
        assert [event["data"].get("previous_status") for event in events[1:]] == ["queued", "sent", "delivered"]
        assert events[0]["data"]["text_content"] == "Olá! 🚚"
        await daemon.stop()
        assert len(daemon.logged("message completed")) == 1
        assert "Olá" not in daemon.output


def _check_latencies(message: Message) -> None:
    assert message.queued_at is not None
    assert message.dispatched_at is not None
    assert message.sent_at is not None
    assert message.delivered_at is not None
    assert message.read_at is not None
    assert message.latency_to_sent_ms == message.sent_at - message.queued_at >= 20
    assert message.latency_to_delivered_ms == message.delivered_at - message.queued_at >= 60
    assert message.latency_to_read_ms == message.read_at - message.queued_at >= 120
    assert message.total_latency_ms == message.latency_to_delivered_ms
    assert message.is_latency_acceptable is True
    assert message.model_dump()["stages"] == {
        "queue_ms": message.dispatched_at - message.queued_at,
        "link_ms": message.sent_at - message.dispatched_at,
        "delivery_ms": message.delivered_at - message.sent_at,
        "read_ms": message.read_at - message.delivered_at,
    }


async def test_people_write_are_found_and_read(daemon: Life) -> None:
    async with daemon.client() as client:
        await ready_session(client, "written-to")
        await client.simulator_inject("written-to", BIA, text="Cadê meu FOGÃO elétrico?")
        told = await until(client, lambda _: True, sessions=["written-to"], types=["message.received"])
        message = told["data"]
        assert (message["direction"], message["status"], message["contact_number"]) == ("inbound", "delivered", BIA)
        assert message["total_latency_ms"] >= 0
        assert set(message["stages"]) == {"link_ms", "record_ms"}
        for words in ("fogao", "eletrico cade", BIA[:7], '"; DROP TABLE messages; --'):
            found = (await client.message_list(session="written-to", search=words)).results
            assert len(found) == (0 if "DROP" in words else 1), words
        marked = await client.message_mark_read("written-to", [message["message_id"]])
        assert marked.marked == 1
        assert (await client.message_mark_read("written-to", [message["message_id"]])).marked == 0
        read = await client.message_get(id=message["id"])
        assert read.status == "read"
        assert read.read_at is not None
        await refused("not_found", client, "message.mark_read", session="written-to", message_ids=["nobody"])
        assert (await client.session_get("written-to")).total_messages_received == 1


async def test_high_latency_and_statistics_are_those_of_the_messages(home_with: Callable[[Settings], Home]) -> None:
    home = home_with({"latency": {"acceptable_ms": 100}, "simulator": {"delivered_ms": {"median": 60, "p99": 400}}})
    async with home.daemon() as daemon, daemon.client() as client:
        await ready_session(client)
        names = {f"m{number}" for number in range(120)}
        for name in sorted(names):
            client.request("message.send", {"session": "vendas", "to": ANA, "text": name, "message_id": name})
        await until_all(client, "vendas", names, "read")
        messages = (await client.message_list(limit=500)).results
        _check_statistics(await client.latency_stats(session="vendas"), messages)
        slow = {message.message_id for message in messages if not message.is_latency_acceptable}
        assert {message.message_id for message in (await client.message_high_latency(limit=500)).results} == slow
        slower = {message.message_id for message in messages if (message.total_latency_ms or 0) >= 200}
        page = await client.message_high_latency(threshold_ms=200, limit=500)
        assert {message.message_id for message in page.results} == slower
        await daemon.stop()
        assert len(daemon.logged("message slow")) == len(slow)
        assert len(daemon.logged("message completed")) == 120 - len(slow)


def _check_statistics(stats: LatencyStats, messages: list[Message]) -> None:
    delivered = sorted(message.latency_to_delivered_ms or 0 for message in messages)
    sent = [message.latency_to_sent_ms or 0 for message in messages]
    assert (stats.total_messages, stats.measured_messages) == (len(messages), len(messages))
    assert stats.average_latency_to_sent_ms == pytest.approx(sum(sent) / len(sent), abs=0.01)
    assert stats.average_latency_to_delivered_ms == pytest.approx(sum(delivered) / len(delivered), abs=0.01)
    late = sum(not message.is_latency_acceptable for message in messages)
    assert stats.high_latency_count == late
    assert stats.acceptable_rate == pytest.approx(1 - late / len(messages), abs=0.001)
    told = stats.percentiles.to_delivered
    assert told.max == delivered[-1]
    for value, fraction in ((told.p50, 0.5), (told.p95, 0.95), (told.p99, 0.99)):
        exact = delivered[-(-int(fraction * 100) * len(delivered) // 100) - 1]
        assert value == pytest.approx(exact, rel=0.02), fraction


async def test_stopped_its_queue_is_kept_and_cancel_and_resend_work(home: Home) -> None:
    async with home.daemon() as daemon, daemon.client() as client:
        await ready_session(client)
        await client.simulator_fault("vendas", "restricted")
        await until_status(client, "vendas", "error")
        for name in ("first", "second"):
            assert (await client.message_send("vendas", ANA, text=name, message_id=name)).status == "queued"
        cancelled = await client.message_cancel("vendas", "first")
        assert (cancelled.status, cancelled.error and cancelled.error.kind) == ("failed", "cancelled")
        await refused("conflict", client, "message.cancel", session="vendas", message_id="first")
        stopped = await client.session_stop("vendas")
        assert (stopped.status, stopped.status_reason, stopped.is_active) == ("disconnected", "stopped", False)
        assert (await client.session_stop("vendas")).status_reason == "stopped"
        refusal = await refused("not_ready", client, "message.send", session="vendas", to=ANA, text="x")
        assert "start" in refusal.message
        # What was accepted before is answered as it stands, however the session is now.
        assert (await client.message_send("vendas", ANA, text="second", message_id="second")).status == "queued"
        assert (await client.session_metrics("vendas")).outbox_depth == 1
        await daemon.stop()
    # The simulator has forgotten the restriction with its process; the stopped session stays stopped.
    async with home.daemon() as daemon, daemon.client() as client:
        assert (await client.session_get("vendas")).status_reason == "stopped"
        assert (await client.session_start("vendas")).status == "connecting"
        await until_all(client, "vendas", {"second"}, "read")
        await client.message_resend("vendas", "first")
        await until_all(client, "vendas", {"first"}, "read")
        await refused("conflict", client, "message.resend", session="vendas", message_id="first")
        await daemon.stop()


async def test_restart_logout_and_pairing_again(daemon: Life) -> None:
    async with daemon.client() as client:
        await ready_session(client, "again")
        seq = (await client.daemon_status()).last_event_seq
        assert (await client.session_restart("again")).status == "connecting"
        await until_status(client, "again", "ready", after=seq)
        out = await client.session_logout("again")
        assert (out.status, out.status_reason) == ("disconnected", "stopped")
        seq = (await client.daemon_status()).last_event_seq
        await client.session_start("again")
        back = await events_until(
            client, lambda event: event["data"]["status"] == "ready", after=seq, sessions=["again"],
            types=["session.status"],
        )  # fmt: skip
        states = [event["data"]["status"] for event in back]
        assert "qrcode" in states, "logged out, it has to be scanned again"


@pytest.mark.parametrize("purge", [False, True])
async def test_deletion_fails_the_queue_and_frees_the_name(daemon: Life, purge: bool) -> None:
    name = f"deleted-{purge}".lower()
    async with daemon.client() as client:
        await ready_session(client, name)
        old = await client.session_get(name)
        sent = await client.message_send(name, ANA, text="one", message_id="one")
        await until_all(client, name, {"one"}, "read")
        await client.simulator_fault(name, "restricted")
        await until_status(client, name, "error")
        await client.message_send(name, ANA, text="two", message_id="two")
        gone = await client.session_delete(name, purge=purge)
        assert gone.deleted
        assert gone.messages_deleted == (2 if purge else 0)
        await refused("not_found", client, "message.send", session=name, to=ANA, text="x")
        history = (await client.message_list(session=old.id)).results
        assert [message.message_id for message in history] == ([] if purge else ["two", "one"])
        if not purge:
            assert history[0].error is not None
            assert history[0].error.kind == "session_deleted"
        await ready_session(client, name)
        assert (await client.session_get(name)).id != old.id
        again = await client.message_send(name, ANA, text="another life", message_id="one")
        assert again.id > sent.id


async def test_the_same_id_is_the_same_message(daemon: Life) -> None:
    async with daemon.client() as client:
        await ready_session(client, "twice")
        first = await client.message_send("twice", ANA, text="oi", message_id="k")
        again = await client.message_send("twice", "+55 11 8765 4321", text="oi", message_id="k")
        assert again.id == first.id
        await refused("conflict", client, "message.send", session="twice", to=ANA, text="other", message_id="k")
        assert len((await client.message_list(session="twice")).results) == 1
