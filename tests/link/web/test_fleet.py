"""Gateway processes as the daemon keeps them: real ones, of a gateway without WhatsApp."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trio

from pombal.actors.tree import ActorTree
from pombal.config.settings import WebSettings
from pombal.link.base import LinkLost
from pombal.link.web import fleet as module
from pombal.link.web.fleet import Fleet

WAIT_S = 120.0
ROOT = Path(__file__).parents[3]
PYTHONPATH = os.pathsep.join([str(ROOT), *sys.path])


def settings(behaviour: str = "fine", **more: object) -> WebSettings:
    command = [sys.executable, "-m", "tests.fakes.gateway", "--behaviour", behaviour]
    return WebSettings.model_validate({"gateway_command": command, "start_timeout_s": WAIT_S} | more)


class World:
    def __init__(self, fleet: Fleet, tree: ActorTree, path: Path) -> None:
        self.fleet = fleet
        self.tree = tree
        self.path = path

    @property
    def names(self) -> list[str]:
        return [info.name for info in self.tree.page("gateway")]


@pytest.fixture(autouse=True)
def _from_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(module, "WATCH_EVERY_S", 0.05)


@asynccontextmanager
async def running(path: Path, web: WebSettings) -> AsyncIterator[World]:
    tree = ActorTree()
    fleet = Fleet(web, path / "run/gateways", path / "web", tree, os.environ)
    with trio.fail_after(WAIT_S):
        async with trio.open_nursery() as nursery:
            await nursery.start(fleet.run)
            try:
                yield World(fleet, tree, path)
            finally:
                nursery.cancel_scope.cancel()


async def until(condition: Callable[[], object]) -> None:
    """Processes tell of their end by themselves; what is looked at here has no event for a test."""
    while not condition():  # noqa: ASYNC110
        await trio.sleep(0.01)


def is_there(pid: int | None) -> bool:
    assert pid is not None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_process_for_each_session_in_a_private_place(tmp_path: Path) -> None:
    async with running(tmp_path, settings()) as world:
        async with world.fleet.lease("a") as first, world.fleet.lease("b") as second:
            assert first.pid != second.pid
            assert world.names == ["gateway-1", "gateway-2"]
            assert stat.S_IMODE(first.socket.parent.stat().st_mode) == 0o700
            await until(lambda: all(info.memory_bytes for info in world.tree.page("gateway")))
        pids = [first.pid, second.pid]
        assert all(is_there(pid) for pid in pids)
    assert not any(is_there(pid) for pid in pids)
    assert list((tmp_path / "run/gateways").iterdir()) == []


async def test_a_session_comes_back_to_its_process(tmp_path: Path) -> None:
    async with running(tmp_path, settings()) as world:
        async with world.fleet.lease("a") as first:
            pass
        async with world.fleet.lease("b"):
            pass
        async with world.fleet.lease("a") as again:
            assert again is first


async def test_sessions_share_a_process_up_to_the_bound(tmp_path: Path) -> None:
    async with (
        running(tmp_path, settings(sessions_per_process=2)) as world,
        world.fleet.lease("a") as first,
        world.fleet.lease("b") as second,
        world.fleet.lease("c") as third,
    ):
        assert first is second
        assert third is not first


async def test_one_that_serves_nobody_is_stopped(tmp_path: Path) -> None:
    async with running(tmp_path, settings(idle_stop_s=0.1)) as world:
        async with world.fleet.lease("a") as process:
            pass
        await process.has_ended.wait()
        assert not process.may_have_lost
        await until(lambda: world.names == [])
        assert world.fleet.gaps == {}


@pytest.mark.parametrize(("number", "gaps"), [(signal.SIGKILL, {"a"}), (signal.SIGTERM, set())])
async def test_one_that_dies_is_replaced_and_what_may_be_lost_is_noted(
    tmp_path: Path, number: signal.Signals, gaps: set[str]
) -> None:
    async with running(tmp_path, settings()) as world:
        async with world.fleet.lease("a") as process, world.fleet.lease("b"):
            assert process.pid is not None
            os.kill(process.pid, number)
            await process.has_ended.wait()
        async with world.fleet.lease("a") as successor:
            assert successor.pid != process.pid
            assert set(world.fleet.gaps) == gaps
        (info,) = [info for info in world.tree.page("gateway") if info.name == "gateway-1"]
        assert info.restarts == 1
        if gaps:
            assert "SIGKILL" in world.fleet.gaps["a"]
            assert info.last_crash is not None
            assert "SIGKILL" in info.last_crash.error
            world.fleet.gap_said("a")
            assert world.fleet.gaps == {}


OWNER = """
import os, structlog, sys, trio
from pathlib import Path
from pombal.config.settings import WebSettings
from pombal.link.web.process import GatewayProcess

structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))

async def own():
    web = WebSettings(gateway_command=[sys.executable, "-m", "tests.fakes.gateway"])
    process = GatewayProcess("g", web, Path(sys.argv[1]) / "s", Path(sys.argv[1]), os.environ)
    async with trio.open_nursery() as nursery:
        await nursery.start(process.run)
        print(process.pid, flush=True)

trio.run(own)
"""


async def test_it_leaves_when_whoever_started_it_is_killed(tmp_path: Path) -> None:
    """By the end of its standard input: nobody is left to send it a signal."""
    command = [sys.executable, "-c", OWNER, str(tmp_path)]
    environ = {**os.environ, "PYTHONPATH": PYTHONPATH}
    owner = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE, env=environ)
    assert owner.stdout is not None
    with trio.fail_after(WAIT_S):
        said = b""
        while not said.endswith(b"\n"):
            piece = await owner.stdout.receive_some()
            assert piece, "the owner ended"
            said += piece
        assert not has_gone(int(said))
        owner.kill()
        await owner.wait()
        await until(lambda: has_gone(int(said)))
    await owner.stdout.aclose()


def has_gone(pid: int) -> bool:
    """Ended, though nobody may have asked yet how."""
    try:
        with open(f"/proc/{pid}/stat") as status:
            return status.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


async def test_one_that_does_not_end_is_killed(tmp_path: Path) -> None:
    async with running(tmp_path, settings("stays", stop_timeout_s=0.2)) as world, world.fleet.lease("a") as process:
        pid = process.pid
        process.stop()
        await process.has_ended.wait()
        assert not is_there(pid)
        assert set(world.fleet.gaps) == {"a"}


async def test_one_that_says_nothing_any_more(tmp_path: Path) -> None:
    async with running(tmp_path, settings(stop_timeout_s=0.2)) as world:
        async with world.fleet.lease("a") as process:
            assert process.pid is not None
            os.kill(process.pid, signal.SIGSTOP)
            world.fleet.suspect(process)
            await process.has_ended.wait()
        async with world.fleet.lease("a") as successor:
            assert successor.pid != process.pid


async def test_one_that_takes_too_much_memory_is_restarted(tmp_path: Path) -> None:
    async with running(tmp_path, settings("grows", memory_max_bytes=33_554_432)) as world:
        async with world.fleet.lease("a") as process:
            await process.has_ended.wait()
        assert world.fleet.gaps == {}  # it was asked to, and had the time


async def test_one_that_holds_too_many_descriptors_takes_no_more_and_goes_when_empty(tmp_path: Path) -> None:
    web = settings("collects", descriptors_max=90, sessions_per_process=2)
    async with running(tmp_path, web) as world:
        async with world.fleet.lease("a") as full:
            await until(lambda: full.is_retiring)
            async with world.fleet.lease("b") as other:
                assert other is not full
            assert not full.has_ended.is_set()
        await full.has_ended.wait()


@pytest.mark.parametrize(
    ("behaviour", "more", "why"),
    [
        ("fails", {}, r"ended with status 3 at its start; it said: the library is not installed"),
        ("never_listens", {"start_timeout_s": 1.0, "stop_timeout_s": 0.2}, "did not answer within 1 s"),
    ],
)
async def test_one_that_does_not_come_up_says_why(
    tmp_path: Path, behaviour: str, more: dict[str, object], why: str
) -> None:
    async with running(tmp_path, settings(behaviour, **more)) as world:
        for _ in range(2):
            with pytest.raises(LinkLost, match=why):
                async with world.fleet.lease("a"):
                    pass
        (info,) = world.tree.page("gateway")
        assert info.restarts == 1
        assert world.fleet.gaps == {}


async def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    web = WebSettings(gateway_command=["/nonexistent/gateway"])
    async with running(tmp_path, web) as world:
        with pytest.raises(LinkLost, match="/nonexistent/gateway cannot be started: No such file"):
            async with world.fleet.lease("a"):
                pass


async def test_without_any_gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "has_own_gateway", lambda: False)
    async with running(tmp_path, WebSettings()) as world:
        with pytest.raises(LinkLost, match=r"pip install 'pombal\[web\]'"):
            async with world.fleet.lease("a"):
                pass


async def test_a_path_that_no_socket_can_have(tmp_path: Path) -> None:
    async with running(tmp_path / ("x" * 90), settings()) as world:
        with pytest.raises(LinkLost, match="runtime_dir"):
            async with world.fleet.lease("a"):
                pass


async def test_given_up_at_its_start_nothing_is_left(tmp_path: Path) -> None:
    before = _children()
    async with running(tmp_path, settings("never_listens", stop_timeout_s=0.2)) as world:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_use, world)
                await until(lambda: _children() - before)
                scope.cancel()
        assert _children() <= before


def _children() -> set[str]:
    """The processes that this one started, from whichever thread."""
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError), open(f"/proc/{pid}/stat") as status:
            if int(status.read().rpartition(")")[2].split()[1]) == os.getpid():
                found.add(pid)
    return found


async def _use(world: World) -> None:
    async with world.fleet.lease("a"):
        raise AssertionError("it does not come up")


async def test_letting_go_waits_for_the_process_unless_it_is_a_neighbour_s(tmp_path: Path) -> None:
    async with running(tmp_path, settings(sessions_per_process=2, idle_stop_s=3600)) as world:
        async with world.fleet.lease("a") as process:
            async with world.fleet.lease("b"):
                pass
            await world.fleet.let_go("b")
            assert not process.has_ended.is_set()
        await world.fleet.let_go("a")
        assert process.has_ended.is_set()


async def test_leftovers_of_an_earlier_life_are_swept(tmp_path: Path) -> None:
    directory = tmp_path / "run/gateways"
    directory.mkdir(parents=True, mode=0o755)
    with trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_STREAM) as stale:
        await stale.bind(str(directory / "7.sock"))
    (directory / "note").write_text("mine")
    async with running(tmp_path, settings()):
        assert [path.name for path in directory.iterdir()] == ["note"]
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


async def test_many_lives_leave_nothing_behind(tmp_path: Path) -> None:
    async with running(tmp_path, settings(sessions_per_process=3)) as world:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            async with world.fleet.lease("a") as process:
                process.stop()
                await process.has_ended.wait()
        assert len(os.listdir("/proc/self/fd")) <= before
