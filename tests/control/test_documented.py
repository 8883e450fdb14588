"""docs/control-protocol.md tells of every method, param, event and kind of error, and its examples are valid."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pombal.control import jsonrpc
from pombal.control.jsonrpc import Code
from pombal.model.errors import Kind
from pombal.model.events import EventType
from pombal.model.message import Message
from pombal.model.params_base import parameter_names
from pombal.model.session import Session
from pombal.service.catalog import METHODS

TEXT = (Path(__file__).parents[2] / "docs/control-protocol.md").read_text()
PARTS = re.split(r"^#{2,4} (.+)$", TEXT, flags=re.MULTILINE)
SECTIONS = dict(zip(PARTS[1::2], PARTS[2::2], strict=True))
RESULT = re.compile(r"Result: (.+)\.$", re.MULTILINE)


def section(name: str) -> str:
    return SECTIONS[f"`{name}`"]


def example(name: str) -> tuple[str, dict[str, Any]]:
    """The request as a line, and the answer."""
    lines = section(name).splitlines()
    asked = next(line for line in lines if line.startswith("→ "))
    answered = next(line for line in lines if line.startswith("← "))
    return asked[2:], json.loads(answered[2:])


def test_no_method_is_there_that_is_not() -> None:
    documented = set(re.findall(r"^#### `([a-z]+\.[a-z_]+)`$", TEXT, flags=re.MULTILINE))
    assert documented == METHODS.keys()


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS.keys())
def test_every_method_with_its_params_access_and_result(method: Any) -> None:
    text = section(method.name)
    assert re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE) == parameter_names(method.params)
    assert f"Access: {method.access} (" in text
    result = RESULT.search(text)
    assert result is not None
    if method.result in (Session, Message):
        assert result[1] == method.result.__name__
    elif method.name != "media.put":
        assert re.findall(r"\w+", result[1]) == list(method.result.model_fields)


@pytest.mark.parametrize("name", METHODS)
def test_every_example_is_a_valid_request_and_result(name: str) -> None:
    asked, answered = example(name)
    request = jsonrpc.parse_request(asked.encode())
    method, _ = request.resolve()
    assert (method.name, answered["id"]) == (name, json.loads(request.id or b""))
    shown = json.loads(method.result.model_validate(answered["result"]).model_dump_json())
    assert shown == answered["result"]


@pytest.mark.parametrize("kind", [*EventType, "cursor"])
def test_every_event_with_an_example(kind: str) -> None:
    block = re.search(r"```json\n(.+)\n```", SECTIONS[f"Event `{kind}`"])
    assert block is not None
    assert json.loads(block[1])["type"] == kind


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_of_error(kind: Kind) -> None:
    assert f"| `{kind}` |" in SECTIONS["Errors"]


@pytest.mark.parametrize("code", Code)
def test_every_code_of_an_error(code: Code) -> None:
    assert f"| {int(code)} |" in SECTIONS["Errors"]
