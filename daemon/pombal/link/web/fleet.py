"""The gateway processes that the daemon starts itself: leased to sessions, watched, and replaced."""

import os
import stat
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import structlog
import trio

from pombal.actors.tree import ActorState, ActorTree
from pombal.config.paths import SOCKET_PATH_MAX_BYTES
from pombal.config.settings import WebSettings
from pombal.link.base import LinkLost
from pombal.link.web.process import GatewayProcess
from pombal.link.web.settings import NO_GATEWAY, has_own_gateway
from pombal.link.web.slot import Slot
from pombal.link.web.usage import usage_of

log = structlog.get_logger()

WATCH_EVERY_S = 1.0
PRIVATE_MODE = 0o700


class GatewayEnded(Exception):
    """How a gateway ended that was not asked to; what the supervision tree shows."""


class Fleet:
    """gaps: sessions whose gateway died with something in its hands, and how; told at their next connection."""

    def __init__(
        self, settings: WebSettings, sockets: Path, state: Path, tree: ActorTree, environ: Mapping[str, str]
    ) -> None:
        """sockets: a directory for their sockets alone. state: where gateways keep what lasts."""
        self.gaps: dict[str, str] = {}
        self._settings = settings
        self._sockets = sockets
        self._state = state
        self._tree = tree
        self._environ = environ
        self._slots: list[Slot] = []
        self._number = count(1)
        self._starting = trio.Semaphore(settings.start_concurrency)
        self._nursery: trio.Nursery | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Own the processes, and watch over them, until cancelled; all of them are ended then."""
        self._prepare()
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            task_status.started()
            while True:
                await trio.sleep(WATCH_EVERY_S)
                for slot in list(self._slots):
                    self._watch(slot)
                    await trio.lowlevel.checkpoint()

    @asynccontextmanager
    async def lease(self, session_id: str) -> AsyncIterator[GatewayProcess]:
        """A process that answers, for one connection. Raises LinkLost where none can be had.

        A session comes back to the process that it had: that one may hold its keys still.
        """
        slot = self._slot_for(session_id)
        slot.take(session_id)
        try:
            yield await self._running(slot)
        finally:
            slot.leave(session_id, trio.current_time())
            if slot.is_retiring and not slot.leased and slot.process is not None:
                log.info("gateway replaced, it holds too many descriptors", gateway=slot.name)
                slot.process.stop()

    def suspect(self, process: GatewayProcess) -> None:
        """It says nothing any more: end it, so that its sessions get another."""
        if not process.has_ended.is_set():
            log.error("gateway ended, it does not answer", gateway=process.name, pid=process.pid)
            process.stop()

    def gap_said(self, session_id: str) -> None:
        """It is on record that this session may have lost messages."""
        self.gaps.pop(session_id, None)

    async def let_go(self, session_id: str) -> None:
        """Wait until no process works for this session any more, if that takes no neighbour's process."""
        self.gaps.pop(session_id, None)
        for slot in list(self._slots):
            if slot.holds(session_id):
                slot.drop(session_id)
                if slot.is_empty and slot.process is not None:
                    slot.process.stop()
                    await slot.process.has_ended.wait()

    async def stop(self) -> None:
        """End all processes, and wait for it."""
        processes = [slot.process for slot in self._slots if slot.process is not None]
        for process in processes:
            process.stop()
        for process in processes:
            await process.has_ended.wait()

    # Leases

    def _slot_for(self, session_id: str) -> Slot:
        had = next((slot for slot in self._slots if slot.holds(session_id)), None)
        if had is not None:
            if not (had.is_retiring and had.leased):
                return had
            had.drop(session_id)
        sessions_max = self._settings.sessions_per_process
        return next((slot for slot in self._slots if slot.has_room(sessions_max)), None) or self._new_slot()

    def _new_slot(self) -> Slot:
        taken = {slot.name for slot in self._slots}
        name = next(name for number in count(1) if (name := f"gateway-{number}") not in taken)
        slot = Slot(name, self._tree.enter(name, "gateway"))
        self._slots.append(slot)
        return slot

    async def _running(self, slot: Slot) -> GatewayProcess:
        async with slot.lock:
            if slot.process is not None:
                if slot.process.is_usable:
                    return slot.process
                slot.process.stop()
                await slot.process.has_ended.wait()
            slot.process = await self._start(slot)
            return slot.process

    async def _start(self, slot: Slot) -> GatewayProcess:
        if self._nursery is None:
            raise LinkLost("the daemon is still starting")
        if not self._settings.gateway_command and not has_own_gateway():
            raise LinkLost(NO_GATEWAY)
        socket = self._sockets / f"{next(self._number)}.sock"
        if len(os.fsencode(socket)) > SOCKET_PATH_MAX_BYTES:
            raise LinkLost(
                f"the gateway's socket {socket} has too long a path; set [daemon] runtime_dir to a shorter one"
            )
        process = GatewayProcess(slot.name, self._settings, socket, self._state, self._environ)
        slot.info.state = ActorState.STARTING
        slot.info.restarts += bool(slot.starts)
        slot.starts += 1
        try:
            async with self._starting:
                await self._nursery.start(self._keep, slot, process)
        except LinkLost as lost:
            slot.info.crashed(lost)
            raise
        finally:
            slot.info.state = ActorState.RUNNING if process.is_usable else ActorState.BACKING_OFF
        log.info("gateway answers", gateway=slot.name, pid=process.pid)
        return process

    async def _keep(
        self, slot: Slot, process: GatewayProcess, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """One life of one process; what follows from its end."""
        log.info("gateway starts", gateway=slot.name)
        try:
            await process.run(task_status=task_status)
        finally:
            slot.info.memory_bytes = None
            slot.info.state = ActorState.BACKING_OFF if slot.leased else ActorState.STOPPED
            how = process.how_it_ended()
            log.info("gateway ended", gateway=slot.name, pid=process.pid, how=how)
            if process.may_have_lost:
                self._died(slot, how)

    def _died(self, slot: Slot, how: str) -> None:
        log.error("gateway died; messages may have been lost", gateway=slot.name, sessions=len(slot.leased), how=how)
        slot.info.crashed(GatewayEnded(how))
        for session_id in [*slot.leased, *slot.left_at_s]:
            self.gaps[session_id] = how

    # Watching

    def _watch(self, slot: Slot) -> None:
        slot.forget_since(trio.current_time() - self._settings.idle_stop_s)
        process = slot.process
        if slot.is_empty and not slot.lock.locked():
            self._remove(slot)
        elif process is not None and process.pid is not None and process.is_usable:
            self._weigh(slot, process, process.pid)

    def _remove(self, slot: Slot) -> None:
        self._slots.remove(slot)
        self._tree.leave(slot.info)
        if slot.process is not None:
            slot.process.stop()

    def _weigh(self, slot: Slot, process: GatewayProcess, pid: int) -> None:
        usage = usage_of(pid)
        if usage is None:
            return
        slot.info.memory_bytes = usage.memory_bytes
        if usage.memory_bytes > self._settings.memory_max_bytes:
            log.warning(
                "gateway restarted, it takes too much memory", gateway=slot.name, memory_bytes=usage.memory_bytes,
                memory_max_bytes=self._settings.memory_max_bytes,
            )  # fmt: skip
            process.stop()
        elif usage.descriptors >= self._settings.descriptors_max:
            process.is_retiring = True
            if not slot.leased:
                process.stop()

    def _prepare(self) -> None:
        """A directory for their sockets that is ours alone, with nothing in it of an earlier life."""
        self._sockets.mkdir(mode=PRIVATE_MODE, parents=True, exist_ok=True)
        self._sockets.chmod(PRIVATE_MODE)
        for path in self._sockets.iterdir():
            if stat.S_ISSOCK(path.lstat().st_mode):
                path.unlink()
