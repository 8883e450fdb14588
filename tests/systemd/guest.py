"""Inside the machine: commands, the unit, its journal, HTTP, the fake WhatsApp. Of the standard library alone."""

import base64
import hashlib
import hmac
import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

SOURCE, WHEELS, FAKE_WHEELS = Path("/srv/pombal"), Path("/srv/wheels"), Path("/srv/fake-wheels")
CONFIG = Path("/etc/pombal/config.toml")
URL = "http://127.0.0.1:8001"
WAIT_S = 600
ANA = "5511988880002"


def run(*words: str, **options: Any) -> str:
    """The command's standard output; raises with what it said where it fails."""
    done: subprocess.CompletedProcess[str] = subprocess.run(
        words, capture_output=True, text=True, timeout=WAIT_S, check=False, **options
    )
    if done.returncode:
        raise AssertionError(f"{' '.join(words)}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout


def systemctl(*words: str) -> str:
    return run("systemctl", *words)


def shown(name: str) -> str:
    return run("systemctl", "show", "--value", "-p", name, "pombal.service").strip()


def pombal(*words: str) -> Any:
    return json.loads(run("pombal", *words, "--json"))


def until(what: str, condition: Callable[[], Any]) -> Any:
    """The condition's value, once it is true. A command that fails meanwhile is a no."""
    deadline, last = time.monotonic() + WAIT_S, ""
    while time.monotonic() < deadline:
        try:
            if value := condition():
                return value
        except (AssertionError, OSError) as error:
            last = str(error)
        time.sleep(0.2)
    raise AssertionError(f"waited {WAIT_S} s for {what}; {last}\n{journal()[-3000:]}")


def journal() -> str:
    return run("journalctl", "--unit=pombal.service", "--output=cat", "--no-pager")


def logged(event: str) -> int:
    """How often the daemon has logged this."""
    return journal().count(f'"event": "{event}"')


def configure(text: str) -> None:
    CONFIG.write_text(text)
    run("pombal", "config", "check", str(CONFIG))


def restart(config: str) -> None:
    configure(config)
    systemctl("restart", "pombal.service")


def pid() -> int:
    return int(shown("MainPID"))


def status_of(session: str) -> str:
    return str(pombal("session", "show", session)["status"])


def sent(session: str, text: str) -> None:
    """A message, to its delivery."""
    assert pombal("send", session, ANA, text, "--wait", "delivered", "--timeout", "300")["status"] in (
        "delivered",
        "read",
    )


def answers(path: str, token: str | None = None) -> int:
    """The status of an answer over HTTP; 0 where there is none."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    try:
        with urllib.request.urlopen(urllib.request.Request(URL + path, headers=headers), timeout=WAIT_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def token(secret: str) -> str:
    """A JWT (HS256) as a platform signs it."""
    head, body = (
        _part(json.dumps(each).encode()) for each in ({"alg": "HS256"}, {"sub": "ana", "exp": time.time() + 3600})
    )
    return f"{head}.{body}.{_part(hmac.digest(secret.encode(), f'{head}.{body}'.encode(), hashlib.sha256))}"


def _part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Fake:
    """The fake WhatsApp network of tests/fakes/whatsapp, driven by JSON lines."""

    def __init__(self) -> None:
        run("python3", "-m", "venv", "/opt/fake")
        run(
            "/opt/fake/bin/pip",
            "install",
            "--no-index",
            "--find-links",
            str(FAKE_WHEELS),
            "pyaileys",
            "websockets",
            "cryptography",
        )
        directory = Path("/srv/fake")
        directory.mkdir()
        self._process = subprocess.Popen(
            ["/opt/fake/bin/python", "-m", "tests.fakes.whatsapp", "--directory", str(directory)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=SOURCE, text=True,
        )  # fmt: skip
        self.listening = self._hear(lambda told: told.get("event") == "listening")
        Path(self.listening["ca_file"]).chmod(0o644)
        self._number = 0

    def do(self, command: str, **more: Any) -> Any:
        assert self._process.stdin is not None
        self._number += 1
        self._process.stdin.write(json.dumps({"n": self._number, "do": command, **more}) + "\n")
        self._process.stdin.flush()
        return self._hear(lambda told: told.get("n") == self._number)

    def _hear(self, is_it: Callable[[dict[str, Any]], bool]) -> Any:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if is_it(told := json.loads(line)):
                return told
        raise AssertionError("the fake has ended")
