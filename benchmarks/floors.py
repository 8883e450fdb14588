"""A guard against losing speed unnoticed: small benchmarks, whose ratios must not fall under a floor.

    python -m benchmarks.floors [--runs 3]

A floor lies far below the usual ratio, so that what falls under it is the code and not a busy moment of the machine.
There is none for a time or a rate: those belong to the machine.
"""

import argparse
import json
import subprocess
import sys

FLOORS = {"ingest.rate": 0.2, "send.accepted": 0.1, "send.lives": 0.12}
BENCHMARKS = ("ingest", "send")


def measured(name: str, runs: int) -> dict[str, float]:
    """The ratio of each figure."""
    command = [sys.executable, "-m", "pombal", "bench", name, "--small", "--runs", str(runs), "--json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return {each["name"]: each["ratio"] for each in json.loads(done.stdout)["results"] if each["ratio"] is not None}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    ratios = {figure: ratio for name in BENCHMARKS for figure, ratio in measured(name, options.runs).items()}
    for figure, floor in FLOORS.items():
        print(f"{figure:>15}: {ratios[figure]:.2f} of the host's own, and no less than {floor:.2f} is let pass")
    return int(any(ratios[figure] < floor for figure, floor in FLOORS.items()))


if __name__ == "__main__":
    sys.exit(main())
