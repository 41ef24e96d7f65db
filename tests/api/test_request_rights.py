"""How a reader learns whether it may ask something of the worker."""

import httpx
import pytest

from progress_sse.auth.cookies import COOKIE
from tests.api.conftest import Connect
from tests.harness.tokens import PUBLISH_TOKEN, bearer, make_token

REQUESTS = "/api/progress/a/requests"
READER = "GET, HEAD"
ASKER = "GET, HEAD, POST"


async def allowed(client: httpx.AsyncClient, **headers: str) -> str:
    """The methods that the server names, by either of them."""
    responses = [await client.request(method, REQUESTS, headers=headers) for method in ("HEAD", "GET")]
    assert [response.status_code for response in responses] == [200, 200]
    head, get = (response.headers["allow"] for response in responses)
    assert head == get
    return head


@pytest.mark.protocol("P-20.22")
@pytest.mark.parametrize(
    ("actions", "methods"), [(["read"], READER), (["read", "publish", "list"], READER), (["read", "control"], ASKER)]
)
async def test_the_methods_are_those_of_the_token(closed: httpx.AsyncClient, actions: list[str], methods: str) -> None:
    """In the header as well as in the cookie. What is named is what a request gets."""
    token = make_token(sessions=["a"], actions=actions)
    assert await allowed(closed, **bearer(token)) == methods
    assert await allowed(closed, cookie=f"{COOKIE}={token}") == methods
    asked = await closed.post(REQUESTS, json={"kind": "cancel"}, headers=bearer(token))
    assert (asked.status_code == 403) == (methods == READER)


async def test_a_publish_token_may_ask(closed: httpx.AsyncClient) -> None:
    """It may do everything."""
    assert await allowed(closed, **bearer(PUBLISH_TOKEN)) == ASKER


async def test_readers_may_ask_where_publishing_is_open(client: httpx.AsyncClient, connect: Connect) -> None:
    """Where it needs a token, readers without one may not."""
    await client.put("/api/progress/a", json={})
    assert await allowed(client) == ASKER
    async with connect(publish_token=PUBLISH_TOKEN) as guarded:
        await guarded.put("/api/progress/a", json={}, headers=bearer(PUBLISH_TOKEN))
        assert await allowed(guarded) == READER
        assert await allowed(guarded, **bearer(PUBLISH_TOKEN)) == ASKER


async def test_a_reader_that_may_not_ask_reads_as_often_as_others(connect: Connect) -> None:
    """That it lacks a right counts for no rate that would refuse what it may do."""
    async with connect(publish_rate="2/hour", publish_token=PUBLISH_TOKEN) as client:
        await client.put("/api/progress/a", json={}, headers=bearer(PUBLISH_TOKEN))
        for _ in range(3):
            assert await allowed(client) == READER
