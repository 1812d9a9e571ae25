"""The API document is whole, refers to nothing that is not there, and knows every call; what it says is true elsewhere.

(Every answer in `tests/integration/http` is held against it: see `asking.py` there.)
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from litestar.routes import HTTPRoute

from stagedoor.http.contract import entry_of
from stagedoor.http.openapi import api_document, body_type, data_type
from stagedoor.http.openapi_parts import Json
from tests.integration.http.stage import Stage

APP = Stage().app
DOCUMENT = api_document(APP.routes)

SEED = {
    ("post", "/v1/api/queue/token"),
    ("post", "/v1/api/queue/token/check"),
    ("post", "/v1/api/user/amount"),
    ("get", "/v1/api/user/amount"),
    ("get", "/v1/api/concerts/schedule"),
    ("get", "/v1/api/concerts/seat"),
    ("post", "/v1/api/concerts/reserve"),
    ("post", "/v1/api/concerts/payment"),
}
BESIDE = {
    ("delete", "/v1/api/queue/token"),
    ("get", "/v1/api/queue/status"),
    ("get", "/v1/api/concerts"),
    ("get", "/v1/api/user/reservations"),
    ("get", "/v1/api/user/orders"),
    ("get", "/v1/api/user/ledger"),
    ("delete", "/v1/api/concerts/reserve/{reservationId}"),
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/metrics"),
}
OPERATIONS = [
    (method, path, operation) for path, item in DOCUMENT["paths"].items() for method, operation in item.items()
]


def name_of(operation: tuple[str, str, Json]) -> str:
    return f"{operation[0]} {operation[1]}"


def inside(node: object) -> Iterator[Json]:
    """Every object in the document."""
    if isinstance(node, dict):
        yield node
        for inner in node.values():
            yield from inside(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from inside(inner)


def found_at(reference: str) -> Any:  # noqa: ANN401 -- anything may be referred to
    node: Any = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    return node


def test_it_knows_every_call_and_no_other() -> None:
    assert {(method, path) for method, path, _ in OPERATIONS} == SEED | BESIDE


def test_every_route_is_in_it_but_its_own() -> None:
    silent = {
        route.path
        for route in APP.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        if entry_of(handler) is None and handler.http_methods != {"OPTIONS"}
    }

    assert all(path == "/" or path.startswith("/schema") for path in silent)


def test_every_reference_leads_somewhere() -> None:
    references = {node["$ref"] for node in inside(DOCUMENT) if "$ref" in node}

    for reference in references:
        assert isinstance(found_at(reference), dict), reference


def test_every_component_is_referred_to() -> None:
    references = {node["$ref"] for node in inside(DOCUMENT) if "$ref" in node}

    for kind in ("schemas", "headers", "parameters"):
        for name in DOCUMENT["components"][kind]:
            assert f"#/components/{kind}/{name}" in references


@pytest.mark.parametrize("operation", OPERATIONS, ids=name_of)
def test_an_operation_is_told_in_full(operation: tuple[str, str, Json]) -> None:
    _, path, told = operation

    assert told["summary"]
    assert told["description"]
    assert re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", told["operationId"])
    in_path = {parameter["name"] for parameter in told["parameters"] if parameter.get("in") == "path"}
    assert in_path == set(re.findall(r"\{(\w+)\}", path))
    assert all(name.isidentifier() for scheme in told["security"] for name in scheme)
    for scheme in told["security"]:
        assert scheme.keys() <= DOCUMENT["components"]["securitySchemes"].keys()


def test_operations_are_named_once() -> None:
    names = [told["operationId"] for _, _, told in OPERATIONS]

    assert len(set(names)) == len(names)


@pytest.mark.parametrize("operation", OPERATIONS, ids=name_of)
def test_every_refusal_has_an_example_of_its_own_status(operation: tuple[str, str, Json]) -> None:
    _, _, told = operation

    assert {"200", "400", "413", "500"} <= told["responses"].keys()
    for status, response in told["responses"].items():
        if status not in {"200", "304"}:
            examples = response["content"]["application/json"]["examples"]
            assert examples
            for example in examples.values():
                code = example["value"]["exception"]["code"]
                assert f"`{code}`" in response["description"]


@pytest.mark.parametrize("operation", OPERATIONS, ids=name_of)
def test_the_example_of_success_is_of_the_type(operation: tuple[str, str, Json]) -> None:
    method, path, told = operation
    content = told["responses"]["200"]["content"]
    if "application/json" not in content:
        return
    example = content["application/json"]["example"]["data"]

    assert msgspec.to_builtins(msgspec.convert(example, types_of(method, path)[1])) == example


def test_bodies_say_which_fields_are_needed() -> None:
    bodies = {
        path: DOCUMENT["components"]["schemas"][
            told["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        ].get("required", [])
        for _, path, told in OPERATIONS
        if "requestBody" in told
    }

    assert bodies == {
        "/v1/api/queue/token": [],
        "/v1/api/user/amount": ["amount"],
        "/v1/api/concerts/reserve": ["scheduleId"],
        "/v1/api/concerts/payment": ["reservationId"],
    }


@pytest.mark.parametrize("operation", OPERATIONS, ids=name_of)
def test_calls_that_change_something_take_a_key(operation: tuple[str, str, Json]) -> None:
    method, path, told = operation
    takes_key = {"$ref": "#/components/parameters/idempotencyKey"} in told["parameters"]

    assert takes_key == (method != "get" and not path.endswith("/check"))
    assert takes_key == ("422" in told["responses"])


def test_the_limits_of_a_list_item_are_told() -> None:
    seat_ids = DOCUMENT["components"]["schemas"]["ReserveBody"]["properties"]["seatIds"]

    assert (seat_ids["minItems"], seat_ids["maxItems"]) == (1, 50)
    assert (seat_ids["items"]["minimum"], seat_ids["items"]["maximum"]) == (1, 2**53 - 1)


def types_of(method: str, path: str) -> tuple[Any, Any]:
    """Return what a call takes and gives."""
    for route in APP.routes:
        if isinstance(route, HTTPRoute) and re.sub(r"\{\w+\}", "{}", route.path_format) == re.sub(
            r"\{\w+\}", "{}", path
        ):
            for handler in route.route_handlers:
                if method.upper() in handler.http_methods and entry_of(handler) is not None:
                    return body_type(handler), data_type(handler)
    raise AssertionError(f"{method} {path}")
