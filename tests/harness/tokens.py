"""Tokens made by PyJWT alone, without our own code, so that invalid ones can be made too."""

import time
from typing import Any

import jwt

DAY_S = 86_400
KEY = "a-secret-of-the-tests-that-has-more-than-32-bytes"
PUBLISH_TOKEN = "for-workers"

CLOSED: dict[str, Any] = {"read": "token", "token_key": KEY, "publish_token": PUBLISH_TOKEN}
"""Settings of a server that requires a token for everything."""


def make_token(key: Any = KEY, algorithm: str = "HS256", headers: dict[str, Any] | None = None, **claims: Any) -> str:
    """A token with `claims`, without those that are `None`; it outlasts a test run unless they say otherwise."""
    all_claims = {"aud": "progress-sse", "exp": int(time.time()) + DAY_S, **claims}
    given = {name: value for name, value in all_claims.items() if value is not None}
    return jwt.encode(given, key, algorithm, headers=headers)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}
