"""`progress-sse run`: runs a command as a step, and stops it when a reader asks for that.

The command runs as if there were no reporting. It has our stdin and stdout, and gets the signals that come to this
process. Its stderr is copied to ours at once, and its end is kept for the error of the step. With `--log` its stdout is
copied too, and each line of both becomes a line of the log. Its exit status becomes ours, even if reports fail.

With `--cancel` a reader may stop it: SIGTERM, and after a grace SIGKILL, to its process group. SIGKILL comes also if
the command has ended and others of its group have not. Beside a terminal the command stays in the group of the job of
the shell, so that it can read from the terminal; the signals then go to the command alone.
"""

import contextlib
import errno
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import PurePath
from typing import Any, Final, NamedTuple

from progress_sse._internal.terminal_progress import on_stderr
from progress_sse.client.config import ATTEMPT
from progress_sse.client.errors import Cancelled
from progress_sse.client.inbox import Request
from progress_sse.client.sync import Progress
from progress_sse.core.asks import AskKind
from progress_sse.core.updates import StepRef
from progress_sse.story.drawing import TabState

assert sys.platform == "linux", "the command checks it"

from progress_sse.cli.copied_streams import (  # noqa: E402  # which exist on Linux alone
    CopiedStream,
    LoggedLines,
    Tail,
    copied,
    write,
)

GRACE_S: Final = 10.0
"""Seconds from SIGTERM to SIGKILL."""

LOOK_S: Final = 0.05
"""Seconds between two looks whether the group of a command that has ended is empty."""

WAKE: Final = signal.SIGRTMIN
"""Wakes the thread that waits for the command; this process sends it to itself."""


class CommandStop:
    """Whether the command is to be stopped, and how far that is; with `has_group` it gets a group of its own."""

    def __init__(self, step: StepRef, *, may_stop: bool) -> None:
        self.has_group = may_stop and not _has_terminal()
        self._step = step
        self._request: Request | None = None
        self._kill_at: float | None = None
        self._has_begun = False
        self._has_ended = False

    @property
    def cancellation(self) -> Cancelled | None:
        """How the step ends; `None` if the command was not stopped."""
        return self._request.cancellation() if self._has_begun and self._request is not None else None

    def ask(self, request: Request) -> None:
        """Let the command be stopped, if that is what a reader asks; called from another thread."""
        if request.concerns(self._step):
            self._request = request
            os.kill(os.getpid(), WAKE)

    def end(self) -> None:
        """Remember that the command itself has ended."""
        self._has_ended = True

    def has_left_others(self, pid: int) -> bool:
        """Return whether the command is being stopped, and others of its group are left."""
        if not self.has_group or self._kill_at is None:
            return False
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-pid, os.WNOHANG) != (0, 0):  # As process 1 of a container we get them as children.
                pass
        try:
            os.killpg(pid, 0)
        except OSError:  # There are none, or none that may be stopped.
            return False
        return True

    def next_signal(self, pid: int, awaited: Collection[int]) -> signal.struct_siginfo | None:
        """Return the next of these signals, and stop the command meanwhile if it is time to.

        `None`: the command has ended, and it is time to look whether others are left.
        """
        while True:
            waited_for = {*awaited, WAKE}
            left_s = self._left_s()
            received = signal.sigwaitinfo(waited_for) if left_s is None else signal.sigtimedwait(waited_for, left_s)
            if received is None:
                if self._kill_at is not None and time.monotonic() >= self._kill_at:
                    self._kill_at = None
                    self.send(pid, signal.SIGKILL)
                if self._has_ended:
                    return None
            elif received.si_signo != WAKE:
                return received
            elif self._request is not None and not self._has_begun:
                self._has_begun = True
                self._kill_at = time.monotonic() + GRACE_S
                self.send(pid, signal.SIGTERM)

    def _left_s(self) -> float | None:
        """Return for how long to wait for a signal; `None` without a limit."""
        if self._kill_at is None:
            return None
        left_s = max(0.0, self._kill_at - time.monotonic())
        return min(left_s, LOOK_S) if self._has_ended else left_s

    def send(self, pid: int, number: int) -> None:
        """Send the command a signal, and its whole group if that is its own."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self.has_group:
                os.killpg(pid, number)
            else:
                os.kill(pid, number)


def _has_terminal() -> bool:
    with contextlib.suppress(OSError):
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
        return True
    return False


PASSED_ON: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)

NOT_FOUND: Final = 127
NOT_EXECUTABLE: Final = 126
SIGNALLED: Final = 128
"""Exit statuses of commands that could not be found, could not be run, or ended by a signal (whose number is added), as
shells have them [POSIX XCU §2.8.2]."""

_SI_KERNEL: Final = 128  # `si_code` of a signal that the terminal sent [sigaction(2)].
_STDOUT: Final = 1
_STDERR: Final = 2


class Target(NamedTuple):
    """The step that the command is, as the options have it; `None` leaves a field to the environment."""

    session_id: str | None
    step: int | str | None
    name: str | None
    url: str | None
    token: str | None
    cancel: bool = False
    profile: str | None = None
    log: bool = False
    no_osc: bool = False


def run(command: tuple[str, ...], target: Target) -> int:
    """Run a command as a step, and return the exit status to end with.

    Without a `step` the session begins afresh, and the command is its only one, called `name` or like the command.
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
    tab = on_stderr(no_osc=target.no_osc)
    tab.set(TabState(3))
    environment = _environment(target, progress)
    status, error = _execute(command, environment, mask, stop, step.log if target.log else None)
    if stop.cancellation is not None:
        (step if target.step is not None else progress).fail(stop.cancellation)
    elif status == 0:
        step.complete()
    else:
        step.fail(error)
        tab.set(TabState(2))
    tab.close()  # Signals still wait.
    with contextlib.suppress(KeyboardInterrupt):
        signal.signal(WAKE, signal.SIG_IGN)  # A reader may still ask, and the signal would end us.
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        progress.close()
    return status


def _occupy_closed_descriptors() -> None:
    """Open closed standard streams on /dev/null, so that no connection gets the number of stderr."""
    descriptor = 0
    while descriptor <= _STDERR:
        descriptor = os.open(os.devnull, os.O_RDWR)  # Not inherited: to the command they are closed as before.
    os.close(descriptor)


def _progress(command: tuple[str, ...], target: Target) -> Progress:
    accepts: list[AskKind] = ["cancel"] if target.cancel else []
    if target.step is not None:
        return Progress.attach(target.session_id, url=target.url, token=target.token, accepts=accepts)
    steps = [target.name or PurePath(command[0]).name or _shown(command)]
    return Progress(
        target.session_id, steps=steps, profile=target.profile, url=target.url, token=target.token, accepts=accepts
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
    command: tuple[str, ...],
    environment: Mapping[str, str],
    mask: Collection[int],
    stop: CommandStop,
    log: Callable[[str], None] | None,
) -> tuple[int, str]:
    """Run the command, and return its exit status, and the error of its step where that is not 0."""
    tail = Tail()
    streams = [CopiedStream(_STDERR, [tail.add])]
    if log is not None:
        stdout = CopiedStream(_STDOUT, [LoggedLines(log).add], is_vital=True)
        streams = [stdout, CopiedStream(_STDERR, [tail.add, LoggedLines(log).add])]
    # An ignored SIGCHLD, which may be inherited, would never come.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with copied(*streams) as descriptors:
        try:
            pid = _spawn(command, environment, mask, descriptors, has_group=stop.has_group)
        except OSError as error:
            text = f"cannot run {_shown(command)}: {error.strerror}"
            write(_STDERR, os.fsencode(f"progress-sse: {text}\n"))
            return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE, text
        status = _wait(pid, stop)
    return status, f"{_describe(status)}\n{tail.text()}".rstrip()


def _spawn(
    command: tuple[str, ...],
    environment: Mapping[str, str],
    mask: Collection[int],
    streams: Mapping[int, int],
    *,
    has_group: bool,
) -> int:
    """Start a command, and return its process id; an `OSError` says that it cannot be started."""
    if not command[0]:  # Python would raise a ValueError.
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    group: dict[str, Any] = {"setpgroup": 0} if has_group else {}
    return os.posix_spawnp(
        command[0],
        command,
        environment,
        file_actions=[(os.POSIX_SPAWN_DUP2, source, descriptor) for descriptor, source in streams.items()],
        setsigmask=mask,
        setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],  # Python ignores them.
        **group,
    )


def _wait(pid: int, stop: CommandStop) -> int:
    """Pass on signals until the command has ended, and its group if it was stopped; return its exit status."""
    code: int | None = None
    while code is None or stop.has_left_others(pid):
        received = stop.next_signal(pid, {*PASSED_ON, signal.SIGCHLD})
        if received is None:
            continue
        if received.si_signo != signal.SIGCHLD:
            if not _is_shared(received):
                stop.send(pid, received.si_signo)
        elif code is None:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                code = os.waitstatus_to_exitcode(status)
                stop.end()
    return code if code >= 0 else SIGNALLED - code


def _is_shared(received: signal.struct_siginfo) -> bool:
    """Whether the terminal sent it to the command as well; a hangup goes to the leader of the session alone."""
    is_end = received.si_signo == signal.SIGHUP and os.getsid(0) == os.getpid()
    return received.si_code == _SI_KERNEL and not is_end


def _describe(status: int) -> str:
    number = status - SIGNALLED
    if number not in signal.valid_signals():
        return f"exit status {status}"
    return f"exit status {status} ({signal.strsignal(number) or f'signal {number}'})"
