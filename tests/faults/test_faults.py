"""The short form of the harness: every fault once or twice, twenty kills in all, on as few daemons as may be.

The long form is `.ci/long`'s; `POMBAL_FAULTS_SEED` asks for other moments.
"""

import os
from collections.abc import Sequence

import pytest

from tests.faults.kinds import KINDS, missing
from tests.faults.run import rounds
from tests.faults.world import SHORT

SEED = int(os.environ.get("POMBAL_FAULTS_SEED", "4711"))
PLANS: dict[str, Sequence[str]] = {
    "killed": ["kill", "terminate", "kill", "kill", "kill"],
    "outside": ["locked", "descriptors", "links", "clients", "crowd"],
    "the_disk": ["disk_full", "read_only"],
    "the_library": ["io_errors", "stalled_disk", "clock", "freeze", "hung_writer"],
}


@pytest.mark.timeout(900)  # for a busy machine: as many seconds as tens of starts of the daemon may take there
@pytest.mark.parametrize("names", PLANS.values(), ids=PLANS)
async def test_nothing_acknowledged_is_lost_and_nothing_comes_twice(names: Sequence[str]) -> None:
    needs = {need for name in names for need in KINDS[name].needs}
    lacking = {need: reason for need, reason in missing().items() if need in needs}
    if lacking:
        pytest.skip("; ".join(lacking.values()))
    plan = list(zip(names, range(SEED, SEED + len(names)), strict=True))
    await rounds(plan, SHORT, disk="disk" in needs, library="library" in needs)


def test_every_fault_is_in_a_plan() -> None:
    assert {name for names in PLANS.values() for name in names} == set(KINDS)
