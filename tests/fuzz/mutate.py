"""Valid JSON, spoilt as a careless program or a malicious one would spoil it: in its values, in its form, in its bytes.

Everything comes from one seeded random.Random, so a run is told by its seed and its number of frames.
"""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

# JSON that parsers, and those behind them, have stumbled over; and what only looks like JSON.
HOSTILE = (
    "null", "true", "false", "0", "-0", "-1", "1", "0.1", "-0.0", "1e15", "1e-400", "2147483648", "9007199254740993",
    "9223372036854775807", "9223372036854775808", "-9223372036854775809", "9" * 400, '""', '" "', '"\\ud800"',
    '"\\udc00\\ud83d"', '"\\u0000"', '"a\\u0000b"', '"\\ud83d\\ude00"', '"\\u202e"', '"../../etc/passwd"', '"%s%n"',
    '"\'; DROP TABLE messages; --"', '"1e999"', '"NaN"', '"true"', '"٣"', '"é"', "[]", "{}", "[null]", '{"":""}',
    "[[[[[[[[[[]]]]]]]]]]", '{"__proto__":{}}',
)  # fmt: skip
NO_JSON = (
    "NaN", "Infinity", "-Infinity", "1E400", "-1e400", "9" * 5000, "0x10", "01", "+1", ".5", "1.", "1_000", '"\\x41"',
    '"\\"', "'x'", "undefined", "None", "/* */1", "1 2", "",
)  # fmt: skip
BAD_BYTES = (
    b"\xff", b"\xfe\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x00", b"\xef\xbb\xbf",
    b"\r", b"\x1b[2J", b"\xc2\x85", b"\xe2\x80\xa8", b",", b"}", b'"', b"{", b"[", b":", b"\\",
)  # fmt: skip
# Characters, and levels, with how often: the long and the deep cost time that many short ones use better.
LONG, LONG_WEIGHTS = (200, 5_000, 70_000, 300_000), (85, 13, 1.6, 0.4)
DEEP, DEEP_WEIGHTS = (10, 63, 65, 500, 3_000, 20_000), (30, 20, 20, 20, 8, 2)


class Raw(str):
    """A JSON text that is written as it stands."""

    __slots__ = ()


class Members(list[tuple[str, Any]]):
    """An object whose names may repeat."""


def dump(value: Any) -> str:
    """JSON, or what Raw makes of it. Lone surrogates are written as escapes, so that it is UTF-8 in any case."""
    match value:
        case Raw():
            return str(value)
        case dict():
            return _object(value.items())
        case Members():
            return _object(value)
        case list() | tuple():
            return "[" + ",".join(map(dump, value)) + "]"
    return json.dumps(value)


def _object(members: Any) -> str:
    return "{" + ",".join(f"{json.dumps(name)}:{dump(part)}" for name, part in members) + "}"


Place = tuple[Any, Any]
"""A container (dict or list) and the key of a value in it."""


class Mutator:
    """others: valid values, whose parts are put where they do not belong."""

    def __init__(self, rng: random.Random, others: Sequence[Any]) -> None:
        self._rng = rng
        self._others = others
        self._in_values: tuple[Callable[[Place], None], ...] = (
            self._replace, self._replace, self._replace, self._transplant, self._remove, self._rename, self._add,
            self._repeat, self._nest, self._lengthen,
        )  # fmt: skip

    def frame(self, valid: dict[str, Any]) -> bytes:
        """One frame made of valid: in a quarter of all cases just that, else with one spoilt place or several."""
        value = json.loads(json.dumps(valid))
        if self._rng.random() < 0.25:
            return json.dumps(value, ensure_ascii=self._rng.random() < 0.5).encode("utf-8", "surrogatepass")
        for _ in range(self._rng.choice((1, 1, 1, 2, 3))):
            value = self.spoil(value)
        data = dump(value).encode()
        return self.spoil_bytes(data) if self._rng.random() < 0.2 else data

    def spoil(self, value: Any) -> Any:
        """value with one place changed; it may be changed itself."""
        whole = [value]
        places = list(_places(whole))
        # The whole itself is one place of many, and nobody wants it always.
        self._rng.choice(self._in_values)(self._rng.choice(places[1:] or places))
        return whole[0] if whole else Raw()

    def _hostile(self) -> Raw:
        return Raw(self._rng.choice(HOSTILE if self._rng.random() < 0.9 else NO_JSON))

    # In its values

    def _replace(self, place: Place) -> None:
        container, key = place
        container[key] = self._hostile()

    def _transplant(self, place: Place) -> None:
        container, key = place
        donor = [json.loads(json.dumps(self._rng.choice(self._others)))]
        there, at = self._rng.choice(list(_places(donor)))
        container[key] = there[at]

    def _remove(self, place: Place) -> None:
        container, key = place
        del container[key]

    def _rename(self, place: Place) -> None:
        container, key = place
        if isinstance(container, dict):
            value = container.pop(key)
            container[self._rng.choice((f"{key} ", key.upper(), f"{key}_", "", "\0", "\ud800", key[::-1]))] = value
        else:
            self._replace(place)

    def _add(self, place: Place) -> None:
        container, _ = place
        if isinstance(container, dict):
            name = self._rng.choice(("id", "type", "x", "__class__", "jsonrpc", "é" * 30, "\ud83d"))
            container[name] = self._hostile()
        else:
            container.append(self._hostile())

    def _repeat(self, place: Place) -> None:
        """A name twice in one object, or an item many times."""
        container, key = place
        inner = container[key]
        if isinstance(inner, dict) and inner:
            name = self._rng.choice(list(inner))
            container[key] = Members([*inner.items(), (name, self._rng.choice((inner[name], None, 7)))])
        elif isinstance(container, list):
            container.extend([inner] * self._rng.choices((1, 2, 1001), (8, 8, 1))[0])
        else:
            self._replace(place)

    def _nest(self, place: Place) -> None:
        container, key = place
        (levels,) = self._rng.choices(DEEP, DEEP_WEIGHTS)
        opening, closing = self._rng.choice((("[", "]"), ('{"a":', "}")))
        container[key] = Raw(opening * levels + dump(container[key]) + closing * levels)

    def _lengthen(self, place: Place) -> None:
        container, key = place
        text = self._rng.choice(("x", "é", "🚚", "\ud800", "\0", "1", " ", "a\n"))
        container[key] = text * self._rng.choices(LONG, LONG_WEIGHTS)[0]

    # In its bytes

    def spoil_bytes(self, data: bytes) -> bytes:
        rng = self._rng
        at = rng.randrange(len(data) + 1)
        until = min(len(data), at + rng.choice((1, 2, 8, 64)))
        match rng.randrange(7):
            case 0:
                return data[:at]
            case 1:
                return data[:at] + rng.choice(BAD_BYTES) + data[at:]
            case 2:
                return data[:at] + rng.choice(BAD_BYTES) + data[until:]
            case 3:
                return data[:at] + data[at:until] * rng.choice((2, 50)) + data[until:]
            case 4:
                return data[:at] + rng.randbytes(until - at) + data[until:]
            case 5:
                return data[at:] + data[:at]
        return data[:at] + data[until:]


def _places(container: Any) -> Iterator[Place]:
    items = container.items() if isinstance(container, dict) else enumerate(container)
    for key, value in list(items):
        yield container, key
        if isinstance(value, dict | list) and not isinstance(value, Members):
            yield from _places(value)
