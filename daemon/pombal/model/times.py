"""Times are integer milliseconds since the epoch inside, ISO 8601 with milliseconds and Z outside."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, PlainSerializer, WithJsonSchema
from pydantic_core import core_schema

from pombal.model.errors import PombalError, invalid

AGE = re.compile(r"(\d{1,9})(ms|s|m|h|d|w)")
AGE_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = _EPOCH.replace(tzinfo=None)
_MILLISECONDS = [f".{millisecond:03}Z" for millisecond in range(1000)]  # formatting took as long as all the rest
LATEST_MS = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z, the last instant that ISO 8601 writes with four digits


def iso(at_ms: int) -> str:
    """1_700_000_000_123 → '2023-11-14T22:13:20.123Z'. What lies before 1970 or after 9999 is written as that end."""
    if not 0 <= at_ms <= LATEST_MS:
        at_ms = min(max(0, at_ms), LATEST_MS)
    second, millisecond = divmod(at_ms, 1000)
    return _iso_second(second) + _MILLISECONDS[millisecond]


@lru_cache(maxsize=512)  # a message's stamps, and those of its neighbours, mostly fall into the same few seconds
def _iso_second(second: int) -> str:
    return (_NAIVE_EPOCH + timedelta(seconds=second)).isoformat()


def parse_time(text: str, now_ms: int) -> int:
    """An ISO 8601 instant, or an age such as '15m', '2h' or '7d' before now_ms, as epoch milliseconds.

    A time without an offset is taken as UTC. Raises PombalError (invalid).
    """
    if age := AGE.fullmatch(text.strip()):
        return max(0, now_ms - int(age[1]) * AGE_UNITS_MS[age[2]])
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise invalid(
            f"{text[:40]!r} is no time: use ISO 8601 (2026-01-31T12:00:00Z) or an age (15m, 2h, 7d)"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        elapsed = moment - _EPOCH
    except OverflowError:
        raise invalid(f"{text[:40]!r} is out of range") from None
    return min(max(0, elapsed // timedelta(milliseconds=1)), LATEST_MS)


class _FromText:
    """Reads back what others were written. A union, so that an integer (every row of every page) stays in Rust."""

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        from_text = core_schema.no_info_after_validator_function(_parse_instant, core_schema.str_schema())
        return core_schema.union_schema([core_schema.int_schema(strict=True), from_text], mode="left_to_right")


def _parse_instant(text: str) -> int:
    try:
        return parse_time(text, 0)
    except PombalError as error:
        raise ValueError(error.message) from None


# Milliseconds in the program, ISO 8601 as soon as it is written for others.
Instant = Annotated[
    int,
    _FromText(),
    PlainSerializer(iso, return_type=str, when_used="unless-none"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
