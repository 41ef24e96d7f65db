"""The form of all refusals."""

import httpx

from tests.api.refusal import CANARY


def assert_problem(response: httpx.Response, status: int, name: str | None = None) -> None:
    """The one form of all errors [RFC 9457]."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert set(problem) == {"type", "title", "status", "detail", "success"}
    assert problem["type"].startswith("/problems/")
    assert problem["status"] == status
    assert problem["success"] is False
    assert response.headers["cache-control"] == "no-store"
    assert name is None or problem["type"] == f"/problems/{name}"
    assert CANARY not in response.text
