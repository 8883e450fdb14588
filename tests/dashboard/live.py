"""A daemon as a process of its own, and Chromium before it: what a person with a browser would see.

Playwright's blocking interface runs on an event loop of its own in this thread, so the daemon is asked from another.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import trio
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, ViewportSize, sync_playwright

from pombal.auth.cookies import COOKIE
from pombal.control.client import connect
from tests.daemon.harness import environment, merged, toml

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
WAIT_S = float(os.environ.get("POMBAL_TEST_WAIT_S", "100"))
WAIT_MS = WAIT_S * 1000
# Slow enough that each status can be seen, and late enough to count as high latency where a session is told so.
SETTINGS: dict[str, dict[str, Any]] = {
    "log": {"format": "json"},
    "latency": {"acceptable_ms": 2000},
    "sessions": {"default_link": "simulator"},
    "link": {"reconnect_min_s": 0.05, "reconnect_max_s": 0.5},
    "simulator": {"enabled": True, "connect_ms": 5, "sent_ms": 300, "delivered_ms": 400, "read_ms": 500},
}


class LiveDaemon:
    """One home over several lives, always on the same port: an open page finds it again."""

    def __init__(self, root: Path, **sections: dict[str, Any]) -> None:
        self.root = root
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self.url = f"http://{self.address}"
        places: dict[str, dict[str, Any]] = {
            "daemon": {"state_dir": str(root / "state"), "runtime_dir": str(root / "run")},
            "http": {"bind": self.address, "requests_per_minute": 1_000_000},
        }
        (root / "config.toml").write_text(toml(merged(SETTINGS, places, sections)))
        self._process: subprocess.Popen[bytes] | None = None
        self._threads = ThreadPoolExecutor(1)

    def start(self) -> None:
        """Returns once it is ready."""
        command = [sys.executable, "-m", "pombal", "serve", "--config", str(self.root / "config.toml")]
        with (self.root / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment(HOME=str(self.root))
            )
        until(self._is_ready)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(WAIT_S)
            self._process = None

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._threads.shutdown()

    def call(self, method: str, **params: Any) -> Any:
        """A method of the control socket."""

        async def ask() -> Any:
            with trio.fail_after(WAIT_S):
                async with connect(self.root / "run" / "control.sock") as client:
                    return await client.call(method, params)

        return self._threads.submit(trio.run, ask).result()

    def token(self, owner: str = "root", role: str = "admin") -> str:
        return str(self.call("token.create", owner=owner, role=role, expires_s=86_400)["token"])

    def until_status(self, name: str, status: str) -> None:
        until(lambda: self.call("session.get", name=name)["status"] == status)

    def ready(self, name: str, **settings: Any) -> None:
        """A session that was scanned."""
        self.call("session.create", name=name, owner="root", settings={"auto_scan_ms": 1, "seed": 5} | settings)
        self.until_status(name, "ready")

    def inject(self, name: str, text: str | None = None, number: str = "5511922220000", count: int = 1) -> None:
        said = {} if text is None else {"text": text}
        self.call("simulator.inject", name=name, count=count, **{"from": number}, **said)

    def _is_ready(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise AssertionError((self.root / "log").read_text())
        try:
            return httpx2.get(f"{self.url}/readyz").status_code == 200
        except httpx2.TransportError:
            return False


def until(condition: Any) -> None:
    """Ask again until it holds: what is waited for is another process's, and tells nobody by itself."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=list(FLAGS), timeout=WAIT_MS, env={**os.environ}
        )
        yield browser
        browser.close()


class Visitor:
    """A context of the browser, signed in; what went wrong in its pages, and whom they asked."""

    def __init__(self, context: BrowserContext, daemon: LiveDaemon, token: str | None) -> None:
        self.context = context
        self.daemon = daemon
        self.troubles: list[str] = []
        self.foreign: list[str] = []
        context.set_default_timeout(WAIT_MS)
        context.set_default_navigation_timeout(WAIT_MS)
        if token is not None:
            context.add_cookies([{"name": COOKIE, "value": token, "url": daemon.url, "httpOnly": True}])
        context.on("request", lambda request: self._asked(request.url))

    def page(self, path: str = "/sessions") -> Page:
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))
        page.on("dialog", lambda dialog: self.troubles.append(f"dialog: {dialog.message}"))
        page.on("console", self._logged)
        page.on("websocket", lambda opened: self._asked(opened.url.replace("ws:", "http:", 1)))
        page.goto(self.daemon.url + path)
        return page

    def live(self, path: str = "/sessions") -> Page:
        """A page that listens already, and is marked so that a reload would be noticed."""
        page = self.page(path)
        page.wait_for_selector('html[data-live="on"]', state="attached")
        page.evaluate("window.sameAsBefore = true")
        return page

    def _logged(self, line: ConsoleMessage) -> None:
        if line.type == "error":
            self.troubles.append(f"console: {line.text}")

    def _asked(self, url: str) -> None:
        if not url.startswith((f"{self.daemon.url}/", "blob:", "data:")):
            self.foreign.append(url)


def is_same(page: Page) -> bool:
    return bool(page.evaluate("window.sameAsBefore === true"))


def overflows(page: Page, size: ViewportSize | None = None) -> bool:
    """Whether the page is wider than its window, where that has such a size."""
    if size is not None:
        page.set_viewport_size(size)
    return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))


def is_higher(page: Page) -> bool:
    """Whether the page is higher than its window: one that scrolls inside has nothing below."""
    return bool(page.evaluate("document.documentElement.scrollHeight > innerHeight"))
