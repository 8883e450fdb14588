"""Spoilt frames to both ends of the link's wire: a WireError or sense, and nothing else."""

import os

from pombal.link.wire import ErrorCode
from tests.fuzz.wire import Talks

FRAMES = int(os.environ.get("POMBAL_FUZZ_FRAMES", "20000"))
SEED = int(os.environ.get("POMBAL_FUZZ_SEED", "1"))


def test_wire_frames() -> None:
    talks = Talks(SEED)
    talks.run(FRAMES)
    tally = talks.tally
    assert tally.frames == FRAMES
    # The run has been where it should: some of all came through, and every kind of refusal was met.
    assert tally.heard > FRAMES / 10
    assert tally.changes > FRAMES / 100
    assert tally.garbage
    assert tally.refused.keys() == set(ErrorCode)
