"""The description of the API: valid, complete, and true of the server that serves it."""

import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import httpx
import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV32SpecValidator
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from progress_sse import ProgressHub, create_app
from progress_sse.api.openapi.operations import OPERATIONS
from progress_sse.api.routes import ROUTES
from progress_sse.core.errors import ProblemError
from progress_sse.core.model import is_session_id
from progress_sse.settings import load_settings
from tests.api.conftest import Connect, client_of
from tests.harness.described import DOCUMENT
from tests.harness.tokens import KEY

METHODS = {"get", "put", "post", "delete", "patch", "options", "trace"}


async def described(client: httpx.AsyncClient) -> Any:
    response = await client.get("/openapi.json")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    return response.json()


def operations(described: Any) -> Iterator[tuple[str, str, Any]]:
    for path, item in described["paths"].items():
        for method in METHODS & set(item):
            yield path, method, item[method]


def test_the_document_is_valid() -> None:
    """By the rules of OpenAPI 3.2, schemas and references included."""
    assert DOCUMENT["openapi"].startswith("3.2.")
    assert list(OpenAPIV32SpecValidator(DOCUMENT).iter_errors()) == []


@pytest.mark.protocol("P-17.3")
def test_the_paths_are_the_routes() -> None:
    """None is missing, and none is left of a removed route."""
    routed = {route.path for route in ROUTES if route.path.startswith("/api")}
    for route in create_app(load_settings(store="memory://")).routes:
        assert isinstance(route, Route | Mount)
        routed.add(route.path + "/{file}" if isinstance(route, Mount) else route.path)
    assert set(DOCUMENT["paths"]) == routed
    described = {(path, method): each["operationId"] for path, method, each in operations(DOCUMENT)}
    assert described == {(route.path, route.method.lower()): route.operation_id for route in ROUTES}
    assert sorted(described.values()) == sorted(OPERATIONS)


async def test_each_path_takes_exactly_its_described_methods(client: httpx.AsyncClient) -> None:
    """`Allow` names exactly those, and HEAD beside GET."""
    for path, item in (await described(client))["paths"].items():
        address = path.format(session_id="s", file="tracker.js", profile="p", hook="h", subscription_id="x")
        for method in METHODS - set(item):
            response = await client.request(method, address)
            assert response.status_code == 405, (method, path)
            allowed = {each.lower() for each in response.headers["allow"].split(", ")}
            assert allowed == METHODS & set(item) | ({"head"} if "get" in item else set()), path
        if "get" in item and not path.endswith("/events"):
            assert (await client.head(address)).status_code == (await client.get(address)).status_code


def test_every_problem_is_described_for_an_operation_or_for_all() -> None:
    """For all, if it does not depend on the operation."""
    of_operations = set(re.findall(r"/problems/([\w-]+)", str(DOCUMENT["paths"])))
    of_all = set(re.findall(r"/problems/([\w-]+)", DOCUMENT["info"]["description"]))
    assert {error.problem for error in subclasses(ProblemError)} == of_operations | of_all


def subclasses(base: type[ProblemError]) -> Iterator[type[ProblemError]]:
    for each in base.__subclasses__():
        yield each
        yield from subclasses(each)


def examples(node: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(node, dict):
        yield from ((node, each) for each in node.get("examples", []) if isinstance(node["examples"], list))
        if "schema" in node and "example" in node:
            yield node["schema"], node["example"]
    for each in node.values() if isinstance(node, dict) else node if isinstance(node, list) else []:
        yield from examples(each)


def test_every_example_fits_its_schema() -> None:
    """Those of schemas, and those of parameters and bodies."""
    found = list(examples(DOCUMENT))
    assert len(found) > 10
    for schema, example in found:
        assert validator(schema).is_valid(example), example


def validator(schema: Any) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator({**schema, "components": DOCUMENT["components"]})


SCHEMES = {"followSession": ["bearer", "ticket", "cookie", "link"], "getSession": ["bearer", "cookie", "link"]}
"""The credentials that operations take, beside a token."""


async def test_the_limits_are_those_of_the_settings(connect: Connect) -> None:
    """The same that requests are checked against."""
    async with connect(max_text_chars=11, max_total_steps=22, max_sessions_per_stream=3) as client:
        components = (await described(client))["components"]
    update, create = components["schemas"]["UpdateBody"], components["schemas"]["CreateBody"]
    assert update["properties"]["message"]["maxLength"] == 11
    assert create["properties"]["total_steps"]["maximum"] == 22
    assert create["properties"]["steps"]["maxItems"] == 22
    assert components["parameters"]["SessionIds"]["schema"]["maxItems"] == 3


@pytest.mark.parametrize(
    ("given", "guarded"),
    [
        ({}, set()),
        ({"publish_token": "secret"}, {"publish", "list", "control", "admin"}),
        (
            {"publish_token": "secret", "read": "token", "token_key": KEY},
            {"publish", "list", "control", "admin", "read"},
        ),
    ],
    ids=["open", "publish_token", "read=token"],
)
async def test_the_security_requirements_are_those_of_the_server(
    connect: Connect, given: dict[str, str], guarded: set[str]
) -> None:
    """What is about one session also takes the cookie of its link, and a stream a ticket."""
    bearing = {"getSession": "read", "followSession": "read", "reportUpdate": "publish", "listSessions": "list"}
    async with connect(**given) as client:
        secured = {each["operationId"]: each.get("security") for _, _, each in operations(await described(client))}
    for name, action in bearing.items():
        schemes = SCHEMES.get(name, ["bearer", "cookie"])
        assert secured[name] == ([{scheme: []} for scheme in schemes] if action in guarded else None)
    for name in ("listHooks", "testHook", "retryNotices"):
        assert secured[name] == ([{"bearer": []}] if "admin" in guarded else None)
    assert secured["keepToken"] == secured["openLink"] == [{"bearer": []}]
    optional: list[dict[str, list[str]]] = [{}, {"bearer": []}, {"cookie": []}]
    assert secured["listSteps"] == (optional if "read" in guarded else None)


async def test_there_are_no_security_requirements_where_a_function_decides() -> None:
    """The requirements of such a function are unknown."""
    hub = ProgressHub(load_settings(store="memory://"), authorize=lambda *_: True)
    async with hub.lifespan(), client_of(hub.app) as client:
        found = await described(client)
    with_tokens = {"openLink", "keepToken", "issueTicket"}  # Such a server has none of these.
    assert {each["operationId"] for _, _, each in operations(found) if "security" in each} == with_tokens


async def test_the_server_url_is_relative_to_the_document() -> None:
    """So it is right below any prefix."""
    hub = ProgressHub(load_settings(store="memory://"))
    app = Starlette(routes=[Mount("/jobs", hub.app)])
    async with hub.lifespan(), client_of(app) as client:
        response = await client.get("/jobs/openapi.json")
        [server] = response.json()["servers"]
        base = urljoin(str(response.url), server["url"]).rstrip("/")
        assert (await client.get(base + "/api/steps")).status_code == 200


@pytest.mark.processes
def test_the_document_is_imported_on_request_only() -> None:
    """A server starts faster without it."""
    code = "import sys, progress_sse.api.app; assert 'progress_sse.api.openapi.document' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


SESSION_ID = validator(DOCUMENT["components"]["parameters"]["SessionId"]["schema"])


@pytest.mark.full
def test_a_session_id_has_the_described_characters() -> None:
    """For every character of Unicode but surrogates, which cannot be sent."""
    for code in {*range(0xD800), *range(0xE000, sys.maxunicode + 1)}:
        assert SESSION_ID.is_valid(chr(code) + "a") is is_session_id(chr(code) + "a"), hex(code)


@given(st.text(max_size=3) | st.text(st.sampled_from("./a\u200b"), max_size=4) | st.text("a", min_size=120))
def test_a_session_id_has_the_described_form(session_id: str) -> None:
    """In length too, and except for `.` and `..`."""
    assert SESSION_ID.is_valid(session_id) is is_session_id(session_id)
