"""Tokens as others make them: signed by PyJWT alone, so that nothing of ours is needed to make one that is wrong."""

from __future__ import annotations

import time
from typing import Any

import jwt

DAY_S = 86_400
KEY = "a-secret-of-the-tests-that-has-more-than-32-bytes"
PUBLISH_TOKEN = "for-workers"

CLOSED: dict[str, Any] = {"read": "token", "token_key": KEY, "publish_token": PUBLISH_TOKEN}
"""Settings of a server that lets nobody do anything without a token."""


def make_token(key: Any = KEY, algorithm: str = "HS256", headers: dict[str, Any] | None = None, **claims: Any) -> str:
    """A token for `claims`, none for one that is `None`; longer than a test run lasts, unless they say otherwise."""
    all_claims = {"aud": "progress-sse", "exp": int(time.time()) + DAY_S, **claims}
    given = {name: value for name, value in all_claims.items() if value is not None}
    return jwt.encode(given, key, algorithm, headers=headers)


def bearer(token: str) -> dict[str, str]:
    """The header that brings a token."""
    return {"authorization": f"Bearer {token}"}
