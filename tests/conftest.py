"""What all tests share: those that need a program or a library of the system say so, and where it must be there are not
skipped."""

import ctypes
import os
import shutil
import signal

import pytest
from hypothesis import HealthCheck, settings

# How fast examples are made says how busy the machine is, and nothing of what is tried.
settings.register_profile("pombal", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("pombal")

IN_CI = os.environ.get("CI", "").lower() in ("1", "true")
PACKAGES = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "systemd-analyze": "systemd",
    "systemd-nspawn": "systemd-container",
    "systemd-sysusers": "systemd",
    "systemd-tmpfiles": "systemd",
    "mount": "mount",
    "chromium": "chromium",
    "curl": "curl",
    "libmagic.so.1": "libmagic1",
}


def pytest_sessionstart() -> None:
    """A shell starts its background jobs with SIGINT ignored, and so would every daemon that a test starts be deaf."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _is_there(needed: str) -> bool:
    """A program by its name, a library by its file's."""
    if ".so" not in needed:
        return shutil.which(needed) is not None
    try:
        ctypes.CDLL(needed)
    except OSError:
        return False
    return True


def pytest_runtest_setup(item: pytest.Item) -> None:
    """``@pytest.mark.system("promtool")``: skipped without the program; in CI its absence is a failure."""
    for marker in item.iter_markers("system"):
        missing = [needed for needed in marker.args if not _is_there(needed)]
        if missing:
            packages = sorted({PACKAGES.get(program, program) for program in missing})
            reason = f"{', '.join(missing)} is not installed (Debian: apt install {' '.join(packages)})"
            if IN_CI:
                pytest.fail(f"{reason}; .ci/run does that", pytrace=False)
            pytest.skip(reason)
