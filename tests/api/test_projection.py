"""The description as OpenAPI 3.1, of types that generators know; `tests.harness.described` compares it with answers."""

import copy
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema_rs
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from progress_sse.api.openapi.projection import projected
from tests.harness.described import DOCUMENT, PROJECTED

SCHEMAS = PROJECTED["components"]["schemas"]
THIS = "?version=3.1"

ONLY_BOUNDS = {
    *("allOf", "oneOf", "not", "if", "dependentSchemas", "propertyNames", "pattern", "const", "additionalItems"),
    *("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "default", "examples"),
}


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for each in node.values() if isinstance(node, dict) else node if isinstance(node, list) else []:
        yield from nodes(each)


def test_it_is_valid() -> None:
    """By the rules of OpenAPI 3.1; and the document that it is made from stays as it is."""
    before = copy.deepcopy(DOCUMENT)
    assert PROJECTED["openapi"].startswith("3.1.")
    assert list(OpenAPIV31SpecValidator(projected(DOCUMENT)).iter_errors()) == []
    assert before == DOCUMENT


def test_it_has_the_same_operations() -> None:
    """Under the same ids and tags, with the same bodies and statuses."""
    for path, item in DOCUMENT["paths"].items():
        for method in item.keys() - {"parameters"}:
            here, there = PROJECTED["paths"][path][method], item[method]
            same = {"operationId", "tags", "requestBody", "security"}
            assert {key: here.get(key) for key in same} == {key: there.get(key) for key in same}
            assert here["responses"].keys() == there["responses"].keys()


def test_schemas_have_types_alone() -> None:
    """A union is that of a type and `null`; arrays have items, and numbers their width."""
    for schema in nodes(PROJECTED):
        assert ONLY_BOUNDS.isdisjoint(schema), schema
        if "anyOf" in schema:
            assert len([each for each in schema["anyOf"] if each != {"type": "null"}]) == 1, schema
        if schema.get("type") in ("array", "integer", "number"):
            assert schema.get("items") or schema.get("format"), schema


def test_only_documented_nulls_are_left_in_bodies() -> None:
    """Those that differ from a missing key; so the others are plain optional values in generated code."""
    properties = SCHEMAS["UpdateBody"]["properties"]
    nullable = [key for key in properties if "anyOf" in properties[key]]
    assert nullable == ["timeout_ms", "total", "title", "labels", "accepts"]


def test_a_union_of_objects_is_one_object() -> None:
    """It requires what each of them requires, and its enumerations have the values of all."""
    step, event = SCHEMAS["Step"], SCHEMAS["StreamEvent"]
    assert step["required"] == SCHEMAS["PendingStep"]["required"]
    assert step["properties"].keys() == SCHEMAS["StartedStep"]["properties"].keys()
    assert {"type": "null"} in step["properties"]["completed_at"]["anyOf"]
    assert set(step["properties"]["status"]["enum"]) == {"pending", "running", "success", "error"}
    kinds = DOCUMENT["components"]["schemas"]["StreamEvent"]["discriminator"]["mapping"]
    assert set(event["properties"]["event"]["enum"]) == set(kinds)
    assert event["required"] == ["event", "data"]


def test_a_stream_is_text_and_its_operation_has_no_parameter_twice() -> None:
    """Generators make one argument of two parameters of nearly the same name, or fail; nor has a link a body."""
    follow = PROJECTED["paths"]["/api/progress/{session_id}/events"]["get"]
    assert follow["responses"]["200"]["content"]["text/event-stream"]["schema"]["type"] == "string"
    names = [each["$ref"].rpartition("/")[2] for each in follow["parameters"]]
    assert "LastEventId" in names
    assert "LastEventIdInQuery" not in names
    assert all("requestBody" not in each for each in PROJECTED["components"]["links"].values())


@pytest.mark.parametrize("name", ["UpdateBody", "CreateBody", "AddressedUpdate", "BatchBody", "RequestBody", "Session"])
def test_examples_fit(name: str) -> None:
    """Those of the whole description, but for the short forms of steps and lines."""
    is_fit = jsonschema_rs.Draft202012Validator({"$ref": f"#/components/schemas/{name}", **PROJECTED}).is_valid
    examples = DOCUMENT["components"]["schemas"][name]["examples"]
    listed = [(each, each.get("steps", each.get("lines", []))) for each in examples]
    long = [each for each, values in listed if not any(isinstance(value, str) for value in values)]
    assert long
    assert [each for each in long if not is_fit(each)] == []
    assert not is_fit({"steps": 1, "action": 1, "updates": 1, "kind": 1})


async def test_it_is_served_for_the_version_that_is_asked_for(client: httpx.AsyncClient) -> None:
    """Without one, and for 3.2, the whole description; for others, a refusal."""
    whole, same, types = [(await client.get(f"/openapi.json{query}")).json() for query in ("", "?version=3.2", THIS)]
    assert whole == same
    assert types == projected(whole)
    for query in ("?version=3.0", "?version=", f"{THIS}&version=3.1"):
        response = await client.get(f"/openapi.json{query}")
        assert (response.status_code, response.json()["type"]) == (422, "/problems/invalid-request")
