"""A steady load for an hour, and whether anything grows under it.

    python -m tests.soak [--minutes 60] [--inbound 100] [--sends 20] [--quiet-machine] [--into DIRECTORY]

Prints each sample and the verdicts; --into writes soak.json and soak.svg there. --quiet-machine: latencies are judged
as well, for nothing else runs here. Exits with 1 where a figure grew beyond its bound (tests/soak/world.py names them),
and fails where anything was lost, doubled or out of order.
"""

import argparse
import json
import platform
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import trio

from tests.daemon.harness import Home
from tests.soak.plot import svg
from tests.soak.samples import Sample
from tests.soak.slope import Verdict, judge_all
from tests.soak.world import BOUNDS, QUIET_BOUNDS, Plan, Report, soak

WARM_UP_SHARE = 0.25  # by then SQLite's cache (64 MiB), the ring of events and the pools of threads are full
SAMPLES = 720
SHOWN_SAMPLES = 180


def tell(sample: Sample) -> None:
    print(json.dumps(sample.object()), flush=True)


def figures(report: Report, verdicts: Sequence[Verdict], command: str) -> dict[str, Any]:
    """The whole of it, samples thinned out and by column."""
    shown = report.samples[:: max(1, len(report.samples) // SHOWN_SAMPLES)]
    return {
        "command": command,
        "python": platform.python_version(),
        "seconds": report.plan.seconds,
        "warm_up_s": report.plan.warm_up_s,
        "messages": report.messages,
        "sent": report.sent,
        "events": report.events,
        "verdicts": [asdict(verdict) | {"holds": verdict.holds} for verdict in verdicts],
        "samples": {each.name: [_rounded(getattr(sample, each.name)) for sample in shown] for each in fields(Sample)},
    }


def _rounded(value: float | None) -> float | None:
    return round(value, 2) if isinstance(value, float) else value


def write(into: Path, report: Report, verdicts: Sequence[Verdict], command: str) -> None:
    into.mkdir(parents=True, exist_ok=True)
    (into / "soak.json").write_text(json.dumps(figures(report, verdicts, command)) + "\n")
    (into / "soak.svg").write_text(svg(report.samples, report.plan.warm_up_s))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--inbound", type=float, default=100, help="messages a second that come in")
    parser.add_argument("--sends", type=float, default=20, help="messages a second that go out")
    parser.add_argument("--quiet-machine", action="store_true", help="judge latencies as well")
    parser.add_argument("--into", type=Path, help="a directory for soak.json and soak.svg")
    options = parser.parse_args()
    seconds = options.minutes * 60
    plan = Plan(seconds, seconds * WARM_UP_SHARE, max(1.0, seconds / SAMPLES), options.inbound, options.sends)
    with tempfile.TemporaryDirectory(prefix="pombal-") as directory:
        report = trio.run(soak, Home(Path(directory)), plan, tell)
    bounds = BOUNDS | (QUIET_BOUNDS if options.quiet_machine else {})
    verdicts = judge_all(report.samples, bounds, plan.warm_up_s)
    if options.into:
        write(options.into, report, verdicts, " ".join(["python -m tests.soak", *sys.argv[1:]]))
    for verdict in verdicts:
        print("holds " if verdict.holds else "GROWS ", verdict)
    sys.exit(0 if all(verdict.holds for verdict in verdicts) else 1)


if __name__ == "__main__":
    main()
