import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pombal.control import jsonrpc
from pombal.control.jsonrpc import BadRequest, Code
from pombal.model.errors import Kind, PombalError
from pombal.model.results import Marked
from tests.control.support import event

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def refused(line: bytes) -> BadRequest:
    with pytest.raises(BadRequest) as raised:
        jsonrpc.parse_request(line)
    answer = json.loads(jsonrpc.encode_bad_request(raised.value))
    assert answer["error"]["code"] == raised.value.code
    assert answer["error"]["data"]["kind"]
    return raised.value


def is_told(line: bytes) -> bool:
    """Whether the line is a request, or gets an answer that can be encoded and says why not."""
    try:
        jsonrpc.parse_request(line)
    except BadRequest as error:
        return bool(json.loads(jsonrpc.encode_bad_request(error))["error"]["message"])
    return True


@given(
    request_id=st.text() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | st.none(),
    method=st.text(),
    params=st.dictionaries(st.text(), JSON, max_size=4),
)
def test_a_request_is_read_as_it_was_written(request_id: Any, method: str, params: dict[str, Any]) -> None:
    written = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
    found = jsonrpc.parse_request(json.dumps(written).encode())
    assert found.id is not None
    assert json.loads(found.id) == request_id
    assert (found.method, found.params) == (method, params)


@given(st.binary())
def test_any_bytes_are_a_request_or_refused(line: bytes) -> None:
    assert is_told(line)


@given(JSON)
def test_any_json_is_a_request_or_refused(value: Any) -> None:
    assert is_told(json.dumps(value).encode())


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        (b"hello", Code.PARSE_ERROR, "not JSON"),
        (b'{"id": 1, "method": "x"', Code.PARSE_ERROR, "not JSON"),
        (b'{"id": 1} {"id": 2}', Code.PARSE_ERROR, "not JSON"),
        (b'\xef\xbb\xbf{"id": 1}', Code.PARSE_ERROR, "not JSON"),
        (b'{"method": "\xff"}', Code.PARSE_ERROR, "not UTF-8"),
        ('{"method": "x"}'.encode("utf-16"), Code.PARSE_ERROR, "not UTF-8"),
        (b'{"id": NaN}', Code.PARSE_ERROR, "NaN"),
        (b'{"id": -Infinity}', Code.PARSE_ERROR, "Infinity"),
        (b'{"id": 1e999}', Code.PARSE_ERROR, "too large"),
        (b'{"id": ' + b"9" * 5000 + b"}", Code.PARSE_ERROR, "5000 digits"),
        (b"[" * 100_000, Code.PARSE_ERROR, "deep"),
        (b'{"a":' * 100_000, Code.PARSE_ERROR, "deep"),
        (b'{"id": 1, "id": 2, "method": "x"}', Code.PARSE_ERROR, "twice"),
        (b'{"id": 1, "method": "x", "params": {"a": 1, "a": 2}}', Code.PARSE_ERROR, "twice"),
        (b"[]", Code.INVALID_REQUEST, "batch"),
        (b'[{"id": 1, "method": "daemon.status"}]', Code.INVALID_REQUEST, "batch"),
        (b"5", Code.INVALID_REQUEST, "object"),
        (b"null", Code.INVALID_REQUEST, "object"),
        (b"{}", Code.INVALID_REQUEST, "method is missing"),
        (b'{"method": 5}', Code.INVALID_REQUEST, "method must be a string"),
        (b'{"method": "x", "jsonrpc": "1.0"}', Code.INVALID_REQUEST, "2.0"),
        (b'{"method": "x", "id": true}', Code.INVALID_REQUEST, "id must be"),
        (b'{"method": "x", "id": [1]}', Code.INVALID_REQUEST, "id must be"),
        (b'{"method": "x", "parms": {}}', Code.INVALID_REQUEST, "parms"),
        (b'{"method": "x", "params": [1]}', Code.INVALID_PARAMS, "by position"),
        (b'{"method": "x", "params": 5}', Code.INVALID_PARAMS, "must be an object"),
        (b'{"method": "x", "params": null}', Code.INVALID_PARAMS, "must be an object"),
    ],
    ids=lambda value: value[:30].decode("latin-1") if isinstance(value, bytes) else None,
)
def test_what_is_no_request_is_told_why(line: bytes, code: Code, words: str) -> None:
    error = refused(line)
    assert error.code == code
    assert words in error.message
    assert error.id == b"null"


def test_the_id_is_answered_where_it_could_be_read() -> None:
    assert refused(b'{"id": "a", "method": 5}').id == b'"a"'
    assert refused(b'{"id": 7, "method": "x", "params": [1]}').id == b"7"


def test_a_lone_surrogate_in_an_id_goes_back_as_it_came() -> None:
    found = jsonrpc.parse_request(b'{"id": "\\ud800", "method": "x"}')
    assert found.id == b'"\\ud800"'
    assert json.loads(jsonrpc.encode_crash(found.id))["id"] == "\ud800"


def test_an_absent_id_is_a_notification_and_null_is_an_id() -> None:
    assert jsonrpc.parse_request(b'{"method": "x"}').id is None
    assert jsonrpc.parse_request(b'{"method": "x", "id": null}').id == b"null"


def test_an_unknown_method_is_told_which_may_have_been_meant() -> None:
    with pytest.raises(BadRequest, match=r"did you mean message\.send\?") as raised:
        jsonrpc.parse_request(b'{"id": 1, "method": "mesage.send"}').resolve()
    assert (raised.value.code, raised.value.id) == (Code.METHOD_NOT_FOUND, b"1")
    with pytest.raises(BadRequest, match="there is no method"):
        jsonrpc.parse_request(b'{"id": 1, "method": "\\ud800zzzzzzzzzz"}').resolve()
    assert json.loads(jsonrpc.encode_bad_request(raised.value))["error"]["code"] == -32601


def test_invalid_params_name_field_and_reason() -> None:
    with pytest.raises(PombalError) as raised:
        jsonrpc.parse_request(b'{"id": 1, "method": "session.get", "params": {"name": 5}}').resolve()
    error = json.loads(jsonrpc.encode_refusal(b"1", raised.value))["error"]
    assert error["code"] == -32602
    assert error["data"]["kind"] == "invalid"
    assert error["data"]["errors"] == [{"field": "name", "reason": "Input should be a valid string"}]
    assert "name" in error["message"]


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind != Kind.INVALID])
def test_refusals_carry_their_kind(kind: Kind) -> None:
    answer = json.loads(jsonrpc.encode_refusal(b"5", PombalError(kind, "no", session="a")))
    expected = {"code": -32000, "message": "no", "data": {"kind": kind, "session": "a"}}
    assert answer == {"jsonrpc": "2.0", "id": 5, "error": expected}


def test_a_result_is_one_line_of_utf_8() -> None:
    line = jsonrpc.encode_result(b'"x"', Marked(marked=3))
    assert line == b'{"jsonrpc":"2.0","id":"x","result":{"marked":3}}\n'


def test_events_are_cut_into_pieces_of_whole_lines() -> None:
    events = [event(seq, data={"text": "é" * 1000}) for seq in range(500)]
    pieces = list(jsonrpc.encode_events("1", events))
    assert len(pieces) > 1
    assert max(map(len, pieces)) < 300_000
    lines = [json.loads(line) for piece in pieces for line in piece.splitlines()]
    assert [line["params"]["event"]["seq"] for line in lines] == list(range(500))
    assert all(line["method"] == "event" and line["params"]["subscription"] == "1" for line in lines)


def test_no_events_are_nothing_to_write() -> None:
    assert list(jsonrpc.encode_events("1", [])) == []


def test_numbers_that_are_not_finite_do_not_reach_params() -> None:
    assert math.isinf(float("1e999"))
    assert refused(b'{"id": 1, "method": "x", "params": {"a": -1e999}}').code == Code.PARSE_ERROR
