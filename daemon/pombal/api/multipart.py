"""multipart/form-data (RFC 7578): a few short fields and one file, which is streamed and never held whole."""

import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from pombal.api.problems import BadRequest
from pombal.model.errors import Kind

# It warns of each broken body; whoever sent it is told, and nobody else can do anything about it.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)

FIELDS_MAX = 32
FIELD_MAX_BYTES = 524_288  # a text of 65,536 characters, and JSON around it
HEADERS_MAX_BYTES = 8_192
FILE_PART = "file"


@dataclass(slots=True)
class Part:
    """The head of a part: its field's name; of a file, how it is called and what it says it is."""

    name: str
    file_name: str | None
    mime_type: str

    @property
    def is_file(self) -> bool:
        return self.file_name is not None


@dataclass(slots=True)
class _Head:
    """Headers of a part that are still coming."""

    name: bytes = b""
    value: bytes = b""
    headers: dict[str, bytes] = field(default_factory=dict)
    size_bytes: int = 0


_END_OF_PART = object()


class Multipart:
    """Pulls parts out of a body. ``next_part``, then ``read`` until it gives nothing; and so on."""

    def __init__(self, body: AsyncIterator[bytes], content_type: str) -> None:
        """Raises BadRequest (400) where the content type says no boundary."""
        self._body = body
        self._head = _Head()
        self._found: deque[Any] = deque()
        self._is_over = False
        self._is_whole = False
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if not boundary:
            raise _broken("its Content-Type says no boundary")
        self._parser = MultipartParser(boundary, self._callbacks())  # type: ignore[arg-type]  # a TypedDict of theirs

    async def next_part(self) -> Part | None:
        """The next part's head, None after the last one. What is left of the part before is passed over."""
        while (found := await self._next()) is not None:
            if isinstance(found, Part):
                return found
        return None

    async def read(self) -> bytes:
        """The next bytes of the part; none at its end."""
        found = await self._next()
        if found is None:
            raise _broken("it ends in the middle of a part")
        return found if isinstance(found, bytes) else b""

    async def _next(self) -> Any:
        while not self._found:
            if self._is_over:
                return None
            self._feed(await anext(self._body, b""))
        return self._found.popleft()

    def _feed(self, data: bytes) -> None:
        try:
            if data:
                self._parser.write(data)
                return
            self._is_over = True
            if not self._is_whole:
                raise _broken("it ends before its last boundary")
        except MultipartParseError as error:
            raise _broken(str(error)) from None

    # What the parser has found

    def _callbacks(self) -> dict[str, Callable[..., None]]:
        return {
            "on_part_begin": self._on_begin, "on_header_field": self._on_header_name,
            "on_header_value": self._on_header_value, "on_header_end": self._on_header,
            "on_headers_finished": self._on_head, "on_part_data": self._on_data, "on_part_end": self._on_end,
            "on_end": self._on_end_of_all,
        }  # fmt: skip

    def _on_begin(self) -> None:
        self._head = _Head()

    def _on_header_name(self, data: bytes, start: int, end: int) -> None:
        self._grow(end - start)
        self._head.name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._grow(end - start)
        self._head.value += data[start:end]

    def _grow(self, size_bytes: int) -> None:
        self._head.size_bytes += size_bytes
        if self._head.size_bytes > HEADERS_MAX_BYTES:
            raise _broken(f"the headers of a part have more than {HEADERS_MAX_BYTES} bytes")

    def _on_header(self) -> None:
        head = self._head
        head.headers[head.name.decode("latin-1").lower()] = head.value
        head.name = head.value = b""

    def _on_head(self) -> None:
        self._found.append(_part(self._head.headers))

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if end > start:
            self._found.append(bytes(data[start:end]))

    def _on_end(self) -> None:
        self._found.append(_END_OF_PART)

    def _on_end_of_all(self) -> None:
        self._is_whole = True


def _part(headers: dict[str, bytes]) -> Part:
    disposition, options = parse_options_header(headers.get("content-disposition", b""))
    if disposition != b"form-data" or b"name" not in options:
        raise _broken("a part has no Content-Disposition: form-data with a name")
    name, file_name = options[b"name"], options.get(b"filename")
    mime_type, _ = parse_options_header(headers.get("content-type", b""))
    return Part(
        name=name.decode(errors="replace")[:64],
        file_name=None if file_name is None else file_name.decode(errors="replace"),
        mime_type=mime_type.decode("latin-1") or "application/octet-stream",
    )


def _broken(reason: str) -> BadRequest:
    return BadRequest(400, Kind.INVALID, f"the multipart body cannot be read: {reason[:200]}")
