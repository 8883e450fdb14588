"""A session on WhatsApp Web: the real gateway with the real client, against the fake WhatsApp network of the tests.

    python -m benchmarks.web [--inbound 3000] [--sends 500] [--stall] [--sessions 10]

Needs `.[test]`. Daemon, gateway and fake are processes of their own, and share the machine; CPU is the daemon's and the
gateway's together, without the fake. Beside each figure stands what a rival did on such a machine against a fake of its
own (Evolution API 2.3.6 with PostgreSQL and Redis). Pacing, which is on by default, is switched off here.
"""

import argparse
import os
import signal
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

import trio

from pombal.control.client import Client
from tests.daemon.harness import Running, Settings
from tests.fakes.whatsapp_driver import fake_whatsapp
from tests.web.world import ANA, ME, World, account, gateways, last_seq, until_all, until_received, until_status

TICKS = os.sysconf("SC_CLK_TCK")
UNPACED: Settings = {"outbox": {"messages_per_second": 10_000.0, "burst": 1000}, "log": {"level": "warning"}}


@dataclass(frozen=True)
class Figure:
    what: str
    ours: str
    held_to: str
    rival: str


def cpu_s(daemon: Running) -> float:
    """What the daemon and its gateways have used so far."""
    total = 0
    for pid in (daemon.pid, *(gateway.pid for gateway in gateways(daemon))):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def rss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


async def inbound(world: World, daemon: Running, client: Client, count: int) -> list[Figure]:
    before, began = cpu_s(daemon), trio.current_time()
    ids = (await world.fake.do("inbound", account=ME, sender=ANA, text="bom dia", count=count, within_s=600))["ids"]
    await until_received(client, set(ids))
    seconds, used = trio.current_time() - began, cpu_s(daemon) - before
    return [
        Figure("inbound messages a second, stored", f"{count / seconds:.0f}", "at least 200", "31"),
        Figure("CPU seconds per 1,000 inbound", f"{used / count * 1000:.1f}", "at most 5", "30"),
    ]


async def lone_sends(world: World, client: Client, count: int) -> Figure:
    """One after the other: from the caller's acceptance to the stanza's arrival at WhatsApp."""
    queued = {}
    for number in range(count):
        seq = await last_seq(client)
        message = await client.message_send("vendas", ANA, text=f"um {number}", message_id=f"lone{number}")
        queued[message.link_id] = message.queued_at or 0
        await until_all(client, {message.message_id}, "delivered", after=seq)
    entries = (await world.fake.do("book", account=ME))["outbound"]
    delays = [entry["arrived_at_ms"] - queued[entry["id"]] for entry in entries if entry["id"] in queued]
    shown = f"{statistics.median(delays):.0f} ms"
    return Figure("p50 from acceptance to the wire", shown, "under 25 ms", "73 ms")


async def many_sends(world: World, client: Client, count: int) -> Figure:
    """At once; the rate is that of the stanzas' arrival at WhatsApp."""
    names = {f"many{number}" for number in range(count)}
    async for _ in client.pipeline(
        ("message.send", {"session": "vendas", "to": ANA, "text": name, "message_id": name}) for name in names
    ):
        pass
    await until_all(client, names, "delivered")
    entries = (await world.fake.do("book", account=ME))["outbound"]
    arrived = sorted(entry["arrived_at_ms"] for entry in entries if entry["content"]["text"] in names)
    rate = (count - 1) / (arrived[-1] - arrived[0]) * 1000
    return Figure("sends a second", f"{rate:.0f}", "at least 100", "14")


async def stall(world: World, client: Client) -> Figure:
    seq, began = await last_seq(client), trio.current_time()
    await world.fake.do("stall", account=ME)
    await until_status(client, "vendas", "disconnected", after=seq)
    seconds = trio.current_time() - began
    await until_status(client, "vendas", "ready", after=seq)
    return Figure("a silent server is noticed after", f"{seconds:.0f} s", "at most 40 s", "52 s")


async def kept_while_down(world: World, client: Client) -> Figure:
    await world.fake.do("network", up=False)
    names = {f"down{number}" for number in range(20)}
    for name in names:
        await client.message_send("vendas", ANA, text=name, message_id=name)
    await world.fake.do("network", up=True)
    await until_all(client, names, "delivered")
    return Figure("sends while the network is down", "kept: 20 of 20 went out later", "kept", "refused")


async def one_session(world: World, options: argparse.Namespace) -> list[Figure]:
    async with world.daemon() as daemon, daemon.client() as client:
        await world.link(client)
        await world.round_trip(client)
        memory = rss_mb(gateways(daemon)[0].pid)
        figures = await inbound(world, daemon, client, options.inbound)
        figures.append(await lone_sends(world, client, options.lone))
        figures.append(await many_sends(world, client, options.sends))
        figures.append(await kept_while_down(world, client))
        if options.stall:
            figures.append(await stall(world, client))
        figures.append(Figure("memory of a gateway with one session (RSS)", f"{memory:.0f} MB", "–", "–"))
        await daemon.stop()
    return figures


async def many_sessions(world: World, count: int) -> Figure:
    world.home.configure(world.settings({"web": {"sessions_per_process": count}}))
    async with world.daemon() as daemon, daemon.client() as client:
        for number in range(count):
            await world.link(client, f"s{number}", account(number))
        memory = rss_mb(gateways(daemon)[0].pid)
        await daemon.stop()
    return Figure(f"memory of a gateway with {count} sessions (RSS)", f"{memory:.0f} MB", "–", "–")


async def neighbour(world: World, count: int) -> Figure:
    """What the sends of one session take while the gateway of another is killed, beside what they took before."""
    async with world.daemon() as daemon, daemon.client() as client:
        await world.link(client, "killed", account(0))
        doomed = gateways(daemon)[0]
        await world.link(client, "other", account(1))
        before = await _sends_of(client, "other", "before", count)
        doomed.signal(signal.SIGKILL)
        after = await _sends_of(client, "other", "after", count)
        await daemon.stop()
    shown = f"{statistics.median(before):.0f} ms before, {statistics.median(after):.0f} ms after"
    return Figure("p50 to delivered, beside a gateway that is killed", shown, "unchanged", "–")


async def _sends_of(client: Client, session: str, name: str, count: int) -> list[int]:
    """Latencies to delivered, of sends one after the other."""
    latencies = []
    for number in range(count):
        seq = await last_seq(client)
        message_id = f"{name}{number}"
        await client.message_send(session, ANA, text=message_id, message_id=message_id)
        await until_all(client, {message_id}, "delivered", session=session, after=seq)
        message = await client.message_get(session=session, message_id=message_id)
        latencies.append(message.total_latency_ms or 0)
    return latencies


async def measure(options: argparse.Namespace) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="pombal-") as directory:
        root = Path(directory)
        async with fake_whatsapp(root / "fake") as fake:
            await fake.do("person", user=ANA)
            figures = await one_session(World(_made(root / "one"), fake, UNPACED), options)
            figures.append(await neighbour(World(_made(root / "two"), fake, UNPACED), options.lone))
            if options.sessions:
                figures.append(await many_sessions(World(_made(root / "many"), fake, UNPACED), options.sessions))
            return figures


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.web", description=__doc__)
    parser.add_argument("--inbound", type=int, default=3000)
    parser.add_argument("--lone", type=int, default=200, help="sends one after the other, for the latency")
    parser.add_argument("--sends", type=int, default=500, help="sends at once, for the rate")
    parser.add_argument("--stall", action="store_true", help="wait for a silent server to be noticed as well")
    parser.add_argument("--sessions", type=int, default=10, help="sessions in one process, for its memory; 0: none")
    figures = trio.run(measure, parser.parse_args())
    print("| figure | measured | held to | the rival |\n|---|---|---|---|")
    for figure in figures:
        print(f"| {figure.what} | {figure.ours} | {figure.held_to} | {figure.rival} |")


if __name__ == "__main__":
    main()
