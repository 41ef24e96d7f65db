"""The conversations with a server, of `tests/corpus`: two of its files are part of a wheel."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import time
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, TypeAlias, cast, get_args

Level: TypeAlias = Literal["core", "story", "lists", "log", "requests", "notices"]
"""A part of the protocol. All but `core` build on `core`, and all but these two on `story`."""

LEVELS: Final[Sequence[Level]] = get_args(Level)

_PACKAGE: Final = Path(__file__).resolve().parents[1]
_FOLDERS: Final = (_PACKAGE / "corpus", _PACKAGE.parent / "tests" / "corpus")  # The second one in a checkout.


class Exchange(NamedTuple):
    """A request and its answer, or the next events of an open stream; see `tests/corpus/README.md`.

    Attributes:
        shows: The numbers of the requirements that the answer shows.
        answer: What is expected.
        request: The request; `None` for events of the stream with the name `stream`.
    """

    shows: Sequence[str]
    answer: Mapping[str, Any]
    request: Mapping[str, Any] | None = None
    stream: str = ""

    @property
    def title(self) -> str:
        """The method and path of the request, or the name of the stream."""
        return (
            f"the stream {self.stream}" if self.request is None else f"{self.request['method']} {self.request['path']}"
        )


class Conversation(NamedTuple):
    """Exchanges of one client with a server that has none of its sessions yet.

    Attributes:
        values: What names in its texts stand for from the beginning: see `value_now`.
    """

    name: str
    level: Level
    exchanges: Sequence[Exchange]
    values: Mapping[str, Any] = MappingProxyType({})


def conversations(*levels: Level, server: str | None = None) -> Sequence[Conversation]:
    """Return the conversations of these levels, in order.

    Args:
        levels: Some of `LEVELS`.
        server: The name of the settings that the server has; without it, its settings are the default ones.
    """
    values = servers()[server]["values"] if server else {}
    return [
        Conversation(each["name"], each["level"], [Exchange(**exchange) for exchange in each["exchanges"]], values)
        for each in _read("exchanges.json")
        if each["level"] in levels and each.get("server") == server
    ]


def servers() -> Mapping[str, Mapping[str, Any]]:
    """Return the `settings` of servers with other settings, by name, and the `values` for conversations with them."""
    return cast("dict[str, dict[str, Any]]", _read("servers.json"))


def value_now(given: str | Mapping[str, Any]) -> str:
    """Return a text as it is, and what describes a token as one that ends `lasts_s` seconds from now."""
    if isinstance(given, str):
        return given
    claims = json.dumps(given["claims"] | {"exp": int(time()) + given["lasts_s"]})
    signed = f"eyJhbGciOiJIUzI1NiJ9.{_encoded(claims.encode())}"  # The head says HS256.
    return f"{signed}.{_encoded(hmac.digest(given['key'].encode(), signed.encode(), 'sha256'))}"


def _encoded(part: bytes) -> str:
    return urlsafe_b64encode(part).rstrip(b"=").decode()


def _read(name: str) -> Any:
    folder = next(each for each in _FOLDERS if each.is_dir())
    return json.loads((folder / name).read_text("utf-8"))


def up_to(level: Level) -> Sequence[Level]:
    """Return the level and those that it builds on."""
    return [each for each in LEVELS if each in ("core", level) or (each == "story" and level != "core")]
