"""The audit log: who did what to what, and how it ended. Never a text, a token or a whole phone number."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from pombal.model.caller import Caller

OK = "ok"
CRASHED = "crashed"
UNHEARD = "unheard"
TARGET_MAX_CHARACTERS = 200
NUMBER_MAX_DIGITS = 32
LONG_DIGITS = 10
# What of a method's params says what it was done to; the rest is content, or none of the log's business.
_NAMED = (
    "session", "name", "message_id", "id", "link", "owner", "role", "expires_s", "start", "purge", "kind", "erasure",
)  # fmt: skip
_MASKED = ("number", "phone_number", "to", "from_")


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One row of the store's table ``audit``."""

    id: int
    at_ms: int
    method: str
    outcome: str
    caller: dict[str, Any]
    target: dict[str, Any]


def masked(whom: str) -> str:
    """'+55 11 98765-4321' → '5511*******21': enough to tell two apart where one knows them, too little to call."""
    user, at, server = whom.partition("@")
    digits = "".join(character for character in user if character.isdigit())[:NUMBER_MAX_DIGITS]
    shown = 4 if len(digits) >= LONG_DIGITS else 1
    hidden = max(0, len(digits) - shown - 2)
    return f"{digits[:shown]}{'*' * hidden}{digits[shown + hidden :]}{at}{server[:NUMBER_MAX_DIGITS]}"


def target_of(params: BaseModel) -> dict[str, Any]:
    """What a call was about, by its params: names and ids as they are, numbers masked; contents are left out."""
    target: dict[str, Any] = {}
    for name in type(params).model_fields:
        value = getattr(params, name)
        if value is None:
            continue
        if name in _MASKED:
            target[name.rstrip("_")] = masked(str(value))
        elif name in _NAMED:
            target[name] = value[:TARGET_MAX_CHARACTERS] if isinstance(value, str) else value
    if (changed := _changed(params)) is not None:
        target["changed"] = changed
    return target


def _changed(params: BaseModel) -> list[str] | None:
    """Of an update, which fields it changes; their values may hold a proxy's password."""
    changes = getattr(params, "changes", None)
    return sorted(changes()) if callable(changes) else None


def caller_of(caller: Caller, user: str | None) -> Mapping[str, Any]:
    """Who called. user: the name behind a uid, where there is one."""
    told = {
        "name": caller.name, "role": caller.role.value, "owner": caller.owner, "uid": caller.uid, "pid": caller.pid,
        "user": user, "token_id": caller.token_id,
    }  # fmt: skip
    return {name: value for name, value in told.items() if value is not None}
