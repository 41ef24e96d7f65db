"""The server and the session; arguments override the environment."""

import os
from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias, TypedDict
from urllib.parse import quote, urlsplit

from progress_sse.core.asks import AskKind
from progress_sse.core.details import MAX_ATTEMPT_ID_CHARS
from progress_sse.core.errors import ConfigurationError, InvalidSessionIdError
from progress_sse.core.model import check_session_id

ATTEMPT: Final = "PROGRESS_SSE_ATTEMPT"
"""The variable that hands an attempt down to a command; it is one at the session of `PROGRESS_SSE_SESSION`."""

OnError: TypeAlias = Literal["warn", "raise"]

FLUSH_S: Final = 3.0
"""Seconds that a job waits at its end for unsent reports, unless it says otherwise."""

_NO: Final = frozenset({"", "0", "false", "no", "off"})


class Options(TypedDict, total=False):
    """The options of `Progress` and `AsyncProgress` besides the session.

    Attributes:
        url: The server's URL; else `PROGRESS_SSE_URL`. Without either nothing is reported.
        token: A `publish_token` of the server, or a signed token that allows to publish; else `PROGRESS_SSE_TOKEN`.
        disabled: Whether to report nothing; else `PROGRESS_SSE_DISABLED`.
        on_error: `"warn"`, the default, logs an error once and counts repeats. `"raise"` raises it by the next report
            or at the end of the block, which then waits until all is sent, a minute at most for a server that is away.
        flush_timeout_s: Seconds that the job waits at its end for a server that is away, the end of the block and the
            exit of the process together. The default is 3, and with ``on_error="raise"`` a minute for a block that
            ends without an exception.
        lease_s: Seconds without a sign of life after which a running step counts as stalled, from 1 to 3600; the
            default is 30, and after ten minutes it counts as lost. Reports carry their attempt, and their age. With
            `None` reports bear no attempts, leases and ages, and an exception ends no session that is not open-ended.
        accepts: What readers of the session may ask of the job: `"cancel"`, `"retry"` or both; the default is nothing.
            Where it may be cancelled, `check` and `track` of its steps raise `Cancelled` once a reader asks for that.
            A session that was created elsewhere gets it with the step that begins the work.
    """

    url: str | None
    token: str | None
    disabled: bool | None
    on_error: OnError
    flush_timeout_s: float | None
    lease_s: float | None
    accepts: Sequence[AskKind] | None


class Address(NamedTuple):
    """A server's URL, and the token to publish there."""

    url: str
    token: str | None

    def __repr__(self) -> str:
        """Return it without the token."""
        return f"Address({self.url!r})"


def is_disabled(disabled: bool | None, environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether reporting is switched off."""
    if disabled is not None:
        return disabled
    return environ.get("PROGRESS_SSE_DISABLED", "").strip().lower() not in _NO


def address_of(url: str | None, token: str | None, environ: Mapping[str, str] = os.environ) -> Address | None:
    """Return the server to report to, or `None` if none is named.

    Raises:
        ConfigurationError: The URL or the token is invalid.
    """
    url = url or environ.get("PROGRESS_SSE_URL") or None
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or not _is_graphic(url) or parts.username is not None or parts.query or parts.fragment:
        raise ConfigurationError("The URL of the progress server must be like http://host:8000, with no user in it.")
    token = token or environ.get("PROGRESS_SSE_TOKEN") or None
    # httpx would refuse it, too, and show it in its error.
    if token is not None and not (token.isascii() and _is_graphic(token)):
        raise ConfigurationError("The token of the progress server must be printable ASCII without blanks.")
    return Address(url.rstrip("/"), token)


def _is_graphic(text: str) -> bool:
    return text.isprintable() and " " not in text


def flush_timeout_of(seconds: object) -> float:
    """Return the seconds that a job waits at its end.

    Raises:
        ConfigurationError: They are no number, or less than 0.
    """
    if seconds is None:
        return FLUSH_S
    if not isinstance(seconds, int | float) or not seconds >= 0:
        raise ConfigurationError("flush_timeout_s must be a number of seconds, 0 or more.")
    return float(seconds)


def named_session(session_id: str | None, environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the named session, valid or not."""
    return session_id or environ.get("PROGRESS_SSE_SESSION") or None


def handed_down_attempt(session_id: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the attempt at a session that `progress-sse run` has handed down to this process, if it has."""
    attempt_id = environ.get(ATTEMPT, "")
    is_ours = environ.get("PROGRESS_SSE_SESSION") == session_id
    is_fit = 0 < len(attempt_id) <= MAX_ATTEMPT_ID_CHARS and attempt_id.isprintable()
    return attempt_id if is_ours and is_fit else None


def session_of(session_id: str | None, environ: Mapping[str, str] = os.environ) -> str:
    """Return the session to report on.

    Raises:
        ConfigurationError: None is named, or the id is not valid.
    """
    named = named_session(session_id, environ)
    if named is None:
        raise ConfigurationError("Name the session that progress is reported on, or set PROGRESS_SSE_SESSION.")
    try:
        return check_session_id(named)
    except InvalidSessionIdError as error:
        raise ConfigurationError(str(error)) from error


def link_to(address: Address, session_id: str) -> str:
    """Return the URL of a session's page."""
    return f"{address.url}/s/{quote(session_id, safe='')}"
