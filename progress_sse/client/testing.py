"""A recorder for tests of jobs that report: no server, no thread, and every report in order.

::

    def test_import_tells_what_it_does() -> None:
        with recording() as recorder:
            run_import("import-42")
        assert recorder.of("import-42") == [
            Create((StepDefinition("Download"), StepDefinition("Save"))),
            Start(1),
            Advance(1, 0, 2),
            …
        ]

A test asks like a reader by `Recorder.ask`.
"""

from _thread import allocate_lock
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from progress_sse.client.exchange import AskedRequest
from progress_sse.client.inbox import Inbox
from progress_sse.client.report_queue import Make, NullSink
from progress_sse.client.reporter import diverted
from progress_sse.client.reports import Create, Latest, Log, LogLine, Report
from progress_sse.core.asks import Acknowledgement, AskKind
from progress_sse.core.updates import Acknowledge, Advance, Complete, Describe, Finish, Plan, ReportPart, Skip, Start

__all__ = [
    "Acknowledge",
    "Advance",
    "Complete",
    "Create",
    "Describe",
    "Finish",
    "Log",
    "LogLine",
    "Plan",
    "Recorder",
    "Report",
    "ReportPart",
    "Skip",
    "Start",
    "recording",
]


class Recorder:
    """All reports, in order.

    Attributes:
        reports: Each report with the id of its session. None is merged or dropped, as reports to a server may be.
    """

    def __init__(self) -> None:
        self.reports: list[tuple[str, Report]] = []
        self._asked: dict[str, list[AskedRequest]] = {}
        self._recordings: list[_Recording] = []

    def of(self, session_id: str) -> list[Report]:
        """Return the reports on one session."""
        return [report for each, report in self.reports if each == session_id]

    def ask(self, session_id: str, kind: AskKind = "cancel", *, step: int | None = None, reason: str = "") -> str:
        """Ask the job of a session for something, as its readers can; return the id of the request.

        A job that begins later is asked, too. It receives only what it accepts.
        """
        asked = AskedRequest(f"request-{sum(map(len, self._asked.values())) + 1}", kind, step, "asked", reason)
        self._asked.setdefault(session_id, []).append(asked)
        for recording in self._recordings:
            if recording.session_id == session_id:
                recording.receive(asked)
        return asked.id

    def record(self, session_id: str, creation: Create | None, inbox: Inbox) -> "_Recording":
        """Return the sink of a session; `recording` calls it."""
        recording = _Recording(self, session_id, creation, inbox)
        self._recordings.append(recording)
        for asked in self._asked.get(session_id, ()):
            recording.receive(asked)
        return recording


@contextmanager
def recording() -> Iterator[Recorder]:
    """Record the reports of each `Progress` and `AsyncProgress` that is made in this block, in any thread.

    They go to the recorder alone, whatever server is given.
    """
    recorder = Recorder()
    with diverted(recorder.record):
        yield recorder


class _Recording(NullSink):
    """Records reports in their order, without letting one thread wait for another.

    A report of a thread that comes while another one records is recorded by the other.
    """

    def __init__(self, recorder: Recorder, session_id: str, creation: Create | None, inbox: Inbox) -> None:
        self.session_id = session_id
        self._recorder = recorder
        self._inbox = inbox
        self._waiting: deque[Make] = deque()
        if creation is not None:
            self._waiting.append(lambda: creation)
        self._is_recording = allocate_lock()

    def begin(self) -> None:
        while self._waiting and self._is_recording.acquire(blocking=False):
            try:
                entry = self._waiting.popleft()()
                report = entry.read() if isinstance(entry, Latest) else entry
                self._recorder.reports.append((self.session_id, report))
            finally:
                self._is_recording.release()

    def put(self, make: Make) -> None:
        self._waiting.append(make)
        self.begin()

    def receive(self, asked: AskedRequest) -> None:
        self._inbox.receive(asked, self._acknowledge)

    def _acknowledge(self, request: str, state: Acknowledgement, message: str) -> None:
        self.put(lambda: Acknowledge(request, state, message))
        self._inbox.confirm(request)
