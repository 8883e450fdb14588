"""A wall clock that is set back an hour while the daemon runs: nothing precedes what it followed, and nothing is late.

Set forward it is another matter: then the machine's clock is not WhatsApp's, whose stamps the daemon believes.
"""

from collections.abc import Callable

import pytest

from pombal.control.client import Client, connect
from pombal.model.clock import Stamp, system_clock
from pombal.model.message import Message
from tests.daemon.books import check_database, messages_in
from tests.daemon.harness import Home, Settings, events_until, ready_session, until_all
from tests.daemon.inside import inside

ANA = "5511987654321"
HOUR_MS = 3_600_000
LATE_MS = 300_000  # far from an hour, and far from what a busy machine takes


class TurnedClock:
    """The machine's clocks, with a hand on the wall clock."""

    def __init__(self) -> None:
        self.turned_ms = 0

    def __call__(self) -> Stamp:
        now = system_clock()
        return Stamp(now.wall_ms + self.turned_ms, now.mono_ms)


async def test_a_clock_that_jumps_back_an_hour(
    home_with: Callable[[Settings], Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = TurnedClock()
    monkeypatch.setattr("pombal.app.rooms.system_clock", clock)
    # Messages are under way for a while, so that the jump lies in the midst of them; a silent link is noticed soon.
    home = home_with({
        "latency": {"acceptable_ms": LATE_MS},
        "simulator": {"sent_ms": 100, "delivered_ms": 100, "read_ms": 100, "inbound_rate": 50},
        "link": {"probe_after_s": 0.5},
    })  # fmt: skip
    async with inside(home), connect(home.socket) as client:
        await ready_session(client)
        await client.message_send("vendas", ANA, text="before", message_id="before")
        clock.turned_ms = -HOUR_MS
        await client.message_send("vendas", ANA, text="after", message_id="after")
        seq = (await client.daemon_status()).last_event_seq
        await until_all(client, "vendas", {"before", "after"}, "read")
        # As long as it takes a hundred people to write, which is longer than a link may be silent.
        await hear_inbound(client, seq, 100)
        before, after = [await client.message_get("vendas", name) for name in ("before", "after")]
        check_stamps(before)
        check_stamps(after)
        assert before.queued_at is not None
        assert after.queued_at is not None
        assert abs(after.queued_at - before.queued_at + HOUR_MS) < LATE_MS
        assert (await client.session_get("vendas")).restart_count == 0
        states = (await client.events_list(after=0, types=["session.status"])).results
        assert [event["data"]["status"] for event in states][-1] == "ready"
        assert "disconnected" not in [event["data"]["status"] for event in states]
        assert (await client.latency_stats(since="2000-01-01")).high_latency_count == 0
        newest = (await client.message_list(limit=500)).results
        assert [message.id for message in newest] == sorted((message.id for message in newest), reverse=True)
    check_database(home.database)
    inbound = messages_in(home.database, "inbound")
    assert min(row["total_latency_ms"] for row in inbound) >= 0


def check_stamps(message: Message) -> None:
    stamps = [message.queued_at, message.dispatched_at, message.sent_at, message.delivered_at, message.read_at]
    assert None not in stamps
    assert stamps == sorted(stamps, key=lambda stamp: stamp or 0)
    assert 300 <= (message.latency_to_read_ms or 0) < LATE_MS
    assert message.is_latency_acceptable is True


async def hear_inbound(client: Client, seq: int, count: int) -> None:
    heard: list[int] = []
    await events_until(
        client, lambda event: heard.append(event["seq"]) is None and len(heard) == count, after=seq,  # type: ignore[func-returns-value]
        types=["message.received"],
    )  # fmt: skip
