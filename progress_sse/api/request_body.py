"""Bodies of requests: from bytes to a validated model, in one step, strictly.

JSON is read as RFC 8259 defines it and no further: UTF-8 without a byte order mark, no `NaN`, each key once. Invalid
JSON gets a 400, valid JSON with invalid content a 422; neither repeats what was sent.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from progress_sse.api.update_models import AddressedUpdate, UpdateBody
from progress_sse.core.bounds import MAX_DEPTH, check_depth
from progress_sse.core.errors import (
    BodyTooLargeError,
    InvalidRequestError,
    MalformedBodyError,
    ProblemError,
    UnsupportedMediaError,
)
from progress_sse.core.model import check_session_id
from progress_sse.settings import BodyLimits
from progress_sse.wire.headers import HeaderIndex, header_index
from progress_sse.wire.text import first_fault

Body = TypeVar("Body", bound=BaseModel)

_FLAT: Final[Mapping[type[BaseModel], int]] = {UpdateBody: len(UpdateBody.model_fields)}
"""The models of which thousands are read in a second, mostly without an object among the values; how many fields each
has."""


async def read_body(request: Request, model: type[Body], limits: BodyLimits) -> Body:
    """Return the request's body as a `model`; see `read_with_keys`."""
    return (await read_with_keys(request, model, limits))[0]


async def read_with_keys(request: Request, model: type[Body], limits: BodyLimits) -> tuple[Body, Collection[str]]:
    """Return the request's body as a `model`, and its keys, those with a value of null left out.

    Raises:
        UnsupportedMediaError: It is not declared as JSON in UTF-8.
        BodyTooLargeError: It is larger than `max_body_bytes`.
        MalformedBodyError: It is not JSON.
        InvalidRequestError: It does not fit the model.
    """
    headers = header_index(request)
    media_types, codings = headers.values(b"content-type"), headers.values(b"content-encoding")
    if not _is_json(b",".join(media_types), b",".join(codings)):
        raise UnsupportedMediaError
    _declared_length(headers, limits.max_body_bytes)
    raw = await _read(request, limits.max_body_bytes)
    is_flat = raw.count(b":") <= _FLAT.get(model, -1)
    body = _read_flat(model, raw, limits) if is_flat else None
    if body is not None:
        return body, body.model_fields_set
    value = parse_json(raw)
    return _validated(model, value, limits), keys_with_value(value)


async def pass_over_body(request: Request, limits: BodyLimits) -> None:
    """Read a body that no endpoint asks for, and drop it; too large a one is refused all the same."""
    headers = header_index(request)
    if _declared_length(headers, limits.max_body_bytes) or headers.value(b"transfer-encoding"):
        await _read(request, limits.max_body_bytes)


def read_update(value: object, limits: BodyLimits) -> AddressedUpdate:
    """Return one of the updates of a `BatchBody`, if it and its session id are valid."""
    update = _validated(AddressedUpdate, value, limits)
    check_session_id(update.session_id)
    return update


def keys_with_value(body: Mapping[str, object]) -> Collection[str]:
    """Return the keys of a body whose value is not null."""
    return [key for key, value in body.items() if value is not None]


def parse_json(raw: bytes) -> Any:
    """Return the value of a JSON text, or refuse one that has a key twice, deep nesting or too long a number."""
    try:
        value = _decoder.decode(raw.decode("utf-8"))
        if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH:  # Most bodies cannot be so deep.
            check_depth(value)
    except (ValueError, RecursionError):
        raise MalformedBodyError from None
    return value


def _without_repeats(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError("not a JSON number")


_decoder: Final = json.JSONDecoder(object_pairs_hook=_without_repeats, parse_constant=_refuse_constant)


def _read_flat(model: type[Body], raw: bytes, limits: BodyLimits) -> Body | None:
    """Return a valid body whose values are no objects, in less time; `None` for all others.

    Pydantic's parser takes the last value of a repeated key. As a colon follows each key, the body has no key twice if
    it has as many colons as different keys.
    """
    try:
        body = model.model_validate_json(raw, context=limits.context)
    except (ValidationError, ProblemError):
        return None  # The other way finds out which problem that is.
    return body if raw.count(b":") == len(body.model_fields_set) else None


def _validated(model: type[Body], value: Any, limits: BodyLimits) -> Body:
    try:
        return model.model_validate(value, context=limits.context)
    except ValidationError as error:
        raise InvalidRequestError(first_fault(error)) from None


def _declared_length(headers: HeaderIndex, max_body_bytes: int) -> int:
    declared = b",".join(headers.values(b"content-length")) or b"0"
    if not declared.isdigit() or len(declared) >= 20 or int(declared) > max_body_bytes:
        raise BodyTooLargeError
    return int(declared)


@lru_cache(maxsize=64)
def _is_json(content_type: bytes, content_encoding: bytes) -> bool:
    media_type, *parameters = (each.strip() for each in content_type.lower().split(b";"))
    charsets = {each.removeprefix(b"charset=").strip(b'"') for each in parameters if each.startswith(b"charset=")}
    is_plain = content_encoding.lower() in (b"", b"identity")
    return media_type == b"application/json" and charsets <= {b"utf-8", b"utf8"} and is_plain


async def _read(request: Request, max_body_bytes: int) -> bytes:
    body, is_more = b"", True
    while is_more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise MalformedBodyError
        body += message.get("body", b"")
        is_more = message.get("more_body", False)
        if len(body) > max_body_bytes:
            raise BodyTooLargeError
    return body
