"""Records of the job as lines of the session's log."""

import asyncio
import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from progress_sse import AsyncProgress, Progress
from progress_sse.bridges.logging import LogHandler, StepHandler
from progress_sse.client import own_log
from progress_sse.client.exchange import ReportAnswer, ReportRequest
from progress_sse.client.reports import Log, LogLine
from progress_sse.client.testing import Recorder
from progress_sse.core.updates import Advance
from tests.client.fake import AsyncFakeTransport, FakeServer, FakeTransport


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, which takes every record and has its handlers again afterwards."""
    logger = logging.getLogger()
    handlers, level = list(logger.handlers), logger.level
    logger.setLevel(logging.DEBUG)
    yield logger
    logger.handlers[:] = handlers
    logger.setLevel(level)


def logs(recorder: Recorder) -> list[Log]:
    return [report for _, report in recorder.reports if isinstance(report, Log)]


def test_records_are_lines_of_the_step_in_whose_block_they_are_logged(
    recorder: Recorder, root: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    """Levels are those of the log; a record that cannot be formatted is handled by logging."""
    root.addHandler(handler := LogHandler(logging.DEBUG))
    job = logging.getLogger("job")
    job.info("before any block")
    with Progress("a") as progress:
        job.critical("out of memory")
        with progress.step("Read"):
            job.debug("3 files")
            job.log(25, "between two levels")
            job.warning("file\nis empty")
            logging.getLogger("progress_sse.client").error("of us, not of the job")
            handler.handle(logging.LogRecord("job", logging.INFO, "job.py", 1, "%d", ("three",), None))
    assert "--- Logging error ---" in capsys.readouterr().err
    assert logs(recorder) == [
        Log((LogLine("out of memory", "error"),)),
        Log((LogLine("3 files", "debug"),), "Read"),
        Log((LogLine("between two levels", "info"),), "Read"),
        Log((LogLine("file", "warning"), LogLine("is empty", "warning")), "Read"),
    ]


def test_a_traceback_is_lines(recorder: Recorder, root: logging.Logger) -> None:
    """Each of its lines is one."""
    root.addHandler(LogHandler())
    with Progress("a"):
        try:
            raise OSError("no room")
        except OSError:
            logging.getLogger("job").exception("cannot write")
    [log] = logs(recorder)
    texts = [line.text for line in log.lines]
    assert texts[:2] == ["cannot write", "Traceback (most recent call last):"]
    assert texts[-1] == "OSError: no room"
    assert {line.level for line in log.lines} == {"error"}


def test_a_handler_of_a_progress_takes_records_of_all_threads(recorder: Recorder, root: logging.Logger) -> None:
    """One without has no block in a new thread, and takes none there."""
    progress = Progress("a")
    root.addHandler(LogHandler(logging.INFO, progress))
    root.addHandler(LogHandler(logging.INFO))
    thread = threading.Thread(target=lambda: logging.getLogger("job").info("from a thread"))
    thread.start()
    thread.join()
    assert logs(recorder) == [Log((LogLine("from a thread"),))]


def test_messages_and_lines_go_together(recorder: Recorder, root: logging.Logger) -> None:
    """The step shows the latest record, and the log has all."""
    root.addHandler(LogHandler(logging.INFO))
    root.addHandler(StepHandler(logging.INFO))
    with Progress("a") as progress, progress.step(1):
        logging.getLogger("job").info("one")
        logging.getLogger("job").info("two")
    messages = [report.message for _, report in recorder.reports if isinstance(report, Advance)]
    assert messages == ["one", "two"]
    assert [log.lines[0].text for log in logs(recorder)] == ["one", "two"]


class Noisy(FakeTransport):
    """A transport of the application, whose library logs each request."""

    def send(self, request: ReportRequest) -> ReportAnswer:
        logging.getLogger("library").debug("one more request")
        return super().send(request)


@pytest.mark.parametrize("progress_type", [Progress, AsyncProgress])
async def test_what_a_transport_logs_is_no_line(
    root: logging.Logger, progress_type: type[Progress] | type[AsyncProgress]
) -> None:
    """Nor is what stderr is told of our own records, where a task queue logs that by another name."""
    fake = Noisy()
    transport: Any = fake if progress_type is Progress else AsyncFakeTransport(fake)
    progress = progress_type.attach("a", transport=transport)
    root.addHandler(LogHandler(logging.DEBUG, progress))
    echo = logging.StreamHandler()
    echo.emit = lambda record: logging.getLogger("echo").warning(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("progress_sse.client").addHandler(echo)
    try:
        own_log.log(logging.WARNING, "of us")
    finally:
        logging.getLogger("progress_sse.client").removeHandler(echo)
    logging.getLogger("job").info("one")
    for _ in range(2):
        assert await asyncio.to_thread(progress.flush) if isinstance(progress, Progress) else await progress.flush()
    assert fake.reports == [Log((LogLine("one"),))]


async def test_sending_writes_no_line_and_no_message(root: logging.Logger) -> None:
    """Otherwise records of the HTTP libraries would be reported, logged and reported again, without end.

    That holds for the end of a connection, too.
    """
    async with FakeServer() as server:
        server.may_answer.set()
        progress = Progress("a", url=server.url)
        root.addHandler(LogHandler(logging.DEBUG, progress))
        root.addHandler(StepHandler(logging.DEBUG))
        async with AsyncProgress("b", url=server.url) as other, other.step(1):
            assert await other.flush()
        logging.getLogger("job").info("one")
        assert await asyncio.to_thread(progress.flush)
        assert await asyncio.to_thread(progress.flush)
    bodies = [json.loads(seen.body) for seen in server.seen if seen.request.startswith("POST")]
    updates = [update for body in bodies for update in body.get("updates", [body])]
    assert sorted(update["action"] for update in updates) == ["complete", "log", "start"]
    assert [line["text"] for update in updates for line in update.get("lines", ())] == ["one"]
