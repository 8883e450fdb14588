"""Lanes: each chat is one, and what holds a chat back holds back no other.

A message with a file may be minutes on its way to the link, and a recipient whom nobody knows yet has to be asked
about; meanwhile nothing of the same chat may overtake, and everything else goes on. Pure.
"""

from pombal.config.settings import OutboxSettings
from pombal.model.message import MessageRow


def lane_of(row: MessageRow) -> str:
    """One person is one lane, however the message was addressed; a group is one, too."""
    return row.contact_number or row.chat_id


def is_upload(row: MessageRow) -> bool:
    """Whether a file goes with it."""
    return bool(row.content and row.content.get("media"))


def upload_s(row: MessageRow, outbox: OutboxSettings) -> float:
    """How long its file may be on its way; 0 without one."""
    if not is_upload(row):
        return 0.0
    size_bytes: int = (row.content or {})["media"].get("size_bytes") or 0
    return size_bytes / outbox.upload_bytes_per_second


class Lanes:
    """Which chats are busy. ``uploads_max`` bounds how many files are on their way at once."""

    __slots__ = ("_busy", "uploads", "uploads_max")

    def __init__(self, uploads_max: int) -> None:
        self._busy: set[str] = set()
        self.uploads = 0
        self.uploads_max = uploads_max

    def is_busy(self, lane: str) -> bool:
        return lane in self._busy

    def has_room_for(self, row: MessageRow) -> bool:
        """Whether its file may be taken on its way now; what has none always has room."""
        return self.uploads < self.uploads_max or not is_upload(row)

    def hold(self, lane: str) -> None:
        """Something of this chat is being made ready: nothing else of it goes."""
        assert lane not in self._busy  # noqa: S101  # whoever comes second would overtake
        self._busy.add(lane)

    def free(self, lane: str) -> None:
        self._busy.remove(lane)

    def begin_upload(self, row: MessageRow) -> None:
        self.hold(lane_of(row))
        self.uploads += 1

    def end_upload(self, row: MessageRow) -> None:
        self.uploads -= 1
        self.free(lane_of(row))
