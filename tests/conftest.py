"""What all tests share: those that need a program of the system say so, and are not skipped where it must be there."""

import os
import shutil
import signal

import pytest

IN_CI = os.environ.get("CI", "").lower() in ("1", "true")
PACKAGES = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "systemd-analyze": "systemd",
    "systemd-sysusers": "systemd",
    "systemd-tmpfiles": "systemd",
    "mount": "mount",
}


def pytest_sessionstart() -> None:
    """A shell starts its background jobs with SIGINT ignored, and so would every daemon that a test starts be deaf."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """``@pytest.mark.system("promtool")``: skipped without the program; in CI its absence is a failure."""
    for marker in item.iter_markers("system"):
        missing = [program for program in marker.args if shutil.which(program) is None]
        if missing:
            packages = sorted({PACKAGES.get(program, program) for program in missing})
            reason = f"{', '.join(missing)} is not installed (Debian: apt install {' '.join(packages)})"
            if IN_CI:
                pytest.fail(f"{reason}; .ci/run does that", pytrace=False)
            pytest.skip(reason)
