"""Every setting: its name, unit, default and meaning. Flags and environment variables are derived from this."""

import ipaddress
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BeforeValidator,
    DirectoryPath,
    Field,
    SecretStr,
    ValidationError,
    field_serializer,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from progress_sse.core.errors import ConfigurationError
from progress_sse.wire.text import check_text, first_fault

LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]
LogFormat: TypeAlias = Literal["text", "json"]

ENV_PREFIX = "PROGRESS_SSE_"
_REDIS_PREFIXES = ("redis://", "rediss://", "redis+sentinel://", "redis+cluster://")
MAX_DURATION = 1_000_000
"""The largest duration, in seconds or hours: longer than any sensible value, and small enough for every clock."""

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9._~-]+|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?")
_CLUSTER_PREFIX = re.compile(r"[^{}]*|[^{]*\{[^}]+\}.*", re.DOTALL)
"""Prefixes of keys that get no other hash tag where a hash tag follows: all in one slot, or each by that one."""
_BASE = re.compile(r"https?://[^\s/?#@\\]+(/[^\s?#\\]*)?", re.ASCII | re.IGNORECASE)
_CONTACT = re.compile(
    r"(mailto:[^\s@]+@|https://)([a-z0-9-]+\.)+(?!(local|localhost|invalid|test)\b)[a-z][a-z0-9-]*(:\d+)?(/\S*)?",
    re.IGNORECASE,
)
_VENDOR = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*(:[1-9]\d{0,4})?", re.IGNORECASE)
_WITH_DEFAULT_PORT = re.compile(r"http:.*:80|https:.*:443")


def _split(value: object) -> object:
    return [part for each in value.split(",") if (part := each.strip())] if isinstance(value, str) else value


def _split_some(value: object) -> object:
    """Refuse a value that is present but empty, as from an unset shell variable: it would remove the protection."""
    parts = _split(value)
    if value != () and not parts:
        raise ValueError("is given, but empty")
    return parts


def _check_text(secret: SecretStr) -> SecretStr:
    check_text(secret.get_secret_value())
    return secret


def _check_token(token: SecretStr) -> SecretStr:
    if re.search(r"[\x01-\x1f\x7f]", token.get_secret_value()):
        raise ValueError("has a control character, which no header can bring")
    return token


def _checked_origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse values that no browser sends as an origin [RFC 6454 §6.2]: they would change the policy of the pages."""
    if not all(_ORIGIN.fullmatch(each) and not _WITH_DEFAULT_PORT.fullmatch(each) for each in origins):
        raise ValueError(
            "must be scheme://host or scheme://host:port, as browsers send it: in lower case, "
            "with no path and not the scheme's own port"
        )
    return origins


_Texts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
_Secret = Annotated[SecretStr, AfterValidator(_check_text)]
_Token = Annotated[_Secret, AfterValidator(_check_token)]


class Settings(BaseSettings):
    """How a server runs. Keyword arguments override the environment, which overrides the defaults."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    store: str = Field(
        "sqlite:///progress.db",
        description="Where sessions are kept: `memory://`; `sqlite:///PATH`, with a fourth slash for an absolute "
        "path; or `redis://USER:PASSWORD@HOST:PORT/DB`, user and password where they are needed (extra "
        "`redis`; tested with Redis 8.0 and Valkey 8.1; `rediss://` for TLS; "
        "`redis+sentinel://HOST:PORT,HOST:PORT/MASTER/DB` for the server that Sentinel names, and "
        "`redis+cluster://HOST:PORT,HOST:PORT` for a cluster, both without TLS). Give a password by the "
        "environment, which no list of processes shows.",
    )
    redis_prefix: str = Field(
        "progress_sse",
        min_length=1,
        description="Prefix of each key in Redis; give another store in the same Redis another prefix. In a cluster it "
        "may have a hash tag, `{TEXT}`, and no other braces.",
    )
    heartbeat_s: float = Field(15, gt=0, le=MAX_DURATION, description="Seconds between two heartbeats of a stream.")
    retry_ms: int = Field(
        2000, ge=0, le=1000 * MAX_DURATION, description="Milliseconds that a browser waits before it reconnects."
    )
    send_timeout_s: float = Field(
        30, gt=0, le=MAX_DURATION, description="Seconds after which a reader that takes nothing is cut off."
    )
    head_timeout_s: float = Field(
        10,
        gt=0,
        le=MAX_DURATION,
        description="Seconds until the head of a request must have come, since its connection was opened or, for a "
        "later request, since its first byte came.",
    )
    body_timeout_s: float = Field(
        30, gt=0, le=MAX_DURATION, description="Seconds until the body of a request must have come, since its head."
    )
    graceful_timeout_s: float = Field(
        5, ge=0, le=MAX_DURATION, description="Seconds that a shutdown waits for requests under way."
    )
    max_age_hours: float = Field(24, gt=0, le=MAX_DURATION, description="Hours after which a session may be removed.")
    cleanup_interval_s: float = Field(600, gt=0, le=MAX_DURATION, description="Seconds between two clean-ups.")
    steps_file: Path | None = Field(None, description="TOML or JSON file with step definitions, of at most 4 MiB.")
    www: DirectoryPath | None = Field(
        None,
        description="Folder of pages of your own, served beside the API to every client that reaches the server; "
        "names that begin with a dot are left out, and the store and keys must lie elsewhere.",
    )
    learn: bool = Field(
        True, description="Learn from each run of a profile what its steps take, to say when the next ones will end."
    )
    history: int = Field(1000, ge=0, description="Transitions kept per session, for readers that come back.")
    history_bytes: int = Field(262_144, ge=0, description="Bytes of transitions kept per session.")
    log_lines: int = Field(5000, ge=0, description="Lines kept of the log of a session.")
    log_bytes: int = Field(1_048_576, ge=0, description="Bytes kept of the lines of a session, as JSON.")
    max_total_steps: int = Field(1000, ge=1, description="Steps that a session may have.")
    max_sessions: int = Field(100_000, ge=1, description="Sessions that may exist; creating one more gets 507.")
    max_streams: int = Field(
        10_000,
        ge=1,
        description="Streams that may be open, and polls that may wait, together; never more than the descriptors "
        "allow, less a reserve for polls.",
    )
    max_streams_per_caller: int | None = Field(
        None, ge=1, description="Streams and waiting polls that one caller may have open."
    )
    max_sessions_per_stream: int = Field(
        20, ge=1, description="Sessions of a stream; the pages rely on 20, and poll the rest where it is less."
    )
    max_body_bytes: int = Field(262_144, ge=1, description="Bytes that a request's body may have.")
    max_text_chars: int = Field(
        8192,
        ge=1,
        description="Characters that a message, an error or a name may have; `Progress` sends up to 8192, and the "
        "server refuses a report that exceeds its own limit.",
    )
    allow_origins: _Texts = Field(
        (),
        description="Origins as browsers send them (`https://app.example`), by comma, whose pages may use this server"
        " with the rights of their visitors: where publishing needs no token, to publish too. `*` is "
        "every origin, but without cookies.",
    )
    frame_origins: Annotated[_Texts, AfterValidator(_checked_origins)] = Field(
        (), description="Origins (`https://wiki.example`), by comma, whose pages may frame the pages of this server."
    )
    publish_token: Annotated[tuple[_Token, ...], NoDecode, BeforeValidator(_split_some)] = Field(
        (), description="Tokens, by comma, one of which a worker must send as `Authorization: Bearer …`."
    )
    read: Literal["open", "token"] = Field(
        "open",
        description="Who may read: every client that knows a session's id (`open`), or a client with a token for it "
        "(`token`).",
    )
    token_key: _Secret | None = Field(
        None,
        description="The key that tokens are signed with: for HS256 a secret of at least 32 bytes; for RS256 an RSA "
        "key in PEM, or the path of one, of which the public half is enough to read tokens.",
    )
    token_algorithm: Literal["HS256", "RS256"] = Field(
        "HS256", description="How tokens are signed; `RS256` needs the extra `rs256`."
    )
    log_level: LogLevel = Field("info", description="Lowest level that is logged: `debug`, `info`, `warning`, `error`.")
    log_format: LogFormat = Field("text", description="Format of each line of the log; `json` needs the extra `json`.")
    publish_rate: str | None = Field(
        None,
        description="How often one caller may create, change and delete sessions, and ask something of their workers, "
        "each: `100/second`, or `10/second;1000/hour`; extra `rates`.",
    )
    read_rate: str | None = Field(
        None,
        description="How often one caller may poll, open a stream, list sessions or exchange a token for a cookie or "
        "a ticket, in the same form; extra `rates`.",
    )
    trusted_proxies: _Texts = Field(
        (),
        description="Addresses and networks, by comma, of the proxies whose `X-Forwarded-For` gives the caller, and "
        "whose `X-Forwarded-Proto` gives the scheme.",
    )
    insecure: bool = Field(
        False, description="Let all clients that reach the server publish: by any name, and not by loopback alone."
    )
    dev: bool | None = Field(
        None,
        description="Whether the page of a session that moves shows the commands that move it. By default "
        "`progress-sse serve` does so where its address is loopback and publishing needs no token. The page of a "
        "session that does not exist always shows them.",
    )
    hooks: Path | None = Field(
        None,
        description="TOML file with the addresses that are notified of what happens to sessions; read at start, and "
        "again on SIGHUP.",
    )
    public_url: str | None = Field(
        None, description="Where readers reach this server, as `https://example.org/jobs`: notices link to its pages."
    )
    push: bool = Field(
        False,
        description="Let readers be notified on their phone or computer though the page is closed; extra `push`. The "
        "server then sends to the vendors of their browsers.",
    )
    push_contact: str | None = Field(
        None, description="Where vendors reach the operator: `mailto:ops@example.org`, or an https URL."
    )
    push_key_file: Path | None = Field(
        None, description="Private key of P-256 in PEM. Without it, a store in SQLite or Redis keeps one of its own."
    )
    push_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_some)] = Field(
        ("fcm.googleapis.com", "push.services.mozilla.com", "push.apple.com", "notify.windows.com"),
        description="Hosts of vendors, by comma, to which messages may go; with a port, exactly that one.",
    )
    push_ca_file: Path | None = Field(None, description="Certificates, in PEM, that those of vendors are checked by.")
    workers: int = Field(
        1,
        ge=1,
        description="Processes behind one socket; more than one needs a store in Redis. `max_streams` and "
        "`max_streams_per_caller` hold for each process.",
    )

    @field_validator("allow_origins")
    @classmethod
    def are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse values that no browser sends as an origin, and `null`, which any page can make its browser send."""
        if "*" in origins and len(origins) > 1:
            raise ValueError("* stands for all origins, and so alone")
        return origins if origins == ("*",) else _checked_origins(origins)

    @field_validator("trusted_proxies")
    @classmethod
    def are_networks(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse values that are neither an address nor a network."""
        for proxy in proxies:
            ipaddress.ip_network(proxy)
        return proxies

    @field_validator("public_url")
    @classmethod
    def is_base(cls, url: str | None) -> str | None:
        """Refuse what is no address of a server; return it without a slash at its end."""
        if url is not None and not _BASE.fullmatch(url):
            raise ValueError("must be an http or https URL with a host, and without user, query and fragment")
        return url and url.rstrip("/")

    @field_validator("push_contact")
    @classmethod
    def is_contact(cls, contact: str | None) -> str | None:
        """Refuse contacts that vendors refuse."""
        if contact is not None and not _CONTACT.fullmatch(contact):
            raise ValueError("must be mailto: or https:, with a host that others can reach")
        return contact

    @field_validator("push_hosts")
    @classmethod
    def are_vendors(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse what is no host; return all in lower case."""
        if not all(_VENDOR.fullmatch(host) for host in hosts):
            raise ValueError("must be hosts, each with or without a port")
        return tuple(host.lower() for host in hosts)

    @field_serializer("store")
    def shown_store(self, store: str) -> str:
        """Return the URL of the store without the password that may be part of it."""
        return without_secrets(store)

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        return [
            (name, without_secrets(self.store) if name == "store" else value) for name, value in super().__repr_args__()
        ]

    @property
    def has_redis(self) -> bool:
        """Whether sessions are kept in Redis, which several processes may share."""
        return self.store.startswith(_REDIS_PREFIXES)

    @property
    def has_rates(self) -> bool:
        """Whether requests are counted per caller."""
        return self.publish_rate is not None or self.read_rate is not None

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Return whether a name or address can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def without_secrets(url: str) -> str:
    """Return a store's URL as it may be shown: the text before a host's `@`, or after a `?`, may be secret."""
    scheme, _, rest = url.partition("://")
    if not rest or rest.startswith("/"):  # No host, so no password.
        return url
    place, question, query = rest.partition("?")
    if "@" in query:  # It may be part of a password that holds a question mark.
        return f"{scheme}://***"
    _, at, place = place.rpartition("@")
    return f"{scheme}://{'***@' if at else ''}{place}{'?***' if question else ''}"


def load_settings(**given: Any) -> Settings:
    """Return the settings.

    Raises:
        ConfigurationError: A value is not valid; the text names the setting and never shows its value.
    """
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise ConfigurationError(first_fault(error).removeprefix(ENV_PREFIX.lower())) from None
    _check(settings)
    return settings


_OF_CLIENTS: Final = frozenset({"URL", "TOKEN", "SESSION", "STEP", "ATTEMPT", "DISABLED"})


def unknown_variables(environment: Iterable[str]) -> Iterator[str]:
    """Yield a sentence on each variable that has our prefix and is none of ours, with the most similar one."""
    known = {*map(str.upper, Settings.model_fields), *_OF_CLIENTS}
    for variable in sorted(environment):
        prefix = variable.upper()[: len(ENV_PREFIX)]
        name = variable.upper()[len(ENV_PREFIX) :]
        if prefix == ENV_PREFIX and name not in known:
            meant = get_close_matches(name, known, 1)
            yield f"{variable} is no setting" + (f"; {ENV_PREFIX}{meant[0]} may be meant" if meant else "")


def _check(settings: Settings) -> None:
    if not settings.is_loopback and not settings.publish_token and not settings.insecure:
        raise ConfigurationError(
            f"{settings.host} can be reached from other machines, so workers need a token: "
            f"set {ENV_PREFIX}PUBLISH_TOKEN to the output of `progress-sse token secret` "
            "(or let every client publish with --insecure)."
        )
    if settings.push and settings.push_contact is None:
        raise ConfigurationError("push needs push_contact, where vendors reach you: mailto:ops@example.org.")
    if settings.push and settings.store == "memory://" and settings.push_key_file is None:
        raise ConfigurationError(
            "push needs push_key_file, as memory:// keeps no key that browsers could come back to."
        )
    if settings.store.startswith("redis+cluster:") and not _CLUSTER_PREFIX.fullmatch(settings.redis_prefix):
        raise ConfigurationError(
            "redis_prefix may have braces in a cluster only as a hash tag, like {jobs}: others spread keys over slots."
        )


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """The largest body, text and number of steps; see the settings of these names."""

    max_body_bytes: int
    max_text_chars: int
    max_total_steps: int

    @property
    def context(self) -> dict[str, int]:
        """The validation context of the request models."""
        return {"max_text_chars": self.max_text_chars, "max_total_steps": self.max_total_steps}
