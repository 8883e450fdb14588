"""The unit on a real systemd: installed from the wheel as the docs say, and every fact of trial.py seen.

Some minutes, and root with all its privileges: for .ci/long, and asked for by name.

    POMBAL_SYSTEMD=1 pytest tests/systemd/test_machine.py

POMBAL_SYSTEMD=/a/directory keeps the bare Debian there for the next time.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.systemd import machine, trial

ASKED_FOR = os.environ.get("POMBAL_SYSTEMD", "")
FACTS = [fact.__name__ for fact in trial.FACTS]


def why_not() -> str | None:
    """Why no machine can be booted here; None where one can."""
    if not ASKED_FOR:
        return "minutes: POMBAL_SYSTEMD=1 asks for it"
    if os.geteuid() != 0:
        return "only root can boot a machine"
    tried = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True, text=True, check=False
    )
    return f"no namespaces here: {tried.stderr.strip()}" if tried.returncode else None


pytestmark = [
    pytest.mark.system(*machine.PROGRAMS) if ASKED_FOR else pytest.mark.skipif(True, reason=str(why_not())),
    pytest.mark.timeout(3600),
]


@pytest.fixture(scope="module")
def seen() -> Iterator[dict[str, dict[str, Any]]]:
    """By its name, what was seen of each fact."""
    if reason := why_not():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="pombal-") as directory:
        root = (Path(ASKED_FOR) if ASKED_FOR != "1" else Path(directory)) / "debian"
        machine.build(root)
        told = machine.facts(root, Path(directory) / "told")
        yield {each["fact"]: each for each in told}


@pytest.mark.parametrize("fact", FACTS)
def test_fact(seen: dict[str, dict[str, Any]], fact: str) -> None:
    assert fact in seen, "the machine ended before this"
    assert seen[fact]["ok"], seen[fact]["why"]
