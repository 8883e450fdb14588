"""A file as an answer: whole or a range of it (RFC 9110, 14), streamed, and never run by a browser."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from pombal.api.context import api_of
from pombal.api.middleware import IS_HEAD
from pombal.api.problems import BadRequest
from pombal.model.caller import Caller
from pombal.model.errors import Kind, PombalError
from pombal.model.message import Media
from pombal.model.params import MediaGetParams
from pombal.model.params_base import MEDIA_CHUNK_MAX_BYTES
from pombal.model.results import MediaChunk
from pombal.service.base import Service

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_MIME_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+")
_SHOWN_INLINE = ("image/", "audio/", "video/")


@dataclass(frozen=True, slots=True)
class Range:
    """Bytes from first to last, both included."""

    first: int
    last: int


def parse_range(header: str | None, size_bytes: int) -> Range | None:
    """The one range that is asked for; None: the whole.

    Several ranges, and what is not understood, are answered with the whole, as RFC 9110 allows. Raises BadRequest (416)
    for one that begins behind the end.
    """
    matched = _RANGE.fullmatch((header or "").strip())
    if matched is None or not (matched[1] or matched[2]):
        return None
    if not matched[1]:
        first, last = max(0, size_bytes - int(matched[2])), size_bytes - 1
        unsatisfiable = int(matched[2]) == 0 or size_bytes == 0
    else:
        first, last = int(matched[1]), int(matched[2] or size_bytes - 1)
        if matched[2] and last < first:
            return None
        unsatisfiable = first >= size_bytes
    if unsatisfiable:
        headers = {"Content-Range": f"bytes */{size_bytes}"}
        raise BadRequest(416, Kind.INVALID, f"the file has {size_bytes} bytes", headers)
    return Range(first, min(last, size_bytes - 1))


async def download(request: Request, media: Media, caller: Caller) -> Response:
    """The file of a message. Raises PombalError (not_found), BadRequest (416)."""
    service = api_of(request).service
    size_bytes = await service.media_size(media.sha256)
    headers = _headers(media)
    if _matches(request.headers.get("if-none-match"), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    is_head = IS_HEAD in request.scope
    wanted = None if is_head else parse_range(_range_header(request, headers["ETag"]), size_bytes)
    if wanted is None:
        status, wanted = 200, Range(0, size_bytes - 1)
    else:
        status = 206
        headers["Content-Range"] = f"bytes {wanted.first}-{wanted.last}/{size_bytes}"
    headers["Content-Length"] = str(wanted.last - wanted.first + 1)
    if is_head:
        return Response(status_code=status, headers=headers)
    return _Stream(service, media.sha256, wanted, caller, status_code=status, headers=headers)


def _range_header(request: Request, etag: str) -> str | None:
    """Under If-Range a range holds only while it is the same file."""
    if_range = request.headers.get("if-range")
    return request.headers.get("range") if if_range in (None, etag) else None


def _matches(if_none_match: str | None, etag: str) -> bool:
    if if_none_match is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or tags == ["*"]


def _headers(media: Media) -> dict[str, str]:
    """What a stranger sent is shown in a sandbox, under the type it claims, and is not guessed at."""
    mime_type = media.mime_type if _MIME_TYPE.fullmatch(media.mime_type) else "application/octet-stream"
    disposition = "inline" if mime_type.lower().startswith(_SHOWN_INLINE) else "attachment"
    if media.file_name:
        disposition += f"; filename*=UTF-8''{quote(media.file_name.encode(errors='replace'), safe='')}"
    return {
        "Content-Type": mime_type,
        "Content-Disposition": disposition,
        "Accept-Ranges": "bytes",
        "ETag": f'"{media.sha256}"',
        # By its hash it is the same for ever; but only for those who may see it.
        "Cache-Control": "private, max-age=31536000, immutable",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }


class _Stream(Response):
    """The bytes of a file, piece by piece. No generator, which a client that goes would leave open."""

    def __init__(self, service: Service, sha256: str, wanted: Range, caller: Caller, **response: Any) -> None:
        super().__init__(**response)
        self._service = service
        self._sha256 = sha256
        self._wanted = wanted
        self._caller = caller

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        offset = self._wanted.first
        while offset <= self._wanted.last:
            piece = await self._piece(offset)
            offset += len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _piece(self, offset: int) -> bytes:
        limit = min(MEDIA_CHUNK_MAX_BYTES, self._wanted.last - offset + 1)
        params = MediaGetParams(sha256=self._sha256, offset=offset, limit=limit)
        chunk = await self._service.call("media.get", params, self._caller)
        assert isinstance(chunk, MediaChunk)  # noqa: S101  # as the catalog says
        if not chunk.data:  # cut short under our hands: the connection ends, so that nobody takes it for whole
            raise PombalError(Kind.UNAVAILABLE, "the file is shorter than it was")
        return chunk.data
