"""Identifiers: ULIDs for what we name, and the rules for what others name."""

import os
import re
import time

from ulid_transform import bytes_to_ulid

from pombal.model.errors import invalid

SESSION_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
# The HTTP API has these words where a session's name could stand.
RESERVED_SESSION_NAMES = frozenset({"start", "stop", "status", "restart", "logout"})
MESSAGE_ID_MAX_LENGTH = 128


def new_ulid() -> str:
    """26 characters of Crockford's base32 that sort by time (https://github.com/ulid/spec).

    The random part is the system's: a generator of the library's own would say the same in every forked process.
    """
    return bytes_to_ulid((time.time_ns() // 1_000_000).to_bytes(6, "big") + os.urandom(10))


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
