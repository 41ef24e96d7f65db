"""The server answers as the vectors for authors of clients say."""

import secrets
from collections.abc import AsyncIterator

import httpx
import pytest

from progress_sse.conformance.player import play
from progress_sse.conformance.vectors import LEVELS, Conversation, conversations
from tests.harness.serving import Server


@pytest.fixture
async def client(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server, which has no sessions in the end."""
    async with httpx.AsyncClient(base_url=server.url) as client:
        yield client
        assert (await client.get("/api/progress")).json()["sessions"] == []


@pytest.mark.parametrize("conversation", conversations(*LEVELS), ids=lambda each: each.name)
async def test_the_server_answers_as_recorded(client: httpx.AsyncClient, conversation: Conversation) -> None:
    """Each request of a conversation gets the response that the vectors record, and its sessions are removed."""
    played = await play(client, conversation, f"{secrets.token_hex(4)}-")
    assert played.faults == []
    assert played.exchanges == len(conversation.exchanges)
