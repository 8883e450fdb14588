"""What a gateway writes to its standard error, in our log: line by line, and bounded whatever it writes."""

import json
from collections import deque
from collections.abc import Callable
from typing import Any

import structlog
import trio

log = structlog.get_logger()

LINE_MAX_BYTES = 4096
LAST_LINES = 5
PIECE_BYTES = 65_536
LEVELS = frozenset({"debug", "info", "warning", "error", "critical"})


class ChildLog:
    """last: the newest lines, for saying why a gateway ended."""

    def __init__(self, gateway: str, lines_per_s: int, now_s: Callable[[], float] = trio.current_time) -> None:
        self.last: deque[str] = deque(maxlen=LAST_LINES)
        self._gateway = gateway
        self._lines_per_s = lines_per_s
        self._now_s = now_s
        self._second = -1
        self._told = 0
        self._dropped = 0

    async def read(self, stream: trio.abc.ReceiveStream) -> None:
        """Until its end. A line that is too long is cut, and its rest dropped."""
        line, is_cut = bytearray(), False
        async for piece in stream:
            first, *rest = bytes(piece).split(b"\n")
            for number, part in enumerate([first, *rest]):
                if number:
                    self.say(bytes(line))
                    line.clear()
                    is_cut = False
                room = LINE_MAX_BYTES - len(line)
                line += b"" if is_cut else part[:room]
                is_cut = is_cut or len(part) > room
        if line:
            self.say(bytes(line))

    def say(self, line: bytes) -> None:
        """One line of the gateway's. Past so many a second they are counted, and the count is told."""
        text = line.decode(errors="replace").strip()
        if not text:
            return
        entry = _entry(text)
        self.last.append(text if entry is None else str(entry["event"]))
        second = int(self._now_s())
        if second != self._second:
            if self._dropped:
                log.warning("gateway wrote too much", gateway=self._gateway, lines_dropped=self._dropped)
            self._second, self._told, self._dropped = second, 0, 0
        if self._told >= self._lines_per_s:
            self._dropped += 1
            return
        self._told += 1
        self._tell(text, entry)

    def _tell(self, text: str, entry: dict[str, Any] | None) -> None:
        if entry is None:
            log.info("gateway wrote", gateway=self._gateway, line=text)
            return
        event, level = str(entry.pop("event")), str(entry.pop("level"))
        fields = {f"gateway_{key}" if key in _OURS else key: value for key, value in entry.items()}
        getattr(log, level)(event, gateway=self._gateway, **fields)


_OURS = frozenset({"gateway", "event", "level", "timestamp", "exc_info", "stack_info"})


def _entry(text: str) -> dict[str, Any] | None:
    """A line of a structured log, as Pombal's own gateway writes; None for anything else."""
    if not text.startswith("{"):
        return None
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):
        return None
    is_entry = isinstance(entry, dict) and isinstance(entry.get("event"), str) and entry.get("level") in LEVELS
    return entry if is_entry else None
