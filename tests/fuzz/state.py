"""Whether a daemon among all that garbage is what it was: nobody crashed, its memory is bounded, its sessions work."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import trio

from pombal.control.client import Client
from pombal.control.client_connection import RemoteError
from pombal.store.offline import check_database
from tests.daemon.books import rows
from tests.daemon.harness import WAIT_S, Home, Running, until_all, until_status

ANA = "5511987654321"
# SQLite's caches have 64 MiB and more, the ring of events some, an answer with 500 of the longest messages 30.
GARBAGE = "the node ends in the middle of a token"
TRY_S = 5.0
GROWTH_MAX_BYTES = 192 * 1_048_576


def anonymous_bytes(daemon: Running) -> int:
    """Memory that is the daemon's own, without pages of files."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{daemon.pid}/status").read_text().splitlines())
    return int(lines["RssAnon"].split()[0]) * 1024


async def nobody_crashed(client: Client) -> None:
    cursor = None
    while True:
        page = await client.daemon_actors(limit=500, cursor=cursor)
        restarted = [actor for actor in page.results if actor.restarts or actor.last_crash]
        assert restarted == []
        if (cursor := page.next) is None:
            return


@contextmanager
def telling_faults(daemon: Running) -> Iterator[None]:
    """No line of the log may tell of an exception: where one does, that is the find, whatever was seen outside."""
    try:
        yield
    finally:
        found = [entry for entry in daemon.log if "exception" in entry]
        told = "\n".join(f"{entry['event']}\n{entry['exception']}" for entry in found[:3])
        assert found == [], f"{len(found)} exceptions; the first:\n{told}"


def database_is_whole(home: Home) -> None:
    """And what was rejected is what the simulator was asked to say."""
    assert check_database(home.database, progress=lambda _: None) == []
    reasons = {row["reason"] for row in rows(home.database, "SELECT reason FROM rejected")}
    assert reasons <= {GARBAGE}, reasons


async def mend(client: Client, session: str) -> None:
    """The session is there and ready, whatever was done to it: another takes its place where it is not."""
    with trio.fail_after(WAIT_S):
        while (seq := await _seq_unless_ready(client, session)) is not None:
            # What a client asked for that has hung up since may still be carried out, and be in between.
            with suppress(RemoteError):
                await client.session_delete(session)
            with suppress(RemoteError):
                await client.session_create(session, link="simulator")
            with trio.move_on_after(TRY_S):
                await until_status(client, session, "ready", after=seq)


async def _seq_unless_ready(client: Client, session: str) -> int | None:
    """None where it is ready; else the number of the last event before one looked."""
    seq = (await client.daemon_status()).last_event_seq
    with suppress(RemoteError):
        if (await client.session_get(session)).status == "ready":
            return None
    return seq


async def works(client: Client, session: str) -> None:
    """A message goes out and is read."""
    await mend(client, session)
    sent = await client.message_send(session, ANA, text="still here")
    await until_all(client, session, {sent.message_id}, "read")
