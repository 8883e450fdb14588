"""Identifiers: ULIDs for what we name, and the rules for what others name."""

import os
import re
import threading
import time

from pombal.model.errors import invalid

SESSION_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
# The HTTP API has these words where a session's name could stand.
RESERVED_SESSION_NAMES = frozenset({"start", "stop", "status", "restart", "logout"})
MESSAGE_ID_MAX_LENGTH = 128
_BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's
_PAIRS = [first + second for first in _BASE32 for second in _BASE32]
_RANDOM_BYTES = 10


class _Ulids:
    """ULIDs as numbers, which grow within a millisecond, too: each message has one, and is found by it in an index."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def next(self) -> int:
        now_ms = time.time_ns() // 1_000_000
        with self._lock:
            if self._last >> 8 * _RANDOM_BYTES == now_ms:
                self._last += 1
            else:
                self._last = now_ms << 8 * _RANDOM_BYTES | int.from_bytes(os.urandom(_RANDOM_BYTES))
            return self._last


_ULIDS = _Ulids()


def new_ulid() -> str:
    """26 characters of Crockford's base32 that sort by time (https://github.com/ulid/spec)."""
    return ulid_text(_ULIDS.next())


def ulid_text(number: int) -> str:
    """A ULID's 128 bits as it is written. By pairs of characters, since every message has one."""
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(120, -1, -10)])


def check_session_name(name: str) -> str:
    """Return name if a session may be called so; raise PombalError (invalid) with the rule if not."""
    if not SESSION_NAME.fullmatch(name):
        raise invalid(
            f"{name[:80]!r} is no session name: 1 to 64 of a-z, 0-9, '.', '_' and '-', the first a letter or digit"
        )
    if name in RESERVED_SESSION_NAMES:
        raise invalid(f"{name!r} is reserved (a path of the HTTP API); choose another session name")
    return name


def check_message_id(message_id: str) -> str:
    """Return message_id if a sender may choose it; raise PombalError (invalid) if not."""
    if not 1 <= len(message_id) <= MESSAGE_ID_MAX_LENGTH or not all("!" <= char <= "~" for char in message_id):
        raise invalid("message_id must be 1 to 128 printable ASCII characters, without spaces")
    return message_id
