"""Files in chunks, so that no frame is long and an upload holds up nothing else on its connection."""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Protocol

import trio

from pombal.model.params_base import MEDIA_CHUNK_MAX_BYTES
from pombal.model.results import MediaChunk, MediaPutAnswer, MediaStored

Progress = Callable[[int], None]
"""Called with the bytes moved so far."""


class MediaMethods(Protocol):
    """What is needed of the client."""

    async def media_put(
        self, data: bytes, *, upload: str | None = None, offset: int = 0, sha256: str | None = None
    ) -> MediaPutAnswer: ...

    async def media_get(self, sha256: str, *, offset: int = 0, limit: int | None = None) -> MediaChunk: ...


async def file_chunks(path: Path) -> AsyncGenerator[bytes, None]:
    """The file in chunks as media.put takes them. Raises OSError."""
    async with await trio.open_file(path, "rb") as file:
        while data := await file.read(MEDIA_CHUNK_MAX_BYTES):
            yield data  # noqa: ASYNC119  # whoever asks closes it (aclosing)


async def _chunks_of(data: bytes) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(data), MEDIA_CHUNK_MAX_BYTES):
        yield data[start : start + MEDIA_CHUNK_MAX_BYTES]


async def put_media(client: MediaMethods, source: Path | bytes, progress: Progress) -> MediaStored:
    """Upload a file or bytes; an empty one is one empty chunk. Raises RemoteError, Disconnected or OSError."""
    chunks = _chunks_of(source) if isinstance(source, bytes) else file_chunks(source)
    async with aclosing(chunks):
        return await _put_chunks(client, chunks, progress)


async def _put_chunks(client: MediaMethods, chunks: AsyncIterator[bytes], progress: Progress) -> MediaStored:
    digest = hashlib.sha256()
    upload: str | None = None
    offset = 0
    chunk = await anext(chunks, b"")
    while True:
        # Only the last chunk carries the sha256, so one is read ahead.
        following = await anext(chunks, None)
        digest.update(chunk)
        whole = digest.hexdigest() if following is None else None
        answer = (await client.media_put(chunk, upload=upload, offset=offset, sha256=whole)).root
        offset += len(chunk)
        progress(offset)
        if isinstance(answer, MediaStored) or following is None:
            return MediaStored.model_validate(answer.model_dump())
        upload, chunk = answer.upload, following


async def get_media(client: MediaMethods, sha256: str, progress: Progress) -> AsyncGenerator[bytes, None]:
    """The file's bytes in chunks. Raises RemoteError (not_found) or Disconnected."""
    offset = 0
    while True:
        chunk = await client.media_get(sha256, offset=offset)
        offset += len(chunk.data)
        yield chunk.data
        progress(offset)
        if chunk.eof:
            return
