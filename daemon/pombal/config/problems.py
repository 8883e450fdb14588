"""What is wrong with a configuration, in words: the dotted key, the reason, and what was probably meant."""

import json
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pombal.config.keys import all_keys, sections
from pombal.config.settings import Lognormal

SHOWN_CHARACTERS = 60
_SECRET = {"web.proxy", "web.gateway_url"}  # passwords are written into such addresses

_REASONS = {
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "string_type": "must be a text in quotes",
    "bool_type": "must be true or false",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "greater_than": "must be above {gt:.15g}",
    "greater_than_equal": "must be at least {ge:.15g}",
    "less_than": "must be below {lt:.15g}",
    "less_than_equal": "must be at most {le:.15g}",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "value_error": "{error}",
    "finite_number": "must be a finite number",
}


def problems_of(error: ValidationError, data: dict[str, Any]) -> list[str]:
    """One line for each fault of data, sorted by key: 'outbox.window: must be at least 1, not 0'."""
    faults = error.errors(include_url=False)
    lines = [_problem(fault, key) for fault in faults if (key := _key(fault["loc"], data)) is not None]
    return sorted(dict.fromkeys(map(_printable, lines)))


def _printable(line: str) -> str:
    """Keys and values stand in it as the file has them: what would break the line, or steer a terminal, is escaped."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in line)


def _key(loc: tuple[int | str, ...], data: dict[str, Any]) -> tuple[str, ...] | None:
    """Where the fault lies; None for the branch of a delay (a number, or a table) that nobody meant.

    pydantic tries both branches and puts the one it tried into the location, though it is no key of the file.
    """
    place = tuple(str(part) for part in loc)
    if len(place) < 3:
        return place
    section, name, branch, *rest = place
    meant_table = isinstance(data[section][name], dict)
    return (section, name, *rest) if meant_table == (Lognormal.__name__ in branch) else None


def _problem(fault: ErrorDetails, key: tuple[str, ...]) -> str:
    dotted = ".".join(key)
    if fault["type"] == "extra_forbidden":
        return f"{dotted}: {_unknown(key)}"
    if fault["type"] == "missing":
        return f"{dotted}: is missing"
    if fault["type"] == "model_type":
        return f"{dotted}: must be a table: write [{dotted}], and its keys below it"
    if isinstance(fault["input"], dict):
        return f"{dotted}: {_reason(fault)}"
    if dotted in _SECRET:
        return f"{dotted}: {_reason(fault)}"
    return f"{dotted}: {_reason(fault)}, not {_shown(fault['input'])}"


def _reason(fault: ErrorDetails) -> str:
    known = _REASONS.get(fault["type"])
    reason = known.format(**fault.get("ctx", {})) if known else fault["msg"][:1].lower() + fault["msg"][1:]
    is_delay = len(fault["loc"]) == 3 and fault["type"] == "float_type"
    return f"{reason}, or {{ median = …, p99 = … }}" if is_delay else reason


def _shown(value: object) -> str:
    shown = json.dumps(value, ensure_ascii=False, default=str)
    return shown if len(shown) <= SHOWN_CHARACTERS else shown[:SHOWN_CHARACTERS] + "…"


def _unknown(key: tuple[str, ...]) -> str:
    meant = next(_meant(key), None)
    kind = "section or key" if len(key) == 1 else "key"
    return f"unknown {kind}" + (f"; did you mean {meant}?" if meant else "")


def _meant(key: tuple[str, ...]) -> Iterator[str]:
    """What may have been meant, best first: the same key in its right section, then what is spelt alike."""
    if len(key) == 3:
        yield from (f"{key[0]}.{key[1]}.{name}" for name in _alike(key[2], Lognormal.model_fields))
        return
    if len(key) == 1:
        yield from (f"[{name}]" for name in _alike(key[0], sections()))
    yield from (dotted for dotted in all_keys() if dotted.partition(".")[2] == key[-1])
    if len(key) == 2:
        yield from (f"{key[0]}.{name}" for name in _alike(key[1], sections()[key[0]].model_fields))
    yield from _alike(".".join(key), all_keys())


def _alike(word: str, words: Iterable[str]) -> list[str]:
    return get_close_matches(word.lower().replace("-", "_"), list(words), n=1, cutoff=0.6)
