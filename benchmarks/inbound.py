"""The durable inbound rate of the whole daemon, beside a bare loop that writes the same rows with the same statements.

    python -m benchmarks.inbound [--messages 50000] [--sessions 100] [--rounds 3]

The daemon runs as a process with its simulated network; messages are injected into all sessions over the control socket
and counted by the event log. The bare loop is the writer alone, in this process, one thread, batches as large as the
recorder's largest. The two take turns, so that both meet the same machine; the ratio is taken within each round.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import trio

from benchmarks.sessions import prepare, start, until_ready
from pombal.config.settings import Settings
from pombal.control.client import Client, connect
from pombal.link.base import IncomingMessage
from pombal.model.clock import system_clock
from pombal.session.intake import changes_of
from pombal.store.connection import open_writer
from pombal.store.writer import Writer

TEXT = "Bom dia! Gostaria de saber se o meu pedido já saiu para entrega, por favor 🙏"
SLICE = 250


async def inject(client: Client, session: str, count: int) -> None:
    for start_at in range(0, count, SLICE):
        part = min(SLICE, count - start_at)
        await client.call("simulator.inject", {"name": session, "from": "5511988887777", "text": TEXT, "count": part})


async def daemon_rate(socket: Path, sessions: int, messages: int) -> float:
    async with connect(socket) as client:
        before = (await client.call("daemon.status", {}))["last_event_seq"]
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for number in range(sessions):
                nursery.start_soon(inject, client, f"s{number:05d}", messages // sessions)
        while (await client.call("daemon.status", {}))["last_event_seq"] - before < messages:
            await trio.sleep(0.01)  # another process counts
        return messages / (trio.current_time() - began)


def bare_rate(directory: Path, sessions: int, messages: int, batch_rows: int) -> float:
    settings = Settings()
    prepare(directory, sessions)
    writer = Writer(open_writer(directory / "pombal.db", settings.recorder, settings.store), system_clock, 5000)
    batches = []
    for start_at in range(0, messages, batch_rows):
        batch = []
        for number in range(start_at, min(start_at + batch_rows, messages)):
            at = system_clock()
            event = IncomingMessage(
                f"3EB0{number:018X}", "5511988887777@s.whatsapp.net", at.wall_ms // 1000, text=TEXT,
                contact_name="Ana Souza",
            )  # fmt: skip
            batch.extend(changes_of(event, number % sessions + 1, at))
        batches.append(batch)
    began = time.perf_counter()
    for batch in batches:
        writer.commit(batch)
    rate = messages / (time.perf_counter() - began)
    writer.close()
    return rate


def one_round(root: Path, sessions: int, messages: int) -> tuple[float, float]:
    state = root / "daemon"
    prepare(state, sessions)
    daemon = start(state)
    try:
        trio.run(until_ready, state / "control.sock", sessions)
        ours = trio.run(daemon_rate, state / "control.sock", sessions, messages)
    finally:
        daemon.terminate()
        daemon.wait(60)
    return ours, bare_rate(root / "bare", sessions, messages, Settings().recorder.max_batch_rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=50_000)
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rounds = []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as directory:
            rounds.append(one_round(Path(directory), options.sessions, options.messages))
    print(
        json.dumps(
            {
                "daemon_per_s": [round(ours) for ours, _ in rounds],
                "bare_per_s": [round(bare) for _, bare in rounds],
                "ratio_median": round(statistics.median(ours / bare for ours, bare in rounds), 2),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
