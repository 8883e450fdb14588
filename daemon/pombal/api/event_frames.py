"""Events as they go on the wire; each was encoded once, when the first subscriber asked for it (``Event.json``)."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from pombal.api.frames import text_frame
from pombal.model.events import Event

# What is handed to the socket at once: many frames where many events wait.
PIECE_BYTES = 65_536


def json_frame(value: dict[str, Any]) -> bytes:
    return text_frame(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def frames_of(events: Sequence[Event], batch: int | None) -> Iterator[bytes]:
    """Whole frames, an event each, or up to batch events each; joined to pieces of about 64 KiB."""
    frames = (text_frame(event.json) for event in events) if batch is None else _batches(events, batch)
    piece: list[bytes] = []
    size_bytes = 0
    for frame in frames:
        piece.append(frame)
        size_bytes += len(frame)
        if size_bytes >= PIECE_BYTES:
            yield b"".join(piece)
            piece, size_bytes = [], 0
    if piece:
        yield b"".join(piece)


def _batches(events: Sequence[Event], batch: int) -> Iterator[bytes]:
    for start in range(0, len(events), batch):
        several = b",".join(event.json for event in events[start : start + batch])
        yield text_frame(b'{"type":"events","events":[' + several + b"]}")


def sse_of(events: Sequence[Event]) -> bytes:
    """As an EventSource reads them (https://html.spec.whatwg.org/multipage/server-sent-events.html): JSON has no line
    breaks, and the id is what comes back as `Last-Event-ID`.
    """
    return b"".join(b"id: %d\ndata: %b\n\n" % (event.seq, event.json) for event in events)
