"""What is known of neonize's build holds for the one that is installed, and for no other anything is touched."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from pombal.gateway.fixed_ids import BUILDS, FixedIds

PROBE = """
import sys, threading
import neonize
from pombal.gateway.fixed_ids import FixedIds, SLOTS
from pathlib import Path
library = str(next(Path(neonize.__file__).parent.glob("neonize-linux-*.so")))
ids = FixedIds()
assert not ids.install(library, "0.0.0")
assert ids.install(library, neonize.__version__), "the installed build is not the known one"
assert not FixedIds().install(library, neonize.__version__), "what is led elsewhere already is left alone"
with ids.next_id("3EB0000000000000000000"):
    pass
for _ in range(3 * SLOTS):  # places are given back
    with ids.next_id("3EB0000000000000000000"):
        pass
print("fine")
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="only this processor's build is known")
def test_the_installed_build_is_the_one_that_is_known() -> None:
    """In a process of its own, for it changes code in memory. That it works, test_whatsapp shows."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROBE], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "daemon")},
    )  # fmt: skip
    assert done.stdout.strip().endswith("fine"), done.stderr


def test_what_is_not_loaded_is_not_touched() -> None:
    version, _ = next(iter(BUILDS))
    ids = FixedIds()
    assert not ids.install("/nowhere/neonize-linux-amd64.so", version)
    with ids.next_id("anything"):
        pass


def test_an_id_has_a_size() -> None:
    ids = FixedIds()
    ids.is_installed = True
    with pytest.raises(ValueError, match="longer"), ids.next_id("x" * 33):
        pass
