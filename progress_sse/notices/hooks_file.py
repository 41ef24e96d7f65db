"""The file of hooks, in TOML: which notices go to which addresses, and how they are signed."""

import os
import re
import ssl
import tomllib
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictStr,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from progress_sse._internal.files import read_file
from progress_sse._internal.http_library import httpx
from progress_sse.core.bounds import TOO_DEEP, check_depth
from progress_sse.core.errors import ConfigurationError, InvalidRequestError
from progress_sse.core.notices import NoticeEvent
from progress_sse.core.session_filter import SessionFilter, check_prefix, parse_labels
from progress_sse.notices.addresses import is_loopback_host
from progress_sse.wire.text import first_fault

MAX_HOOKS: Final = 20
DEFAULT_EVENTS: Final[frozenset[NoticeEvent]] = frozenset({"completed", "failed", "cancelled"})

SECRET_PREFIX: Final = "whsec_"  # noqa: S105
_SECRET_BYTES: Final = range(24, 65)
_HOST: Final = re.compile(rb"[0-9A-Za-z._-]+|[0-9A-Fa-f:.]+")
_PORTS: Final = range(1, 65_536)
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_HEADER_VALUE: Final = re.compile(r"(?![\t ])(?!.*[\t ]$)[\t\x20-\x7e\x80-\xff]{0,4096}")
_OWN_HEADERS: Final = re.compile(
    r"host|accept-encoding|user-agent|content-.*|webhook-.*|transfer-encoding|connection|upgrade|te|trailer|expect",
    re.IGNORECASE,
)


class Hook(NamedTuple):
    """An address of the operator that gets notices.

    Attributes:
        url: http or https, without user information.
        secrets: The keys of signatures, as bytes; two while one is being changed.
        headers: Sent with each try, besides those of the signature.
        events: The events that it gets a notice of.
        wanted: The sessions of which it gets one.
        is_private: Whether its name may resolve to an address that is not globally reachable.
        uses_proxy: Whether the proxy of the environment decides what is connected to.
        ca: The certificates, as PEM, that its own is checked by; `None`: the usual ones.
    """

    name: str
    url: httpx.URL
    secrets: tuple[bytes, ...]
    headers: tuple[tuple[str, str], ...] = ()
    events: frozenset[NoticeEvent] = DEFAULT_EVENTS
    wanted: SessionFilter = SessionFilter()
    is_private: bool = False
    uses_proxy: bool = False
    ca: str | None = None

    @property
    def origin(self) -> str:
        """What may be shown of the URL: paths and queries hold secrets."""
        return str(self.url.copy_with(raw_path=b"/"))[:-1]


def read_hooks_file(path: Path) -> str:
    """Return the text of a file of hooks."""
    try:
        return read_file(path).decode()
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"The hooks file {path} cannot be used: {error}") from None


def load_hooks(path: Path, text: str | None = None) -> tuple[Hook, ...]:
    """Return the hooks in a file, whose text may have been read before; files that it names are relative to its folder.

    A `ConfigurationError` names hook and key of a mistake, and shows no value.
    """
    text = read_hooks_file(path) if text is None else text
    try:
        file = _File.model_validate(_parsed(text), context={"folder": path.parent})
    except ValueError as error:
        reason = first_fault(error) if isinstance(error, ValidationError) else str(error)
        raise ConfigurationError(f"The hooks file {path} cannot be used: {reason}") from None
    return tuple(entry.hook(name) for name, entry in file.hooks.items())


def _parsed(text: str) -> dict[str, Any]:
    try:
        parsed = tomllib.loads(text)
    except RecursionError:
        raise ValueError(TOO_DEEP) from None
    check_depth(parsed)
    return parsed


def _from_file(name: str, info: ValidationInfo) -> str:
    assert info.context is not None
    folder: Path = info.context["folder"]
    try:
        return read_file(folder / name).decode().strip()
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error


def _from_environment(name: str) -> str:
    if not os.environ.get(name):
        raise ValueError("names a variable that is not set")
    return os.environ[name].strip()


def secret_of(text: str) -> bytes:
    """Return the key of signatures that a secret [Standard Webhooks] stands for; a `ValueError` if it is none."""
    secret = b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    if not text.startswith(SECRET_PREFIX) or len(secret) not in _SECRET_BYTES:
        raise ValueError("is no secret")
    return secret


def _check_url(text: str, info: ValidationInfo) -> str:
    try:
        url = httpx.URL(text)
        is_fit = (
            bool(_HOST.fullmatch(url.raw_host))
            and (url.port is None or url.port in _PORTS)
            and url.scheme in ("http", "https")
        )
    except httpx.InvalidURL:
        is_fit = False
    if not is_fit:
        raise ValueError("must be an http or https URL")
    if url.userinfo or url.fragment:
        raise ValueError("must have no user, password and fragment")
    if url.scheme == "http" and not (info.data.get("insecure") or is_loopback_host(url.host)):
        raise ValueError("must be https, or the hook have `insecure = true`")
    return text


def _check_header_name(name: str) -> str:
    if not _HEADER_NAME.fullmatch(name) or _OWN_HEADERS.fullmatch(name):
        raise ValueError("must be the name of a header that the server does not set itself")
    return name


def _check_header_value(value: str) -> str:
    if not _HEADER_VALUE.fullmatch(value):
        raise ValueError("cannot be the value of a header")
    return value


def _checked_by(check: Callable[[Any], object], demand: str) -> AfterValidator:
    """Return a validator of values that `check` takes; where it raises an error, `demand` says what they must be."""

    def checked(value: Any) -> Any:
        try:
            check(value)
        except (InvalidRequestError, ssl.SSLError, ValueError) as error:
            raise ValueError(demand) from error
        return value

    return AfterValidator(checked)


_Content = Annotated[StrictStr, AfterValidator(_from_file)]
_Variable = Annotated[StrictStr, AfterValidator(_from_environment)]
_IsSecret = _checked_by(
    secret_of, "must be whsec_ and the base64 of 24 to 64 bytes; `progress-sse hooks secret` makes one"
)
_HeaderName = Annotated[str, AfterValidator(_check_header_name)]
_IsHeaderValue = AfterValidator(_check_header_value)
_IsPrefix = _checked_by(check_prefix, "must be the beginning of a session id")
_AreLabels = _checked_by(parse_labels, "must be a list of at most 16 texts of the form key:value")
_AreCertificates = _checked_by(lambda pem: ssl.create_default_context(cadata=pem), "must have certificates in PEM")


class _Entry(BaseModel):
    """A hook in the file. What its fields name in files and variables has taken their place."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    insecure: StrictBool = False  # Before `url`, which is checked by it.
    url: Annotated[StrictStr, AfterValidator(_check_url)]
    secret: Annotated[StrictStr, _IsSecret] | None = None
    secrets: Annotated[list[Annotated[StrictStr, _IsSecret]], Field(min_length=2, max_length=2)] | None = None
    secret_file: Annotated[_Content, _IsSecret] | None = None
    secret_env: Annotated[_Variable, _IsSecret] | None = None
    headers: dict[_HeaderName, Annotated[StrictStr, _IsHeaderValue]] = {}
    headers_file: dict[_HeaderName, Annotated[_Content, _IsHeaderValue]] = {}
    headers_env: dict[_HeaderName, Annotated[_Variable, _IsHeaderValue]] = {}
    on: Annotated[list[NoticeEvent], Field(min_length=1)] = ["completed", "failed", "cancelled"]
    prefix: Annotated[StrictStr, _IsPrefix] = ""
    label: Annotated[list[StrictStr], _AreLabels] = []
    private: StrictBool = False
    proxy: StrictBool = False
    ca_file: Annotated[_Content, _AreCertificates] | None = None

    @model_validator(mode="after")
    def has_a_secret(self) -> Self:
        """Refuse a hook that nothing signs, or of which it is not clear what does."""
        if [self.secret, self.secrets, self.secret_file, self.secret_env].count(None) != 3:
            raise ValueError("must have one of secret, secrets, secret_file and secret_env")
        return self

    def hook(self, name: str) -> Hook:
        secrets = self.secrets or [self.secret or self.secret_file or self.secret_env or ""]
        headers = self.headers | self.headers_file | self.headers_env
        return Hook(
            name,
            httpx.URL(self.url),
            tuple(map(secret_of, secrets)),
            tuple(headers.items()),
            frozenset(self.on),
            SessionFilter(self.prefix, parse_labels(self.label)),
            self.private,
            self.proxy,
            self.ca_file,
        )


_Name = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,32}$")]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    hooks: Annotated[dict[_Name, _Entry], Field(max_length=MAX_HOOKS)] = {}
