"""Files in chunks: a window of them, an end, and an answer that may come before it."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pombal.link.wire import CHUNK_MAX_BYTES, WINDOW_CHUNKS, DaemonEnd, GatewayEnd, WireError, commands, frames
from pombal.link.wire.daemon_end import Answered, Declined
from pombal.link.wire.transfers import WINDOW_BYTES, Inflow
from tests.link.wire.pair import greeted

SHA256 = hashlib.sha256(b"file").hexdigest()


def begin_put(daemon: DaemonEnd, gateway: GatewayEnd) -> tuple[int, int]:
    """(command id, transfer id)"""
    transfer = daemon.next_transfer()
    id_, text = daemon.command(commands.PutMedia(SHA256, 4, transfer))
    gateway.receive(text)
    return id_, transfer


def begin_get(daemon: DaemonEnd, gateway: GatewayEnd) -> tuple[int, int]:
    transfer = daemon.next_transfer()
    id_, text = daemon.command(commands.GetMedia(SHA256, transfer))
    gateway.receive(text)
    return id_, transfer


def pass_on(end: DaemonEnd | GatewayEnd, payload: str | bytes | None) -> object:
    assert payload is not None
    return end.receive(payload)


def test_a_file_to_the_gateway() -> None:
    daemon, gateway = greeted()
    id_, transfer = begin_put(daemon, gateway)
    assert pass_on(gateway, daemon.chunk(transfer, b"file")) == frames.Chunk(transfer, b"file")
    assert pass_on(gateway, daemon.chunk(transfer, b"")) == frames.Chunk(transfer, b"")
    assert pass_on(daemon, gateway.taken(transfer, 4)) == frames.ChunkAck(transfer, 4)
    assert daemon.receive(gateway.answer(id_, commands.Done())) == Answered(id_, commands.Done())
    assert daemon.chunk(transfer, b"more") is None
    assert daemon.room_bytes(transfer) == 0
    assert gateway.taken(transfer, 1) is None


def test_a_file_from_the_gateway() -> None:
    daemon, gateway = greeted()
    id_, transfer = begin_get(daemon, gateway)
    assert pass_on(daemon, gateway.chunk(transfer, b"file")) == frames.Chunk(transfer, b"file")
    assert pass_on(gateway, daemon.taken(transfer, 4)) == frames.ChunkAck(transfer, 4)
    assert pass_on(daemon, gateway.chunk(transfer, b"")) == frames.Chunk(transfer, b"")
    assert daemon.receive(gateway.answer(id_, commands.Done())) == Answered(id_, commands.Done())
    assert gateway.chunk(transfer, b"more") is None


def test_the_window_is_kept_and_checked() -> None:
    daemon, gateway = greeted()
    _, transfer = begin_put(daemon, gateway)
    full = bytes(CHUNK_MAX_BYTES)
    for _ in range(WINDOW_CHUNKS):
        pass_on(gateway, daemon.chunk(transfer, full))
    assert daemon.room_bytes(transfer) == 0
    with pytest.raises(WireError, match="beyond the window"):
        daemon.chunk(transfer, b"x")
    with pytest.raises(WireError, match="beyond the window"):
        gateway.receive(transfer.to_bytes(4, "big") + b"x")
    pass_on(daemon, gateway.taken(transfer, 10))
    assert daemon.room_bytes(transfer) == 10


def test_a_refusal_ends_it_at_once_and_what_is_on_its_way_is_dropped() -> None:
    daemon, gateway = greeted()
    id_, transfer = begin_put(daemon, gateway)
    late = daemon.chunk(transfer, b"fi")
    told = daemon.receive(gateway.refuse(id_, "unavailable", "the disk is full"))
    assert told == Declined(id_, "unavailable", "the disk is full")
    assert pass_on(gateway, late) is None
    assert daemon.chunk(transfer, b"le") is None
    assert daemon.receive(f'{{"type":"chunk_ack","transfer":{transfer},"size_bytes":2}}') is None


def test_confirmations_of_what_was_never_sent() -> None:
    daemon, gateway = greeted()
    _, transfer = begin_put(daemon, gateway)
    with pytest.raises(WireError, match="not sent"):
        daemon.receive(f'{{"type":"chunk_ack","transfer":{transfer},"size_bytes":1}}')


def test_nothing_follows_the_end() -> None:
    daemon, gateway = greeted()
    _, transfer = begin_get(daemon, gateway)
    pass_on(daemon, gateway.chunk(transfer, b""))
    with pytest.raises(WireError, match="after the end"):
        daemon.receive(transfer.to_bytes(4, "big") + b"x")


def test_chunks_of_unknown_transfers_are_dropped() -> None:
    for end in greeted():
        assert end.receive(b"\0\0\0\7abc") is None


def test_chunks_have_a_bound_for_those_who_send_them() -> None:
    daemon, gateway = greeted()
    _, transfer = begin_put(daemon, gateway)
    with pytest.raises(WireError):
        daemon.chunk(transfer, bytes(CHUNK_MAX_BYTES + 1))


@given(st.lists(st.integers(1, CHUNK_MAX_BYTES), max_size=30), st.data())
def test_never_more_than_the_window_is_under_way(sizes: list[int], data: st.DataObject) -> None:
    inflow, under_way = Inflow(), 0
    for size in sizes:
        if under_way + size > WINDOW_BYTES:
            with pytest.raises(WireError):
                inflow.received(size)
            inflow.taken(under_way)
            under_way = 0
        inflow.received(size)
        under_way += size
        taken = data.draw(st.integers(0, under_way))
        inflow.taken(taken)
        under_way -= taken
