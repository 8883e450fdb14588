"""Files that came with messages: fetched from WhatsApp one at a time, kept until the daemon has them."""

from collections.abc import Callable

import structlog
import trio

from pombal.gateway.client import ClientError, Refusal
from pombal.gateway.files import Files, NotTheFile
from pombal.gateway.gate import Gate
from pombal.gateway.life import Life
from pombal.gateway.spool import Download, DownloadState, Spool

log = structlog.get_logger()

TRIES = 8
PAUSE_MIN_S, PAUSE_MAX_S = 1.0, 300.0
WAITING_TOLD = 1_000


class Downloads:
    """For one session; ``run`` for as long as the process hosts it."""

    def __init__(
        self, life: Life, spool: Spool, files: Files, gate: Gate, *, max_bytes: int, ready: Callable[[], None]
    ) -> None:
        """ready: called when there is another file for the daemon."""
        self._life = life
        self._spool = spool
        self._files = files
        self._gate = gate
        self._max_bytes = max_bytes
        self._ready = ready
        self._woken = trio.Event()
        self.version = 0
        """Grows when the list of files that wait for the daemon changes."""

    def wake(self) -> None:
        """There may be something to fetch: a file was noted, or the client is there again."""
        self._woken.set()

    def _changed(self) -> None:
        self.version += 1
        self._ready()

    async def run(self) -> None:
        pause_s = PAUSE_MIN_S
        while True:
            self._woken = trio.Event()
            waiting = await trio.to_thread.run_sync(self._spool.downloads, DownloadState.WAITING, 1)
            if not waiting or not self._life.is_alive:
                await self._woken.wait()
                pause_s = PAUSE_MIN_S
                continue
            if await self._fetch(waiting[0]):
                pause_s = PAUSE_MIN_S
                continue
            with trio.move_on_after(pause_s):
                await trio.sleep_forever()
            pause_s = min(2 * pause_s, PAUSE_MAX_S)

    async def _fetch(self, download: Download) -> bool:
        """Whether it is settled: here, or given up."""
        if download.size_bytes > self._max_bytes:
            return await self._give_up(download, f"larger than {self._max_bytes} bytes")
        try:
            size_bytes = await self._fetched(download)
        except (ClientError, Refusal, NotTheFile) as error:
            attempts = await trio.to_thread.run_sync(self._spool.download_failed, download.sha256)
            if attempts >= TRIES:
                return await self._give_up(download, str(error))
            log.warning("a file could not be fetched", sha256=download.sha256, attempt=attempts, reason=str(error))
            return False
        await trio.to_thread.run_sync(self._spool.downloaded, download.sha256, size_bytes)
        self._changed()
        return True

    async def _fetched(self, download: Download) -> int:
        client = self._life.client
        if client is None:
            raise ClientError("not connected")
        with await trio.to_thread.run_sync(self._files.receiving, download.sha256) as part:
            async with self._gate.call():
                await trio.to_thread.run_sync(client.download, download.message, part.path)
            return await trio.to_thread.run_sync(part.keep)

    async def _give_up(self, download: Download, reason: str) -> bool:
        log.warning("a file is given up", sha256=download.sha256, size_bytes=download.size_bytes, reason=reason)
        await trio.to_thread.run_sync(self._spool.forget_download, download.sha256)
        return True

    async def waiting(self) -> list[Download]:
        """The files that are here for the daemon."""
        return await trio.to_thread.run_sync(self._spool.downloads, DownloadState.READY, WAITING_TOLD)

    async def taken(self, sha256: str) -> None:
        """The daemon has it: the row first, or a crash between the two would promise a file that is gone."""
        await trio.to_thread.run_sync(self._spool.forget_download, sha256)
        await trio.to_thread.run_sync(self._files.taken, sha256)
        self._changed()
