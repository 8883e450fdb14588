"""Half a minute of a steady load: nothing lost, doubled or out of order, and no message is kept that has gone by.

POMBAL_SOAK_S=120: two minutes. An hour of it: `python -m tests.soak`; its figures are in docs/reliability.md.
"""

import os
from pathlib import Path

from tests.daemon.harness import Home
from tests.soak.slope import judge_all
from tests.soak.world import SHORT_BOUNDS, Plan, soak

# Twice the rate of the long form, and a ring of events that is full when measuring begins: a leak shows sooner.
SECONDS = float(os.environ.get("POMBAL_SOAK_S", "36"))
PLAN = Plan(SECONDS, warm_up_s=SECONDS / 3, sample_every_s=0.75, inbound_per_s=150, sends_per_s=40, ring=256)


async def test_a_steady_load(short_path: Path) -> None:
    report = await soak(Home(short_path), PLAN)
    verdicts = judge_all(report.samples, SHORT_BOUNDS, PLAN.warm_up_s)
    told = "\n".join(map(str, verdicts))
    assert all(verdict.holds for verdict in verdicts), told
    assert all(sample.restarts == 0 for sample in report.samples)
