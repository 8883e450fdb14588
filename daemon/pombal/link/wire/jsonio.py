"""JSON of bounded size, whatever is in it: nothing here raises anything but WireError."""

import json
import re
from typing import Any, NoReturn

from pombal.link.wire.errors import ErrorCode, WireError
from pombal.link.wire.limits import TEXT_FRAME_MAX_BYTES

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_COMPACT = (",", ":")


def dump(value: Any) -> str:
    """Compact JSON in which every text is Unicode: a lone surrogate, which UTF-8 cannot carry, becomes U+FFFD.

    Raises WireError: too_large beyond a text frame, invalid for what JSON cannot say (NaN, a foreign object).
    """
    text = _dumps(value)
    try:
        size_bytes = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError:
        text = _LONE_SURROGATE.sub("\ufffd", text)
        size_bytes = len(text.encode())
    if size_bytes > TEXT_FRAME_MAX_BYTES:
        raise WireError(ErrorCode.TOO_LARGE, f"a frame of {size_bytes} bytes; {TEXT_FRAME_MAX_BYTES} are allowed")
    return text


def _dumps(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, separators=_COMPACT, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise WireError(ErrorCode.INVALID, f"this cannot be written as JSON: {type(error).__name__}") from error


def load_object(text: str) -> dict[str, Any]:
    """The object that a text frame holds. Raises WireError: too_large, not_json."""
    # A character has at most four bytes: the exact count is made only where it may matter.
    if len(text) > TEXT_FRAME_MAX_BYTES or (
        len(text) * 4 > TEXT_FRAME_MAX_BYTES and len(text.encode("utf-8", "surrogatepass")) > TEXT_FRAME_MAX_BYTES
    ):
        raise WireError(ErrorCode.TOO_LARGE, f"a text frame of more than {TEXT_FRAME_MAX_BYTES} bytes")
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:  # ValueError: digits beyond what int() takes, too
        raise WireError(ErrorCode.NOT_JSON, f"a text frame that is no JSON: {type(error).__name__}") from error
    if not isinstance(value, dict):
        raise WireError(ErrorCode.NOT_JSON, f"a text frame that is no JSON object but a {type(value).__name__}")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
