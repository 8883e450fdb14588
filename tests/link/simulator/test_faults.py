import pytest
import trio
from trio.testing import MockClock

from pombal.link.base import (
    Authenticated,
    Ended,
    EndKind,
    Failed,
    Garbage,
    IncomingMessage,
    LinkLost,
    Qr,
    Restricted,
    Sent,
)
from pombal.link.simulator.faults import FAULTS
from pombal.link.simulator.link import KEEPALIVE_MS
from pombal.model.errors import Kind, PombalError
from pombal.model.text import storable
from tests.link.simulator.world import WALL_MS, Reader, context, online, outgoing, running

ID = "id-ana"
MARIA = "5511987654321"

CONTRACT_KINDS = (
    "disconnect", "logged_out", "replaced", "banned", "restricted", "client_outdated", "passkey_required",
    "bad_credentials", "crash", "hang", "stall", "nack", "garbage",
)  # fmt: skip
ENDS = ("logged_out", "replaced", "banned", "client_outdated", "passkey_required", "bad_credentials")


def test_every_fault_of_the_contract_is_there() -> None:
    assert set(FAULTS) == set(CONTRACT_KINDS)


async def test_unknown_faults_and_sessions_are_refused(autojump_clock: MockClock) -> None:
    async with running() as network:
        with pytest.raises(PombalError) as caught:
            await network.fault(ID, "crash")
        assert caught.value.kind == Kind.NOT_FOUND
        async with online(network.open):
            with pytest.raises(PombalError, match="'gremlins' is no fault; the simulator knows disconnect,") as caught:
                await network.fault(ID, "gremlins")
            assert caught.value.kind == Kind.INVALID


@pytest.mark.parametrize("kind", ["disconnect", "crash", "hang", "stall"])
async def test_faults_of_a_connection_need_one(autojump_clock: MockClock, kind: str) -> None:
    async with running() as network:
        async with online(network.open):
            pass
        with pytest.raises(PombalError, match="not connected") as caught:
            await network.fault(ID, kind)
        assert caught.value.kind == Kind.NOT_READY


async def test_disconnect(autojump_clock: MockClock) -> None:
    async with running() as network, online(network.open) as reader:
        await network.inject(ID, MARIA)
        await network.fault(ID, "disconnect")
        assert not reader.link.is_alive
        for use in (reader.link.receive, reader.link.probe, reader.link.logout):
            with pytest.raises(LinkLost, match="told to drop"):
                await use()
        with pytest.raises(LinkLost):
            await reader.link.send(outgoing())
        async with online(network.open) as again:
            await again.until(IncomingMessage)


@pytest.mark.parametrize("kind", ENDS)
async def test_ends(autojump_clock: MockClock, kind: str) -> None:
    async with running() as network:
        async with online(network.open) as reader:
            await network.fault(ID, kind)
            ended = await reader.until(Ended)
            assert (ended.kind, bool(ended.detail)) == (EndKind(kind), True)
            assert ended.until_ms == (reader.link.last_frame_at_ms or 0) + 86_400_000 if kind == "banned" else True
            with pytest.raises(LinkLost):
                await reader.link.receive()
        async with network.open(context(identity="5511911112222")) as link:
            first = await Reader(link).next()
            unpaired = kind in {"logged_out", "bad_credentials"}
            assert isinstance(first, Qr if unpaired else Authenticated)


@pytest.mark.parametrize("kind", ENDS)
async def test_ends_of_an_account_that_is_away_are_told_when_it_connects(autojump_clock: MockClock, kind: str) -> None:
    async with running() as network:
        async with online(network.open):
            pass
        await network.fault(ID, kind)
        async with network.open(context()) as link:
            first = await Reader(link).next()
            assert isinstance(first, Ended)
            assert first.kind == EndKind(kind)
        async with online(network.open):  # and only once
            pass


@pytest.mark.parametrize("kind", ["logged_out", "bad_credentials"])
async def test_who_is_not_paired_cannot_lose_the_pairing(autojump_clock: MockClock, kind: str) -> None:
    async with running(auto_scan_ms=None) as network, network.open(context()):
        with pytest.raises(PombalError, match="not paired") as caught:
            await network.fault(ID, kind)
        assert caught.value.kind == Kind.NOT_READY


async def test_a_login_may_be_refused_while_pairing(autojump_clock: MockClock) -> None:
    async with running(auto_scan_ms=None) as network, network.open(context()) as link:
        await network.fault(ID, "passkey_required")
        assert (await Reader(link).until(Ended)).kind == EndKind.PASSKEY_REQUIRED


async def test_restricted(autojump_clock: MockClock) -> None:
    async with running() as network, online(network.open) as reader:
        began = trio.current_time()
        await network.fault(ID, "restricted")
        restricted = await reader.until(Restricted)
        assert restricted.until_ms == pytest.approx(WALL_MS + (began + 60) * 1000, abs=1)
        await network.inject(ID, MARIA)
        await reader.until(IncomingMessage)
        await reader.link.send(outgoing())
        assert (await reader.until(Failed)).kind == "restricted"
        async with online(network.open) as again:
            assert (await again.until(Restricted)).until_ms == restricted.until_ms
            await trio.sleep(60)
            await again.link.send(outgoing())
            await again.until(Sent)
        async with online(network.open) as later:
            assert not any(isinstance(event, Restricted) for event in await later.within(10))


async def test_crash(autojump_clock: MockClock) -> None:
    async with running() as network, online(network.open, "bia") as neighbour:
        async with online(network.open) as reader:
            await network.inject(ID, MARIA)
            await network.fault(ID, "crash")
            with pytest.raises(RuntimeError, match="told to crash"):
                await reader.until(IncomingMessage)
        async with online(network.open) as again:
            await again.until(IncomingMessage)
        await network.inject("id-bia", MARIA)
        await neighbour.until(IncomingMessage)


async def test_hang_holds_commands_but_not_what_arrives_nor_the_neighbours(autojump_clock: MockClock) -> None:
    async with running() as network, online(network.open, "bia") as neighbour, online(network.open) as reader:
        link = reader.link
        await network.fault(ID, "hang")
        for command in (
            lambda: link.send(outgoing()),
            lambda: link.mark_read("c", "", ["a"]),
            lambda: link.check_contacts([MARIA]),
            lambda: link.pair_code(MARIA),
            link.logout,
        ):
            with trio.move_on_after(1000) as scope:
                await command()
            assert scope.cancelled_caught
        await network.inject(ID, MARIA)
        await reader.until(IncomingMessage)
        await link.probe()
        await neighbour.link.send(outgoing())
        await neighbour.until(Sent)
        async with online(network.open) as again:
            await again.link.send(outgoing())
            await again.until(Sent)


async def test_stall_is_silent_until_it_is_opened_again(autojump_clock: MockClock) -> None:
    async with running() as network:
        async with online(network.open) as reader:
            last_frame_at_ms = reader.link.last_frame_at_ms
            await trio.sleep(1)
            await network.fault(ID, "stall")
            link_ids = await network.inject(ID, MARIA)
            await reader.link.send(outgoing())
            assert await reader.within(1000) == []
            with trio.move_on_after(1000) as scope:
                await reader.link.probe()
            assert scope.cancelled_caught
            assert reader.link.is_alive
            assert reader.link.last_frame_at_ms == last_frame_at_ms
            assert network.received(ID) == 0
        async with online(network.open) as again:
            assert (await again.until(IncomingMessage)).link_id == link_ids[0]
            await again.link.probe()


async def test_nack_refuses_the_next_send_only(autojump_clock: MockClock) -> None:
    async with running() as network, online(network.open) as reader:
        await network.fault(ID, "nack")
        await reader.link.send(outgoing("3EB0A"))
        await reader.link.send(outgoing("3EB0B"))
        assert (await reader.until(Failed)).link_id == "3EB0A"
        assert (await reader.until(Sent)).link_id == "3EB0B"
        await reader.link.send(outgoing("3EB0A"))  # resent by a person
        assert (await reader.until(Sent)).link_id == "3EB0A"


async def test_garbage_is_strange_and_kept_until_acknowledged(autojump_clock: MockClock) -> None:
    async with running() as network:
        async with online(network.open) as reader:
            reader.acknowledges = False
            await network.fault(ID, "garbage")
            garbage = await reader.until(Garbage)
            assert "\0" in garbage.raw
            with pytest.raises(UnicodeEncodeError):
                garbage.raw.encode()
            assert storable(garbage.raw).encode()
            assert garbage.reason
        async with online(network.open) as reader:
            assert await reader.until(Garbage) == garbage


async def test_the_connection_drops_every_so_often(autojump_clock: MockClock) -> None:
    async with running(disconnect_every_s=30) as network:
        for _ in range(3):
            async with online(network.open) as reader:
                began = trio.current_time()
                with pytest.raises(LinkLost, match="every so often"):
                    await reader.next()
                assert trio.current_time() - began == pytest.approx(30, abs=0.01)


async def test_probes_and_keepalives_are_frames(autojump_clock: MockClock) -> None:
    async with running() as network, online(network.open) as reader:
        before = reader.link.last_frame_at_ms or 0
        await trio.sleep(14)
        assert reader.link.last_frame_at_ms == before
        await trio.sleep(6)
        assert reader.link.last_frame_at_ms == before + KEEPALIVE_MS
        await reader.link.probe()
        assert reader.link.last_frame_at_ms == before + 20_000
