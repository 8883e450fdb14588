"""Inside the machine: Pombal installed and driven as docs/operations.md says, and a line for each fact that was seen.

Run by root, by the machine's own Python, without the tests' libraries. A fact is a function; what it raises is what was
seen instead. They build on each other, in this order.
"""

import base64
import json
import os
import re
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from tests.systemd.guest import (
    ANA,
    CONFIG,
    SOURCE,
    WHEELS,
    Fake,
    answers,
    configure,
    journal,
    logged,
    pid,
    pombal,
    restart,
    run,
    sent,
    shown,
    status_of,
    systemctl,
    token,
    until,
)  # fmt: skip

STATE, RUNTIME, BACKUPS = Path("/var/lib/pombal"), Path("/run/pombal"), Path("/var/backups/pombal")
ME = "5511999990001"
SIMULATOR = '[sessions]\ndefault_link = "simulator"\n[simulator]\nenabled = true\nauto_scan_ms = 0\nconnect_ms = 1\n'
SECRET = "a secret of the platform's, long enough for HS256"
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="

FACTS: list[Callable[[], None]] = []


def fact(check: Callable[[], None]) -> Callable[[], None]:
    FACTS.append(check)
    return check


# Installing and starting


@fact
def installed_as_the_docs_say() -> None:
    """The commands of docs/operations.md, with the wheel in the place of the clone that pip would build it from."""
    page = (SOURCE / "docs/operations.md").read_text()
    commands = re.search(r"^## Install on Debian 12$.*?^```sh$\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    (wheel,) = Path("/srv").glob("pombal-*.whl")
    assert commands is not None
    assert "'.[web]'" in commands[1]
    script = commands[1].replace("'.[web]'", f"'{wheel}[web]'")
    offline = os.environ | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(WHEELS)}
    run("bash", "-euxc", script, cwd=SOURCE, env=offline)


@fact
def told_systemd_that_it_is_ready() -> None:
    assert (shown("Type"), shown("ActiveState"), shown("SubState")) == ("notify", "active", "running")
    assert "sessions ready" in shown("StatusText")
    assert logged("ready") == 1
    assert shown("NRestarts") == "0"


@fact
def runs_as_its_own_user_with_nothing_to_gain() -> None:
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid()}/status").read_text().splitlines())
    assert status["Uid"].split()[0] == run("id", "-u", "pombal").strip()
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}


@fact
def is_exposed_as_little_as_was_said() -> None:
    said = run("systemd-analyze", "security", "pombal.service", "--no-pager").splitlines()[-1]
    found = re.search(r"pombal\.service: ([0-9.]+)", said)
    assert found is not None
    assert float(found[1]) <= 1.5, said


@fact
def the_control_socket_is_closed_to_others() -> None:
    assert run("stat", "-c", "%U:%G %a", str(RUNTIME / "control.sock")).strip() == "pombal:pombal 660"
    run("useradd", "--create-home", "alice")
    restart(SIMULATOR + '[control]\nadmin_group = "pombal"\n')
    refused = subprocess.run(
        ["runuser", "-u", "alice", "--", "pombal", "status"], capture_output=True, check=False, cwd="/"
    )
    assert (refused.returncode, b"ask for membership" in refused.stderr) == (1, True), refused
    run("usermod", "-aG", "pombal", "alice")
    run("runuser", "-u", "alice", "--", "pombal", "status", cwd="/")


# Living


@fact
def sends_and_receives() -> None:
    restart(SIMULATOR)
    pombal("session", "create", "vendas")
    until("the session to be ready", lambda: status_of("vendas") == "ready")
    sent("vendas", "ida")
    assert answers("/livez") == answers("/metrics") == 200


@fact
def a_reload_changes_what_may_change() -> None:
    before, reloads = pid(), logged("configuration reloaded")
    configure(f"{SIMULATOR}[latency]\nacceptable_ms = 4321\n")
    systemctl("reload", "pombal.service")
    until("the reload", lambda: logged("configuration reloaded") > reloads)
    assert "latency.acceptable_ms" in journal()
    assert (pid(), shown("ActiveState")) == (before, "active")


@fact
def a_daemon_that_hangs_is_restarted_by_the_watchdog() -> None:
    """SIGSTOP: nothing in it turns any more. What it had accepted is still there, and its session comes back."""
    before, restarts = pid(), int(shown("NRestarts"))
    os.kill(before, signal.SIGSTOP)
    until("another process", lambda: int(shown("NRestarts")) > restarts and pid() not in (0, before))
    until("the session to be back", lambda: status_of("vendas") == "ready")
    assert "Watchdog timeout" in run("journalctl", "--no-pager", "--output=cat", "--unit=pombal.service")
    assert any(each["text_content"] == "ida" for each in pombal("message", "list")["results"])
    sent("vendas", "after the hang")


@fact
def a_daemon_that_was_killed_comes_back() -> None:
    before = pid()
    os.kill(before, signal.SIGKILL)
    until("another process", lambda: pid() not in (0, before) and shown("ActiveState") == "active")
    until("the session to be back", lambda: status_of("vendas") == "ready")


@fact
def a_stop_drains() -> None:
    drains = logged("drained")
    systemctl("stop", "pombal.socket", "pombal.service")
    assert logged("drained") == drains + 1
    assert (shown("Result"), shown("ExecMainStatus"), shown("ActiveState")) == ("success", "0", "inactive")


@fact
def a_client_starts_it_through_the_socket() -> None:
    systemctl("start", "pombal.socket")
    assert shown("ActiveState") == "inactive"
    assert pombal("status")["pid"] == pid()
    inode = (RUNTIME / "control.sock").stat().st_ino
    systemctl("restart", "pombal.service")
    assert (RUNTIME / "control.sock").stat().st_ino == inode, "the socket is systemd's and stays"


@fact
def a_request_starts_it_through_the_socket_of_http() -> None:
    run("install", "-m", "0644", str(SOURCE / "systemd/pombal-http.socket"), "/etc/systemd/system/")
    systemctl("daemon-reload")
    systemctl("stop", "pombal.service")  # or its own port is in the way
    systemctl("enable", "--now", "pombal-http.socket")
    assert answers("/livez") == 200
    assert shown("ActiveState") == "active"
    systemctl("disable", "--now", "pombal-http.socket")


# Secrets


@fact
def a_credential_is_handed_over() -> None:
    """Root's file, in a directory that is root's: the daemon's user gets at it through systemd alone."""
    restart(SIMULATOR)
    assert answers("/api/v1/whatsapp/sessions/", token(SECRET)) == 401
    run("install", "-d", "-m", "0700", "/etc/credstore")
    secret = Path("/etc/credstore/pombal.jwt-secret")
    secret.touch(0o600)
    secret.write_text(SECRET)
    systemctl("restart", "pombal.service")
    assert answers("/api/v1/whatsapp/sessions/", token(SECRET)) == 200
    assert answers("/api/v1/whatsapp/sessions/", token(SECRET[::-1])) == 401
    looked = subprocess.run(["runuser", "-u", "pombal", "--", "cat", str(secret)], capture_output=True, check=False)
    assert looked.returncode != 0


@fact
def a_secret_that_others_can_read_is_no_start() -> None:
    exposed = Path("/etc/pombal/jwt-secret")
    exposed.write_text(SECRET)
    exposed.chmod(0o644)
    configure(f'{SIMULATOR}[auth]\nsecret_file = "{exposed}"\n')
    failed = subprocess.run(["systemctl", "restart", "pombal.service"], capture_output=True, check=False)
    assert failed.returncode != 0
    assert f"chmod 640 {exposed}" in journal()
    run("chgrp", "pombal", str(exposed))
    exposed.chmod(0o640)
    systemctl("restart", "pombal.service")
    assert answers("/api/v1/whatsapp/sessions/", token(SECRET)) == 200
    restart(SIMULATOR)


@fact
def a_wrong_configuration_is_not_tried_again() -> None:
    CONFIG.write_text("[outbox]\nwindow = 0\n")
    subprocess.run(["systemctl", "restart", "pombal.service"], capture_output=True, check=False)
    until("the failure", lambda: shown("ActiveState") == "failed")
    assert (shown("ExecMainStatus"), shown("Result")) == ("2", "exit-code")
    configure(SIMULATOR)
    systemctl("restart", "pombal.service")


# WhatsApp Web


@fact
def whatsapp_web_works_inside_the_sandbox() -> None:
    """The gateway is a child of the daemon's: Go's runtime and ctypes' callbacks under the same filters and mounts."""
    fake = Fake()
    drop_in = Path("/etc/systemd/system/pombal.service.d/fake.conf")
    drop_in.parent.mkdir()
    drop_in.write_text(f"[Service]\nEnvironment=SSL_CERT_FILE={fake.listening['ca_file']}\n")
    systemctl("daemon-reload")
    launcher = [
        "/opt/pombal/bin/python",
        "-P",
        str(SOURCE / "tests/fakes/whatsapp/launcher.py"),
        fake.listening["root_key"],
    ]
    restart(
        f'[web]\ngateway_command = {json.dumps([*launcher, "gateway", "web"])}\nproxy = "{fake.listening["proxy"]}"\n'
        "start_timeout_s = 300.0\nlogin_timeout_s = 300.0\nanswer_timeout_s = 300.0\nping_timeout_s = 300.0\n"
        "[link]\nconnect_timeout_s = 300.0\nprobe_timeout_s = 300.0\n[outbox]\nack_timeout_s = 300.0\n"
    )
    pombal("session", "create", "loja", "--link", "web")
    until("a QR code", lambda: status_of("loja") == "qrcode")
    fake.do("scan", qr=pombal("session", "qr", "loja")["code"], user=ME)
    until("the session to be ready", lambda: status_of("loja") == "ready")
    fake.do("person", user=ANA)
    sent("loja", "ida")
    picture = Path("/srv/picture.png")
    picture.write_bytes(base64.b64decode(PICTURE))
    done = pombal("send", "loja", ANA, "uma figura", "--file", str(picture), "--wait", "delivered", "--timeout", "300")
    assert done["status"] == "delivered"
    content = {"type": "image", "media": {"size_bytes": 1000, "seed": 1, "mime_type": "image/jpeg"}, "text": "volta"}
    fake.do("inbound", account=ME, sender=ANA, content=content)
    until("the picture", lambda: _volta() is not None and _volta()["media"]["sha256"])
    children = [each for task in Path(f"/proc/{pid()}/task").glob("*/children") for each in task.read_text().split()]
    status = Path(f"/proc/{children[0]}/status").read_text()
    assert "Seccomp:\t2" in status
    assert "NoNewPrivs:\t1" in status


def _volta() -> Any:
    found = [
        each for each in pombal("message", "list", "--session", "loja")["results"] if each["text_content"] == "volta"
    ]
    return found[0] if found else None


# Backups


@fact
def the_timer_waits_for_the_night() -> None:
    """Installed and enabled with the rest: `systemctl enable --now` of the docs."""
    shown = run("systemctl", "show", "pombal-backup.timer", "--property=ActiveState,SubState,UnitFileState")
    assert set(shown.split()) == {"ActiveState=active", "SubState=waiting", "UnitFileState=enabled"}


@fact
def a_backup_is_made_beside_the_daemon_and_is_whole() -> None:
    before = pid()
    run("systemctl", "start", "pombal-backup.service")  # oneshot: it has ended by then
    (made,) = BACKUPS.glob("pombal-*")
    assert pid() == before
    assert (made.stat().st_mode & 0o7777, made.owner()) == (0o700, "pombal")
    said = json.loads((made / "backup.json").read_text())
    assert said["messages"] > 0
    assert said["missing_files"] == 0
    run("runuser", "-u", "pombal", "--", "pombal", "db", "check", "--deep", "--state-dir", str(made), cwd=Path("/"))


@fact
def the_timer_starts_it_by_itself() -> None:
    """Told not to wait for the night."""
    drop_in = Path("/etc/systemd/system/pombal-backup.timer.d/now.conf")
    drop_in.parent.mkdir()
    drop_in.write_text("[Timer]\nOnActiveSec=1s\nRandomizedDelaySec=0\n")
    systemctl("daemon-reload")
    systemctl("restart", "pombal-backup.timer")
    until("another backup", lambda: len(list(BACKUPS.glob("pombal-*/backup.json"))) > 1)
    until("its end", lambda: systemctl("show", "-P", "ActiveState", "pombal-backup.service").strip() == "inactive")
    assert systemctl("show", "-P", "Result", "pombal-backup.service").strip() == "success"
    assert run("find", str(BACKUPS), "-perm", "/077", "-printf", "%p %m\n") == ""


# What is left behind


@fact
def nothing_in_the_state_is_open_to_others() -> None:
    found = run("find", str(STATE), "-perm", "/077", "-printf", "%p %m\n")
    assert found == ""
    assert run("find", str(RUNTIME), "-mindepth", "1", "-perm", "/007", "-printf", "%p %m\n") == ""


@fact
def nothing_was_written_elsewhere() -> None:
    """The user pombal owns files in its own places only."""
    own = [word for place in (STATE, BACKUPS, Path("/proc/")) for word in ("-not", "-path", f"{place}*")]
    found = run("find", "/", "-xdev", "-user", "pombal", *own)
    assert found == ""


@fact
def nothing_secret_is_in_the_journal() -> None:
    everything = run("journalctl", "--no-pager", "--output=cat")
    for secret in (SECRET, token(SECRET)[:20], "after the hang", "uma figura"):
        assert secret not in everything


def main(out: TextIO) -> None:
    for check in FACTS:
        began_s = time.monotonic()
        try:
            check()
            seen: dict[str, Any] = {"ok": True}
        except Exception:
            seen = {"ok": False, "why": traceback.format_exc()[-6000:]}
        print(
            json.dumps({"fact": check.__name__, **seen, "seconds": round(time.monotonic() - began_s)}),
            file=out,
            flush=True,
        )


if __name__ == "__main__":
    with open(sys.argv[1], "w") as told:
        main(told)
