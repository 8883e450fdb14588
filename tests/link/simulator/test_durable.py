"""The network's own side on disk. With the system's clock: a thread writes, which no test clock knows of."""

import os
import signal
import sqlite3
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
import trio

from pombal.config.settings import SimulatorSettings
from pombal.link.base import Authenticated, Garbage, IncomingMessage, Qr, Receipt, Sent
from pombal.link.simulator import SimulatedNetwork, durable
from pombal.model.clock import system_clock
from pombal.model.errors import Kind, PombalError
from pombal.model.message import MessageStatus, MessageType
from tests.link.simulator.world import Reader, context, online, outgoing, running

ID = "id-ana"
MARIA = "5511987654321"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "simulator.db"


@asynccontextmanager
async def network_on(path: Path, **settings: Any) -> AsyncIterator[SimulatedNetwork]:
    quick = {"durable": True, "connect_ms": 0, "sent_ms": 1, "delivered_ms": 1, "read_ms": 1}
    async with running(path, system_clock, **(quick | settings)) as network:  # type: ignore[arg-type]
        with trio.fail_after(30):
            yield network


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


async def test_a_message_is_on_disk_before_inject_answers_and_before_it_is_handed_over(path: Path) -> None:
    async with network_on(path) as network, online(network.open) as reader:
        link_ids = await network.inject(ID, MARIA, "olá\0\ud800", count=3)
        expected = [(number, link_id, "olá\ufffd\ufffd") for number, link_id in enumerate(link_ids, 1)]
        assert rows(path, "SELECT seq, link_id, text FROM inbound ORDER BY seq") == expected
        message = await reader.until(IncomingMessage)
        assert message.text == "olá\0\ud800"


async def test_what_was_not_acknowledged_comes_again_after_a_restart_and_nothing_else(path: Path) -> None:
    async with network_on(path) as network, online(network.open) as reader:
        link_ids = await network.inject(ID, MARIA, count=5)
        reader.acknowledges = False
        first = await reader.take(IncomingMessage, 5)
        reader.link.acknowledge(reader.seen[-4].seq)
        highest = reader.seen[-4].seq
    assert rows(path, "SELECT seq FROM inbound WHERE acknowledged ORDER BY seq") == [(1,), (2,)]
    async with network_on(path) as network:
        new = await network.inject(ID, MARIA)
        async with network.open(context()) as link:
            reader = Reader(link)
            again = await reader.take(IncomingMessage, 4)
            assert reader.seen[0].seq == highest + 1
    assert again[:3] == first[2:]
    assert again[3].link_id == new[0]
    assert again[3].offline
    assert not set(new) & set(link_ids)
    assert rows(path, "SELECT count(*), sum(acknowledged) FROM inbound") == [(6, 6)]


async def test_every_field_of_a_message_survives(path: Path) -> None:
    async with network_on(path) as network, online(network.open) as reader:
        reader.acknowledges = False
        for message_type in MessageType:
            await network.inject(ID, "120363041234567890@g.us", "té 👍", message_type)
        before = await reader.take(IncomingMessage, len(MessageType))
    async with network_on(path) as network, online(network.open) as reader:
        assert await reader.take(IncomingMessage, len(MessageType)) == before


async def test_a_send_is_on_disk_before_it_is_called_sent_and_known_after_a_restart(path: Path) -> None:
    counts = "SELECT link_id, chat_id, text, times_received, times_sent FROM received_sends"
    async with network_on(path) as network, online(network.open) as reader:
        await reader.link.send(outgoing(text="olá\0"))
        await reader.until(Sent)
        assert rows(path, counts) == [("3EB0AA", f"{MARIA}@s.whatsapp.net", "olá\ufffd", 1, 1)]
    async with network_on(path, fail_rate=1) as network, online(network.open) as reader:
        await reader.link.send(outgoing(text="olá\0"))
        await reader.until(Sent)
        assert network.received(ID) == 0  # in this life
    assert [each[3:] for each in rows(path, counts)] == [(1, 2)]


async def test_a_network_that_does_not_deduplicate_writes_so(path: Path) -> None:
    async with network_on(path, deduplicates=False) as network, online(network.open) as reader:
        for _ in range(3):
            await reader.link.send(outgoing())
            await reader.until(Sent)
    assert rows(path, "SELECT times_received, times_sent FROM received_sends") == [(3, 3)]


async def test_receipts_come_again_until_the_last_was_acknowledged(path: Path) -> None:
    async def receipts(reader: Reader) -> list[MessageStatus]:
        return [receipt.status for receipt in await reader.take(Receipt, 2)]

    async with network_on(path) as network, online(network.open) as reader:
        reader.acknowledges = False
        await reader.link.send(outgoing())
        assert await receipts(reader) == [MessageStatus.DELIVERED, MessageStatus.READ]
    async with network_on(path) as network, online(network.open) as reader:
        assert await receipts(reader) == [MessageStatus.DELIVERED, MessageStatus.READ]
    assert rows(path, "SELECT settled FROM received_sends") == [(1,)]
    async with network_on(path) as network, online(network.open) as reader:
        await network.inject(ID, MARIA)
        assert isinstance(await reader.next(), IncomingMessage)


async def test_pairing_survives_and_so_does_its_end(path: Path) -> None:
    async def first_event(network: SimulatedNetwork) -> Any:
        async with network.open(context()) as link:
            return (await link.receive())[0].event

    async with network_on(path, auto_scan_ms=None) as network:
        async with network.open(context()) as link:
            await Reader(link).until(Qr)
            await network.scan(ID)
            number = (await Reader(link).until(Authenticated)).identity
        assert rows(path, "SELECT session_id, name, number, is_paired FROM accounts") == [(ID, "ana", number, 1)]
    async with network_on(path, auto_scan_ms=None) as network:
        assert (await first_event(network)).identity == number
        await network.fault(ID, "logged_out")
        assert rows(path, "SELECT is_paired FROM accounts") == [(0,)]
    async with network_on(path, auto_scan_ms=None) as network:
        assert isinstance(await first_event(network), Qr)


async def test_logging_out_is_on_disk_when_it_returns(path: Path) -> None:
    async with network_on(path) as network, online(network.open) as reader:
        await reader.link.logout()
        assert rows(path, "SELECT is_paired FROM accounts") == [(0,)]


async def test_a_deleted_session_leaves_nothing(path: Path) -> None:
    async with network_on(path) as network, online(network.open) as reader:
        await network.inject(ID, MARIA)
        await reader.link.send(outgoing())
        await reader.until(Sent)
        network.forget(ID)
    tables = ("accounts", "inbound", "received_sends")
    assert [rows(path, f"SELECT count(*) FROM {table}") for table in tables] == [[(0,)]] * 3


async def test_people_who_write_by_themselves_are_durable_too(path: Path) -> None:
    async with network_on(path, inbound_rate=2000) as network, online(network.open) as reader:
        seen = [message.link_id for message in await reader.take(IncomingMessage, 300)]
        assert set(seen) <= {link_id for (link_id,) in rows(path, "SELECT link_id FROM inbound")}
    assert rows(path, "SELECT count(*), max(seq) FROM inbound")[0][0] >= 300


async def test_garbage_needs_no_disk(path: Path) -> None:
    async with network_on(path) as network, online(network.open) as reader:
        await network.fault(ID, "garbage")
        await reader.until(Garbage)


class Warnings:
    def __init__(self) -> None:
        self.came = trio.Event()

    def warning(self, event: str, **values: str) -> None:
        assert event == "simulator's database cannot be written"
        assert "locked" in values["error"]
        self.came.set()


async def test_a_locked_file_makes_people_wait_and_loses_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warnings = Warnings()
    monkeypatch.setattr(durable, "RETRY_S", 0.01)
    monkeypatch.setattr("pombal.link.simulator.ledger.BUSY_TIMEOUT_S", 0.01)
    async with network_on(path) as network, online(network.open) as reader:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            async with trio.open_nursery() as nursery:
                monkeypatch.setattr(durable, "log", warnings)
                nursery.start_soon(network.inject, ID, MARIA)
                await warnings.came.wait()
                other.execute("ROLLBACK")
        await reader.until(IncomingMessage)


async def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    await trio.Path(path).write_bytes(b"not a database" * 1000)
    network = SimulatedNetwork(SimulatorSettings(enabled=True), system_clock, path)
    with pytest.raises(PombalError, match="cannot be used as the simulator's database") as caught:
        await network.run()
    assert caught.value.kind == Kind.UNAVAILABLE


KILLED = textwrap.dedent(
    """
    import os, signal, sys, trio
    from pathlib import Path
    from tests.link.simulator.test_durable import ID, MARIA, network_on
    from tests.link.simulator.world import online, outgoing
    from pombal.link.base import IncomingMessage, Sent

    async def main():
        async with network_on(Path(sys.argv[1]), delivered_ms=60_000) as network, online(network.open) as reader:
            await network.inject(ID, MARIA, count=200)
            for number in range(100):
                print("acknowledged", (await reader.until(IncomingMessage)).link_id)
            reader.acknowledges = False
            await reader.link.send(outgoing("3EB0KILLED"))
            print("sent", (await reader.until(Sent)).link_id)
            print("injected", *await network.inject(ID, MARIA), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

    trio.run(main)
    """
)


async def test_kill_9_loses_nothing_that_was_promised(path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(path)]
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    done = await trio.run_process(command, capture_stdout=True, check=False, env=env)
    assert done.returncode == -signal.SIGKILL
    said = [line.split() for line in done.stdout.decode().splitlines()]
    acknowledged = {link_id for verb, link_id in said if verb == "acknowledged"}
    injected = next(link_id for verb, link_id in said if verb == "injected")
    assert len(acknowledged) == 100
    on_disk = dict(rows(path, "SELECT link_id, acknowledged FROM inbound ORDER BY seq"))
    assert len(on_disk) == 201
    assert {link_id for link_id, done in on_disk.items() if done} <= acknowledged
    async with network_on(path) as network, online(network.open) as reader:
        waiting = [link_id for link_id, is_done in on_disk.items() if not is_done]
        again = [message.link_id for message in await reader.take(IncomingMessage, len(waiting))]
        assert again == waiting
        assert again[-1] == injected
        assert (await reader.take(Receipt, 2))[0].link_ids == ("3EB0KILLED",)


async def test_a_send_that_is_taken_takes_its_course_though_its_sender_is_gone(path: Path) -> None:
    """A session is restarted while the network writes: the recipient has the message, and the receipts come."""
    async with network_on(path) as network, online(network.open) as reader:
        with closing(sqlite3.connect(path, isolation_level=None)) as another:
            another.execute("BEGIN IMMEDIATE")
            with trio.move_on_after(0.1) as gone:
                await reader.link.send(outgoing("3EB0GONE"))
            assert gone.cancelled_caught
            another.execute("ROLLBACK")
        assert (await reader.take(Receipt, 2))[-1].link_ids == ("3EB0GONE",)
