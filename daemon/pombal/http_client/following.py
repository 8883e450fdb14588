"""Following the event log: what is known of it, and what to ask for after a connection was lost. No I/O in here."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pombal.http_client.errors import AWAY, ApiError

LOG_PATH, STREAM_PATH, WEBSOCKET_PATH = "/api/v1/events/", "/api/v1/events/stream/", "/ws/whatsapp/"
FIRST_S, MAX_S = 0.25, 30.0


@dataclass(frozen=True, slots=True)
class Event:
    """An event of the log. A `gap` has neither session, owner nor time; its data say from where to where."""

    seq: int
    type: str
    data: dict[str, Any]
    session: str | None = None
    owner: str | None = None
    at: str | None = None


class Cursor:
    """Where a follower stands: everything up to ``after`` has been handed out."""

    def __init__(
        self, after: int | None, log_id: str | None, sessions: tuple[str, ...], types: tuple[str, ...]
    ) -> None:
        self.after = after
        self.log_id = log_id
        self._filters = {"session": ",".join(sessions), "types": ",".join(types)}

    def query(self) -> dict[str, str]:
        """What to ask for: what comes behind the last event handed out."""
        place = {"after": "" if self.after is None else str(self.after), "log_id": self.log_id or ""}
        return {name: value for name, value in (place | self._filters).items() if value}

    def learn(self, log: dict[str, Any]) -> None:
        """Which log it is, and where it ends: from there on, where nothing else was asked for."""
        self.log_id = log["log_id"]
        self.after = log["last_seq"] if self.after is None else self.after

    def take(self, frame: str | bytes) -> Iterator[Event]:
        """The events of a frame, in order; what is no event only moves the cursor."""
        told = json.loads(frame)
        if told["type"] == "hello":
            self.learn(told)
            return
        for event in told["events"] if told["type"] == "events" else (told,):
            if "seq" not in event:
                continue
            self.after = event["seq"]
            if event["type"] != "cursor":
                yield Event(**{name: event[name] for name in Event.__slots__ if name in event})


class Backoff:
    """Pauses between connections: growing, never all clients at once, short again once events have come."""

    def __init__(self) -> None:
        self._pause_s = FIRST_S
        self._refusals = 0

    def reset(self) -> None:
        self._pause_s, self._refusals = FIRST_S, 0

    def next_s(self, asked_for_s: float | None = None) -> float:
        """asked_for_s: what the daemon said (Retry-After); never less than that."""
        pause_s, self._pause_s = self._pause_s, min(self._pause_s * 2, MAX_S)
        return max(pause_s * random.uniform(0.5, 1.0), asked_for_s or 0.0)  # noqa: S311  # no secret

    def helps(self, error: ApiError) -> bool:
        """Whether waiting helps. A token that has expired may have a successor: that is tried once."""
        if error.status == 401:
            self._refusals += 1
            return self._refusals == 1
        return error.status == 429 or error.status in AWAY
