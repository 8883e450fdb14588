"""Spoilt requests against a running daemon, by the thousand.

POMBAL_FUZZ_FRAMES and POMBAL_FUZZ_SEED make it as long and as new as one likes.
"""

import os

from tests.daemon.harness import Home
from tests.fuzz import control
from tests.fuzz.state import (
    GROWTH_MAX_BYTES,
    anonymous_bytes,
    database_is_whole,
    mend,
    nobody_crashed,
    telling_faults,
    works,
)

FRAMES = int(os.environ.get("POMBAL_FUZZ_FRAMES", "20000"))
SEED = int(os.environ.get("POMBAL_FUZZ_SEED", "1"))
WARM_UP_SHARE = 0.1


async def test_control_frames(home: Home) -> None:
    home.configure({"log": {"level": "warning"}})
    frames = control.Frames(SEED)
    async with home.daemon() as daemon, daemon.client() as client:
        before = 0
        with telling_faults(daemon):
            for done in range(0, FRAMES, control.BURST_FRAMES):
                for session in control.SESSIONS:
                    await mend(client, session)
                await control.exchange(home.socket, frames, frames.burst(control.BURST_FRAMES))
                await nobody_crashed(client)
                if not before and done >= FRAMES * WARM_UP_SHARE:
                    before = anonymous_bytes(daemon)
            assert anonymous_bytes(daemon) - before < GROWTH_MAX_BYTES
            await works(client, "vendas")
            await daemon.stop()
    database_is_whole(home)
