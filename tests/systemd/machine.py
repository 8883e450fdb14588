"""A Debian 12 with systemd as its first process, in namespaces: built by mmdebstrap, booted by systemd-nspawn.

Root on the machine is all that it needs: no virtualization, no container engine, no systemd on this side. Nothing is
reachable from inside but what was put into it, and what is written inside is gone with it.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROGRAMS = ("mmdebstrap", "systemd-nspawn", "git")
# What the page docs/operations.md asks for, and what makes it boot.
PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "passwd", "python3-venv", "libmagic1",
)  # fmt: skip
# As tests/fakes/whatsapp needs it.
FAKE = ("pyaileys==0.1.5", "websockets>=15,<18", "cryptography>=45")
TOLD = "/told"
TRIAL = f"""\
[Unit]
Description=What is tried in this machine
After=multi-user.target

[Service]
WorkingDirectory=/srv/pombal
ExecStart=/usr/bin/python3 -m tests.systemd.trial {TOLD}
ExecStopPost=/usr/bin/systemctl poweroff --no-block

[Install]
WantedBy=default.target
"""


def build(root: Path) -> None:
    """Make the machine's root directory; one that is there already gets today's Pombal only."""
    if not root.exists():
        _debian(root)
    _ours(root / "srv")
    (root / "etc/systemd/system/trial.service").write_text(TRIAL)
    wanted = root / "etc/systemd/system/default.target.wants"
    wanted.mkdir(exist_ok=True)
    (wanted / "trial.service").unlink(missing_ok=True)
    (wanted / "trial.service").symlink_to("../trial.service")


def _debian(root: Path) -> None:
    without = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale")]
    _run("mmdebstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", *without, "bookworm", str(root))


def _ours(srv: Path) -> None:
    """The repository as it is committed, its wheel, and all wheels that this and the fake need."""
    shutil.rmtree(srv)
    source = srv / "pombal"
    source.mkdir(parents=True)
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", "HEAD"], capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", str(source)], input=archive, check=True)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "-q")
    _run(*pip, "wheel", "--no-deps", "--wheel-dir", str(srv), str(source))
    (wheel,) = srv.glob("pombal-*.whl")
    for name, wanted in {"wheels": (f"{wheel}[web]",), "fake-wheels": FAKE}.items():
        _run(*pip, "download", "--only-binary=:all:", "--python-version=3.11", "-d", str(srv / name), *wanted)


def facts(root: Path, told: Path) -> list[dict[str, Any]]:
    """Boot it; what the trial told, once the machine has switched itself off. told: a file for that."""
    told.touch()
    _run(
        "systemd-nspawn", f"--directory={root}", "--volatile=overlay", "--boot", f"--bind={told}:{TOLD}",
        "--private-network", "--register=no", "--keep-unit", "--quiet", "--console=pipe",
    )  # fmt: skip
    return [json.loads(line) for line in told.read_text().splitlines()]


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed ({done.returncode}):\n{done.stderr[-4000:]}")
