"""A steady load for an hour, and whether anything grows under it.

    python -m tests.soak [--minutes 60] [--inbound 100] [--sends 20] [--into docs/reliability]

Prints a sample a minute and the verdicts; --into writes soak.json and soak.svg there. Exits with 1 where a figure grew
beyond its bound (tests/soak/world.py names them), or anything was lost, doubled or out of order.
"""

import argparse
import json
import platform
import sys
import tempfile
from pathlib import Path

import trio

from tests.daemon.harness import Home
from tests.soak.plot import svg
from tests.soak.samples import Sample
from tests.soak.slope import judge_all
from tests.soak.world import BOUNDS, Plan, Report, soak

WARM_UP_SHARE = 0.25  # by then SQLite's cache (64 MiB), the ring of events and the pools of threads are full
SAMPLES = 720


def tell(sample: Sample) -> None:
    """One line a minute or so."""
    print(json.dumps(sample.object()), flush=True)


def figures(report: Report) -> dict[str, object]:
    plan = report.plan
    verdicts = judge_all(report.samples, BOUNDS, plan.warm_up_s)
    return {
        "command": " ".join(["python -m tests.soak", *sys.argv[1:]]),
        "python": platform.python_version(),
        "seconds": plan.seconds,
        "warm_up_s": plan.warm_up_s,
        "messages": report.messages,
        "sent": report.sent,
        "events": report.events,
        "verdicts": [
            {"figure": each.name, "median": each.median, "highest": each.highest, "growth": each.growth,
             "allowed": each.allowed, "most": each.most, "holds": each.holds}
            for each in verdicts
        ],
        "samples": [sample.object() for sample in report.samples],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--inbound", type=float, default=100, help="messages a second that come in")
    parser.add_argument("--sends", type=float, default=20, help="messages a second that go out")
    parser.add_argument("--into", type=Path, help="a directory for soak.json and soak.svg")
    options = parser.parse_args()
    seconds = options.minutes * 60
    every_s = max(1.0, seconds / SAMPLES)
    plan = Plan(seconds, seconds * WARM_UP_SHARE, every_s, options.inbound, options.sends)
    with tempfile.TemporaryDirectory(prefix="pombal-") as directory:
        report = trio.run(soak, Home(Path(directory)), plan, tell)
    found = figures(report)
    if options.into:
        options.into.mkdir(parents=True, exist_ok=True)
        (options.into / "soak.json").write_text(json.dumps(found, indent=1) + "\n")
        (options.into / "soak.svg").write_text(svg(report.samples, plan.warm_up_s))
    verdicts = judge_all(report.samples, BOUNDS, plan.warm_up_s)
    for verdict in verdicts:
        print("holds " if verdict.holds else "GROWS ", verdict)
    sys.exit(0 if all(verdict.holds for verdict in verdicts) else 1)


if __name__ == "__main__":
    main()
