"""The requests of a job over HTTP."""

import asyncio
import json
import logging

import pytest

from tests.client.fake import FakeServer
from tests.client.shells import Shell


async def test_requests_are_what_the_server_expects(shell: Shell) -> None:
    """Each has the token, the idempotency key and the content type; the path follows the URL's."""
    async with FakeServer() as server:
        server.may_answer.set()
        progress = shell.progress("a b", url=f"{server.url}/jobs/", token="hush")
        await shell.run(lambda progress: progress.step(1).start(), progress)
        assert [seen.request for seen in server.seen] == [
            "PUT /jobs/api/progress/a%20b?replace=true HTTP/1.1",
            "POST /jobs/api/progress/a%20b/update HTTP/1.1",
        ]
        for seen in server.seen:
            assert seen.headers["authorization"] == "Bearer hush"
            assert seen.headers["content-type"] == "application/json"
        assert len({seen.headers["idempotency-key"] for seen in server.seen}) == 2


@pytest.mark.parametrize("is_old", [False, True])
async def test_waiting_reports_go_in_one_request_where_the_server_takes_batches(shell: Shell, is_old: bool) -> None:
    """Otherwise they go one by one, each with the same idempotency key, and are applied once."""
    async with FakeServer(is_old=is_old) as server:
        progress = shell.progress.attach("a", url=server.url)
        for number in range(1, 11):
            progress.step(number).start()
        await asyncio.wait_for(server.came.wait(), 20)
        server.may_answer.set()
        assert await shell.flush(progress, 20)
        await shell.close(progress)
        bodies = [(seen, json.loads(seen.body)) for seen in server.seen]
        sent = [body.get("updates") or [{**body, "idempotency_key": seen.key}] for seen, body in bodies]
        taken = [updates for updates in sent if not is_old or len(updates) == 1]
        assert [each["step"] for updates in taken for each in updates] == list(range(1, 11))
        assert len({each["idempotency_key"] for updates in sent for each in updates}) == 10
        assert max(map(len, sent)) > 1
        assert is_old or len(sent) <= 2  # The report before the first answer, and the other nine.
        assert progress.lost == 0


async def test_no_report_waits_for_the_network(shell: Shell, caplog: pytest.LogCaptureFixture) -> None:
    """The server accepts and never answers; the job ends before the first answer."""
    caplog.set_level(logging.INFO)
    async with FakeServer() as server:
        progress = shell.progress("a", steps=["One"] * 20, url=server.url)

        def work() -> None:
            for number in range(1, 21):
                with progress.step(number) as step:
                    for _ in range(100):
                        step.advance()

        await asyncio.to_thread(work)
        progress.step(1).start()  # From the event loop, too.
        await asyncio.wait_for(server.came.wait(), 20)
        assert len(server.seen) == 1
        assert not await shell.flush(progress, 0)
        server.may_answer.set()
        assert await shell.flush(progress, 20)
        updates = [update for seen in server.seen for update in json.loads(seen.body).get("updates", ())]
        assert len(updates) >= 41
        await shell.close(progress)
    assert not [record for record in caplog.records if record.name == "httpx"], "httpx fills the log of the job"
