"""A client with rights to one session learns nothing of all the others, not even their number."""

import re
from typing import Any

import httpx

from tests.api.conftest import Connect
from tests.clock import ManualClock
from tests.harness.tokens import KEY, bearer, make_token

OWN, OTHERS = "mine", "not-mine"
NO_END = 4_000_000_000
"""The end and the beginning of the tokens, by the test's clock, which stands in 2026."""


def token(**claims: Any) -> dict[str, str]:
    return bearer(make_token(exp=NO_END, **claims))


READER = token(sessions=[OWN, "done", "absent"], actions=["read", "publish"])
OPERATOR = token(prefixes=[""], actions=["read", "publish", "list"])

UPDATES = [
    {"action": "start", "step": 1},
    {"action": "progress", "step": 1, "current": 3, "total": 8},
    {"action": "complete", "step": 9},
    {"action": "complete", "step": 2},
    {"action": "nap"},
]

TO_THE_END = [{"action": action, "step": step} for step in (1, 2) for action in ("start", "complete")]

QUESTIONS = [
    ("GET", f"/api/progress/{OWN}"),
    ("GET", "/api/progress/absent"),
    ("GET", f"/api/progress/{OTHERS}"),
    ("GET", f"/api/progress/{OTHERS}/events"),
    ("PUT", f"/api/progress/{OTHERS}"),
    ("DELETE", f"/api/progress/{OTHERS}"),
    ("DELETE", "/api/progress/absent"),
    ("GET", f"/api/events?session_id={OWN}&session_id={OTHERS}"),
    ("GET", "/api/progress/done/events"),
    ("GET", "/api/events?session_id=done"),
    ("GET", "/api/progress"),
    ("GET", "/api/progress?status=running&limit=1"),
    ("GET", "/metrics"),
    ("GET", "/api"),
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/openapi.json"),
    ("GET", "/api/steps"),
    ("GET", "/api/steps?workflow=default"),
    ("GET", f"/api/steps?profile={OTHERS}"),
    ("GET", f"/api/progress/{OWN}/steps"),
    ("GET", f"/api/progress/{OTHERS}/steps"),
    ("DELETE", f"/api/steps/{OWN}/learned"),
    ("GET", "/no/such/path"),
    ("POST", "/api/tickets"),
]


def shown(response: httpx.Response) -> tuple[object, ...]:
    """A response without its random parts: the epochs of sessions, ids made from these, and tickets."""
    by_chance = r'[0-9a-f]{8,}(?=-\d)|(?<="ticket":")[\w-]+|(?<=id: )[a-z]\.\S+'
    text = re.sub(by_chance, lambda match: "…" * len(match[0]), response.text)
    headers = {name: re.sub(r"[0-9a-f]{8,}", "…", value) for name, value in response.headers.items()}
    return response.status_code, headers, text


async def answers(client: httpx.AsyncClient) -> list[tuple[object, ...]]:
    requests: list[tuple[str, str, Any]] = [
        *(("PUT", f"/api/progress/{session_id}", {"total_steps": 2}) for session_id in (OWN, "done")),
        *(("POST", f"/api/progress/{OWN}/update", update) for update in UPDATES),
        *(("POST", "/api/progress/done/update", update) for update in TO_THE_END),
        *((method, path, None) for method, path in QUESTIONS),
    ]
    return [shown(await client.request(method, path, json=body, headers=READER)) for method, path, body in requests]


async def test_other_sessions_are_neither_seen_nor_counted(connect: Connect) -> None:
    """PR-02: ids, ETags, errors and refusals are the same whether the server has other sessions or none."""
    responses = []
    for others in (0, 60):
        async with connect(read="token", token_key=KEY, clock=ManualClock()) as client:
            for number in range(others):
                path = f"/api/progress/{OTHERS}" + (f"-{number}" if number else "")
                for step in (1, 2, 3):
                    update = {"action": "start", "step": step}
                    assert (await client.post(f"{path}/update", json=update, headers=OPERATOR)).status_code == 200
                await client.get(path, headers=OPERATOR)
            responses.append(await answers(client))
            listed = (await client.get("/api/progress", headers=OPERATOR)).json()["sessions"]
            assert len(listed) == others + 2
    assert {answer[0] for answer in responses[0]} == {200, 201, 403, 404, 409, 422}
    for alone, among_others in zip(*responses, strict=True):
        assert alone == among_others
