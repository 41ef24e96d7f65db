"""Rate limits whose requests are counted in Redis."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from progress_sse.auth.rate_limits import COUNTS_AT_ONCE
from progress_sse.core.errors import RateExceededError
from tests.conftest import RunRedis
from tests.harness.serving import eventually
from tests.store.redis.rates import rates_at

DEADLINE_S = 30


async def test_a_missing_right_to_count_is_logged_once(
    run_redis: RunRedis, rights: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each server then limits its callers alone, and logs once that the servers do not share their counts."""
    server = run_redis()
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "u", *rights, "-incrby")
    rates = rates_at(server, tmp_path, "u:PASSWORD@")
    for _ in range(3):  # Redis counts the first one, for which it does not need INCRBY.
        await rates.count("read", "caller")
    with pytest.raises(RateExceededError):
        await rates.count("read", "caller")
    await rates.aclose()
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["Counting the requests of callers"]


async def test_a_closed_connection_is_a_failure_to_count(
    run_redis: RunRedis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """uvloop, on which the server runs, raises an error of its own there: this process counts alone."""

    async def send(*_: object, **__: object) -> None:
        raise RuntimeError("the handler is closed")

    rates = rates_at(run_redis(), tmp_path)
    monkeypatch.setattr("redis.asyncio.connection.Connection.send_packed_command", send)
    await rates.count("read", "caller")
    await rates.aclose()
    assert "the handler is closed" in caplog.text


async def test_closed_rates_leave_no_connection(run_redis: RunRedis, tmp_path: Path) -> None:
    """After they are closed, they can be used again, in another event loop too."""
    server = run_redis()
    rates = rates_at(server, tmp_path)

    async def count_once() -> None:
        await asyncio.gather(*(rates.count("read", f"caller {number}") for number in range(2 * COUNTS_AT_ONCE)))
        assert len(client.client_list()) > 1
        await rates.aclose()

    with server.client() as client:
        await count_once()
        await eventually(lambda: len(client.client_list()) == 1, DEADLINE_S)
        await asyncio.to_thread(asyncio.run, count_once())
        with pytest.raises(RateExceededError):
            await rates.count("read", "caller 0")
        await rates.aclose()
        await eventually(lambda: len(client.client_list()) == 1, DEADLINE_S)


@pytest.mark.parametrize("value", ["foreign", "1.5", b"\xff"])
async def test_a_foreign_count_is_a_failure_to_count(
    run_redis: RunRedis, tmp_path: Path, caplog: pytest.LogCaptureFixture, value: str | bytes
) -> None:
    """In place of each counter: the process counts alone, or the caller waits for the next window."""
    server = run_redis()
    rates = rates_at(server, tmp_path)
    await rates.count("read", "caller")
    with server.client() as client:
        for name in client.scan_iter():
            client.set(name, value)
    for _ in range(2):
        with contextlib.suppress(RateExceededError):
            await rates.count("read", "caller")
    with server.client() as client:
        for name in client.scan_iter():
            client.delete(name)
            client.rpush(name, "foreign")
    with contextlib.suppress(RateExceededError):
        await rates.count("read", "caller")
    await rates.aclose()
    assert not [record for record in caplog.records if record.exc_info]
