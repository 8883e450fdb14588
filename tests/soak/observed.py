"""Pombal, and beside it a thread that writes down how many blocks of memory the interpreter holds.

    python -P observed.py FILE serve --config …

sys.getallocatedblocks counts what lives, strings included, whatever its size: an object kept for each message shows
long before the process grows by it, and SQLite's caches, which are of their own, are not in it.
"""

import os
import sys
import threading
import time
from pathlib import Path

EVERY_S = 0.5


def write_down(path: Path) -> None:
    """Replaced whole, so that nobody reads half a number."""
    beside = path.with_suffix(".new")
    while True:
        beside.write_text(str(sys.getallocatedblocks()))
        os.replace(beside, path)
        time.sleep(EVERY_S)


def main() -> None:
    path = Path(sys.argv.pop(1))
    threading.Thread(target=write_down, args=(path,), name="observer", daemon=True).start()
    from pombal.cli.main import main as pombal

    pombal()


if __name__ == "__main__":
    main()
