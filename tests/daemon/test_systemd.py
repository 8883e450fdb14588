"""What systemd hears and hands over: readiness, status, the watchdog, and a socket that it owns."""

import os
import socket
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import trio

from pombal.control.client import connect
from tests.daemon.harness import COMMAND, WAIT_S, Home, Settings, ready_session
from tests.daemon.inside import inside
from tests.daemon.notify_socket import NotifySocket
from tests.daemon.test_store_trouble import SOON, send_until_refused
from tests.faults.kinds.locked import held


async def test_ready_means_that_the_socket_accepts(home: Home) -> None:
    """Nothing is said before, and at that moment a client gets its answer."""
    async with home.process() as daemon:
        with trio.fail_after(WAIT_S):
            first = await daemon.notify.hear()
        assert first["READY"] == "1"
        assert "0 of 0 sessions ready" in first["STATUS"]
        async with daemon.client() as client:
            assert (await client.daemon_status()).pid == daemon.pid
        await daemon.stop()


async def test_the_status_line_is_kept_current(home: Home) -> None:
    async with home.daemon() as daemon, daemon.client() as client:
        await ready_session(client)
        with trio.fail_after(WAIT_S):
            while "1 of 1 sessions ready" not in (await daemon.notify.until("STATUS"))["STATUS"]:
                pass
        await daemon.stop()


async def test_the_watchdog_is_fed_as_often_as_systemd_asks(home: Home) -> None:
    async with home.daemon(env={"WATCHDOG_USEC": "400000"}) as daemon:
        with trio.fail_after(WAIT_S):
            for _ in range(5):
                await daemon.notify.until("WATCHDOG")
        await daemon.stop()


async def test_a_watchdog_that_is_another_process_s_is_not_fed(home: Home) -> None:
    async with home.daemon(env={"WATCHDOG_USEC": "100000", "WATCHDOG_PID": str(os.getpid())}) as daemon:
        with trio.fail_after(WAIT_S):
            for _ in range(2):
                await daemon.notify.until("STATUS")
        assert not any("WATCHDOG" in told for told in daemon.notify.told)
        await daemon.stop()


async def test_a_store_in_trouble_is_no_reason_to_starve_the_watchdog(home_with: Callable[[Settings], Home]) -> None:
    home = home_with({"recorder": {**SOON["recorder"], "hang_s": 2}})
    async with home.daemon(env={"WATCHDOG_USEC": "200000"}) as daemon, daemon.client() as client:
        await ready_session(client)
        with held(home.database):
            await send_until_refused(client)
            with trio.fail_after(WAIT_S):
                for _ in range(25):  # for longer than hang_s
                    await daemon.notify.until("WATCHDOG")
        assert daemon.logged("watchdog no longer fed") == []
        await daemon.stop()


async def test_a_writer_that_hangs_starves_the_watchdog(home: Home) -> None:
    """In this process, for from outside nothing can be made to hang there that returns when the test is over."""
    home.configure({"recorder": {"hang_s": 0.3}})
    async with inside(home, WATCHDOG_USEC="100000") as (daemon, notify), trio.open_nursery() as nursery:
        with trio.fail_after(WAIT_S):
            await notify.until("WATCHDOG")
            hang = threading.Event()
            nursery.start_soon(daemon.rooms.writer.thread.call, partial(hang.wait, WAIT_S))
            while daemon.facts.health().is_live:  # noqa: ASYNC110
                await trio.sleep(0.01)
            await _silence(notify)
            assert daemon.facts.health().failing == ["writer"]
            hang.set()
            await notify.until("WATCHDOG")
            assert daemon.facts.health().ok


async def test_a_disk_that_stands_still_is_told_by_health_before_it_is_a_reason_to_restart(home: Home) -> None:
    home.configure({"recorder": {"stall_s": 0.1}})
    async with inside(home, WATCHDOG_USEC="100000") as (daemon, notify), trio.open_nursery() as nursery:
        with trio.fail_after(WAIT_S):
            stall = threading.Event()
            nursery.start_soon(daemon.rooms.writer.thread.call, partial(stall.wait, WAIT_S))
            while (health := daemon.facts.health()).ok:
                await notify.until("WATCHDOG")
            assert health.failing == ["store"]
            assert "has not answered" in (health.checks["store"].detail or "")
            assert health.is_live
            stall.set()
            while not daemon.facts.health().ok:
                await notify.until("WATCHDOG")


async def _silence(notify: NotifySocket) -> None:
    """Hear on until nothing has been fed for ten times as long as it should take."""
    while True:
        with trio.move_on_after(0.5) as fed_in_time:
            await notify.until("WATCHDOG")
        if fed_in_time.cancelled_caught:
            return


# Socket activation

_HAND_OVER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES=sys.argv[2])
os.execv(sys.executable, [sys.executable, *sys.argv[3:]])
"""


def activated(listener: socket.socket, home: Home, name: str = "control") -> dict[str, object]:
    command = [
        sys.executable,
        "-c",
        _HAND_OVER,
        str(listener.fileno()),
        name,
        *COMMAND[1:],
        "serve",
        "--config",
        str(home.config),
    ]
    return {"command": command, "pass_fds": [listener.fileno()]}


def listening(path: Path) -> socket.socket:
    path.parent.mkdir()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    return listener


async def test_a_socket_of_systemd_s_is_served_and_left_alone(home: Home) -> None:
    with listening(home.socket) as listener:
        inode = home.socket.stat().st_ino
        for life in range(2):
            # Who connects before the daemon is there waits, and is served when it comes.
            async with connect(home.socket) as early, home.process(**activated(listener, home)) as daemon:  # type: ignore[arg-type]
                with trio.fail_after(WAIT_S):
                    assert (await early.daemon_status()).pid == daemon.pid
                await daemon.ready()
                async with connect(home.socket) as client:
                    if life == 0:
                        await ready_session(client)
                    assert [each.name for each in (await client.session_list()).results] == ["vendas"]
                await daemon.stop()
            assert home.socket.stat().st_ino == inode, "an inherited socket is never unlinked"


async def test_what_is_handed_over_must_be_a_unix_socket(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with home.process(**activated(listener, home)) as daemon:  # type: ignore[arg-type]
            assert await daemon.ended() == 1
            assert "is no listening Unix stream socket" in daemon.output
            assert "Traceback" not in daemon.output


async def test_the_address_of_http_may_be_systemd_s_as_well(home: Home) -> None:
    """It takes the place of [http] bind; who connects before the daemon is there waits, over restarts too."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
        for _ in range(2):
            async with await trio.open_tcp_stream(host, port) as early:
                await early.send_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
                async with home.process(**activated(listener, home, "http")) as daemon:  # type: ignore[arg-type]
                    with trio.fail_after(WAIT_S):
                        assert (await early.receive_some(4096)).startswith(b"HTTP/1.1 200 ")
                    await daemon.ready()
                    assert daemon.url == f"http://{host}:{port}"
                    await daemon.stop()
