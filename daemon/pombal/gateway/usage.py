"""What this process takes of the machine."""

import os

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def rss_bytes() -> int:
    """Memory that is resident now (proc(5), statm)."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * PAGE_BYTES


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
