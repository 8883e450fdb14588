"""Messages injected into the simulated network, and how long the daemon takes to have them all on disk."""

from collections.abc import Iterator, Sequence

import trio

from pombal.bench.progress import Progress
from pombal.bench.running import Running

TEXT = "Bom dia! Gostaria de saber se o meu pedido já saiu para entrega, por favor 🙏"
_CALLS_AT_ONCE = 100


async def take_in(daemon: Running, sessions: Sequence[str], each: int, at_once: int, progress: Progress) -> float:
    """Seconds from the first message injected to the last one committed.

    each: messages a session; at_once: of these, so many by one call. The sessions take turns.
    """
    messages = each * len(sessions)
    before = (await daemon.client.daemon_status()).last_event_seq
    calls = _calls(sessions, each, at_once)
    began = trio.current_time()
    with progress.count("messages committed", messages) as counted:
        async with trio.open_nursery() as nursery:
            for _ in range(_CALLS_AT_ONCE):
                nursery.start_soon(_inject, daemon, calls)
            await daemon.until_seq(before + messages, lambda seq: counted(seq - before))
    return trio.current_time() - began


def _calls(sessions: Sequence[str], each: int, at_once: int) -> Iterator[tuple[str, int]]:
    """By session, how many messages the next call injects."""
    for first in range(0, each, at_once):
        for session in sessions:
            yield session, min(at_once, each - first)


async def _inject(daemon: Running, calls: Iterator[tuple[str, int]]) -> None:
    for session, count in calls:
        params = {"name": session, "from": "5511988887777", "text": TEXT, "count": count}
        await daemon.client.call("simulator.inject", params)
