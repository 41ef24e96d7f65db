"""Behaviour that the bridges to queues share."""

from __future__ import annotations

import pytest
from celery import Celery

from progress_sse.bridges.attempts import MAX_KEPT, Attempt, step_of
from progress_sse.bridges.celery import report_tasks
from progress_sse.client.testing import Complete, Start, recording


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send reports to a recorder only."""
    monkeypatch.setenv("PROGRESS_SSE_DISABLED", "1")


def test_attempts_of_a_session_keep_their_order() -> None:
    """One queue serves all attempts, so each one's last report precedes the next one's first; the latest are kept."""
    first = step_of("0", 1).reporter
    assert step_of("0", 2).reporter is first
    for number in range(1, MAX_KEPT):
        step_of(str(number), 1)
    assert step_of("0", 1).reporter is first
    for number in range(1, MAX_KEPT + 1):
        step_of(str(number), 1)
    assert step_of("0", 1).reporter is not first


def test_tests_of_tasks_record_what_they_report() -> None:
    """Each recording is separate, even for a session that was reported before."""
    app = Celery("tests", set_as_current=False)
    report_tasks()

    @app.task(progress_step=2)
    def save() -> None:
        pass

    for _ in range(2):
        with recording() as recorder:
            save.apply(headers={"progress_session": "nightly"})
        assert recorder.of("nightly") == [Start(2), Complete(2)]
        save.apply(headers={"progress_session": "nightly"})


@pytest.mark.parametrize("session_id", [42, ["42"], {}])
def test_a_task_runs_whatever_session_its_message_names(session_id: object) -> None:
    """A number, the usual id of an order, is accepted; any other value is left for the server to refuse."""
    with recording() as recorder:
        attempt = Attempt(session_id, 1)
        attempt.begin(0)
        attempt.complete()
        attempt.leave()
    assert recorder.of(str(session_id)) == [Start(1), Complete(1)]
    attempt = Attempt(session_id, 1)
    attempt.begin(0)
    attempt.leave()
