"""Who has the interpreter while a large transaction is carried out.

About half of its time is Python's, which needs the interpreter lock, and half is SQLite's, which does not. Beside a
busy loop the lock goes to and fro between both threads while decisions are made; so the loop is done with its work by
the time that SQLite begins, and has nothing to do beside it. Decided without a break, a transaction leaves the loop all
of SQLite's time; and it gets to its decisions sooner where it need not wait Python's own 5 ms for each turn.

Small ones are left alone: few messages that come one by one are shown soonest where the loop is not broken in upon.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

LARGE_CHANGES = 100
USUAL_S = 0.005
"""After so long a thread that computes lets another have the interpreter: Python's own."""
BESIDE_LARGE_S = 0.001
DECIDED_WITHIN_S = 0.02
"""As long as the decisions of a thousand changes take, and no longer: the loop stands still meanwhile."""


def share_interpreter(changes: int) -> None:
    """Before a transaction of so many changes; holds for all threads, until the next one."""
    sys.setswitchinterval(BESIDE_LARGE_S if changes >= LARGE_CHANGES else USUAL_S)


@contextmanager
def undisturbed(changes: int) -> Iterator[None]:
    """No other thread takes the interpreter inside, where there are many changes; SQLite must not be asked there."""
    if changes < LARGE_CHANGES:
        yield
        return
    before = sys.getswitchinterval()
    sys.setswitchinterval(DECIDED_WITHIN_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
