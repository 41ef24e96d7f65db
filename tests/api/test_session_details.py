"""What a session says besides its steps, as clients set it and readers get it."""

import json
from typing import Any

import httpx

from tests.api.problems import assert_problem
from tests.api.refusal import JSON, UPDATE

SAID: dict[str, Any] = {
    "title": "Nightly import",
    "labels": {"customer": "acme"},
    "links": [{"label": "Report", "url": "/reports/1"}],
    "open_ended": True,
    "accepts": ["cancel"],
}


async def update(client: httpx.AsyncClient, **body: Any) -> None:
    response = await client.post(UPDATE, json=body)
    assert response.status_code == 200, response.text


async def test_a_creation_that_is_sent_again_gets_its_first_answer(client: httpx.AsyncClient) -> None:
    """With all that it says, and without the steps that were found since."""
    for body in (SAID, SAID | {"steps": [{"name": "Read"}]}):
        await client.delete("/api/progress/s")
        key = {"idempotency-key": f"{len(body)}"}
        first = await client.put("/api/progress/s", json=body, headers=key)
        await update(client, action="start", name="Found")
        await update(client, action="describe", title="Other")
        again = await client.put("/api/progress/s", json=body, headers=key)
        assert (again.status_code, again.content) == (first.status_code, first.content)


async def test_an_unknown_key_is_named_in_so_far_as_it_can_be(client: httpx.AsyncClient) -> None:
    """Its beginning, if it is long; a key that no response can hold is not named."""
    for key, named in {"x" * 100_000: "x" * 64, "\ud800a": "body", "タイトル": "タイトル"}.items():
        response = await client.put("/api/progress/s", content=json.dumps({key: 1}), headers=JSON)
        assert_problem(response, 422, "invalid-request")
        assert response.json()["detail"].startswith(f"{named}: ")
