"""Invalid requests at a real server: each is refused, and other clients do not notice."""

import time
from collections.abc import Callable

import pytest

from tests.api.refusal import CANARY, Refusal
from tests.api.refusals import REFUSALS
from tests.harness.http1 import Connection, Response
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, Worker, session_path
from tests.live.bad_inputs.requests import unaffected_reader


@pytest.mark.guarantee("B")
@pytest.mark.parametrize("part", REFUSALS)
async def test_each_bad_request_is_refused_with_its_problem(
    server: Server, record_property: Callable[[str, object], None], part: str
) -> None:
    """SE-05: the server refuses each row without a traceback, and a reader of the session sees no event."""
    took: dict[str, float] = {}
    async with unaffected_reader(server, "s"), Worker.at(server) as worker:
        sessions = (await worker.client.get("/api/progress")).content
        for name, row in REFUSALS[part].items():
            async with await Connection.open(server.port) as connection:
                started = time.perf_counter()
                response = await connection.exchange(bytes_of(row), row.method, timeout_s=5)
                took[name] = time.perf_counter() - started
            assert_refused(name, row, response)
        assert (await worker.client.get("/api/progress")).content == sessions
    slowest = max(took, key=lambda name: took[name])
    record_property("slowest", f"{slowest}: {1000 * took[slowest]:.1f} ms")
    assert {path.name.removesuffix("-wal").removesuffix("-shm") for path in server.folder.iterdir()} <= FILES


FILES = {"progress.db", "progress.db.lock", "server.log"}
"""Every file that a server writes, whatever ids it gets."""


def bytes_of(row: Refusal) -> bytes:
    """The request of a row; header values may contain bytes that are not ASCII."""
    headers = [*row.headers, *([("Content-Length", str(len(row.body)))] if row.body is not None else [])]
    lines = [f"{row.method} {row.target} HTTP/1.1", "Host: x", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (row.body or b"")


def assert_refused(name: str, row: Refusal, response: Response) -> None:
    """Check the common form of all errors, and that the response contains nothing of the request."""
    assert response.status == row.status, (name, response)
    assert response.head.get("content-type") == "application/problem+json", (name, response)
    problem = response.json()
    assert set(problem) == {"type", "title", "status", "detail", "success"}, (name, problem)
    assert (problem["type"], problem["status"]) == (f"/problems/{row.problem}", row.status), (name, problem)
    assert problem["success"] is False, (name, problem)
    assert CANARY not in repr(response), (name, response)
    assert response.head.get("set-cookie") is None, (name, response)


@pytest.mark.protocol("P-2.4")
async def test_unknown_query_parameters_are_ignored(server: Server, sid: str) -> None:
    """SE-03: 200 unknown parameters change nothing, nor does one that is repeated 200 times."""
    query = "&".join(f"p{n}={n}" for n in range(200)) + "&last_event_id=x" * 200 + "&limit=1" * 200
    async with unaffected_reader(server, sid), Worker.at(server) as worker:
        plain = (await worker.client.get(session_path(sid))).content
        assert (await worker.client.get(f"{session_path(sid)}?{query}")).content == plain
        assert (await worker.client.get(f"/api/progress?{query}")).status_code == 200
        for target in (session_path(sid, f"events?{query}"), f"/api/events?{query}" + f"&session_id={sid}" * 200):
            async with await RawStream.open(server.port, target) as stream:
                assert (await stream.next_event()).data == plain.decode()
