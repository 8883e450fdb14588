"""Descriptors, threads and tasks: after two hundred lives of a session, and fifty of the daemon, as many as before."""

import os
import threading
from typing import NamedTuple

import trio

from pombal.control.client import Client, connect
from tests.daemon.harness import Home, ready_session, until_all, until_status
from tests.daemon.inside import inside

ANA = "5511987654321"


class Belongings(NamedTuple):
    """trio keeps idle worker threads for ten seconds, for anybody's use: they are nobody's leak."""

    descriptors: tuple[str, ...]
    threads: tuple[str, ...]
    tasks: int


def belongings() -> Belongings:
    links = [os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if _is_open(name)]
    kinds = sorted(link.partition(":")[0] if ":[" in link else link for link in links)
    threads = sorted(thread.name for thread in threading.enumerate() if not thread.name.startswith("Trio thread"))
    return Belongings(tuple(kinds), tuple(threads), trio.lowlevel.current_statistics().tasks_living)


def _is_open(name: str) -> bool:
    """Not the one that listed them."""
    return os.path.lexists(f"/proc/self/fd/{name}")


async def cycle(client: Client) -> None:
    """Up, a message each way, and down."""
    seq = (await client.daemon_status()).last_event_seq
    await client.session_start("vendas")
    await until_status(client, "vendas", "ready", after=seq)
    sent = await client.message_send("vendas", ANA, text="x")
    await client.simulator_inject("vendas", ANA, text="y")
    await until_all(client, "vendas", {sent.message_id}, "read", after=seq)
    await client.session_stop("vendas")


async def test_two_hundred_starts_and_stops_of_a_session_leave_nothing(home: Home) -> None:
    async with inside(home), connect(home.socket) as client:
        await ready_session(client)
        await client.session_stop("vendas")
        for _ in range(5):
            await cycle(client)
        before = belongings()
        for _ in range(200):
            await cycle(client)
        assert belongings() == before


async def test_sessions_that_are_deleted_leave_nothing(home: Home) -> None:
    async with inside(home) as (daemon, _), connect(home.socket) as client:
        await ready_session(client, "first")
        await client.session_delete("first")
        before = belongings()
        for number in range(50):
            await ready_session(client, f"s{number}")
            await client.session_delete(f"s{number}")
        assert belongings() == before
        assert len(daemon.rooms.registry) == 0
        assert [actor.kind for actor in (await client.daemon_actors(kind="session")).results] == []


async def test_fifty_lives_of_the_daemon_leave_nothing(home: Home) -> None:
    async def live() -> None:
        async with inside(home), connect(home.socket) as client:
            await client.daemon_status()

    async with inside(home), connect(home.socket) as client:
        await ready_session(client)
    await live()
    before = belongings()
    for _ in range(50):
        await live()
    assert belongings() == before
