"""What whatsmeow's errors mean: it tells them as text (errors.go, send.go, and ``server returned error N``)."""

import re

from pombal.gateway.client import Refusal

RESTRICTED_CODE = 463
"""The account may not write to people who do not know it, for a while."""
_SERVER_ERROR = re.compile(r"server returned error (\d+)")
_NOT_THERE = re.compile(r"no LID found for \S+ from server|is not on WhatsApp")
_NO_GROUP = ("that group does not exist", "you're not participating in that group")
_IMPOSSIBLE = (
    "can't send message to unknown server", "message recipient must be a user JID", "phone number too short",
    "international phone number required", "sending to non-status broadcast lists", "invalid proto",
)  # fmt: skip


def understood(error: str) -> Refusal | None:
    """The refusal that an error is; None for one that another try may mend."""
    if _NOT_THERE.search(error):
        return Refusal("not_on_whatsapp", "this number has no WhatsApp account")
    if found := _SERVER_ERROR.search(error):
        code = int(found[1])
        if code == RESTRICTED_CODE:
            return Refusal("restricted", "WhatsApp does not let this account write to new contacts for now (463)")
        return Refusal("refused", f"WhatsApp refused the message with error {code}")
    for reason in (*_NO_GROUP, *_IMPOSSIBLE):
        if reason in error:
            return Refusal("refused", reason)
    return None


_PASSING = ("timed out", "websocket", "context deadline", "context canceled", "connection", "EOF", "locked", "disk")


def is_passing(error: str) -> bool:
    """Whether it says something of the line, or of the moment, and nothing of what was asked."""
    return any(part in error for part in _PASSING)
