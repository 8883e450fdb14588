"""The process: how it starts, what it says where something is missing, and how it goes."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import trio
from typer.testing import CliRunner

from pombal.cli.main import app
from tests.gateway.driving import POMBAL, connected, gateway_process

LEAVES_WITHIN_S = 60  # 5 s on a machine that does nothing else


def run(*arguments: str, env: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*POMBAL, *arguments], capture_output=True, text=True, check=False, env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def without_neonize(directory: Path, says: str) -> dict[str, str]:
    package = directory / "stubs/neonize"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(f"raise ImportError({says!r})\n")
    return {"PYTHONPATH": f"{package.parent}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ("No module named 'neonize'", "pip install 'pombal[web]'"),
        ("failed to find libmagic.  Check your installation", "apt install libmagic1"),
    ],
)
def test_what_is_missing_is_said_with_what_to_install(tmp_path: Path, says: str, told: str) -> None:
    env = without_neonize(tmp_path, says)
    done = run("--state", str(tmp_path / "web"), "--socket", str(tmp_path / "g.sock"), env=env)
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--socket", "x", "--listen", "127.0.0.1:1"],
        ["--listen", "0.0.0.0:8443"],
        ["--listen", "127.0.0.1"],
        ["--listen", "127.0.0.1:1", "--token-file", "/nowhere"],
    ],
)
def test_what_cannot_be_done_is_refused_before_it_begins(tmp_path: Path, arguments: list[str]) -> None:
    done = CliRunner().invoke(app, ["gateway", "web", "--state", str(tmp_path / "web"), *arguments])
    assert done.exit_code == 2
    assert done.stderr
    assert not (tmp_path / "web").exists()


async def test_it_goes_with_sigterm_and_says_that_nothing_was_lost(tmp_path: Path) -> None:
    async with gateway_process(tmp_path / "g") as process:
        await process.until_ready()
        assert "Umask:\t0077\n" in Path(f"/proc/{process.process.pid}/status").read_text()
        async with process.session():
            process.process.send_signal(signal.SIGINT)  # the terminal's Ctrl-C is the daemon's to decide on
            process.process.send_signal(signal.SIGTERM)
            with trio.fail_after(LEAVES_WITHIN_S):
                assert await process.ended() == 0
        assert '"gateway stopped"' in process.logged()
        assert process.process.stdout is not None
        assert await process.process.stdout.receive_some(1) == b""


async def test_it_goes_when_its_daemon_was_killed_and_a_successor_takes_over(tmp_path: Path) -> None:
    """The daemon's death is the end of a pipe; the successor waits for the directory."""
    starter = textwrap.dedent(f"""
        import subprocess, sys
        process = subprocess.Popen({POMBAL!r} + sys.argv[1:], stdin=subprocess.PIPE)
        print(process.pid, flush=True)
        process.wait()
    """)
    directory = tmp_path / "g"
    command = [sys.executable, "-c", starter]
    async with gateway_process(directory, command) as first:
        await first.until_ready()
        assert first.process.stdout is not None
        pid = int(await first.process.stdout.receive_some(32))
        async with connected(first.socket, "s1") as line:
            await line.greet("s1")
            await line.until(lambda: line.hello)
            first.process.kill()  # -9, as the kernel does to daemons that take too much memory
            await line.until_closed()
        async with gateway_process(tmp_path / "second", options=("--state-dir", str(directory / "web"))) as second:
            await second.until_ready()
            async with second.session() as line:
                await line.settled()
        with trio.fail_after(LEAVES_WITHIN_S):
            await trio.to_thread.run_sync(_until_gone, pid)
    assert "the daemon is gone" in first.logged()


def _until_gone(pid: int) -> None:
    while Path(f"/proc/{pid}").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text():
        pass
