"""Requests that change a session only if it is in the state that the client has seen."""

import httpx
import pytest

PATH = "/api/progress/s"
START = {"action": "start", "step": 1}


async def tag_of(client: httpx.AsyncClient) -> str:
    return (await client.get(PATH)).headers["etag"]


async def test_each_change_applies_to_the_named_state_only(client: httpx.AsyncClient) -> None:
    """A change in between alters the tag, so that the conditional change is refused."""
    seen = await tag_of(client)
    changes = [
        ("PUT", PATH, {}, 201),
        ("POST", f"{PATH}/update", START, 200),
        ("PUT", f"{PATH}?replace=true", {}, 200),
        ("DELETE", PATH, None, 204),
    ]
    for method, path, body, status in changes:
        stale, seen = seen, await tag_of(client)
        if stale != seen:
            assert (await client.request(method, path, json=body, headers={"If-Match": stale})).status_code == 412
            assert await tag_of(client) == seen
        listed = f'"x-1", {seen}'
        assert (await client.request(method, path, json=body, headers={"If-Match": listed})).status_code == status
    assert (await client.get(PATH)).json()["status"] == "not_found"


async def test_a_read_is_refused_where_the_state_is_another(client: httpx.AsyncClient) -> None:
    """`If-Match` is checked first [RFC 9110 §13.2.2], and HEAD gets the same status."""
    await client.put(PATH, json={})
    tag = await tag_of(client)
    for method in ("GET", "HEAD"):
        for headers, status in (
            ({"If-Match": tag}, 200),
            ({"If-Match": "*"}, 200),
            ({"If-Match": tag, "If-None-Match": tag}, 304),
            ({"If-Match": f"W/{tag}"}, 412),
            ({"If-Match": '"x-1"', "If-None-Match": tag}, 412),
        ):
            assert (await client.request(method, PATH, headers=headers)).status_code == status


@pytest.mark.protocol("P-14.4")
async def test_a_repeated_change_gets_its_first_response(client: httpx.AsyncClient) -> None:
    """It changed the tag itself, which must not refuse it."""
    await client.put(PATH, json={})
    headers = {"If-Match": await tag_of(client), "Idempotency-Key": "k"}
    for _ in range(2):
        assert (await client.post(f"{PATH}/update", json=START, headers=headers)).status_code == 200
    assert (
        await client.post(f"{PATH}/update", json=START, headers={**headers, "Idempotency-Key": "l"})
    ).status_code == 412
