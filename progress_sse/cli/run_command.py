"""`progress-sse run`: runs a command as a step.

The command runs as if there were no reporting. It has our stdin and stdout. Its stderr is copied to ours at once, and
the end of it is kept for the step's error. The command gets the signals that come to this process. Its exit status
becomes ours, also where reports fail. With `--cancel` a reader may stop it (``stop_command``). `Progress` makes the
reports, and waits for nothing until the command has ended.
"""

import contextlib
import errno
import os
import select
import signal
import sys
import threading
from collections.abc import Collection, Iterator, Mapping
from io import FileIO
from pathlib import PurePath
from typing import Any, Final, NamedTuple

from progress_sse.client.config import ATTEMPT
from progress_sse.client.errors import SuppressReportingErrors
from progress_sse.client.sync import Progress
from progress_sse.core.requests import RequestKind
from progress_sse.story.plain_text import plain

assert sys.platform == "linux", "the command checks it"

from progress_sse.cli.stop_command import WAKE, CommandStop  # noqa: E402  # which exists on Linux alone

MAX_TAIL_BYTES: Final = 4096
"""Bytes of the end of stderr that a failed step shows."""

PASSED_ON: Final = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
)

NOT_FOUND: Final = 127
NOT_EXECUTABLE: Final = 126
SIGNALLED: Final = 128
"""Exit statuses of commands that could not be found, could not be run, or ended by a signal (whose number is added), as
shells have them [POSIX XCU §2.8.2]."""

_SI_KERNEL: Final = 128
"""`si_code` of a signal that the terminal sent [sigaction(2)]."""

_STDERR: Final = 2

_CHUNK_BYTES: Final = 65_536


class Target(NamedTuple):
    """The step that the command is; `None` leaves a field to the environment, as `Progress` does.

    With `cancel` readers may stop it. A session that begins afresh is learned from under its `profile`.
    """

    session_id: str | None
    step: int | str | None
    name: str | None
    url: str | None
    token: str | None
    cancel: bool = False
    profile: str | None = None


class RunOutcome(NamedTuple):
    """How a command ended: its exit status, and a step's error where that is not 0."""

    status: int
    error: str


class Tail:
    """The last bytes of a text that is added piece by piece."""

    def __init__(self, max_bytes: int = MAX_TAIL_BYTES) -> None:
        """Begin with nothing, and keep `max_bytes`."""
        self._max_bytes = max_bytes
        self._kept = b""
        self._is_cut = False

    def add(self, chunk: bytes) -> None:
        """Take in the next piece."""
        kept = self._kept + chunk
        self._is_cut = self._is_cut or len(kept) > self._max_bytes
        self._kept = kept[-self._max_bytes :]

    def text(self) -> str:
        """Return them as plain text, from the beginning of a line if there is one."""
        kept = self._kept
        if self._is_cut and b"\n" in kept[:-1]:
            kept = kept.partition(b"\n")[2]
        return plain(kept.decode(errors="replace"))


def run(command: tuple[str, ...], target: Target) -> int:
    """Run a command as a step, and return the exit status to end with.

    Args:
        command: Its name or path, and its arguments.
        target: Without a `step` the session begins afresh, and the command is its only one, called `name` or like the
            command.
    """
    _occupy_closed_descriptors()
    awaited = {*PASSED_ON, signal.SIGCHLD, WAKE}
    # Before there is any thread: each has this mask, so that the signals come to `_wait` and nowhere else.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    progress = _progress(command, target)
    step = progress.step(target.step or 1)
    stop = CommandStop(target.step or 1, may_stop=target.cancel)
    if target.cancel:
        progress.on_request(stop.ask)
    step.start()
    outcome = _execute(command, _environment(target, progress), mask, stop)
    if stop.cancellation is not None:
        (step if target.step is not None else progress).fail(stop.cancellation)
    elif outcome.status == 0:
        step.complete()
    else:
        step.fail(outcome.error)
    with contextlib.suppress(KeyboardInterrupt):
        signal.signal(WAKE, signal.SIG_IGN)  # A reader may still ask, and the signal would end us.
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        progress.close()
    return outcome.status


def _occupy_closed_descriptors() -> None:
    """Open the closed standard streams on /dev/null, so that no connection gets the number of stderr.

    To the command they are closed as before.
    """
    descriptor = 0
    while descriptor <= _STDERR:
        descriptor = os.open(os.devnull, os.O_RDWR)
    os.close(descriptor)


def _progress(command: tuple[str, ...], target: Target) -> Progress:
    accepts: list[RequestKind] = ["cancel"] if target.cancel else []
    if target.step is not None:
        return Progress.attach(target.session_id, url=target.url, token=target.token, accepts=accepts)
    name = target.name or PurePath(command[0]).name or _shown(command)
    return Progress(
        target.session_id,
        steps=[name],
        profile=target.profile,
        url=target.url,
        token=target.token,
        accepts=accepts,
    )


def _shown(command: tuple[str, ...]) -> str:
    return command[0] or "''"


def _environment(target: Target, progress: Progress) -> dict[str, str]:
    """Return the environment of the command, in which its own reports find the same session and attempt."""
    given = {
        "PROGRESS_SSE_SESSION": target.session_id,
        "PROGRESS_SSE_STEP": str(target.step or 1),
        "PROGRESS_SSE_URL": target.url,
        "PROGRESS_SSE_TOKEN": target.token,
        ATTEMPT: None if progress.lease is None else progress.lease.attempt_id,
    }
    return {**os.environ, **{name: value for name, value in given.items() if value is not None}}


def _execute(
    command: tuple[str, ...], environment: Mapping[str, str], mask: Collection[int], stop: CommandStop
) -> RunOutcome:
    tail = Tail()
    # An ignored SIGCHLD, which may be inherited, would never come.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with _copied_stderr(tail) as stderr:
        try:
            pid = _spawn(command, environment, mask, stderr, has_group=stop.has_group)
        except OSError as error:
            text = f"cannot run {_shown(command)}: {error.strerror}"
            _write(os.fsencode(f"progress-sse: {text}\n"))
            return RunOutcome(NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE, text)
        status = _wait(pid, stop)
    return RunOutcome(status, f"{_describe(status)}\n{tail.text()}".rstrip())


def _spawn(
    command: tuple[str, ...], environment: Mapping[str, str], mask: Collection[int], stderr: int, *, has_group: bool
) -> int:
    """Start a command, and return its process id.

    Raises:
        OSError: It cannot be started.
    """
    if not command[0]:  # Python would raise a ValueError.
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    group: dict[str, Any] = {"setpgroup": 0} if has_group else {}
    return os.posix_spawnp(
        command[0],
        command,
        environment,
        file_actions=[(os.POSIX_SPAWN_DUP2, stderr, _STDERR)],
        setsigmask=mask,
        setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],  # Python ignores them.
        **group,
    )


@contextlib.contextmanager
def _copied_stderr(tail: Tail) -> Iterator[int]:
    """Yield a descriptor for the command's stderr; until the end of the block, it is copied to ours and to `tail`.

    It is our own stderr if there is no room for a thread. Then no end of it is kept.
    """
    with _pipe() as (source, target), _pipe() as (ended, at_end):
        copier = threading.Thread(target=_pass_on, args=(source.fileno(), ended.fileno(), tail), daemon=True)
        is_started = False
        with SuppressReportingErrors():
            copier.start()
            is_started = True
        try:
            yield target.fileno() if is_started else _STDERR
        finally:
            target.close()
            at_end.close()
            if is_started:
                copier.join()


@contextlib.contextmanager
def _pipe() -> Iterator[tuple[FileIO, FileIO]]:
    """Yield the ends of a pipe, to read from and to write to, and close them."""
    read_end, write_end = os.pipe()
    with FileIO(read_end) as source, FileIO(write_end, "w") as target:
        yield source, target


def _wait(pid: int, stop: CommandStop) -> int:
    """Pass on signals until the command has ended, and return its exit status as a shell has it.

    Where a reader has stopped it, the rest of its group has ended by then, too.
    """
    code: int | None = None
    while code is None or stop.has_left_others(pid):
        received = stop.next_signal(pid, {*PASSED_ON, signal.SIGCHLD})
        if received is None:
            continue
        if received.si_signo != signal.SIGCHLD:
            if not _is_shared(received):
                stop.send(pid, received.si_signo)
        elif code is None:
            code = _exit_code(pid)
            if code is not None:
                stop.end()
    return code if code >= 0 else SIGNALLED - code


def _exit_code(pid: int) -> int | None:
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def _is_shared(received: signal.struct_siginfo) -> bool:
    """Whether the terminal sent it to the command as well; a hangup goes to the leader of the session alone."""
    is_end = received.si_signo == signal.SIGHUP and os.getsid(0) == os.getpid()
    return received.si_code == _SI_KERNEL and not is_end


def _describe(status: int) -> str:
    number = status - SIGNALLED
    if number not in signal.valid_signals():
        return f"exit status {status}"
    return f"exit status {status} ({signal.strsignal(number) or f'signal {number}'})"


def _pass_on(source: int, ended: int, tail: Tail) -> None:
    """Copy the command's stderr to ours, until the command has ended and the pipe is empty.

    A process that the command leaves behind may hold the pipe for ever, so that the end of the pipe may never come.
    """
    while source in _ready({source: select.POLLIN, ended: select.POLLIN}):
        chunk = os.read(source, _CHUNK_BYTES)
        if not chunk:
            return
        tail.add(chunk)
        _write(chunk)


def _write(data: bytes) -> None:
    """Write to stderr, and ignore errors: the command must not end because of them."""
    with contextlib.suppress(OSError):
        while data:
            try:
                data = data[os.write(_STDERR, data) :]
            except BlockingIOError:  # Another process has made it non-blocking; the command would wait, too.
                _ready({_STDERR: select.POLLOUT})


def _ready(awaited: Mapping[int, int]) -> set[int]:
    """Wait for descriptors, each for its event, and return those that are ready; `select` takes none beyond 1023."""
    poll = select.poll()
    for descriptor, event in awaited.items():
        poll.register(descriptor, event)
    return {descriptor for descriptor, _ in poll.poll()}
