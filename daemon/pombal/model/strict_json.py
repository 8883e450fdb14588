"""JSON as strangers send it: strict, so that nobody's parser has read it otherwise than ours."""

import json
import math
from collections.abc import Iterable
from typing import Any

# No request needs more than four. A value that can be read may still be too deep for those behind, who follow it by
# recursion with more frames a level than the parser has.
NESTING_MAX = 64
TOO_DEEP = f"nested too deeply: {NESTING_MAX} levels are allowed"


class NotJson(ValueError):
    """What is wrong with it, in words; nothing of what was sent is quoted."""


def parse_json(data: bytes) -> Any:
    """A JSON text in UTF-8. Raises NotJson, whatever it is given.

    Refused beside bad syntax: a name twice in one object, NaN and Infinity, numbers that are not finite, integers of
    more than 1000 digits, nesting beyond NESTING_MAX.
    """
    value = _decoded(data)
    _refuse_depth(value, data)
    return value


def _decoded(data: bytes) -> Any:
    try:
        return _DECODER.decode(data.decode())
    except UnicodeDecodeError as error:
        raise NotJson(f"not UTF-8: {error.reason} at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise NotJson(f"not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise NotJson(TOO_DEEP) from None
    except ValueError as error:
        raise NotJson(f"not JSON that can be read: {error}") from None


def _refuse_depth(value: Any, data: bytes) -> None:
    """value is what data says. Raises NotJson."""
    if data.count(b"[") + data.count(b"{") <= NESTING_MAX:  # as in nearly all requests
        return
    level = [value]
    for _ in range(NESTING_MAX + 1):
        level = [inner for outer in level for inner in _parts(outer)]
    if level:
        raise NotJson(TOO_DEEP)


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Which of the two was meant is anybody's guess, and parsers differ in theirs.
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return members


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _bounded(text: str) -> int:
    # Python refuses what is longer by itself, in words that speak of sys.set_int_max_str_digits().
    if len(text) > 1000:
        raise ValueError(f"an integer has {len(text)} digits")
    return int(text)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_refuse_duplicates, parse_constant=_refuse_constant, parse_float=_finite, parse_int=_bounded
)
