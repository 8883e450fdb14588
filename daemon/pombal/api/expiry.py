"""When a token ends, and with it what it has opened."""

import time

import trio

# The wall clock may be set meanwhile: it is looked at so often.
LOOK_EVERY_S = 60.0


async def until_expired(expires_at_s: float) -> None:
    """Returns once the wall clock has reached expires_at_s (epoch seconds)."""
    while (left_s := expires_at_s - time.time()) > 0:  # noqa: ASYNC110  # nobody tells of time
        await trio.sleep(min(left_s, LOOK_EVERY_S))
