"""Nothing secret and no message text reaches a log, whatever somebody passes to the logger."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from structlog.typing import EventDict, WrappedLogger

REDACTED = "[redacted]"
MAX_DEPTH = 6

_KEYS = frozenset({"code", "private_key", "api_key", "key_material"})
_WORDS = frozenset(
    {"token", "jwt", "authorization", "cookie", "secret", "password", "passphrase", "qr", "text", "caption"}
)


# What structlog itself passes from one processor to the next; a traceback has to stay one.
_NOT_OURS = frozenset({"exc_info", "stack_info", "_record", "_from_structlog", "positional_args"})


def redact(_: WrappedLogger, __: str, event_dict: EventDict) -> EventDict:
    """A structlog processor: values under telling keys are replaced, in nested tables and lists too."""
    for key, value in event_dict.items():
        if key in _NOT_OURS:
            continue
        event_dict[key] = REDACTED if _is_telling(key) else _cleaned(value, MAX_DEPTH)
    return event_dict


@lru_cache(maxsize=1024)
def _is_telling(key: str) -> bool:
    """`token`, `access_token` and `text_content` are; `context` and `exit_code` are not."""
    name = key.lower().replace("-", "_")
    return name in _KEYS or name.endswith(("pair_code", "pairing_code")) or not _WORDS.isdisjoint(name.split("_"))


def _cleaned(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        if not depth:
            return REDACTED
        return {key: REDACTED if _is_telling(str(key)) else _cleaned(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(item, depth - 1) for item in value] if depth else REDACTED
    return value


# What a line is searched for whatever key it stands under: a library's message, or an exception's, has none. The first
# is a JSON Web Token, the second a QR code of WhatsApp's or the link that it stands in.
_SHAPES = re.compile(
    r"eyJ[\w-]{8,}(?:\.[\w-]*){1,4}"
    r"|(?:linked_devices#)?\b2@[\w+/=-]{8,}(?:,[\w+/=-]+)*"
    r"|(?i:\bbearer )[\w.~+/=-]{8,}"
    r"|(?i:[?&](?:token|code)=)[^&\s\"']+"
    r"|(?<=://)[^\s/@\"':]+:[^\s/@\"']+(?=@)"
)
_HINTS = ("eyJ", "2@", "earer ", "EARER ", "oken=", "code=", "://")


def scrub(line: str) -> str:
    """A whole line of the log without what looks like a secret; the last net, below ``redact``."""
    if not any(hint in line for hint in _HINTS):
        return line
    return _SHAPES.sub(REDACTED, line)
