"""JSON of strangers: what is refused, and that a refusal is all that ever comes of it."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pombal.model.strict_json import NESTING_MAX, NotJson, parse_json


def nested(levels: int, inside: str = "1") -> bytes:
    return ("[" * levels + inside + "]" * levels).encode()


REFUSED = {
    "a name twice": (b'{"a":1,"a":2}', "twice"),
    "not a number": (b"[NaN]", "NaN"),
    "infinity": (b"[-Infinity]", "Infinity"),
    "beyond all numbers": (b"[1e999]", "too large"),
    "digits without end": (b"9" * 5000, "5000 digits"),
    "no UTF-8": (b'"\xff"', "not UTF-8"),
    "a surrogate as CESU-8 has it": (b'"\xed\xa0\xbd\xed\xb8\x80"', "not UTF-8"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "not JSON"),
    "nothing": (b"", "not JSON"),
    "two values": (b"1 2", "not JSON"),
    "one level too many": (nested(NESTING_MAX + 1), "nested too deeply"),
    "one level too many, of objects": (b'{"a":' * (NESTING_MAX + 1) + b"1" + b"}" * (NESTING_MAX + 1), "too deeply"),
    "what the parser can follow, and those behind it cannot": (nested(400), "nested too deeply"),
    "what the parser cannot follow": (nested(100_000), "nested too deeply"),
}


@pytest.mark.parametrize(("data", "said"), REFUSED.values(), ids=REFUSED)
def test_refused(data: bytes, said: str) -> None:
    with pytest.raises(NotJson, match=said):
        parse_json(data)


def test_as_deep_as_may_be() -> None:
    value = parse_json(nested(NESTING_MAX))
    for _ in range(NESTING_MAX):
        (value,) = value
    assert value == 1
    assert parse_json(b"[" + b"[]," * 200 + b"0]")[-1] == 0, "many side by side are not deep"
    assert parse_json(b'"' + b"[" * 200 + b'"') == "[" * 200


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes(data: bytes) -> None:
    with suppress(NotJson):
        parse_json(data)
