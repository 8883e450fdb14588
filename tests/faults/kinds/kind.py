"""What a fault is to the harness."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.faults.world import World


@dataclass(frozen=True)
class Kind:
    """One kind of fault. inflict does it, sees what must hold meanwhile, and takes it back; the load goes on.

    needs: "disk" (one that can be mounted), "library" (faults.c).
    """

    name: str
    inflict: Callable[[World], Awaitable[None]]
    needs: frozenset[str] = frozenset()
