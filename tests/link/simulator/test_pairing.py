import re

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pombal.link.base import Authenticated, Ended, EndKind, LinkLost, Qr, Ready
from pombal.link.simulator.behaviour import Dice
from pombal.link.simulator.people import exists, mobile_number
from pombal.model.errors import Kind, PombalError
from tests.link.simulator.world import WALL_MS, Reader, context, online, outgoing, running

ID = "id-ana"


async def test_qr_codes_rotate_until_nobody_scanned_any(autojump_clock: MockClock) -> None:
    async with (
        running(auto_scan_ms=None, qr_lifetime_ms=20_000, qr_rounds=3, connect_ms=50) as network,
        network.open(context()) as link,
    ):
        reader, began = Reader(link), trio.current_time()
        codes = []
        for number in range(3):
            qr = await reader.until(Qr)
            assert trio.current_time() - began == pytest.approx(20 * number, abs=0.01)
            assert qr.expires_at_ms == pytest.approx(WALL_MS + (trio.current_time() + 20) * 1000, abs=2)
            codes.append(qr.code)
        assert len(set(codes)) == 3
        assert (await reader.until(Ended)).kind == EndKind.PAIRING_TIMEOUT
        assert trio.current_time() - began == pytest.approx(60, abs=0.01)
        assert not link.is_alive
        with pytest.raises(LinkLost):
            await link.receive()


async def test_qr_timeout_runs_out_at_once(autojump_clock: MockClock) -> None:
    async with running(qr_timeout=True) as network, network.open(context()) as link:
        events = [delivery.event for delivery in await link.receive()]
        assert [type(event) for event in events] == [Qr, Ended]
        assert trio.current_time() == pytest.approx(0.05)


async def test_scan_leads_to_authenticated_and_after_syncing_to_ready(autojump_clock: MockClock) -> None:
    async with running(auto_scan_ms=None, connect_ms=200) as network, network.open(context()) as link:
        reader = Reader(link)
        assert trio.current_time() == pytest.approx(0.2)
        await reader.until(Qr)
        await network.scan(ID)
        authenticated = await reader.until(Authenticated)
        assert authenticated.identity == authenticated.phone_number == mobile_number(Dice(1, "ana", "number"))
        assert re.fullmatch(r"55\d{2}9\d{8}", authenticated.identity)
        assert exists(authenticated.identity)
        assert authenticated.device_name == "Pombal"
        before = trio.current_time()
        await reader.until(Ready)
        assert trio.current_time() - before == pytest.approx(0.2, abs=0.002)
        assert link.is_alive
        await trio.sleep(1000)  # the timers of the QR codes are gone
        assert link.is_alive


async def test_the_phone_scans_by_itself_in_whichever_round(autojump_clock: MockClock) -> None:
    async with running(auto_scan_ms=45_000, qr_lifetime_ms=20_000) as network, network.open(context()) as link:
        reader = Reader(link)
        assert len(await reader.take(Qr, 3)) == 3
        await reader.until(Ready)
        assert trio.current_time() == pytest.approx(45.1, abs=0.01)


async def test_auto_scan_and_connect_times_may_vary(autojump_clock: MockClock) -> None:
    times = {"median": 1000, "p99": 3000}
    async with running(auto_scan_ms=times, connect_ms=times) as network:
        taken = []
        for name in ("a", "b", "c"):
            before = trio.current_time()
            async with online(network.open, name):
                taken.append(trio.current_time() - before)
    assert len(set(taken)) == 3
    assert all(0.5 < each < 20 for each in taken)


async def test_an_account_the_daemon_knows_is_logged_in_without_a_code(autojump_clock: MockClock) -> None:
    async with running(auto_scan_ms=None) as network, network.open(context(identity="5511911112222")) as link:
        first = (await link.receive())[0].event
        assert first == Authenticated("5511911112222", "5511911112222", "Pombal")


async def test_reconnecting_needs_no_code(autojump_clock: MockClock) -> None:
    async with running() as network:
        async with online(network.open) as reader:
            number = next(d.event for d in reader.seen if isinstance(d.event, Authenticated)).identity
        async with network.open(context(identity=number)) as link:
            assert isinstance((await link.receive())[0].event, Authenticated)


async def test_each_scan_after_a_logout_pairs_with_the_same_number(autojump_clock: MockClock) -> None:
    numbers = set[str]()
    async with running() as network:
        for _ in range(3):
            async with network.open(context(identity=next(iter(numbers), None))) as link:
                reader = Reader(link)
                await reader.until(Qr)
                numbers.add((await reader.until(Authenticated)).identity)
                await reader.until(Ready)
                await link.logout()
                assert not link.is_alive
                with pytest.raises(LinkLost):
                    await link.receive()
    assert len(numbers) == 1


async def test_the_sessions_own_number_is_the_accounts(autojump_clock: MockClock) -> None:
    async with running() as network, online(network.open, phone_number="5521988887777") as reader:
        assert Authenticated("5521988887777", "5521988887777", "Pombal") in [d.event for d in reader.seen]


async def test_a_pairing_code_pairs_with_the_phone_it_is_typed_into(autojump_clock: MockClock) -> None:
    async with (
        running(auto_scan_ms=None, qr_lifetime_ms=10_000, qr_rounds=4) as network,
        network.open(context()) as link,
    ):
        reader = Reader(link)
        await reader.take(Qr, 2)
        code = await link.pair_code("+55 (11) 8765-4321")
        assert re.fullmatch(r"[0-9A-Z]{4}-[0-9A-Z]{4}", code.code)
        assert code.expires_at_ms == pytest.approx(WALL_MS + 40_050, abs=2)
        await network.scan(ID)
        assert (await reader.until(Authenticated)).identity == "5511987654321"
        with pytest.raises(PombalError) as caught:
            await link.pair_code("5511987654321")
        assert caught.value.kind == Kind.NOT_READY


async def test_a_pairing_code_for_what_is_no_number_is_refused(autojump_clock: MockClock) -> None:
    async with running(auto_scan_ms=None) as network, network.open(context()) as link:
        with pytest.raises(PombalError) as caught:
            await link.pair_code("my phone")
        assert caught.value.kind == Kind.INVALID


async def test_scan_is_refused_where_no_code_is_shown(autojump_clock: MockClock) -> None:
    async with running() as network:
        with pytest.raises(PombalError, match="does not know session id-ana") as caught:
            await network.scan(ID)
        assert caught.value.kind == Kind.NOT_FOUND
        async with online(network.open):
            with pytest.raises(PombalError, match="shows no QR code") as caught:
                await network.scan(ID)
            assert caught.value.kind == Kind.NOT_READY


async def test_a_code_nobody_fetched_is_replaced_by_the_next(autojump_clock: MockClock) -> None:
    async with (
        running(auto_scan_ms=None, qr_lifetime_ms=1000, qr_rounds=50) as network,
        network.open(context()) as link,
    ):
        await trio.sleep(20.5)
        assert len([d for d in await link.receive() if isinstance(d.event, Qr)]) == 1


async def test_sends_before_logging_in_find_no_connection(autojump_clock: MockClock) -> None:
    async with running(auto_scan_ms=None) as network, network.open(context()) as link:
        with pytest.raises(LinkLost, match="not logged in"):
            await link.send(outgoing())


async def test_cancelled_while_connecting_leaves_nothing(autojump_clock: MockClock) -> None:
    async with running(connect_ms=5000, auto_scan_ms=None) as network:
        with trio.move_on_after(1):
            async with network.open(context()):
                raise AssertionError("connected too early")
        await wait_all_tasks_blocked()
        with pytest.raises(PombalError, match="shows no QR code"):
            await network.scan(ID)
