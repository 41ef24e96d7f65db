"""The form of all refusals."""

import re

import httpx

from tests.api.refusal import CANARY

PYDANTIC = re.compile(r"Input should|should (be|have|match)|Field required|Extra inputs|: is not valid\.")
"""Words of the library that checks bodies, and ours for a kind of its faults that has no sentence."""


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
    assert not PYDANTIC.search(problem["detail"]), problem["detail"]
