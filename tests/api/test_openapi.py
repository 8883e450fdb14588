"""The OpenAPI document: complete, valid, and its examples are what the API answers."""

import re
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from pombal.api.examples import EXAMPLES
from pombal.api.openapi import RESULTS, openapi_document
from tests.api.conftest import World


@pytest.fixture(scope="module")
def document() -> Any:
    return openapi_document(World().app())


def operations(document: Any) -> list[tuple[str, str, Any]]:
    return [(path, method, each) for path, methods in document["paths"].items() for method, each in methods.items()]


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        found = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return found.union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def test_every_reference_leads_somewhere(document: Any) -> None:
    schemas = document["components"]["schemas"]
    assert references(document) <= {f"#/components/schemas/{name}" for name in schemas}


def test_every_operation_is_told_of_and_none_twice(document: Any) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    for path, method, operation in operations(document):
        assert operation["summary"], (path, method)
        assert operation["description"], (path, method)
        assert all(response["description"] for response in operation["responses"].values())


def test_what_takes_a_token_says_so(document: Any) -> None:
    for path, _, operation in operations(document):
        assert bool(operation["security"]) == ("401" in operation["responses"]), path


def test_every_refusal_is_a_problem_with_an_example(document: Any) -> None:
    for path, _, operation in operations(document):
        for status, response in operation["responses"].items():
            if int(status) >= 400 and path not in ("/livez", "/readyz", "/api/v1/health"):
                (content,) = response["content"].values()
                assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
                assert content["example"]["status"] == int(status)


@pytest.mark.parametrize("model", RESULTS, ids=lambda model: model.__name__)
def test_examples_are_what_the_models_write(model: Any) -> None:
    example = EXAMPLES[model.__name__]
    assert model.model_validate(example).model_dump(mode="json") == example


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_fit_their_schemas(document: Any, name: str) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    Draft202012Validator(schema).validate(EXAMPLES[name])


def test_bodies_of_requests_have_examples_that_fit(document: Any) -> None:
    for path, method, operation in operations(document):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            continue
        assert content["examples"], (path, method)
        validator = Draft202012Validator({**content["schema"], "components": document["components"]})
        for example in content["examples"].values():
            validator.validate(example["value"])


def test_the_same_path_parameters_in_routes_and_document(document: Any) -> None:
    for path, _, operation in operations(document):
        told = {each["name"] for each in operation.get("parameters", []) if each["in"] == "path"}
        assert told == set(re.findall(r"{(\w+)}", path))
