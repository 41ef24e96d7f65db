"""A request that is refused, and the values that such requests are made of."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

CANARY = "canary"
"""Part of the request, so that the response can be searched for it."""

UPDATE = "/api/progress/s/update"
PUT_NEW = ("PUT", "/api/progress/new")
POST_NEW = ("POST", "/api/progress")
UPDATES = "/api/updates"
REQUESTS = "/api/progress/s/requests"
HOOKS = (("POST", "/api/hooks/h/test"), ("POST", "/api/hooks/h/retry"))
BODIES = (("POST", UPDATE), ("POST", UPDATES), ("POST", REQUESTS), PUT_NEW, POST_NEW, *HOOKS)
"""Every path that takes a body."""

JSON = {"content-type": "application/json"}
START = {"action": "start", "step": 1}
COMPLETE = {"action": "complete", "step": 1}

BEFORE: tuple[dict[str, Any], ...] = (
    {"action": "start", "step": 2},
    {"action": "complete", "step": 2, "message": "done"},
    START,
)
"""The updates that bring the session into its state before the refused request."""

USED: tuple[str, dict[str, Any]] = ("used", BEFORE[1])
"""A key and its update, sent again, so that it changes nothing."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request and its response: a status, and the last segment of a problem type."""

    method: str
    target: str
    status: int
    problem: str
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()


Rows: TypeAlias = Iterator[tuple[str, Refusal]]

NOT_JSON = {
    "open": b"{",
    "empty": b"",
    "blank": b" \r\n",
    "NUL at the end": b'{"action":"start","step":3}\0',
    "garbage at the end": b'{"action":"start","step":3} x',
    "two values": b'{"action":"start","step":3}{"action":"start","step":3}',
    "byte order mark": b'\xef\xbb\xbf{"action":"start","step":3}',
    "not UTF-8": b'{"action":"start","step":3,"message":"canary\xff"}',
    "a surrogate in UTF-8": b'{"action":"start","step":3,"message":"canary\xed\xa0\x80"}',
    "overlong UTF-8": b'{"action":"start","step":3,"message":"canary\xc0\xaf"}',
    **{
        encoding: '{"action":"start","step":3}'.encode(encoding)
        for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
    },
    "NaN": b'{"action":"start","step":3,"x":NaN}',
    "Infinity": b'{"action":"start","step":3,"x":Infinity}',
    "-Infinity": b'{"action":"start","step":3,"timeout_ms":-Infinity}',
    "NaN for a step": b'{"action":"start","step":NaN}',
    "a key twice": b'{"action":"start","step":3,"step":4}',
    "a key twice, once escaped": b'{"action":"start","step":3,"st\\u0065p":4}',
    "a nested key twice": b'{"action":"start","step":3,"x":{"y":1,"y":1}}',
    "deep nesting": b"[" * 100_000 + b"]" * 100_000,
    "deep nesting, open": b"[" * 100_000,
    "deep by one": b'{"action":"start","step":3,"x":' + b"[" * 100 + b"]" * 100 + b"}",
    "deep objects": b'{"x":' * 40_000 + b"1" + b"}" * 40_000,
    "a long integer": b'{"action":"start","step":' + b"1" * 5000 + b"}",
    "a leading zero": b'{"action":"start","step":03}',
    "a plus sign": b'{"action":"start","step":+3}',
    "a comment": b'{"action":"start","step":3}//',
    "a trailing comma": b'{"action":"start","step":3,}',
    "single quotes": b"{'action':'start','step':3}",
    "no quotes": b"{action:start,step:3}",
    "a line feed in a string": b'{"action":"start","step":3,"message":"canary\n"}',
    "a bare word": b"canary",
    "a form": b"action=start&step=3&message=canary",
}

MEDIA_TYPES: dict[str, dict[str, str]] = {
    "no type": {},
    "an empty type": {"content-type": ""},
    "text": {"content-type": "text/plain"},
    "a form": {"content-type": "application/x-www-form-urlencoded"},
    "a form in parts": {"content-type": "multipart/form-data; boundary=canary"},
    "UTF-16": {"content-type": "application/json; charset=utf-16"},
    "Latin-1": {"content-type": "application/json; x=y; charset=latin-1"},
    "two charsets": {"content-type": "application/json; charset=utf-8; charset=utf-16"},
    "something like JSON": {"content-type": "application/jsonp"},
    "JSON among others": {"content-type": "text/plain, application/json"},
    "gzip": {**JSON, "content-encoding": "gzip"},
    "Brotli": {**JSON, "content-encoding": "br"},
    "unknown coding": {**JSON, "content-encoding": "canary"},
}

NO_STEP_NUMBERS = ("0", "-1", "1.5", "1.0", "1e0", "1e400", "true", '"1"', '"\u0661"', "null", "[]", "{}", '"canary"')
NO_SUCH_STEPS = ("8", str(2**31), str(2**63), str(10**30))
NO_TIMES = ("-1", "1.5", "1.0", "true", str(2**53), "1e400", '"1"', '"canary"', "[]")
NO_BOOLEANS = ("0", "1", '"true"', "null", '"canary"', "[]")
NO_TEXTS = ('"%s"' % ("x" * 8193), '"canary\\ud800"', '"\\udfff canary"', '"canary\\u0000"', "1", "null", '["canary"]')
NO_ACTIONS = ('"begin"', '"Start"', '"START"', '" start"', '""', "1", "null", '["start"]', '"\\ud800"', '"canary"')
NO_AMOUNTS = ("-1", "1.5", "1e400", "true", '"1"', str(2**53))
NO_OBJECTS = ("[]", '"canary"', "1", "null", "true")
NO_TOTALS = ("0", "-1", "1001", str(10**9), str(2**63), str(10**30), "7.5", "7.0", "1e400", "true", '"7"', "[]")

NO_IDS = {
    "..": "%2e%2e",
    ".": "%2e",
    "path": "%2e%2e%2fetc%2fpasswd",
    "slash": "canary%2Fb",
    "slash and route": "canary%2Fevents",
    "NUL": "canary%00",
    "CR LF": "%0d%0aSet-Cookie:canary",
    "LF": "canary%0a",
    "ESC": "canary%1b%5b31m",
    "DEL": "canary%7f",
    "U+202E": "canary%E2%80%AE",
    "U+200B": "canary%E2%80%8B",
    "U+200D": "canary%E2%80%8D",
    "U+FEFF": "canary%EF%BB%BF",
    "U+00AD": "canary%C2%AD",
    "U+0085": "canary%C2%85",
    "a tag": "canary%F3%A0%81%81",
    "not UTF-8": "canary%ff",
    "overlong UTF-8": "canary%c0%af",
    "surrogate": "canary%ED%A0%80",
    "129 characters": CANARY + "x" * 123,
}

NO_KEYS = {
    "empty": "",
    "white space": " \t ",
    "256 characters": CANARY + "x" * 250,
    "1 KB": CANARY * 171,
    "not ASCII": "canary\xe9",
    "a tab": "canary\tb",
}


def json_of(**fields: str) -> bytes:
    """A JSON object of values that are already encoded."""
    return b"{%b}" % ",".join(f'"{name}":{value}' for name, value in fields.items()).encode()


def update(body: bytes, problem: str = "invalid-request", status: int = 422) -> Refusal:
    return Refusal("POST", UPDATE, status, problem, body, tuple(JSON.items()))


def wrong(keys: Mapping[str, str], key: str, values: Iterable[str]) -> Rows:
    """An update with each of these values for one of its keys."""
    for value in values:
        yield f"{keys['action']}, {key} {value[:20]} {len(value)}", update(json_of(**{**keys, key: value}))


def creations(name: str, body: bytes, problem: str = "invalid-request") -> Rows:
    """A creation, under an id from the client and under one from the server."""
    for method, target in (PUT_NEW, POST_NEW):
        yield f"{method} {name}", Refusal(method, target, 422, problem, body, tuple(JSON.items()))
