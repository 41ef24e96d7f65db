"""Bodies of requests: the server accepts exactly those that the description allows."""

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any, TypeVar

import jsonschema_rs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from progress_sse.api.openapi.document import document
from progress_sse.api.request_body import parse_json, read_body, read_update
from progress_sse.api.request_parts import idempotency_key
from progress_sse.api.routes import ROUTES
from progress_sse.api.session_models import CreateBody, RequestBody
from progress_sse.api.update_models import BatchBody, UpdateBody, command_of
from progress_sse.client.codec import report_body
from progress_sse.client.reports import Create as CreateReport
from progress_sse.client.reports import Log
from progress_sse.core.commands import Ask, Create, check_command
from progress_sse.core.errors import InvalidKeyError, InvalidRequestError, MalformedBodyError
from progress_sse.core.updates import UPDATES, Update
from progress_sse.core.workflows import Workflows
from progress_sse.settings import BodyLimits
from tests.client.random_reports import random_requests

LIMITS = BodyLimits(max_body_bytes=10_000, max_text_chars=7, max_total_steps=4)
WIDE = BodyLimits(max_body_bytes=65_536, max_text_chars=8192, max_total_steps=1000)
COMPONENTS = document(ROUTES, LIMITS, 20, frozenset())["components"]

Body = TypeVar("Body", bound=BaseModel)


def request(raw: bytes = b"", *headers: tuple[bytes, bytes]) -> Request:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": raw, "more_body": False}

    return Request({"type": "http", "headers": [(b"content-type", b"application/json"), *headers]}, receive)


def read(model: type[Body], raw: bytes, limits: BodyLimits = LIMITS) -> Body:
    return asyncio.run(read_body(request(raw), model, limits))


def is_accepted(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except (InvalidRequestError, InvalidKeyError):
        return False
    return True


def schema(name: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": COMPONENTS})


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
numbers = st.sampled_from([-1, 0, 1, 2, 4, 5, 2**53 - 1, 2**53, 10**30, 1.5, True, "1", None])
texts = st.text("a\0\n\u2028\u65e5\U0001f600", max_size=8) | st.sampled_from([None, 1, "default"])
booleans = st.booleans() | st.sampled_from([0, "true", None])
leases = st.sampled_from([999, 1000, 2000, 3_600_000, 3_600_001, 2**53, True, "1000", None])
times_ago = st.sampled_from([0, 1, 86_400_000, 86_400_001, -1, 1.5, False, "0", None])
attempts = st.sampled_from(["a", "x" * 64, "x" * 65, "", "a\0", 1, None])
profiles = st.sampled_from(["p", "x" * 128, "x" * 129, "", ".", "a/b", "a\u200b", "\0", "a b", 1, None])
request_ids = st.sampled_from(["r", "x" * 64, "x" * 65, "", "\0", 1, None])
titles = st.sampled_from(["t", "x" * 200, "x" * 201, "\U0001f600" * 200, "", "\0", 1, None])
label_keys = st.sampled_from(["a", "x" * 64, "x" * 65, "", "a:b", "\0", "\n"])
label_values = st.sampled_from(["", "v", "x" * 256, "x" * 257, "\0", 1, None])
labels: st.SearchStrategy[Any] = st.dictionaries(label_keys, label_values, max_size=3) | st.sampled_from(
    [{str(n): "" for n in range(16)}, {str(n): "" for n in range(17)}, [], None, 1]
)
urls = st.sampled_from(
    [
        *("/", "//a", "/\\a", "/a b", "http://a", "HTTPS://a:1/b?c#d@e", "https://u@a", "https://:1", "ftp://a", "a"),
        *("javascript:a", "https://a\u3000", "/\u200d", "/\0", "\n/", "/\n", "/" + "x" * 2047, "/" + "x" * 2048, "", 1),
    ]
) | st.text("/:a@\\#?.\n ", max_size=4).flatmap(lambda end: st.sampled_from([end, "http://" + end]))
link_specs = st.fixed_dictionaries({"label": titles, "url": urls})
links: st.SearchStrategy[Any] = st.lists(link_specs, max_size=2) | st.sampled_from(
    [[{"label": "l", "url": "/"}] * 20, [{"label": "l", "url": "/"}] * 21, [{"label": "l"}], {}, None, 1]
)
accepts: st.SearchStrategy[Any] = st.lists(
    st.sampled_from(["cancel", "retry", "stop", 1]), max_size=3
) | st.sampled_from([None, {}, "cancel"])
lines: st.SearchStrategy[Any] = st.lists(
    texts
    | st.fixed_dictionaries(
        {"text": texts},
        optional={"level": st.sampled_from(["debug", "info", "warning", "error", "Info", None]), "ago_ms": times_ago},
    ),
    max_size=3,
) | st.sampled_from([["a"] * 100, ["a"] * 101, [{}], [["a"]], {}, None, "a"])
step_specs = st.fixed_dictionaries(
    {}, optional={"name": texts, "timeout_ms": numbers, "estimated_ms": numbers, "x": anything}
)


def with_some(base: st.SearchStrategy[Any], fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """A body, with up to four of the fields: with more of them, hardly any body would be valid."""
    names = st.lists(st.sampled_from(sorted(fields)), max_size=4, unique=True)
    some = names.flatmap(lambda chosen: st.fixed_dictionaries({name: fields[name] for name in chosen}))
    return st.builds(lambda whole, part: {**whole, **part}, base, some)


steps = st.lists(step_specs, max_size=5) | anything
updates = with_some(
    st.sampled_from(
        [
            *({"action": action, "step": 1} for action in (*(kind.action for kind in UPDATES), "Start")),
            *({"action": action, "name": "a"} for action in ("start", "complete", "skip", "beat")),
            {"action": "start", "step": 1, "attempt_id": "a", "lease_ms": 1000},
            {"action": "progress", "step": 1, "current": 1},
            {"action": "complete", "step": 1, "success": False},
            {"action": "finish"},
            {"action": "finish", "success": False},
            {"action": "plan", "steps": [{}]},
            {"action": "plan"},
            {"action": "describe"},
            {"action": "acknowledge", "request": "r", "state": "seen"},
            {"action": "acknowledge"},
            {"action": "log", "lines": ["a"]},
            {"action": "log"},
        ]
    ),
    {
        "step": st.just(1) | numbers,
        "name": st.just("a") | texts,
        "timeout_ms": numbers,
        "success": booleans,
        "message": texts,
        "error": texts,
        "current": numbers,
        "total": numbers,
        "append": booleans,
        "estimated_ms": numbers,
        "attempt_id": attempts,
        "lease_ms": leases,
        "lost_after_ms": leases,
        "ago_ms": times_ago,
        "conclusion": st.just("cancelled") | st.sampled_from(["skipped", "lost", None, 1]),
        "links": links,
        "steps": steps,
        "title": titles,
        "labels": labels,
        "accepts": accepts,
        "request": request_ids,
        "lines": lines,
        "state": st.sampled_from(["seen", "honoured", "declined", "asked", "too_late", "", None, 1]),
        "x": anything,
    },
)
asks = with_some(
    st.sampled_from([{"kind": "cancel"}, {"kind": "retry"}, {}]),
    {
        "kind": st.sampled_from(["cancel", "stop", None, 1]),
        "step": numbers,
        "reason": st.sampled_from(["", "x" * 500, "x" * 501, "\U0001f600" * 500, "\0", None, 1]),
        "x": anything,
    },
)
creations = with_some(
    st.just({}),
    {
        "total_steps": numbers,
        "steps": steps,
        "workflow": st.sampled_from(["default", 1, None, True]),
        "title": titles,
        "labels": labels,
        "links": links,
        "open_ended": booleans,
        "accepts": accepts,
        "attempt_id": attempts,
        "profile": profiles,
        "x": anything,
    },
)


def test_what_a_client_sends_is_read_as_the_update_that_it_is() -> None:
    """Both ways of the codec: its bytes are an update of the same content, or one that no session can hold."""
    read_back = 0
    for sent in random_requests(seed=1, count=600):
        if isinstance(sent.report, CreateReport):
            continue
        update = sent.report.update(sent.ago_ms) if isinstance(sent.report, Log) else sent.report
        with contextlib.suppress(InvalidRequestError):
            body = read(UpdateBody, json.dumps(report_body(sent.report, sent.ago_ms)).encode(), WIDE)
            found = command_of(body, Workflows(), WIDE)
            assert (found, found.attempt_id) == (update, update.attempt_id)
            read_back += 1
    assert read_back > 200


@given(updates | anything)
@example({"action": "progress", "step": 1, "current": 2, "total": 1})
@example({"action": "start", "step": 1, "attempt_id": "a", "lease_ms": 1001, "lost_after_ms": 1000})
@example({"action": "finish", "conclusion": "cancelled", "success": False, "step": 1, "name": "a"})
@example({"action": "complete", "step": 1, "conclusion": "cancelled"})
@example({"action": "start", "step": None, "name": "a"})
@example({"action": "start", "step": 1, "name": "a"})
@example({"action": "describe", "labels": {"a:b": ""}})
def test_an_update_is_accepted_if_and_only_if_the_description_allows_it(body: Any) -> None:
    """SE-05: except for the rules that compare two numbers, which only its text states."""
    is_described = schema("UpdateBody").is_valid(body) and not _is_out_of_order(body)
    assert is_accepted(lambda: checked(read(UpdateBody, json.dumps(body).encode()))) is is_described


def checked(body: UpdateBody) -> Update:
    """The command that an update asks for, if a session could take it."""
    command = command_of(body, Workflows(), LIMITS)
    check_command(command)
    return command


def _is_out_of_order(body: Any) -> bool:
    """Whether a number is larger than the one that it must not exceed."""
    return (body["action"] == "progress" and _exceeds(body, "current", "total")) or (
        body["action"] == "start" and _exceeds(body, "lease_ms", "lost_after_ms")
    )


def _exceeds(body: Any, less: str, more: str) -> bool:
    return body.get(more) is not None and body[less] > body[more]


@given(creations | anything)
@example({"workflow": None})
@example({"total_steps": 1, "steps": [{}]})
@example({"total_steps": 1, "workflow": "default"})
@example({"steps": [{}], "workflow": "default"})
def test_a_creation_is_accepted_if_and_only_if_the_description_allows_it(body: Any) -> None:
    """SE-05: the names of workflows, and the numbering of steps, are not part of the schema."""
    is_described = schema("CreateBody").is_valid(body)
    assert is_accepted(lambda: created(read(CreateBody, json.dumps(body).encode()))) is is_described


def created(body: CreateBody) -> Create:
    """The command that a creation asks for, if it can be applied."""
    command = body.command(Workflows(), body.profile, replace=True)
    check_command(command)
    return command


@given(asks | anything)
@example({"kind": "cancel", "x": 1})
def test_a_request_is_accepted_if_and_only_if_the_description_allows_it(body: Any) -> None:
    """SE-05: an unknown key, too, is refused."""
    is_described = schema("RequestBody").is_valid(body)
    assert is_accepted(lambda: asked(read(RequestBody, json.dumps(body).encode()))) is is_described


def asked(body: RequestBody) -> None:
    check_command(Ask(body.kind, "r", body.step, body.reason))


addressed = st.builds(
    lambda update, address: {**update, **address},
    updates,
    st.fixed_dictionaries(
        {"session_id": st.just("s") | st.text("a/\u200b.", max_size=3) | numbers},
        optional={"idempotency_key": st.text("a \u00e9\n~", max_size=3) | st.just("a" * 256) | numbers},
    ),
)


@given(addressed | anything)
@example({"action": "start", "step": 1, "session_id": "s" * 129})
@example({"action": "start", "step": 1, "session_id": "s", "idempotency_key": ""})
@example({"action": "start", "step": 1, "session_id": "s", "idempotency_key": " "})
def test_one_of_many_updates_is_accepted_if_and_only_if_the_description_allows_it(body: Any) -> None:
    """SE-05: with its session id and its key."""
    is_described = schema("AddressedUpdate").is_valid(body) and not _is_out_of_order(body)

    def ask() -> object:
        update = read_update(body, LIMITS)
        return update.key, checked(update)

    assert is_accepted(ask) is is_described


@given(st.binary(max_size=50) | st.text(max_size=50).map(str.encode))
@example(b"[" * 100_000)
@example(b"9" * 5000)
@example(b'{"a":1,"a":2}')
def test_any_bytes_are_parsed_or_refused(raw: bytes) -> None:
    """SE-05: without any other exception."""
    try:
        value = parse_json(raw)
    except MalformedBodyError:
        return
    assert value == json.loads(raw)


@given(anything)
def test_all_json_is_parsed(value: Any) -> None:
    """Plain or escaped, it gives the value that was encoded."""
    assert parse_json(json.dumps(value).encode()) == value
    assert parse_json(json.dumps(value, ensure_ascii=False, indent=1).encode()) == value


PIECES = [
    *('"action":"start"', '"\\u0061ction" :"complete"', '"step":1', '"st\\u0065p":2', '"step" : 1.0'),
    *('"message":"a:b"', '"message":"\\u003a"', '"message":"\\ud800"', '"error":"\u2028\\"\\":"', '"error":"\t"'),
    *('"current":-0', '"total":null', '"total":9223372036854775808', '"success":1', '"x":NaN', '"x":{"step":1}'),
    *('"x":[1,]', '"\u00e9":01'),
]


@given(st.lists(st.sampled_from(PIECES), max_size=6, unique=True).map(lambda pieces: f"{{{','.join(pieces)}}}"))
@example('{"action":"start","step":1,"step":2}')
@example('{"action":"start","step":1,"message":"\\u003a","step":2}')
@example('{"action":"start","step" :1,"step":1}')
@example('{"action":"start","step":1}{')
@example('\ufeff{"action":"start","step":1}')
def test_an_update_is_read_as_strictly_as_any_json(text: str) -> None:
    """In the same way as by `json` first, though most are read by another parser."""

    def ask() -> UpdateBody | str:
        try:
            return UpdateBody.model_validate(parse_json(text.encode()), context=LIMITS.context)
        except ValidationError:
            return "InvalidRequestError"
        except MalformedBodyError:
            return "MalformedBodyError"

    try:
        found: UpdateBody | str = read(UpdateBody, text.encode())
    except (InvalidRequestError, MalformedBodyError) as refusal:
        found = type(refusal).__name__
    assert found == ask()


@pytest.mark.parametrize("value", ["NaN", "-Infinity", "[NaN]", "01"])
def test_updates_are_read_as_strictly_as_any_json(value: str) -> None:
    """Even a value that no update can be."""
    with pytest.raises(MalformedBodyError):
        read(BatchBody, f'{{"updates":[{value}]}}'.encode())


@given(st.sampled_from([UpdateBody, CreateBody, RequestBody]), st.binary(max_size=60))
def test_a_body_is_accepted_or_refused_with_a_problem(model: type[BaseModel], raw: bytes) -> None:
    """SE-05: no other exception is raised."""
    with contextlib.suppress(MalformedBodyError, InvalidRequestError):
        read(model, raw)


KEY = jsonschema_rs.Draft202012Validator(COMPONENTS["parameters"]["IdempotencyKey"]["schema"])


@given(st.text(st.characters(max_codepoint=255), max_size=4) | st.text("a", min_size=250, max_size=260))
@example("a\n")
@example("")
def test_an_idempotency_key_is_valid_if_the_description_says_so(key: str) -> None:
    """SE-05: white space around it is not part of it."""
    body = UpdateBody.model_validate({"action": "start", "step": 1})
    try:
        found = idempotency_key(request(b"", (b"idempotency-key", key.encode("latin-1"))), "update", body.canonical)
    except InvalidKeyError:
        assert not KEY.is_valid(key)
    else:
        assert found is not None
        assert found.key == key.strip(" \t")
        assert KEY.is_valid(found.key)


def test_a_key_is_the_same_in_a_header_and_among_other_updates() -> None:
    """A header strips the spaces around it; an update that is repeated by itself is still applied once."""
    update = {"session_id": "s", "action": "start", "step": 1, "idempotency_key": "  k "}
    alone = idempotency_key(
        request(b"", (b"idempotency-key", b"k")),
        "update",
        UpdateBody.model_validate({"action": "start", "step": 1}).canonical,
    )
    assert read_update(update, LIMITS).key == alone


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"total_steps": 1.5}, "total_steps"),
        ({"steps": []}, "steps"),
        ({"steps": [{}, {"timeout_ms": 1.0}]}, "steps.1.timeout_ms"),
        ({"workflow": 1}, "workflow"),
    ],
)
def test_a_refusal_names_the_field_that_is_wrong(body: dict[str, object], field: str) -> None:
    """By its name in the request, not in our models."""
    with pytest.raises(InvalidRequestError, match=rf"^{field}: "):
        read(CreateBody, json.dumps(body).encode())


@pytest.mark.parametrize("body", [{"step": 2}, {"step": 1, "x": 1}])
def test_steps_are_numbered_in_order(body: dict[str, int]) -> None:
    """This rule is not part of the schema."""
    raw = json.dumps({"steps": [body]}).encode()
    assert is_accepted(lambda: read(CreateBody, raw).definitions(Workflows())) is (body["step"] == 1)
