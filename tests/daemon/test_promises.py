"""What users of other gateways suffer from, and what is promised here instead: a test for each, named after it.

Two of the promises have places of their own: nothing is lost or doubled by a crash (tests/faults), what goes wrong in
one session, or at one client, is nobody else's (test_isolation).
"""

import tempfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import trio

from pombal.control.client import Client
from pombal.model.session import LinkKind
from tests.daemon.books import messages_in, rows
from tests.daemon.harness import (
    WAIT_S,
    Event,
    Home,
    Life,
    Settings,
    events_until,
    ready_session,
    until,
    until_all,
    until_status,
)
from tests.daemon.raw_line import raw_line

ANA = "5511987654321"
With = Callable[[Settings], Home]


@pytest.fixture(scope="module")
def daemon() -> Iterator[Life]:
    """For the promises that need no settings of their own, each with sessions of its own."""
    with tempfile.TemporaryDirectory(prefix="pombal-") as directory, Home(Path(directory)).shared() as life:
        yield life


async def now(client: Client) -> int:
    return (await client.daemon_status()).last_event_seq


async def hear(client: Client, session: str, count: int, *, after: int = 0) -> list[Event]:
    """The next inbound messages of a session."""
    heard: list[Event] = []
    with trio.fail_after(WAIT_S):
        async with client.events(after=after, sessions=[session], types=["message.received"]) as events:
            while len(heard) < count:
                heard.append(await anext(events))
    return heard


async def statuses(client: Client, session: str, after: int = 0) -> list[str]:
    page = await client.events_list(after=after, sessions=[session], types=["session.status"], limit=1000)
    return [event["data"]["status"] for event in page.results]


async def test_a_session_that_died_silently_is_noticed_and_brought_back(home_with: With) -> None:
    home = home_with({"link": {"probe_after_s": 0.3, "probe_timeout_s": 0.3, "reconnect_min_s": 0.02}})
    async with home.daemon() as daemon, daemon.client() as client:
        await ready_session(client)
        await client.simulator_fault("vendas", "stall")
        down = await until_status(client, "vendas", "disconnected")
        assert down["data"]["status_reason"] == "link_lost"
        await until_status(client, "vendas", "ready", after=down["seq"])
        await daemon.stop()


async def test_quiet_is_not_dead(home_with: With) -> None:
    async with home_with({"link": {"probe_after_s": 0.3}}).daemon() as daemon, daemon.client() as client:
        await ready_session(client, "quiet")
        await ready_session(client, "busy", settings={"inbound_rate": 50})
        # Ten times as long as a link may be silent before it is asked.
        await hear(client, "busy", 150)
        assert (await statuses(client, "quiet"))[-1:] == ["ready"]
        assert "disconnected" not in await statuses(client, "quiet")
        assert (await client.session_get("quiet")).link_alive
        await daemon.stop()


async def test_the_retry_budget_never_runs_out(home_with: With) -> None:
    async with home_with({"link": {"reconnect_min_s": 0.01, "reconnect_max_s": 0.02}}).daemon() as daemon:
        async with daemon.client() as client:
            await ready_session(client)
            for _ in range(25):
                seq = await now(client)
                await client.simulator_fault("vendas", "disconnect")
                await until_status(client, "vendas", "ready", after=seq)
            assert (await client.session_get("vendas")).restart_count == 0, "to reconnect is not to restart"
        await daemon.stop()


async def test_no_message_is_stuck_without_a_word(home_with: With) -> None:
    async with home_with({"outbox": {"ack_timeout_s": 0.2}}).daemon() as daemon, daemon.client() as client:
        await ready_session(client, settings={"drop_ack_rate": 1.0})
        for number in range(4):
            await client.message_send("vendas", ANA, text="x", message_id=f"m{number}")
        told = await events_until(client, lambda event: event["data"]["message_id"] == "m3", types=["message.overdue"])
        assert [event["data"]["message_id"] for event in told] == ["m0", "m1", "m2", "m3"]
        with trio.fail_after(WAIT_S):
            while "wait for WhatsApp's acknowledgement" not in ((await client.session_get("vendas")).last_error or ""):
                pass
        await daemon.stop()


async def test_accepted_is_never_called_sent(daemon: Life) -> None:
    async with daemon.client() as client:
        await ready_session(client, "refused", settings={"fail_rate": 1.0})
        assert (await client.message_send("refused", ANA, text="x", message_id="m")).status == "queued"
        await until_all(client, "refused", {"m"}, "failed")
        seen = (
            await client.events_list(after=0, sessions=["refused"], types=["message.queued", "message.status"])
        ).results
        assert [event["data"]["status"] for event in seen] == ["queued", "failed"]
        failed = await client.message_get("refused", "m")
        assert failed.error is not None
        assert failed.error.kind == "rejected"
        assert failed.sent_at is None
        assert (await client.session_get("refused")).total_messages_sent == 0


async def test_a_send_repeated_after_a_crash_goes_out_once(home_with: With) -> None:
    home = home_with({"simulator": {"durable": True}})
    async with home.daemon() as daemon, daemon.client() as client:
        await ready_session(client)
        pending = client.request("message.send", {"session": "vendas", "to": ANA, "text": "x", "message_id": "order-7"})
        await until(client, lambda _: True, types=["message.queued"])
        await daemon.kill()
        del pending  # its answer, the client never saw
    async with home.daemon() as daemon, daemon.client() as client:
        again = await client.message_send("vendas", ANA, text="x", message_id="order-7")
        await until_all(client, "vendas", {again.message_id}, "read")
        await daemon.stop()
    (stored,) = messages_in(home.database)
    (received,) = rows(home.simulator_db, "SELECT * FROM received_sends")
    assert (received["link_id"], received["times_received"]) == (stored["link_id"], 1)


async def test_a_consumer_that_was_away_misses_no_event(home: Home) -> None:
    async with home.daemon() as daemon, daemon.client() as client:
        await ready_session(client)
        async with client.events(after=0) as events:
            seen = [await anext(events)]
        await client.simulator_inject("vendas", ANA, count=300)
        await hear(client, "vendas", 300)
        last = await now(client)
        seen += await events_until(client, lambda event: event["seq"] == last, after=events.cursor or 0)
        assert [event["seq"] for event in seen] == list(range(1, last + 1))
        async with client.events(after=last + 1_000_000) as lost:
            gap = await anext(lost)
        assert gap["type"] == "gap", "a cursor that cannot be right is told so"
        await daemon.stop()


async def test_what_people_wrote_while_it_was_down_comes_once(home_with: With) -> None:
    home = home_with({"simulator": {"durable": True}})
    async with home.daemon() as daemon, daemon.client() as client:
        await ready_session(client)
        await client.session_stop("vendas")
        for number in range(20):
            await client.simulator_inject("vendas", ANA, text=f"w{number}")
        await daemon.kill()
    async with home.daemon() as daemon, daemon.client() as client:
        await client.session_start("vendas")
        heard = await hear(client, "vendas", 20)
        assert [event["data"]["text_content"] for event in heard] == [f"w{number}" for number in range(20)]
        await daemon.stop()
    assert len(messages_in(home.database, "inbound")) == 20


async def test_a_client_that_hangs_up_stops_nobody_s_receiving(daemon: Life) -> None:
    async with daemon.client() as client:
        await ready_session(client, "rude", settings={"inbound_rate": 100})
        for number in range(100):
            async with raw_line(daemon.home.socket) as rude:
                await rude.write(b'{"id": 1, "method": "events.subscribe", "params": {"after": 0}}\n'[: 30 + number])
        await hear(client, "rude", 50, after=await now(client))
        assert (await client.session_get("rude")).error_count == 0
        await client.session_stop("rude")
        assert daemon.logged("control connection crashed") == []


async def test_qr_codes_are_few_and_states_are_told_once(home_with: With) -> None:
    async with home_with({"simulator": {"auto_scan_ms": 60_000}}).daemon() as daemon, daemon.client() as client:
        await client.session_create("vendas", settings={"qr_lifetime_ms": 30, "qr_rounds": 3})
        await ready_session(client, "other", settings={"auto_scan_ms": 0, "inbound_rate": 100})
        await until_status(client, "vendas", "disconnected")
        await hear(client, "other", 100)  # a second in which nothing more is to happen
        events = (await client.events_list(after=0, sessions=["vendas"], limit=100)).results
        kinds = [event["type"] for event in events]
        assert kinds.count("session.qr") == 3
        assert await statuses(client, "vendas") == ["connecting", "qrcode", "disconnected"]
        shown = await client.session_get("vendas")
        assert (shown.status_reason, shown.is_active) == ("pairing_timeout", True)
        await daemon.stop()


async def test_states_never_contradict_each_other(daemon: Life) -> None:
    """Through a storm of faults, each event follows from the one before."""
    async with daemon.client() as client:
        await ready_session(client, "stormy")
        for fault in ("disconnect", "crash", "replaced", "disconnect", "banned", "crash", "logged_out", "restricted"):
            seq = await now(client)
            await client.simulator_fault("stormy", fault)
            await until(client, lambda _: True, after=seq, sessions=["stormy"], types=["session.status"])
            await client.session_stop("stormy")
            seq = await now(client)
            await client.session_start("stormy")
            await until(client, lambda event: event["data"]["status"] in ("ready", "error"), after=seq,
                        sessions=["stormy"], types=["session.status"])  # fmt: skip
        events = (await client.events_list(after=0, sessions=["stormy"], types=["session.status"], limit=1000)).results
        before = "disconnected"
        for event in events:
            data = event["data"]
            assert data["previous_status"] == before
            assert data["is_connected"] == (data["status"] == "ready")
            assert (data["status_reason"] is None) == (data["status"] not in ("disconnected", "error"))
            before = data["status"]
        places = [(event["data"]["status"], event["data"]["status_reason"]) for event in events]
        assert all(one != next_one for one, next_one in pairwise(places)), "told once a change"


async def test_one_person_is_one_contact(daemon: Life) -> None:
    """Brazil's ninth digit, a spelling with punctuation, WhatsApp's own address: all the same; the LID is kept."""
    async with daemon.client() as client:
        await ready_session(client, "one-person")
        for to in ("5511987654321", "551187654321", "+55 (11) 8765-4321", "551187654321@s.whatsapp.net"):
            await client.message_send("one-person", to, text="x")
        await client.simulator_inject("one-person", "551187654321", text="oi")
        (came,) = await hear(client, "one-person", 1)
        assert came["data"]["contact_lid"].endswith("@lid")
        found = (await client.message_list(session="one-person", contact_number="551187654321")).results
        assert len(found) == 5
        assert {message.contact_number for message in found} == {ANA}
        assert len({message.chat_id for message in found}) == 1
        known = (await client.contact_check("one-person", ["551187654321"])).results[0]
        assert known.lid == came["data"]["contact_lid"]


async def test_a_restriction_is_told_with_its_end_and_the_queue_waits(daemon: Life) -> None:
    async with daemon.client() as client:
        await ready_session(client, "restricted")
        await client.simulator_fault("restricted", "restricted")
        told = (await until_status(client, "restricted", "error"))["data"]
        assert told["status_reason"] == "restricted"
        assert told["status_until"] > told["updated_at"]
        assert (await client.message_send("restricted", ANA, text="x", message_id="later")).status == "queued"
        assert (await client.session_metrics("restricted")).outbox_depth == 1
        assert (await client.session_get("restricted")).link_alive


async def test_a_restart_keeps_what_was_configured_and_wanted(home_with: With) -> None:
    home = home_with({"simulator": {"durable": True}})
    settings = {"connect_ms": 7, "inbound_rate": 3, "seed": 99}
    async with home.daemon() as daemon, daemon.client() as client:
        await ready_session(client, device_name="Balcão", owner="dx", settings=settings)
        before = await client.session_get("vendas")
        await daemon.kill()
    async with home.daemon() as daemon, daemon.client() as client:
        await until_status(client, "vendas", "ready", after=(await now(client)) - 1)
        after = await client.session_get("vendas")
        for field in ("id", "owner", "device_name", "phone_number", "link", "is_active", "created_at"):
            assert getattr(after, field) == getattr(before, field), field
        await daemon.stop()
    (row,) = rows(home.database, "SELECT settings, link FROM sessions")
    assert row["link"] == LinkKind.SIMULATOR
    assert all(f'"{key}":{number}' in row["settings"].replace(" ", "") for key, number in settings.items())


async def test_one_stuck_login_holds_nobody_up(daemon: Life) -> None:
    async with daemon.client() as client:
        for number in range(20):
            await client.session_create(f"stuck{number}", settings={"connect_ms": 600_000})
        await ready_session(client, "unstuck")
        sent = await client.message_send("unstuck", ANA, text="x")
        await until_all(client, "unstuck", {sent.message_id}, "read")
        assert (await client.session_get("stuck0")).status == "connecting"


async def test_no_text_code_or_key_is_ever_logged(home_with: With) -> None:
    home = home_with({"log": {"level": "debug"}, "simulator": {"auto_scan_ms": 60_000}})
    async with home.daemon() as daemon, daemon.client() as client:
        await client.session_create("vendas")
        qr = await client.session_qr("vendas")
        code = await client.session_pair_code("vendas", ANA)
        await client.simulator_scan("vendas")
        await until_status(client, "vendas", "ready")
        sent = await client.message_send("vendas", ANA, text="segredo-de-ida")
        await client.simulator_inject("vendas", ANA, text="segredo-de-volta")
        await client.simulator_fault("vendas", "garbage")
        await until_all(client, "vendas", {sent.message_id}, "read")
        await client.simulator_fault("vendas", "crash")
        await until_status(client, "vendas", "disconnected")
        await daemon.stop()
        assert daemon.logged("actor crashed")
        for secret in (qr.code, code.code, "segredo"):
            assert secret not in daemon.output
    check = rows(home.database, "SELECT data FROM events WHERE data LIKE '%segredo%'")
    assert check == [], "and the event log holds references, not texts"
