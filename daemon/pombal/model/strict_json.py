"""JSON as strangers send it: strict, so that nobody's parser has read it otherwise than ours."""

import json
import math
from typing import Any


class NotJson(ValueError):
    """What is wrong with it, in words; nothing of what was sent is quoted."""


def parse_json(data: bytes) -> Any:
    """A JSON text in UTF-8. Raises NotJson, whatever it is given.

    Refused beside bad syntax: a name twice in one object, NaN and Infinity, numbers that are not finite, integers of
    more than 1000 digits, nesting that is too deep to follow.
    """
    try:
        return _DECODER.decode(data.decode())
    except UnicodeDecodeError as error:
        raise NotJson(f"not UTF-8: {error.reason} at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise NotJson(f"not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise NotJson("nested too deeply") from None
    except ValueError as error:
        raise NotJson(f"not JSON that can be read: {error}") from None


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
