"""`progress-sse create` and `step` where no server answers."""

import logging
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from progress_sse.cli import reports
from progress_sse.client.config import Address
from progress_sse.client.report_queue import report_queues
from tests.harness.http1 import HOST, free_port


def test_a_creation_that_has_failed_is_not_sent_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The process waits no further, and creates nothing that it has called failed."""
    server = Address(f"http://{HOST}:{free_port()}", None)
    link = reports.create_session(
        "given-up", None, server, 0.1, workflow=None, open_ended=False, profile=None, title=None, labels=(), links=()
    )
    assert link is None
    assert not [each for each in report_queues() if each.session_id == "given-up" and not each.outbox.waiting.is_empty]
    assert caplog.messages[-1] == "the process ends before all reports on 'given-up' were sent"
    assert caplog.records[-1].levelno == logging.WARNING


@pytest.fixture(params=["silence", "a name that is looked up for long"])
def away(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Address]:
    """A server that is away until the test has ended."""
    released = threading.Event()

    def look_up(*_: object, **__: object) -> None:
        released.wait(60)
        raise socket.gaierror

    with socket.create_server((HOST, 0)) as silent:
        if request.param != "silence":
            monkeypatch.setattr(socket, "getaddrinfo", look_up)
        host = HOST if request.param == "silence" else "progress.invalid"
        yield Address(f"http://{host}:{silent.getsockname()[1]}", None)
        released.set()


def test_a_start_is_given_up_within_the_time_of_one_report(away: Address) -> None:
    """Though it asks first whether the session is there; each of the requests alone may take ten seconds."""
    details = dict.fromkeys(("message", "error", "current", "total", "timeout_ms", "create"))
    began = time.monotonic()
    assert not reports.report_step("away", 1, "start", away, 0.5, **details)
    assert time.monotonic() - began < 8
