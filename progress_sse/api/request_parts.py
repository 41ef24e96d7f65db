"""The parts of a request that several endpoints read: session id, query, conditions, idempotency key."""

import hashlib
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qsl, quote

from starlette.datastructures import QueryParams
from starlette.requests import Request

from progress_sse.api.replies import RUN
from progress_sse.auth.authorizer import Authorization, caller_of
from progress_sse.core.commands import IdempotencyKey
from progress_sse.core.errors import InvalidKeyError, InvalidRequestError
from progress_sse.core.model import check_session_id
from progress_sse.core.session_filter import SessionFilter, check_prefix, parse_labels, parse_statuses
from progress_sse.core.updates import Condition, anywhere
from progress_sse.settings import Settings
from progress_sse.wire.headers import header_index, header_values
from progress_sse.wire.preconditions import UNCONDITIONAL, Preconditions
from progress_sse.wire.preferences import prefers_text

MAX_QUERY_FIELDS: Final = 2000
"""Parameters that a query may have: the server parses it before it checks the client's token."""

_FILTERS: Final = frozenset({"prefix", "label", "status"})
_RUN: Final = RUN.encode()
_KEY: Final = b"idempotency-key"
_CONDITIONS: Final = frozenset({b"if-match", b"if-none-match"})

OF_FEW_UPDATES: Final = _CONDITIONS | {_RUN, _KEY}
"""Headers that few updates have: those of `idempotency_key`, `run_of` and `condition_of`."""


def session_id_of(request: Request) -> str:
    """Return the session id in the path.

    Raises:
        InvalidSessionIdError: It is not a valid session id.
    """
    return check_session_id(request.path_params["session_id"])


def uri_component(text: str) -> str:
    """Return the text as `encodeURIComponent` of JavaScript writes it."""
    return quote(text, safe="!'()*")


def query_of(request: Request) -> QueryParams:
    """Return the parameters in the query; bytes that are not UTF-8 become surrogates, which no session id has.

    Raises:
        InvalidRequestError: It has more than `MAX_QUERY_FIELDS` parameters.
    """
    query: bytes = request.scope["query_string"]
    if not query:
        return _NO_QUERY
    if query.count(b"&") >= MAX_QUERY_FIELDS:
        raise InvalidRequestError(f"A query has at most {MAX_QUERY_FIELDS} parameters.")
    return QueryParams(parse_qsl(query.decode("latin-1"), True, errors="surrogateescape"))


_NO_QUERY: Final = QueryParams()


def session_ids_of(query: QueryParams, most: int) -> list[str]:
    """Return the session ids in the query, each once.

    Raises:
        InvalidRequestError: There are none, or more than `most`.
        InvalidSessionIdError: One is not a valid session id.
    """
    session_ids = list(dict.fromkeys(query.getlist("session_id")))
    if not 1 <= len(session_ids) <= most:
        raise InvalidRequestError(f"session_id must be given 1 to {most} times.")
    return [check_session_id(session_id) for session_id in session_ids]


def profile_in_query(query: QueryParams) -> str | None:
    """Return the profile in the query, if there is one.

    Raises:
        InvalidRequestError: There are several.
        InvalidSessionIdError: It has not the form of a session id.
    """
    profile = _single_value_of(query, "profile")
    return None if profile is None else check_session_id(profile)


VERSIONS: Final = ("3.2", "3.1")
"""The versions of OpenAPI that the API is described in; the first one where none is asked for."""


def version_in_query(query: QueryParams) -> str:
    """Return the version of OpenAPI that the query asks for.

    Raises:
        InvalidRequestError: There are several, or it is none of `VERSIONS`.
    """
    version = _single_value_of(query, "version")
    if version is None or version in VERSIONS:
        return version or VERSIONS[0]
    raise InvalidRequestError(f"version must be {' or '.join(VERSIONS)}.")


def number_of(query: QueryParams, name: str, least: int, most: int) -> int | None:
    """Return a number in the query; `None` if there is none.

    Raises:
        InvalidRequestError: It is no number, or less than `least`, or more than `most`.
    """
    text = query.get(name)
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS and least <= int(text) <= most:
        return int(text)
    raise InvalidRequestError(f"{name} must be a number from {least} to {most}.")


_MAX_DIGITS: Final = 16


def filters_sessions(query: QueryParams) -> bool:
    """Return whether the query has a parameter of a list of sessions, even an empty one."""
    return not _FILTERS.isdisjoint(query.keys())


def session_filter_of(query: QueryParams) -> SessionFilter:
    """Return the list of sessions that the query asks for.

    Raises:
        InvalidRequestError: There are several prefixes or too many labels, or a label or a state is none.
        InvalidSessionIdError: No session id begins with the prefix.
    """
    prefix = _single_value_of(query, "prefix")
    labels = parse_labels(query.getlist("label"))
    return SessionFilter(check_prefix(prefix or ""), labels, parse_statuses(query.getlist("status")))


def _single_value_of(query: QueryParams, name: str) -> str | None:
    values = query.getlist(name)
    if len(values) > 1:
        raise InvalidRequestError(f"{name} must be given once.")
    return values[0] if values else None


def preconditions_of(request: Request) -> Preconditions:
    """Return the request's conditions."""
    headers = header_index(request)
    if _CONDITIONS.isdisjoint(headers):
        return UNCONDITIONAL
    return Preconditions(headers.getlist(b"if-match"), headers.getlist(b"if-none-match"))


def condition_of(request: Request) -> Condition:
    """Return when the request may change its session."""
    preconditions = preconditions_of(request)
    return anywhere if preconditions is UNCONDITIONAL else preconditions.allow_change


def run_of(request: Request) -> str | None:
    """Return the run that the request is for, even if malformed: it is then refused like the id of another run."""
    values = header_values(request, _RUN)
    return b", ".join(values).decode("latin-1") if values else None


def counted_caller(settings: Settings, request: Request, authorization: Authorization) -> str | None:
    """Return the caller whose streams and waiting requests are counted; `None` where they are not counted by caller."""
    is_counted = settings.max_streams_per_caller is not None
    return caller_of(request, authorization.token) if is_counted else None


def accepts_text(request: Request, *, to_events: bool = False) -> bool:
    """Return whether the client takes plain text, and prefers it to JSON, and with `to_events` to events too."""
    return prefers_text(header_values(request, b"accept"), to_events=to_events)


MAX_KEY_CHARS: Final = 255
_KEY_RULE: Final = f"An Idempotency-Key has 1 to {MAX_KEY_CHARS} printable ASCII characters."

KEY_SCHEMA: Final[dict[str, Any]] = {"pattern": "^ *[!-~][ -~]*$", "maxLength": MAX_KEY_CHARS}

UPDATE: Final = "update"
"""The kind of request that an update is; a key identifies a request of one kind."""


def idempotency_key(request: Request, kind: str, canonical: Callable[[], str]) -> IdempotencyKey | None:
    """Return the request's `Idempotency-Key` with a digest of its body as `canonical` writes it; `None` without one.

    Raises:
        InvalidKeyError: It is empty, over `MAX_KEY_CHARS` characters, not printable ASCII, or there are several.
    """
    keys = header_values(request, _KEY)
    if not keys:
        return None
    if len(keys) > 1:
        raise InvalidKeyError(_KEY_RULE)
    return make_key(keys[0].decode("latin-1"), kind, canonical())


def make_key(key: str, kind: str, body: str) -> IdempotencyKey:
    """Return the key with a digest of the request's kind and parsed body.

    Raises:
        InvalidKeyError: It is empty, over `MAX_KEY_CHARS` characters, or not printable ASCII.
    """
    stripped = key.strip(" ")  # As a header strips its value.
    if not stripped or len(key) > MAX_KEY_CHARS or not (key.isascii() and key.isprintable()):
        raise InvalidKeyError(_KEY_RULE)
    return IdempotencyKey(stripped, hashlib.sha256(f"{kind} {body}".encode()).hexdigest())
