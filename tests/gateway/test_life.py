"""The life of a client: every way in which it starts, breaks and ends, as the daemon is told of it."""

from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from pombal.gateway import client, life, running
from pombal.gateway.client import Signal
from pombal.gateway.verdicts import RoundOver, verdict_on
from pombal.link import base
from pombal.link.base import EndKind
from pombal.link.wire import frames as wire
from pombal.link.wire.commands import GetPairCode, Logout, Probe
from tests.gateway.driving import Line
from tests.gateway.fake_client import FakeClient, FakeFactory, begin
from tests.gateway.hosting import Hosted, hosted
from tests.gateway.protos import OWN


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses are kind to WhatsApp; here nobody is there."""
    monkeypatch.setattr(life, "PAUSE_MIN_S", 0.01)
    monkeypatch.setattr(running, "QUIET_S", 0.01)
    monkeypatch.setattr(life, "SHORT_ROUND_S", 0.0)


async def linked(on: Hosted, line: Line) -> None:
    await line.event(base.Qr)
    on.factory.last.say(client.LoginStatus("success"), client.Paired(OWN))
    on.factory.last.log_in()
    await line.event(base.Ready)


async def count(line: Line, kind: type, number: int) -> None:
    await line.until(lambda: sum(isinstance(each, kind) for each in line.events) >= number)


async def test_a_new_session_shows_codes_is_paired_and_ready(tmp_path: Path) -> None:
    async with hosted(tmp_path) as on, on.line(proxy="http://p:1") as line:
        await linked(on, line)
        assert [type(each) for each in line.events] == [
            base.Qr, base.Authenticated, base.Authenticated, base.Ready,
        ]  # fmt: skip
        assert line.events[1] == base.Authenticated(OWN, OWN)
        assert (on.factory.last.device_name, on.factory.last.proxy) == ("Vendas", "http://p:1")


async def test_the_first_code_lives_longer_than_the_next(tmp_path: Path) -> None:
    async with hosted(tmp_path) as on, on.line() as line:
        first = await line.event(base.Qr)
        on.factory.last.say(client.QrShown("next"))
        following = await line.event(base.Qr, lambda qr: qr.code == "next")
        assert following.expires_at_ms < first.expires_at_ms


async def test_a_session_with_keys_is_ready_without_a_code(tmp_path: Path) -> None:
    (tmp_path / "web/s1").mkdir(parents=True)
    (tmp_path / "web/s1/keys").touch()
    async with hosted(tmp_path) as on, on.line() as line:
        await line.event(base.Ready)
        assert not any(isinstance(each, base.Qr) for each in line.events)
        assert len(on.factory.made) == 1


async def test_who_connects_anew_is_told_how_things_stand_and_nothing_is_started_twice(tmp_path: Path) -> None:
    async with hosted(tmp_path) as on:
        async with on.line() as line:
            await linked(on, line)
            await line.close(1001)
        async with on.line() as line:
            await line.event(base.Ready)
            assert [type(each) for each in line.events] == [base.Authenticated, base.Ready]
        assert len(on.factory.made) == 1


async def test_codes_that_are_shown_are_told_to_who_connects_anew(tmp_path: Path) -> None:
    async with hosted(tmp_path) as on:
        async with on.line() as line:
            await line.event(base.Qr)
            made = await line.ask(GetPairCode("+55 11 99999-0001"))
            assert isinstance(made, base.PairCode)
            assert made.code == "ABCD-1234"
        async with on.line() as line:
            await line.event(base.PairCode)
            assert [type(each) for each in line.events] == [base.Qr, base.PairCode]


async def test_a_code_to_type_is_only_made_while_codes_are_shown(tmp_path: Path) -> None:
    async with hosted(tmp_path) as on, on.line() as line:
        await linked(on, line)
        assert (await line.refusal(GetPairCode("5511999990001"))).kind == "not_ready"


async def test_rounds_of_codes_end(tmp_path: Path) -> None:
    def nobody_scans(each: FakeClient) -> None:
        begin(each)
        each.say(client.LoginStatus("timeout"))

    factory = FakeFactory()
    factory.on_run = nobody_scans
    async with hosted(tmp_path, factory) as on, on.line(qr_rounds=2) as line:
        ended = await line.event(base.Ended)
        assert ended.kind == EndKind.PAIRING_TIMEOUT
        assert len(on.factory.made) == 2


@pytest.mark.parametrize(
    ("signal", "kind"),
    [
        (client.LoggedOut(2), EndKind.LOGGED_OUT),
        (client.LoggedOut(4), EndKind.LOGGED_OUT),
        (client.LoggedOut(5), EndKind.BANNED),
        (client.Replaced(), EndKind.REPLACED),
        (client.Banned("SENT_TO_TOO_MANY_PEOPLE", 3600), EndKind.BANNED),
        (client.Outdated(), EndKind.CLIENT_OUTDATED),
        (client.ConnectRefused(6, ""), EndKind.CLIENT_OUTDATED),
        (client.ConnectRefused(7, ""), EndKind.CLIENT_OUTDATED),
        (client.ConnectRefused(3, ""), EndKind.BANNED),
        (client.ConnectRefused(2, ""), EndKind.LOGGED_OUT),
        (client.ConnectRefused(1, "bad"), EndKind.BAD_CREDENTIALS),
        (client.ConnectRefused(None, ""), EndKind.BAD_CREDENTIALS),
        (client.LoginStatus("passkey-request"), EndKind.PASSKEY_REQUIRED),
        (client.LoginStatus("err-client-outdated"), EndKind.CLIENT_OUTDATED),
        (client.RunEnded("proto: required field neonize.TemporaryBan.Code not set"), EndKind.BANNED),
        (client.RunEnded("proto: required field neonize.ConnectFailure.Reason not set"), EndKind.BAD_CREDENTIALS),
    ],
)
async def test_what_only_a_person_can_mend_ends_the_session_once(tmp_path: Path, signal: Signal, kind: EndKind) -> None:
    async with hosted(tmp_path) as on, on.line() as line:
        await linked(on, line)
        on.factory.last.say(signal, signal)
        ended = await line.event(base.Ended)
        assert ended.kind == kind
        assert ended.detail
        assert (ended.until_ms is not None) == isinstance(signal, client.Banned)
        assert "stop" in on.factory.last.done
        assert len(on.factory.made) == 1
        assert sum(isinstance(each, base.Ended) for each in line.events) == 1


async def test_an_end_is_told_again_until_the_daemon_has_it_and_then_a_start_starts(tmp_path: Path) -> None:
    async with hosted(tmp_path) as on:
        async with on.line(acknowledges=False) as line:
            await linked(on, line)
            on.factory.last.say(client.Replaced())
            await line.event(base.Ended)
        async with on.line(acknowledges=False) as line:
            await line.event(base.Ended)
            assert len(on.factory.made) == 1
            await line.acknowledge(line.deliveries[-1].seq)
            await line.settled()
        async with on.line() as line:
            await line.event(base.Ready)
            assert len(on.factory.made) == 2


async def test_keys_that_go_while_the_client_stops_are_no_reason_for_a_code(tmp_path: Path) -> None:
    """whatsmeow comes back by itself while it is being stopped, is refused, and deletes its keys."""

    def deletes(each: FakeClient) -> None:
        each.factory.remove_keys(each.directory)
        each.say(client.LoggedOut(2))

    async with hosted(tmp_path) as on:
        async with on.line() as line:
            await linked(on, line)
            on.factory.on_stop = deletes
            on.factory.last.say(client.KeepAliveMissed(1))
            ended = await line.event(base.Ended)
            assert ended.kind == EndKind.LOGGED_OUT
            assert sum(isinstance(each, base.Qr) for each in line.events) == 1
            await line.settled()
        on.factory.on_stop = lambda _: None
        async with on.line() as line:  # the daemon has it: this is a person's start
            await line.event(base.Qr)


async def test_keys_refused_twice_are_given_up(tmp_path: Path) -> None:
    async with hosted(tmp_path) as on:
        async with on.line() as line:
            await linked(on, line)
            on.factory.last.say(client.ConnectRefused(1, ""))
            await line.event(base.Ended)
            await line.settled()
        on.factory.on_run = lambda each: each.say(client.ConnectRefused(1, ""))
        async with on.line() as line:
            ended = await line.event(base.Ended)
            assert ended.kind == EndKind.BAD_CREDENTIALS
            await line.settled()
        on.factory.on_run = begin
        async with on.line() as line:
            await line.event(base.Qr)


@pytest.mark.parametrize(
    "breaks",
    [
        lambda each: each.say(client.RunEnded("NeonizeError: failed to dial")),
        lambda each: each.say(client.KeepAliveMissed(1)),
        lambda each: each.say(client.ConnectRefused(10, "service unavailable")),
        lambda each: each.say(client.PairRefused("no")),
    ],
)
async def test_what_time_mends_is_lost_and_tried_again(tmp_path: Path, breaks: Callable[[FakeClient], None]) -> None:
    async with hosted(tmp_path) as on, on.line() as line:
        await linked(on, line)
        breaks(on.factory.last)
        await count(line, base.Ready, 2)
        assert any(isinstance(each, wire.Lost) for each in line.heard)
        assert len(on.factory.made) == 2


async def test_a_client_that_breaks_over_an_event_leaves_a_gap(tmp_path: Path) -> None:
    async with hosted(tmp_path) as on, on.line() as line:
        await linked(on, line)
        on.factory.last.say(client.RunEnded("proto: required field neonize.Receipt.Type not set"))
        await line.event(base.Gap)
        await count(line, base.Ready, 2)


async def test_a_short_drop_is_told_by_facts_alone(tmp_path: Path) -> None:
    async with hosted(tmp_path) as on, on.line() as line:
        await linked(on, line)
        on.factory.last.say(client.Disconnected())
        await line.until(lambda: any(isinstance(h, wire.Facts) and not h.is_alive for h in line.heard[1:]))
        on.factory.last.say(client.Connected(OWN))
        await count(line, base.Ready, 2)
        assert len(on.factory.made) == 1
        assert not any(isinstance(each, wire.Lost) for each in line.heard)


async def test_paired_and_never_connected_starts_another_client(tmp_path: Path) -> None:
    """After stream error 515 some clients never come back, and say nothing."""
    async with hosted(tmp_path) as on, on.line(login_timeout_s=0.05) as line:
        await line.event(base.Qr)
        (tmp_path / "web/s1/keys").touch()
        on.factory.last.say(client.LoginStatus("success"), client.Paired(OWN))
        await line.event(base.Ready)
        assert len(on.factory.made) == 2


async def test_a_client_that_cannot_be_made_is_tried_again(tmp_path: Path) -> None:
    factory = FakeFactory()
    factory.cannot_make = [OSError("disk full")]
    async with hosted(tmp_path, factory) as on, on.line() as line:
        await line.event(base.Qr)


async def test_a_probe_that_stays_without_an_answer_restarts_the_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pombal.gateway.session.STUCK_PROBE_S", 0.0)
    stuck = trio.Event()
    async with hosted(tmp_path) as on:
        async with on.line() as line:
            await linked(on, line)
            await line.ask(Probe())
            on.factory.on_probe = lambda each: _hang(each, stuck)
            await line.start(Probe())
            await line.until(lambda: "probing" in on.factory.last.done)
            await line.close(1001)
        async with on.line() as line:
            await line.until(lambda: len(on.factory.made) == 2 and line.events)
            on.factory.made[0].done.append("answered")


def _hang(each: FakeClient, _: trio.Event) -> None:
    each.done.append("probing")
    each._stopped.wait(60)


async def test_logging_out_removes_the_keys_and_tells_nothing(tmp_path: Path) -> None:
    async with hosted(tmp_path) as on:
        async with on.line() as line:
            await linked(on, line)
            await line.ask(Logout())
            assert not any(isinstance(each, base.Ended) for each in line.events)
        async with on.line() as line:
            await line.event(base.Qr)


async def test_a_session_that_is_to_be_left_alone_is_disconnected_and_keeps_its_keys(tmp_path: Path) -> None:
    async with hosted(tmp_path) as on:
        async with on.line() as line:
            await linked(on, line)
            await line.close(1000)
        async with on.line() as line:
            await line.event(base.Ready)
            await line.until(lambda: len(on.factory.made) == 2)
        assert on.factory.made[0].done == ["disconnect", "stop"]


async def test_clients_start_and_stop_one_at_a_time(tmp_path: Path) -> None:
    busy: list[str] = []
    most: list[int] = []

    def step(each: FakeClient) -> None:
        busy.append(each.directory.name)
        most.append(len(busy))
        busy.remove(each.directory.name)

    factory = FakeFactory()
    factory.on_stop = step
    async with hosted(tmp_path, factory) as on:
        for _ in range(4):  # also: whoever comes while its session closes gets a new one
            async with trio.open_nursery() as nursery:
                for n in range(5):
                    nursery.start_soon(_come_and_go, on, f"s{n}")
    assert len(most) >= 5
    assert max(most) == 1


async def _come_and_go(on: Hosted, session_id: str) -> None:
    async with on.line(session_id) as line:
        await line.event(base.Qr)
        await line.close(1000)


def test_signals_that_change_nothing_have_no_verdict() -> None:
    for signal in (client.QrShown("x"), client.Connected(OWN), client.Disconnected(), client.KeepAliveRestored()):
        assert verdict_on(signal) is None
    assert verdict_on(client.LoginStatus("timeout")) == RoundOver()
    assert verdict_on(client.LoginStatus("err-scanned-without-multidevice")) is None
