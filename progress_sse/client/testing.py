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
"""

from _thread import allocate_lock
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from progress_sse.client.handle import diverted
from progress_sse.client.report_queue import NullSink, Prepare
from progress_sse.client.reports import (
    Advance,
    Complete,
    Create,
    Describe,
    Finish,
    Latest,
    Plan,
    Queueable,
    Report,
    Skip,
    Start,
)

__all__ = [
    "Advance",
    "Complete",
    "Create",
    "Describe",
    "Finish",
    "Plan",
    "Recorder",
    "Report",
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
        """Begin without reports."""
        self.reports: list[tuple[str, Report]] = []

    def of(self, session_id: str) -> list[Report]:
        """Return the reports on one session."""
        return [report for each, report in self.reports if each == session_id]


@contextmanager
def recording() -> Iterator[Recorder]:
    """Record the reports of each `Progress` and `AsyncProgress` that is made in this block, in any thread.

    They go to the recorder alone, whatever server is given.
    """
    recorder = Recorder()
    with diverted(lambda session_id, creation: _Recording(recorder, session_id, creation)):
        yield recorder


class _Recording(NullSink):
    """Records reports in their order, without letting one thread wait for another.

    A report of a thread that comes while another one records is recorded by the other.
    """

    def __init__(self, recorder: Recorder, session_id: str, creation: Create | None) -> None:
        self._recorder = recorder
        self._session_id = session_id
        self._waiting: deque[Callable[[], Queueable]] = deque()
        if creation is not None:
            self._waiting.append(lambda: creation)
        self._is_recording = allocate_lock()

    def begin(self) -> None:
        """Record the creation, if there is one."""
        while self._waiting and self._is_recording.acquire(blocking=False):
            try:
                self._record(self._waiting.popleft()())
            finally:
                self._is_recording.release()

    def put(self, prepare: Prepare) -> None:
        """Record a report."""
        self._waiting.append(prepare())
        self.begin()

    def _record(self, entry: Queueable) -> None:
        self._recorder.reports.append((self._session_id, entry.read() if isinstance(entry, Latest) else entry))
