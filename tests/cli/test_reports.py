"""`progress-sse create` where no server answers."""

import logging

import pytest

from progress_sse.cli import reports
from progress_sse.client.config import Address
from progress_sse.client.report_queue import report_queues
from tests.harness.http1 import HOST, free_port


def test_a_creation_that_has_failed_is_not_sent_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The process waits no further, and creates nothing that it has called failed."""
    monkeypatch.setattr(reports, "SEND_S", 0.1)
    server = Address(f"http://{HOST}:{free_port()}", None)
    link = reports.create_session(
        "given-up", None, server, workflow=None, open_ended=False, profile=None, title=None, labels=(), links=()
    )
    assert link is None
    assert not [each for each in report_queues() if each.session_id == "given-up" and not each.outbox.waiting.is_empty]
    assert caplog.messages[-1] == "the process ends before all reports on 'given-up' were sent"
    assert caplog.records[-1].levelno == logging.WARNING
