"""media.put and media.get: files in chunks over a protocol of lines."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import trio

from pombal.media.files import Upload
from pombal.media.shelf import disk_refuses
from pombal.model import params as p
from pombal.model import results as r
from pombal.model.caller import Caller
from pombal.model.changes import PutMedia
from pombal.model.errors import Kind, PombalError, invalid, not_found
from pombal.model.ids import new_ulid
from pombal.service.base import ReceiveChunk
from pombal.service.deps import Deps
from pombal.store.media_queries import is_announced

TRY_AGAIN_S = 5  # uploads over HTTP take seconds; when one of them ends, nobody can say


@dataclass(slots=True)
class _Unfinished:
    upload: Upload
    touched_s: float
    caller: str
    is_busy: bool = False


class MediaMethods:
    """Holds the unfinished uploads: at most [media] max_uploads, each given up after upload_timeout_s of silence."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._unfinished: dict[str, _Unfinished] = {}
        self._beginning = 0

    async def put(self, params: p.MediaPutParams, caller: Caller) -> r.MediaPutAnswer:
        name = params.upload or await self._begin(caller)
        unfinished = self._at(name, params.offset, caller)
        unfinished.is_busy = True
        try:
            await self._append(name, unfinished, params.data)
            if params.sha256 is None:
                return r.MediaPutAnswer(r.MediaUpload(upload=name, offset=unfinished.upload.size_bytes))
            return r.MediaPutAnswer(await self._finish(name, unfinished.upload, params.sha256))
        finally:
            unfinished.is_busy = False
            unfinished.touched_s = trio.current_time()

    async def get(self, params: p.MediaGetParams, caller: Caller) -> r.MediaChunk:
        read = partial(self._deps.media.read, params.sha256, params.offset, params.limit)
        try:
            data, eof = await trio.to_thread.run_sync(read)
        except PombalError as error:
            if error.kind != Kind.NOT_FOUND:
                raise
            raise await self._missing(params.sha256) from None
        except OSError as error:
            raise disk_refuses("read", error) from error
        return r.MediaChunk(data=data, eof=eof)

    async def take_in(self, receive: ReceiveChunk, caller: Caller) -> r.MediaStored:
        """A whole file from a stream, without chunks that wait for the next: what fails midway leaves nothing."""
        name = await self._begin(caller)
        unfinished = self._unfinished[name]
        unfinished.is_busy = True
        try:
            while chunk := await receive():
                await self._append(name, unfinished, chunk)
            return await self._finish(name, unfinished.upload, unfinished.upload.digest.hexdigest())
        finally:
            if self._unfinished.pop(name, None) is not None:
                unfinished.upload.discard()

    async def size_of(self, sha256: str) -> int:
        try:
            size_bytes = await trio.to_thread.run_sync(self._deps.media.size_of, sha256)
        except OSError as error:
            raise disk_refuses("read", error) from error
        if size_bytes is None:
            raise await self._missing(sha256)
        return size_bytes

    async def _missing(self, sha256: str) -> PombalError:
        """Why a file is not here: a message comes at once, and its file when WhatsApp has handed it over."""
        if await self._deps.reader.run(partial(is_announced, sha256=sha256)):
            return not_found(
                "the file of this message is not here yet: it is fetched from WhatsApp after the message, so try again "
                "in a moment; one that WhatsApp has no longer, or that is larger than [media] max_bytes, never comes"
            )
        return not_found(f"there is no media with sha256 {sha256}, and no message speaks of it")

    async def _begin(self, caller: Caller) -> str:
        settings = self._deps.live.current.media
        await self._give_up_silent(settings.upload_timeout_s)
        if len(self._unfinished) + self._beginning >= settings.max_uploads:
            raise PombalError(
                Kind.RATE_LIMITED,
                f"{settings.max_uploads} uploads are unfinished; finish one, or try again later",
                retry_after_s=TRY_AGAIN_S,
            )
        self._beginning += 1
        try:
            upload = await trio.to_thread.run_sync(self._deps.media.begin)
        except OSError as error:
            raise disk_refuses("stored", error) from error
        finally:
            self._beginning -= 1
        name = new_ulid()
        self._unfinished[name] = _Unfinished(upload, trio.current_time(), caller.name)
        return name

    def _at(self, name: str, offset: int, caller: Caller) -> _Unfinished:
        unfinished = self._unfinished.get(name)
        if unfinished is None or unfinished.caller != caller.name:
            raise not_found(f"there is no unfinished upload {name!r}; begin anew, without upload")
        if unfinished.is_busy:
            raise PombalError(Kind.CONFLICT, "a chunk of this upload is still being written; send one after the other")
        if offset != unfinished.upload.size_bytes:
            raise PombalError(
                Kind.CONFLICT,
                f"the next chunk starts at offset {unfinished.upload.size_bytes}",
                offset=unfinished.upload.size_bytes,
            )
        return unfinished

    async def _append(self, name: str, unfinished: _Unfinished, data: bytes) -> None:
        max_bytes = self._deps.live.current.media.max_bytes
        if unfinished.upload.size_bytes + len(data) > max_bytes:
            await self._drop(name)
            raise PombalError(Kind.TOO_LARGE, f"the file is larger than {max_bytes} bytes ([media] max_bytes)")
        await self._store(name, partial(unfinished.upload.write, data))

    async def _finish(self, name: str, upload: Upload, sha256: str) -> r.MediaStored:
        if upload.digest.hexdigest() != sha256:
            await self._drop(name)
            raise invalid("the bytes received have another sha256 than the one given; upload the file again")
        size_bytes = upload.size_bytes
        async with self._deps.claims.arriving(sha256):
            await self._store(name, partial(self._deps.media.finish, upload))
            del self._unfinished[name]
            await self._deps.recorder.commit(PutMedia(at=self._deps.clock(), sha256=sha256, size_bytes=size_bytes))
        return r.MediaStored(sha256=sha256, size_bytes=size_bytes)

    async def _store(self, name: str, work: Callable[[], object]) -> None:
        """Work on an upload's file. Raises PombalError (unavailable) for what the disk refuses: it is given up then."""
        try:
            await trio.to_thread.run_sync(work)
        except OSError as error:
            await self._drop(name)  # noqa: ASYNC120  # cancelled, nobody waits for the reason
            raise disk_refuses("stored", error) from error

    async def _drop(self, name: str) -> None:
        if (unfinished := self._unfinished.pop(name, None)) is not None:
            unfinished.upload.close()
            await trio.to_thread.run_sync(unfinished.upload.discard)

    async def _give_up_silent(self, timeout_s: float) -> None:
        now_s = trio.current_time()
        for name, unfinished in list(self._unfinished.items()):
            if not unfinished.is_busy and now_s - unfinished.touched_s > timeout_s:
                await self._drop(name)
