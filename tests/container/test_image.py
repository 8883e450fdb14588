"""The image, built and run as compose.yaml says, where podman and root are at hand.

Some minutes: for .ci/long, and asked for by name. No registry is needed: mmdebstrap makes the base image.

    POMBAL_CONTAINER=1 pytest tests/container/test_image.py
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.container.test_files import FOLDER, POMBAL, ROOT, instructions

ASKED_FOR = bool(os.environ.get("POMBAL_CONTAINER"))
PROGRAMS = ("podman", "runc", "mmdebstrap")
WAIT_S = 300.0
SIMULATOR = '[simulator]\nenabled = true\nauto_scan_ms = 0\n[sessions]\ndefault_link = "simulator"\n'
# What a container may have at most must be within what we have ourselves.
ULIMITS = ("--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096")
NOT_ASKED_FOR = pytest.mark.skipif(True, reason="minutes: POMBAL_CONTAINER=1 asks for it")

pytestmark = [pytest.mark.system(*PROGRAMS) if ASKED_FOR else NOT_ASKED_FOR, pytest.mark.timeout(3600)]


class Podman:
    """With a store of images and containers of its own."""

    def __init__(self, directory: Path) -> None:
        self._command = [
            "podman", f"--root={directory / 'store'}", f"--runroot={directory / 'run'}", "--storage-driver=overlay",
            "--runtime=runc", "--cgroup-manager=cgroupfs",
        ]  # fmt: skip

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*self._command, *words], capture_output=True, text=True, check=False)

    def __call__(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, f"podman {' '.join(words)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout


def as_compose_says(config: Path) -> list[str]:
    """The options of `podman run` for the service in compose.yaml, but for ports: the container has no network."""
    options = ["--network=none", *ULIMITS, *(f"--tmpfs={each}" for each in POMBAL["tmpfs"])]
    options += [f"--cap-drop={each}" for each in POMBAL["cap_drop"]]
    options += [f"--security-opt={each.removesuffix(':true')}" for each in POMBAL["security_opt"]]
    options += [f"--volume={each.replace('./config.toml', str(config))}" for each in POMBAL["volumes"]]
    return options + (["--read-only"] if POMBAL["read_only"] else [])


@pytest.fixture(scope="module")
def podman() -> Iterator[Podman]:
    """With the image built."""
    if os.geteuid() != 0:
        pytest.skip("rootless podman needs newuidmap and a range of ids: run this as root")
    with tempfile.TemporaryDirectory(prefix="pombal-") as name:
        directory = Path(name)
        podman = Podman(directory)
        base, wheels = directory / "base.tar", _wheels(directory)
        subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", "bookworm", str(base)], check=True)
        podman("import", str(base), instructions("ARG")[0].removeprefix("BASE="))
        podman(
            "build", "--isolation=chroot", "--network=host", "--pull-never", "--layers=false",
            f"--volume={wheels}:/wheels:ro", "--build-arg=PIP_NO_INDEX=1", "--build-arg=PIP_FIND_LINKS=/wheels",
            f"--file={FOLDER / 'Containerfile'}", f"--tag={POMBAL['image']}", str(ROOT),
        )  # fmt: skip
        try:
            yield podman
        finally:
            podman.run("rm", "--all", "--force")


def _wheels(directory: Path) -> Path:
    """What the program and its extra `web` ask for, and its build; its own wheel is built in the image."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", f"--wheel-dir={directory}", str(ROOT)], check=True)
    (own,) = directory.glob("pombal-*.whl")
    chosen = ["--only-binary=:all:", "--python-version=3.11", f"--dest={directory / 'wheels'}"]
    subprocess.run([*pip, "download", *chosen, "hatchling", f"{own}[web]"], check=True)
    return directory / "wheels"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The container's own, and the simulator."""
    path = tmp_path / "config.toml"
    path.write_text((FOLDER / "config.toml").read_text() + SIMULATOR)
    path.chmod(0o644)
    return path


def started(podman: Podman, config: Path, *more: str) -> str:
    """A container whose daemon answers as its health check asks."""
    container = podman("run", "--detach", *as_compose_says(config), *more, POMBAL["image"], "serve").strip()
    deadline = time.monotonic() + WAIT_S
    while podman.run("exec", container, *POMBAL["healthcheck"]["test"][1:]).returncode:
        assert podman("inspect", "--format={{.State.Running}}", container) == "true\n", podman.run("logs", container)
        assert time.monotonic() < deadline, podman.run("logs", container)
        time.sleep(0.2)
    return container


def stopped(podman: Podman, container: str) -> tuple[int, str]:
    """(exit code, what it said) after a stop within the time that compose.yaml gives."""
    podman("stop", f"--time={POMBAL['stop_grace_period'].removesuffix('s')}", container)
    said = podman.run("logs", container)
    return int(podman("inspect", "--format={{.State.ExitCode}}", container)), said.stdout + said.stderr


def test_it_lives_without_a_privilege_and_keeps_its_state(podman: Podman, config: Path) -> None:
    container = started(podman, config)

    def pombal(*words: str) -> Any:
        return json.loads(podman("exec", container, "pombal", *words, "--json"))

    status = dict(re.findall(r"^(\w+):\t(.*)$", podman("exec", container, "cat", "/proc/1/status"), flags=re.MULTILINE))
    assert {int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert (status["NoNewPrivs"], status["Uid"].split()[0]) == ("1", instructions("USER")[0].split(":")[0])
    assert podman.run("exec", container, "touch", "/opt/pombal/x").returncode != 0
    pombal("session", "create", "vendas")
    sent = pombal("send", "vendas", "5511988880002", "oi", "--wait", "delivered", "--timeout", "120")
    assert podman("exec", container, "find", "/var/lib/pombal", "-perm", "/077") == ""
    code, said = stopped(podman, container)
    assert (code, '"event": "drained"' in said) == (0, True)

    container = started(podman, config)
    assert [each["message_id"] for each in pombal("message", "list")["results"]] == [sent["message_id"]]
    assert stopped(podman, container)[0] == 0


def test_whatsapps_client_is_in_it(podman: Podman, config: Path) -> None:
    """Its library loads and serves; it leaves when its standard input ends."""
    words = ["gateway", "web", "--state", "/tmp/g", "--socket", "/tmp/g.sock", "--log-format", "json"]
    done = podman.run("run", "--rm", *as_compose_says(config), POMBAL["image"], *words)
    assert '"event": "gateway ready"' in done.stdout + done.stderr, done


def test_secrets_come_as_containers_have_them(podman: Podman, config: Path, tmp_path: Path) -> None:
    secret = tmp_path / "jwt-secret"
    secret.write_text("a secret of the platform's, long enough for HS256")
    mounted = f"--volume={secret}:/run/secrets/jwt-secret:ro"
    secret.chmod(0o644)
    refused = podman.run("run", "--rm", *as_compose_says(config), mounted, POMBAL["image"], "serve")
    assert (refused.returncode, "is open to others (mode 0644)" in refused.stderr) == (1, True), refused
    os.chown(secret, 0, int(instructions("USER")[0].split(":")[1]))
    secret.chmod(0o640)
    assert stopped(podman, started(podman, config, mounted))[0] == 0
