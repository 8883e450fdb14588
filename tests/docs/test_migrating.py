"""What the tables of docs/migrating.md promise on our side is there: paths, parameters and fields of bodies."""

import re
from typing import Any

import pytest

from pombal.api.openapi import openapi_document
from tests.api.conftest import World
from tests.docs.pages import ROOT

ROW = re.compile(r"^\| (.+) \| (.+) \|$", re.MULTILINE)
CALL = re.compile(r"`(GET|POST|DELETE) (/[^`?]*)(?:\?([^`]*))?`(?: `\{([^`]*)\}`)?")
OURS = [(theirs, ours) for theirs, ours in ROW.findall((ROOT / "docs/migrating.md").read_text()) if CALL.search(ours)]


@pytest.fixture(scope="module")
def document() -> Any:
    return openapi_document(World().app())


def calls() -> list[tuple[str, str, set[str], set[str]]]:
    """(method, path, parameters, fields of the body) of each call in a right column."""
    found: list[tuple[str, str, set[str], set[str]]] = []
    for _, ours in OURS:
        for method, path, query, body in CALL.findall(ours):
            whole = path if path.startswith(("/api/", "/livez")) else f"/api/v1/whatsapp{path}"
            parameters = {pair.partition("=")[0] for pair in query.split("&") if pair}
            found.append((method.lower(), whole.rstrip("/"), parameters, _outermost(body)))
    return found


def _outermost(body: str) -> set[str]:
    """The names in an object such as `session, media: {base64, mime_type}`, but for those within another."""
    flat = re.sub(r"\{[^{}]*\}", "", body)
    return {part.partition(":")[0].strip() for part in flat.split(",") if part.strip()}


@pytest.mark.parametrize(("method", "path", "parameters", "fields"), calls())
def test_our_calls_are_there(document: Any, method: str, path: str, parameters: set[str], fields: set[str]) -> None:
    operation = document["paths"][path][method]
    assert parameters <= {each["name"] for each in operation.get("parameters", [])}
    if fields:
        reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        assert fields <= document["components"]["schemas"][reference.rpartition("/")[2]]["properties"].keys()


def test_the_tables_were_read() -> None:
    assert len(calls()) > 30
