"""The container's files agree with the program, and take away what the unit takes away."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pombal.config.load import load
from pombal.config.paths import SYSTEM_RUNTIME
from pombal.config.settings import Settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "container"
CONTAINERFILE = (FOLDER / "Containerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
POMBAL, PROMETHEUS = COMPOSE["services"]["pombal"], COMPOSE["services"]["prometheus"]


def instructions(name: str) -> list[str]:
    """The arguments of every instruction of that name, continued lines joined."""
    joined = re.sub(r"\\\n\s*", "", re.sub(r"^\s*#.*\n", "", CONTAINERFILE, flags=re.MULTILINE))
    return re.findall(rf"^{name} (.*)$", joined, flags=re.MULTILINE)


def port() -> str:
    return load(FOLDER / "config.toml").http.bind.rpartition(":")[2]


@pytest.mark.parametrize("service", COMPOSE["services"].values(), ids=COMPOSE["services"])
def test_no_service_has_a_privilege(service: dict[str, Any]) -> None:
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "devices", "pid", "ipc"} & set(service)
    assert service.get("network_mode") != "host"


def test_the_image_is_not_roots() -> None:
    (user,) = instructions("USER")
    uid, gid = user.split(":")
    assert f"--gid {gid} pombal" in CONTAINERFILE
    assert f"--uid {uid} --gid {gid}" in CONTAINERFILE
    assert uid != "0"


def test_only_the_state_lasts_and_only_memory_is_written_beside_it() -> None:
    environment = dict(each.split("=", 1) for each in instructions("ENV")[0].split())
    assert instructions("VOLUME") == [environment["STATE_DIRECTORY"]]
    writable = [each.split(":")[1] for each in POMBAL["volumes"] if not each.endswith(":ro")]
    assert writable == [environment["STATE_DIRECTORY"]]
    assert environment["RUNTIME_DIRECTORY"] == str(SYSTEM_RUNTIME)
    assert [each.split(":")[0] for each in POMBAL["tmpfs"]] == ["/run", "/tmp"]


def test_what_is_copied_is_there_and_let_in() -> None:
    let_in = {line[1:] for line in (ROOT / ".containerignore").read_text().splitlines() if line.startswith("!")}
    copied = {each for words in instructions("COPY") if "--from" not in words for each in words.split()[:-1]}
    assert copied == let_in
    assert all((ROOT / each).exists() for each in copied)


def test_ports_are_offered_on_loopback_alone() -> None:
    assert all(each.startswith("127.0.0.1:") for each in POMBAL["ports"])
    assert instructions("EXPOSE") == [port()]
    assert f"127.0.0.1:{port()}:{port()}" in POMBAL["ports"]


def test_it_has_time_to_drain_and_is_asked_over_the_control_socket() -> None:
    assert int(POMBAL["stop_grace_period"].removesuffix("s")) > Settings().daemon.drain_s
    (check,) = instructions("HEALTHCHECK")
    assert check.endswith('CMD ["pombal", "status"]')
    said = POMBAL["healthcheck"]
    assert said["test"] == ["CMD", "pombal", "status"]
    for option in ("interval", "timeout", "retries"):
        assert f"--{option}={said[option]}" in check


def test_images_from_elsewhere_are_named_with_their_version() -> None:
    images = [PROMETHEUS["image"], instructions("ARG")[0].removeprefix("BASE=")]
    assert all(re.fullmatch(r"docker\.io/[a-z/]+:[a-z0-9.-]+", image) for image in images)
    assert not any(image.endswith(":latest") for image in images)


def test_prometheus_asks_where_it_needs_no_token() -> None:
    (job,) = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"127.0.0.1:{port()}"]}]
    assert PROMETHEUS["network_mode"] == "service:pombal"


@pytest.mark.system("promtool")
def test_promtool_accepts_its_configuration() -> None:
    command = ["promtool", "check", "config", str(FOLDER / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
