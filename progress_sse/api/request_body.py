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
from progress_sse.wire.headers import WHITE_SPACE, HeaderIndex, header_index
from progress_sse.wire.text import first_fault

Body = TypeVar("Body", bound=BaseModel)

_FLAT: Final[Mapping[type[BaseModel], int]] = {UpdateBody: len(UpdateBody.model_fields)}
"""The models of which thousands are read in a second, mostly without an object among the values; how many fields each
has."""


async def read_body(request: Request, model: type[Body], limits: BodyLimits) -> Body:
    """Return the request's body as a `model`.

    Raises:
        UnsupportedMediaError: It is not declared as JSON in UTF-8.
        BodyTooLargeError: It is larger than `max_body_bytes`.
        MalformedBodyError: It is not JSON.
        InvalidRequestError: It does not fit the model.
    """
    return (await read_with_keys(request, model, limits))[0]


async def read_with_keys(request: Request, model: type[Body], limits: BodyLimits) -> tuple[Body, Collection[str]]:
    """Return the request's body as a `model`, and its keys; raises as `read_body` does.

    Keys that the model does not know are among them, unless their value is null.
    """
    headers = header_index(request)
    media_type = headers.get(b"content-type", b"")
    coding = b""
    if headers.repeated or b"content-encoding" in headers:
        media_type = b",".join(headers.getlist(b"content-type"))
        coding = b",".join(headers.getlist(b"content-encoding"))
    if not _is_json(media_type, coding):
        raise UnsupportedMediaError
    _declared_length(headers, limits.max_body_bytes)
    return _decoded(await _read(request, limits.max_body_bytes), model, limits)


async def pass_over_body(request: Request, limits: BodyLimits) -> None:
    """Read a body that no endpoint asks for, and drop it.

    Raises:
        BodyTooLargeError: It is larger than `max_body_bytes`.
        MalformedBodyError: The client went away in the middle of it.
    """
    headers = header_index(request)
    if _declared_length(headers, limits.max_body_bytes) or headers.get(b"transfer-encoding"):
        await _read(request, limits.max_body_bytes)


def read_update(value: object, limits: BodyLimits) -> AddressedUpdate:
    """Return one of the updates of a `BatchBody`.

    Raises:
        InvalidRequestError: It is not a valid update.
        InvalidSessionIdError: Its session id is not valid.
    """
    update = _validated(AddressedUpdate, value, limits)
    check_session_id(update.session_id)
    return update


def keys_with_value(body: Mapping[str, object]) -> Collection[str]:
    """Return the keys of a body whose value is not null."""
    return [key for key, value in body.items() if value is not None]


def parse_json(raw: bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        MalformedBodyError: It is not UTF-8, not JSON, has a key twice, is nested too deeply, or has too long a number.
    """
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


def _decoded(raw: bytes, model: type[Body], limits: BodyLimits) -> tuple[Body, Collection[str]]:
    """Return a body as a `model`, and its keys; a valid body whose values are no objects takes less time.

    Pydantic's parser takes the last value of a repeated key. As a colon follows each key, the body has no key twice if
    it has as many colons as different keys.
    """
    colons = raw.count(b":")
    if colons <= _FLAT.get(model, -1):
        try:
            body = model.model_validate_json(raw, context=limits.context)
        except (ValidationError, ProblemError):
            pass  # The other way finds out which problem that is.
        else:
            if colons == len(body.model_fields_set):
                return body, body.model_fields_set
    value = parse_json(raw)
    return _validated(model, value, limits), keys_with_value(value)


def _validated(model: type[Body], value: Any, limits: BodyLimits) -> Body:
    try:
        return model.model_validate(value, context=limits.context)
    except ValidationError as error:
        raise InvalidRequestError(first_fault(error)) from None


_LENGTH_DIGITS: Final = 20
"""Digits that no length has; of some thousands, `int` would raise an error."""


def _declared_length(headers: HeaderIndex, max_body_bytes: int) -> int:
    """Return the length in `Content-Length`, 0 without one; refuse what is too large, and what is no single number."""
    declared = headers.get(b"content-length", b"").strip(WHITE_SPACE) or b"0"
    is_number = declared.isdigit() and len(declared) < _LENGTH_DIGITS and b"content-length" not in headers.repeated
    if not is_number or int(declared) > max_body_bytes:
        raise BodyTooLargeError
    return int(declared)


@lru_cache(maxsize=64)
def _is_json(content_type: bytes, content_encoding: bytes) -> bool:
    media_type, *parameters = (each.strip() for each in content_type.lower().split(b";"))
    charsets = {each.removeprefix(b"charset=").strip(b'"') for each in parameters if each.startswith(b"charset=")}
    is_plain = content_encoding.lower() in (b"", b"identity")
    return media_type == b"application/json" and charsets <= {b"utf-8", b"utf8"} and is_plain


async def _read(request: Request, max_body_bytes: int) -> bytes:
    """Return the whole body, as it comes in parts.

    Raises:
        BodyTooLargeError: It is larger than `max_body_bytes`; the rest is not read.
        MalformedBodyError: The client went away in the middle of it.
    """
    body = b""
    is_more = True
    while is_more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise MalformedBodyError
        body += message.get("body", b"")
        is_more = message.get("more_body", False)
        if len(body) > max_body_bytes:
            raise BodyTooLargeError
    return body
