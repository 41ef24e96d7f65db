"""The signatures of notices, verified by the public libraries for Standard Webhooks."""

import asyncio
import base64
import json
import subprocess
from pathlib import Path

import pytest

from progress_sse._internal.http_library import httpx
from progress_sse.notices.delivery import Deliverer
from progress_sse.notices.hooks_file import Hook, secret_of
from tests.live.notices.receiver import SECRET, receiving

pytestmark = pytest.mark.full

NEWER_SECRET = f"whsec_{base64.b64encode(bytes(range(64))).decode()}"
NOTICE_ID = f"msg_{'0' * 32}"
BODY = '{"type":"session.completed","data":{"title":"取り込み"}}'


async def sent() -> dict[str, str]:
    """The headers of a notice while its hook's secret is being changed."""
    secrets = secret_of(SECRET), secret_of(NEWER_SECRET)
    async with receiving() as receiver:
        hook = Hook("h", httpx.URL(f"http://127.0.0.1:{receiver.port}"), secrets)
        deliverer = Deliverer(hook)
        assert (await deliverer.send(NOTICE_ID, BODY.encode())).has_succeeded
        await deliverer.aclose()
    (received,) = receiver.received
    return received.headers


def in_python(secret: str, headers: dict[str, str], body: str) -> object:
    from standardwebhooks import Webhook, WebhookVerificationError

    try:
        return Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return "WebhookVerificationError"


def test_the_libraries_verify_a_notice() -> None:
    """By either secret; with another one, or of another body or id, they refuse it."""
    headers = asyncio.run(sent())
    other_secret = f"whsec_{base64.b64encode(bytes(24)).decode()}"
    cases = [
        (SECRET, headers, BODY),
        (NEWER_SECRET, headers, BODY),
        (other_secret, headers, BODY),
        (SECRET, headers, f"{BODY} "),
        (SECRET, {**headers, "webhook-id": f"msg_{'1' * 32}"}, BODY),
    ]
    given = json.dumps([dict(zip(("secret", "headers", "body"), case, strict=True)) for case in cases])
    program = Path(__file__).with_name("verify.mjs")
    printed = subprocess.run(["node", program], input=given, capture_output=True, text=True, check=True).stdout
    refused = "WebhookVerificationError"
    expected = [json.loads(BODY), json.loads(BODY), refused, refused, refused]
    assert [in_python(*case) for case in cases] == expected
    assert [line if line == refused else json.loads(line) for line in printed.splitlines()] == expected
