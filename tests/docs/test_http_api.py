"""Every example of docs/http-api.md is executed against a running daemon, in the page's order, in its language."""

import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from pombal.control.client import Client
from tests.daemon.harness import WAIT_S, Home, Running, environment, until, until_status
from tests.docs.http_examples import Block, blocks, breaches, program
from tests.docs.pages import ROOT

OWNERS = {"sh": "42", "python": "43", "javascript": "44"}
LANGUAGES = tuple(OWNERS)
SIMULATOR = {"auto_scan_ms": 3_600_000}  # nobody scans by themselves, so that there is a code to show


class Program:
    """The examples of one language on their way, block by block."""

    def __init__(self, process: trio.Process, errors: Path) -> None:
        self._process = process
        self._errors = errors
        self._output = b""

    async def through(self, block: Block) -> str:
        """Wait until the block is done; what it printed."""
        mark = f"@@ {block.number}\n".encode()
        assert self._process.stdout is not None
        while mark not in self._output:
            data = await self._process.stdout.receive_some(65_536)
            if not data:
                await self._process.wait()
                told = self._errors.read_text() + self._output.decode()
                raise AssertionError(f"{block.heading} ({block.language}): {told}\n{block.text}")
            self._output += data
        printed, _, self._output = self._output.partition(mark)
        return printed.decode()

    async def go_on(self) -> None:
        assert self._process.stdin is not None
        await self._process.stdin.send_all(b"\n")

    async def ended(self) -> None:
        """Wait until it has come to its end, and well."""
        assert await self._process.wait() == 0, self._errors.read_text()


def interpreter(language: str, daemon: Running, file: Path) -> list[str]:
    match language:
        case "sh":
            return ["bash", str(file)]
        case "python":
            return [sys.executable, str(file)]
        case _:
            return [sys.executable, "-m", "tests.docs.in_chromium", daemon.url, str(file)]


@asynccontextmanager
async def running(daemon: Running, language: str, examples: list[Block], token: str) -> AsyncIterator[Program]:
    """The program in a directory of its own, where `pombal` is on the path and finds the daemon."""
    directory = daemon.home.root / language
    (directory / "bin").mkdir(parents=True)
    command = directory / "bin" / "pombal"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m pombal "$@"\n')
    command.chmod(0o755)
    file = directory / "program"
    file.write_text(program(language, examples, daemon.url, token))
    env = environment(HOME=str(directory), POMBAL_SOCKET=str(daemon.home.socket), TOKEN=token, PYTHONPATH=str(ROOT))
    env["PATH"] = f"{directory / 'bin'}:{env['PATH']}"
    errors = directory / "stderr"
    with errors.open("wb") as stderr:
        process = await trio.lowlevel.open_process(
            interpreter(language, daemon, file),
            cwd=directory, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr,
        )  # fmt: skip
    try:
        yield Program(process, errors)
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


async def play_the_phone(client: Client, session: str, heading: str) -> None:
    """What happens between the examples: somebody scans, customers write, WhatsApp restricts the account."""
    match heading:
        case "Start one":
            await until_status(client, session, "qrcode")
        case "Show the QR code":
            await client.simulator_scan(session)
            await until_status(client, session, "ready")
            await client.simulator_inject(session, "5511977776666", text="Onde está meu pedido?")
            await until(client, lambda event: True, sessions=[session], types=["message.received"])
        case "Mark as read":
            await client.simulator_fault(session, "restricted")
            await until_status(client, session, "error")


async def execute(daemon: Running, language: str, examples: list[Block]) -> None:
    session = OWNERS[language]
    async with daemon.client() as client:
        token = (await client.token_create(session)).token
        async with running(daemon, language, examples, token) as started:
            for block, following in zip(examples, [*examples[1:], None], strict=True):
                printed = await started.through(block)
                check(block, printed)
                if following is None or following.heading != block.heading:
                    await play_the_phone(client, session, block.heading)
                await started.go_on()
            await started.ended()


def check(block: Block, printed: str) -> None:
    """What an example of curl printed is what the page shows."""
    if block.note.startswith("prints "):
        assert printed.split() == block.note.removeprefix("prints ").split()
    if block.language != "sh" or not block.answer:
        return
    shown, real = json.loads(block.answer), json.loads(printed)
    assert list(breaches(shown, real)) == []
    if block.note.startswith("answers "):
        assert real == shown


@pytest.mark.system("chromium", "curl", "jq")
async def test_examples() -> None:
    examples = blocks()
    assert {block.language for block in examples} == set(LANGUAGES)
    with tempfile.TemporaryDirectory(prefix="pombal-") as directory:
        home = Home(Path(directory), {"simulator": SIMULATOR})
        async with home.daemon() as daemon, trio.open_nursery() as nursery:
            for language in LANGUAGES:
                own = [block for block in examples if block.language == language]
                nursery.start_soon(execute, daemon, language, own)
            nursery.cancel_scope.deadline = trio.current_time() + WAIT_S * 4
        assert not nursery.cancel_scope.cancelled_caught


def test_each_thing_is_shown_in_each_language() -> None:
    """Exceptions have a reason: a browser has no need of pages of events, nor of what is for admins, and a shell cannot
    hold a WebSocket open.
    """
    shown: dict[str, set[str]] = {}
    for block in blocks():
        shown.setdefault(block.heading, set()).add(block.language)
    fewer = {heading: languages for heading, languages in shown.items() if languages != set(LANGUAGES)}
    assert fewer == {
        "Over the WebSocket": {"python", "javascript"}, "Page by page": {"sh"}, "Is it well?": {"sh"},
        "The rights of a contact": {"sh"},
        "Who did what": {"sh"},
    }  # fmt: skip
