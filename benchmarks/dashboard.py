#!/usr/bin/env python3
"""How soon the dashboard's pages are painted, whether typing in a filter ever stalls, and how soon a message is seen.

A thousand sessions and a hundred thousand messages, the daemon as a process, and Debian's Chromium before it. A page's
figure is its first contentful paint, as the browser itself says it (from the click on), the median of several visits.
A message's is from when the simulator is asked for it until it stands in a thread that is open.

    python -m benchmarks.dashboard --sessions 1000 --messages 100000
"""

import argparse
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import trio
from playwright.sync_api import Page, sync_playwright

from benchmarks.http import daemon
from pombal.auth.cookies import COOKIE
from pombal.auth.keys import load_keys
from pombal.auth.tokens import Tokens
from pombal.bench.past import fill
from pombal.config.settings import AuthSettings
from pombal.control.client import connect
from pombal.model.caller import Role

CHROMIUM = "/usr/bin/chromium"
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync")
PAINT_MS = 1000
LONG_TASK_MS = 200
TYPED = "palavra19 bom dia"
INJECTED, SEEN_MS = 30, 1000
PAGES = {
    "sessions": "/sessions",
    "sessions, searched": "/sessions?search=bench-77",
    "a session": "/sessions/bench-3",
    "chats": "/sessions/bench-3/chats",
    "a chat": "CHAT",
    "messages": "/messages",
    "messages, two common words": "/messages?search=bom+dia",
    "messages, high latency": "/messages?slow=1",
    "a message": "MESSAGE",
    "latency, 24 h": "/latency?since=24h",
    "latency, 30 days": "/latency?since=30d",
    "latency of a session, 7 days": "/latency?since=7d&session=bench-3",
    "machine room": "/machine",
}
PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
WATCH = """() => {
  window.longTasks = [];
  new PerformanceObserver(list => window.longTasks.push(...list.getEntries().map(entry => entry.duration)))
    .observe({ type: "longtask" });
}"""

WATCH_BUBBLES = """() => {
  window.seenAt = {};
  new MutationObserver(() => {
    for (const text of document.querySelectorAll(".bubble .text")) {
      window.seenAt[text.textContent] ??= performance.timeOrigin + performance.now();
    }
  }).observe(document.body, { subtree: true, childList: true });
}"""


def paint_ms(page: Page, url: str) -> float:
    page.goto(url)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if (found := page.evaluate(PAINT)) is not None:
            return float(found)
        page.wait_for_timeout(10)
    raise RuntimeError(f"{url} was not painted")


def first_link(page: Page, url: str, selector: str) -> str:
    page.goto(url)
    return str(page.locator(selector).first.get_attribute("href"))


def measure(page: Page, url: str, rounds: int) -> bool:
    """Print each page's figures; whether all hold."""
    named: dict[str, Any] = {
        "CHAT": first_link(page, f"{url}/sessions/bench-3/chats", ".chat-lines a"),
        "MESSAGE": first_link(page, f"{url}/messages", "tbody a"),
    }
    holds = True
    print(f"{'page':>32} {'median ms':>10} {'worst ms':>9}")
    for name, path in PAGES.items():
        took = [paint_ms(page, url + named.get(path, path)) for _ in range(rounds)]
        holds &= statistics.median(took) < PAINT_MS
        print(f"{name:>32} {statistics.median(took):10.0f} {max(took):9.0f}", flush=True)
    return holds


def type_into_filter(page: Page, url: str) -> bool:
    """The longest the page did not listen while somebody typed."""
    page.goto(f"{url}/messages")
    page.evaluate(WATCH)
    page.locator("input[type=search]").press_sequentially(TYPED, delay=60)
    page.wait_for_timeout(1500)
    longest = max(page.evaluate("window.longTasks"), default=0)
    print(f"typing {len(TYPED)} letters: the page did not listen for {longest:.0f} ms at most")
    return bool(longest < LONG_TASK_MS)


def messages_until_seen(page: Page, url: str, socket: Path, chat: str) -> bool:
    """From asking the simulator until the bubble is in the page: socket, recorder, event log, WebSocket and fetch."""
    session, number = chat.split("/")[2], chat.split("/")[4].partition("%40")[0].partition("@")[0]
    page.goto(url + chat)
    page.wait_for_selector('html[data-live="on"]', state="attached")
    page.evaluate(WATCH_BUBBLES)
    took = []
    with ThreadPoolExecutor(1) as threads:  # Playwright has an event loop of its own in this one
        for place in range(INJECTED):
            text = f"chegada-{place}"
            begun_ms = time.time() * 1000
            threads.submit(trio.run, inject, socket, session, number, text).result()
            page.wait_for_function("text => window.seenAt[text] !== undefined", arg=text)
            took.append(page.evaluate("text => window.seenAt[text]", text) - begun_ms)
    median, worst = statistics.median(took), max(took)
    print(
        f"{len(took)} messages injected: each is seen in its thread after {median:.0f} ms (median), {worst:.0f} at most"
    )
    return bool(worst < SEEN_MS)


async def inject(socket: Path, session: str, number: str, text: str) -> None:
    async with connect(socket) as client:
        await client.call("simulator.inject", {"name": session, "from": number, "text": text})


def run(options: argparse.Namespace, state: Path) -> bool:
    if not (state / "pombal.db").exists():
        fill(state / "pombal.db", options.messages, options.sessions, options.days)
    with daemon(state, options.inbound_rate) as (url, _), sync_playwright() as playwright:
        tokens = Tokens(load_keys(AuthSettings(), state / "token_secret"), AuthSettings)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        context = browser.new_context(viewport={"width": 1280, "height": 860})
        context.add_cookies([{"name": COOKIE, "value": tokens.create("bench", Role.ADMIN, 86_400)[0], "url": url}])
        page = context.new_page()
        holds = measure(page, url, options.rounds) & type_into_filter(page, url)
        chat = first_link(page, f"{url}/sessions/bench-3/chats", ".chat-lines a")
        holds &= messages_until_seen(page, url, state / "control.sock", chat)
        browser.close()
    return holds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--inbound-rate", type=float, default=0.0, help="messages a second and session meanwhile")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--state", type=Path, help="a directory with a store that was filled before, or that is filled")
    options = parser.parse_args()
    if options.state is not None:
        options.state.mkdir(parents=True, exist_ok=True)
        return 0 if run(options, options.state) else 1
    with tempfile.TemporaryDirectory(prefix="pombal-bench-") as directory:
        return 0 if run(options, Path(directory)) else 1


if __name__ == "__main__":
    sys.exit(main())
