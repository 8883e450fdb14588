"""What a process takes, from /proc (proc_pid_status(5)): another's ru_maxrss would be its ancestors', too."""

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    memory_bytes: int
    descriptors: int


def usage_of(pid: int) -> Usage | None:
    """None for a process that is gone, or not ours to look at."""
    try:
        with open(f"/proc/{pid}/status", "rb") as status:
            memory_bytes = next((int(line.split()[1]) * 1024 for line in status if line.startswith(b"VmRSS:")), 0)
        return Usage(memory_bytes, len(os.listdir(f"/proc/{pid}/fd")))
    except (OSError, ValueError, IndexError):
        return None
