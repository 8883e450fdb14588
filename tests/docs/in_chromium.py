"""Run a program in a page of the daemon's: `python -m tests.docs.in_chromium URL FILE`, as `node FILE` would run it.

Chromium rather than Node.js: it has WebSocket and EventSource, which Debian 12's Node.js lacks, and it is where such
code is at home. What the program logs goes to standard output. ``pause(mark)`` prints the mark and waits for a line.
"""

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.dashboard.live import CHROMIUM, FLAGS, WAIT_MS


def pause(mark: str) -> None:
    print(mark, flush=True)
    input()


def run(url: str, program: str) -> None:
    """Raises playwright's Error, with the program's own stack, where it throws."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS), timeout=WAIT_MS)
        page = browser.new_page()
        page.on("console", lambda line: print(line.text, flush=True))
        page.expose_function("pause", pause)
        page.goto(f"{url}/api/v1/health/", timeout=WAIT_MS)  # any page from there: a foreign one may not ask
        page.evaluate(f"async () => {{\n{program}\n}}")
        browser.close()


if __name__ == "__main__":
    run(sys.argv[1], Path(sys.argv[2]).read_text())
