"""Rounds: a fault under load, then rest, then the verdict."""

import random
import tempfile
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

from tests.faults.kinds import KINDS
from tests.faults.world import Extent, World, world

# Fresh books now and then: what is held together grows with every round.
ROUNDS_A_HOME = 15
# Sends that must be accepted before a fault, and again after it: the load is there, and is served again.
SOME = 20

Round = tuple[str, int]
"""(the fault, its seed)."""
Say = Callable[[str], None]


async def play(it: World, name: str, seed: int) -> None:
    """One round. Raises Lost with everything that is wrong."""
    it.begin_round(name, seed)
    try:
        async with it.load.running():
            await it.ledger.more(SOME)
            await KINDS[name].inflict(it)
            await it.ledger.more(SOME)
            await it.prober.until_well()
    except Exception as error:  # whatever was waited for and did not come, or the verdict of a moment in its midst
        raise it.lost(error) from error
    await it.settle()
    it.judge_at_rest()


async def rounds(
    plan: Iterable[Round], extent: Extent, *, disk: bool, library: bool, say: Say = lambda _: None
) -> None:
    """Each of these in turn, on as few daemons as may be. disk, library: what the machine has for them."""
    coming = iter(plan)
    while part := next(coming, None):
        with tempfile.TemporaryDirectory(prefix="pombal-") as root:
            async with world(Path(root), random.Random(), extent, disk=disk, library=library) as it:
                for name, seed in (part, *islice(coming, ROUNDS_A_HOME - 1)):
                    await play(it, name, seed)
                    say(it.summary())
