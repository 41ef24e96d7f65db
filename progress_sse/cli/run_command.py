"""`progress-sse run`: a command as a step.

The command is to notice nothing. It has our stdin and stdout; what it writes to stderr is passed on as it comes, and
its end is kept, for the step's error. Signals that we get, it gets. Its exit status is ours, whatever becomes of the
reports: those are made by `Progress`, which waits for nothing until the command has ended.
"""

import contextlib
import errno
import os
import select
import signal
import threading
from collections.abc import Collection, Mapping
from pathlib import PurePath
from typing import Final, NamedTuple

from progress_sse.cli.plain_text import plain
from progress_sse.client.errors import TroubleKept
from progress_sse.client.sync import Progress

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
    """What the command is a step of; `None` leaves it to the environment, as `Progress` does."""

    session_id: str | None
    step: int | None
    name: str | None
    url: str | None
    token: str | None


class Outcome(NamedTuple):
    """How a command ended: its exit status, and what to say of it where that is not 0."""

    status: int
    error: str


def run(command: tuple[str, ...], target: Target) -> int:
    """Run a command as a step, and return the exit status to end with.

    Args:
        command: Its name or path, and its arguments.
        target: Without a `step` the session begins afresh, and the command is its only one, called `name` or like the
            command.
    """
    _occupy_closed_descriptors()
    awaited = {*PASSED_ON, signal.SIGCHLD}
    # Before there is any thread: each has this mask, so that the signals come to `_wait` and nowhere else.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    progress = _progress(command, target)
    step = progress.step(target.step or 1)
    step.start()
    outcome = _execute(command, _environment(target), mask)
    if outcome.status == 0:
        step.complete()
    else:
        step.fail(outcome.error)
    with contextlib.suppress(KeyboardInterrupt):
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        progress.flush()
    return outcome.status


def _occupy_closed_descriptors() -> None:
    """Let no connection of ours get the number of a standard stream that was closed: we write to stderr by its number.

    To the command they are closed as before.
    """
    descriptor = 0
    while descriptor <= _STDERR:
        descriptor = os.open(os.devnull, os.O_RDWR)
    os.close(descriptor)


def _progress(command: tuple[str, ...], target: Target) -> Progress:
    if target.step is not None:
        return Progress.attach(target.session_id, url=target.url, token=target.token)
    name = target.name or PurePath(command[0]).name or _shown(command)
    return Progress(target.session_id, steps=[name], url=target.url, token=target.token)


def _shown(command: tuple[str, ...]) -> str:
    return command[0] or "''"


def _environment(target: Target) -> dict[str, str]:
    """Return the environment of the command, in which what reports from inside it finds the same session."""
    given = {
        "PROGRESS_SSE_SESSION": target.session_id,
        "PROGRESS_SSE_STEP": str(target.step or 1),
        "PROGRESS_SSE_URL": target.url,
        "PROGRESS_SSE_TOKEN": target.token,
    }
    return {**os.environ, **{name: value for name, value in given.items() if value is not None}}


def _execute(command: tuple[str, ...], environment: Mapping[str, str], mask: Collection[int]) -> Outcome:
    tail = Tail()
    # An ignored SIGCHLD, which may be inherited, would never come.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    read_end, write_end = os.pipe()
    ended, at_end = os.pipe()
    copier = threading.Thread(target=_pass_on, args=(read_end, ended, tail), name="stderr", daemon=True)
    try:
        if not command[0]:  # Which is a ValueError to Python.
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        pid = os.posix_spawnp(
            command[0],
            command,
            environment,
            file_actions=[(os.POSIX_SPAWN_DUP2, write_end, _STDERR)] if _can_start(copier) else [],
            setsigmask=mask,
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],  # which Python ignores
        )
    except OSError as error:
        text = f"cannot run {_shown(command)}: {error.strerror}"
        _write(os.fsencode(f"progress-sse: {text}\n"))
        return Outcome(NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE, text)
    finally:
        os.close(write_end)
    status = _wait(pid)
    os.close(at_end)
    if copier.ident is not None:
        copier.join()
    return Outcome(status, f"{_describe(status)}\n{tail.text()}".rstrip())


def _can_start(thread: threading.Thread) -> bool:
    """Start a thread if there is room for one: without, the command writes to our stderr, and no end of it is kept."""
    with TroubleKept():
        thread.start()
        return True
    return False


def _wait(pid: int) -> int:
    """Pass on signals until the command has ended, and return its exit status as a shell has it."""
    while True:
        received = signal.sigwaitinfo({*PASSED_ON, signal.SIGCHLD})
        if received.si_signo != signal.SIGCHLD:
            if not _is_shared(received):
                os.kill(pid, received.si_signo)
            continue
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else SIGNALLED - code


def _is_shared(received: signal.struct_siginfo) -> bool:
    """Whether the command got it, too: from its terminal, whose end only the leader of the session hears of."""
    is_end = received.si_signo == signal.SIGHUP and os.getsid(0) == os.getpid()
    return received.si_code == _SI_KERNEL and not is_end


def _describe(status: int) -> str:
    number = status - SIGNALLED
    if number not in signal.valid_signals():
        return f"exit status {status}"
    return f"exit status {status} ({signal.strsignal(number) or f'signal {number}'})"


class Tail:
    """The end of what was written."""

    def __init__(self, max_bytes: int = MAX_TAIL_BYTES) -> None:
        """Begin with nothing, and keep `max_bytes`."""
        self._max_bytes = max_bytes
        self._kept = b""
        self._is_cut = False

    def add(self, chunk: bytes) -> None:
        """Take in what was written next."""
        kept = self._kept + chunk
        self._is_cut = self._is_cut or len(kept) > self._max_bytes
        self._kept = kept[-self._max_bytes :]

    def text(self) -> str:
        """Return it as people read it, from the beginning of a line where there is one."""
        kept = self._kept
        if self._is_cut and b"\n" in kept[:-1]:
            kept = kept.partition(b"\n")[2]
        return plain(kept.decode(errors="replace"))


def _pass_on(source: int, ended: int, tail: Tail) -> None:
    """Copy to stderr until all has come that the command wrote.

    What it leaves behind may hold the pipe for ever. So its end is enough: what it has written is in the pipe by then.
    """
    while source in _ready({source: select.POLLIN, ended: select.POLLIN}):
        chunk = os.read(source, _CHUNK_BYTES)
        if not chunk:
            return
        tail.add(chunk)
        _write(chunk)


def _write(data: bytes) -> None:
    """Write to stderr, if it still takes anything: that is nothing that the command would have to end for."""
    with contextlib.suppress(OSError):
        while data:
            try:
                data = data[os.write(_STDERR, data) :]
            except BlockingIOError:  # Who shares our stderr has made it so; the command would have waited, too.
                _ready({_STDERR: select.POLLOUT})


def _ready(awaited: Mapping[int, int]) -> set[int]:
    """Wait for descriptors, each for its event, and return those that are ready; `select` takes none beyond 1023."""
    poll = select.poll()
    for descriptor, event in awaited.items():
        poll.register(descriptor, event)
    return {descriptor for descriptor, _ in poll.poll()}
