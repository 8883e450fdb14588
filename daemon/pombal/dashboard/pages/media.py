"""A message's file. It comes from strangers: what is no picture, sound or film is never opened in the page."""

import re
from collections.abc import AsyncIterator
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from pombal.dashboard.app import Page
from pombal.dashboard.pages.messages import message_of
from pombal.dashboard.views.conversations import bare_type, shown_as
from pombal.dashboard.visit import Visit
from pombal.model.errors import not_found
from pombal.model.message import Media
from pombal.model.params_base import MEDIA_CHUNK_MAX_BYTES

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


async def show(visit: Visit) -> Response:
    message = await message_of(visit)
    media = message.media
    if media is None:
        raise not_found("the message has no file")
    first = await visit.ask("media.get", sha256=media.sha256, offset=0, limit=1)  # before the answer has begun
    start, end, is_partial = _wanted(visit.request.headers.get("range"), media.size_bytes)
    headers = _headers(media) | {"Content-Length": str(end - start), "Accept-Ranges": "bytes"}
    if is_partial:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{media.size_bytes}"
    if visit.request.method == "HEAD" or not first.data:
        return Response(None, 206 if is_partial else 200, headers)
    return StreamingResponse(_chunks(visit, media.sha256, start, end), 206 if is_partial else 200, headers)


def _wanted(header: str | None, size_bytes: int) -> tuple[int, int, bool]:
    """(from, up to, whether it is a part): players of film and sound ask for ranges of bytes (RFC 9110, 14)."""
    asked = _RANGE.fullmatch(header or "")
    if asked is None or not (asked[1] or asked[2]):
        return 0, size_bytes, False
    if not asked[1]:
        return max(0, size_bytes - int(asked[2])), size_bytes, True
    start = int(asked[1])
    end = min(int(asked[2]) + 1, size_bytes) if asked[2] else size_bytes
    return (start, end, True) if start < end else (0, size_bytes, False)


def _headers(media: Media) -> dict[str, str]:
    name = quote(media.file_name or media.sha256[:12], safe="")
    inline = shown_as(media.mime_type) != "file"
    return {
        "Content-Type": bare_type(media.mime_type) if inline else "application/octet-stream",
        "Content-Disposition": f"{'inline' if inline else 'attachment'}; filename*=UTF-8''{name}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        # named by what is in it, so it never changes; for this browser alone
        "Cache-Control": "private, max-age=86400, immutable",
    }


async def _chunks(visit: Visit, sha256: str, start: int, end: int) -> AsyncIterator[bytes]:
    while start < end:
        limit = min(MEDIA_CHUNK_MAX_BYTES, end - start)
        chunk = await visit.ask("media.get", sha256=sha256, offset=start, limit=limit)
        yield chunk.data
        start += len(chunk.data)
        if chunk.eof or not chunk.data:
            return


PAGES = [Page("/messages/{id}/media", show)]
