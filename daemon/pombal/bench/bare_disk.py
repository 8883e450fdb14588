"""What a durable write costs on this disk: a file of a few kilobytes, written and synced, again and again."""

import os
import time
from collections.abc import Callable
from pathlib import Path

_BYTES = 4096


def fsync_ms(file: Path, seconds: float, stop: Callable[[], bool] = lambda: False) -> list[float]:
    """How long each took, for so many seconds or until stop says so."""
    took: list[float] = []
    descriptor = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    try:
        until = time.perf_counter() + seconds
        while not stop() and time.perf_counter() < until:
            began = time.perf_counter()
            os.pwrite(descriptor, b"x" * _BYTES, len(took) * _BYTES)
            os.fsync(descriptor)
            took.append(1000 * (time.perf_counter() - began))
    finally:
        os.close(descriptor)
        file.unlink()
    return took
