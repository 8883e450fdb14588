"""For tests only: ``python -P launcher.py ROOT_KEY COMMAND…`` runs ``pombal COMMAND…`` against the fake.

whatsmeow trusts one key, 32 bytes in its binary, and no setting changes it; nor shall Pombal have one. So this program
overwrites those bytes in memory, right after neonize has loaded its library and before anything connects, and then runs
the command unchanged. It refuses to go on unless it found the key exactly once.
"""

import ctypes
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

ROOT_KEY = bytes.fromhex("142375574d0a587166aae71ebe516437c4a28b73e3695c6ce1f7f9545da8ee6b")
LOADS_THE_LIBRARY = "neonize._binder"


class NotPatched(SystemExit):
    """The library is not the one that this launcher knows."""


def patch(key: bytes) -> None:
    """Raises NotPatched unless the key is there exactly once, in memory that can be written."""
    places = [address for start, end in _writable() for address in _find(start, end)]
    if len(places) != 1:
        raise NotPatched(f"whatsmeow's root key is there {len(places)} times, not once: is this another neonize?")
    ctypes.memmove(places[0], key, len(ROOT_KEY))


def _writable() -> list[tuple[int, int]]:
    ranges = []
    for line in Path("/proc/self/maps").read_text().splitlines():
        fields = line.split()
        if len(fields) > 5 and "neonize" in fields[5] and "w" in fields[1]:
            start, end = (int(each, 16) for each in fields[0].split("-"))
            ranges.append((start, end))
    return ranges


def _find(start: int, end: int) -> list[int]:
    memory, places = ctypes.string_at(start, end - start), []
    offset = memory.find(ROOT_KEY)
    while offset >= 0:
        places.append(start + offset)
        offset = memory.find(ROOT_KEY, offset + 1)
    return places


class PatchOnLoad(importlib.abc.MetaPathFinder):
    """Lets the library be loaded as ever, and patches it in the same breath."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != LOADS_THE_LIBRARY:
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_patch(module: ModuleType) -> None:
                load(module)
                patch(self._key)

            spec.loader.exec_module = load_and_patch  # type: ignore[method-assign]
        return spec


def main() -> None:
    key = bytes.fromhex(sys.argv[1])
    if len(key) != len(ROOT_KEY):
        raise NotPatched("a root key is 64 hexadecimal digits")
    sys.meta_path.insert(0, PatchOnLoad(key))
    sys.argv = ["pombal", *sys.argv[2:]]
    from pombal.cli.main import main as pombal

    pombal()


if __name__ == "__main__":
    main()
