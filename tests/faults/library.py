"""The page shared with `faults.c` in the daemon, and the compiling of it."""

import ctypes
import mmap
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOURCE = Path(__file__).with_name("faults.c")


class _Page(ctypes.Structure):
    """As in faults.c."""

    _fields_ = [
        (name, ctypes.c_int64)
        for name in ("write_errno", "sync_errno", "permille", "is_stalled", "clock_ms", "failed", "stalled")
    ]
    write_errno: int
    sync_errno: int
    permille: int
    is_stalled: int
    clock_ms: int
    failed: int
    stalled: int


def missing() -> str | None:
    """What keeps it from being used here."""
    return None if shutil.which("cc") else "cc is not installed (Debian: apt install gcc libc6-dev)"


class FaultLibrary:
    """Faults of the disk and the clock, in whatever process runs with ``environ``."""

    def __init__(self, root: Path) -> None:
        self._library = root / "faults.so"
        command = ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", str(self._library), str(SOURCE), "-ldl"]
        subprocess.run(command, check=True)
        self._path = root / "faults.page"
        self._path.write_bytes(bytes(mmap.PAGESIZE))
        with self._path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        self._page = _Page.from_buffer(self._memory)

    @property
    def environ(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self._library), "POMBAL_FAULTS": str(self._path)}

    @property
    def failed(self) -> int:
        """How many calls have failed."""
        return self._page.failed

    @property
    def stalled(self) -> int:
        """How many calls stand still now; those of a process that was killed count on."""
        return self._page.stalled

    @contextmanager
    def failing(self, *, writes: int = 0, syncs: int = 0, share: float = 1.0) -> Iterator[None]:
        """These calls fail with these errnos, all or a share of them."""
        page = self._page
        page.permille, page.write_errno, page.sync_errno = round(share * 1000), writes, syncs
        try:
            yield
        finally:
            page.write_errno = page.sync_errno = 0

    @contextmanager
    def standstill(self) -> Iterator[None]:
        """The disk answers nothing."""
        self._page.stalled = 0
        self._page.is_stalled = 1
        try:
            yield
        finally:
            self._page.is_stalled = 0

    @contextmanager
    def clock_set(self, by_s: int) -> Iterator[None]:
        self._page.clock_ms = by_s * 1000
        try:
            yield
        finally:
            self._page.clock_ms = 0
