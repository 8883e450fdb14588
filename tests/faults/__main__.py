"""Faults in a seeded order against a daemon under load, until the time is over, or each so many times.

python -m tests.faults --minutes 30 --seed 4711
"""

import argparse
import random
import sys
import time
from collections.abc import Iterator, Sequence

import trio

from tests.faults.kinds import KINDS, missing
from tests.faults.run import Round, rounds
from tests.faults.world import LONG, SHORT, Lost


def main() -> int:
    asked = _arguments()
    lacking = missing()
    for need, reason in lacking.items():
        print(f"without {need}: {reason}", file=sys.stderr)
    wanted = [name for name in asked.fault or KINDS if name not in asked.without]
    names = [name for name in wanted if not KINDS[name].needs & set(lacking)]
    if not names:
        print("no fault that was asked for can be tried here", file=sys.stderr)
        return 2
    print(f"seed {asked.seed}: {', '.join(names)}", flush=True)
    code = 0
    try:
        trio.run(_play, asked, names, lacking)
    except* Lost as lost:
        print(*_leaves(lost), sep="\n", file=sys.stderr)
        code = 1
    return code


async def _play(asked: argparse.Namespace, names: list[str], lacking: dict[str, str]) -> None:
    extent = SHORT if asked.short else LONG
    plan = list(_each(asked, names)) if asked.rounds else _for_a_time(asked, names)
    await rounds(plan, extent, disk="disk" not in lacking, library="library" not in lacking, say=_say)


def _leaves(group: BaseExceptionGroup[Lost]) -> Iterator[BaseException]:
    for each in group.exceptions:
        if isinstance(each, BaseExceptionGroup):
            yield from _leaves(each)
        else:
            yield each


def _say(line: str) -> None:
    print(line, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    until = parser.add_mutually_exclusive_group()
    until.add_argument("--minutes", type=float, default=10.0)
    until.add_argument("--rounds", type=int, help="each fault so often, instead of for a time")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--fault", action="append", choices=sorted(KINDS))
    parser.add_argument("--without", action="append", choices=sorted(KINDS), default=[])
    parser.add_argument("--short", action="store_true", help="no further than CI goes")
    return parser.parse_args()


def _each(asked: argparse.Namespace, names: Sequence[str]) -> Iterator[Round]:
    every = list(names) * asked.rounds
    random.Random(asked.seed).shuffle(every)
    return zip(every, range(asked.seed, asked.seed + len(every)), strict=True)


def _for_a_time(asked: argparse.Namespace, names: Sequence[str]) -> Iterator[Round]:
    rng, number = random.Random(asked.seed), asked.seed
    ends_at = time.monotonic() + asked.minutes * 60
    while time.monotonic() < ends_at:
        yield rng.choice(names), number
        number += 1


if __name__ == "__main__":
    sys.exit(main())
