"""`progress-sse run`: runs a command as a step, and stops it when a reader asks for that.

The command runs as if there were no reporting. It has our stdin and stdout, and gets the signals that come to this
process. Its stderr is copied to ours at once, and its end is kept for the error of the step. With `--log` its stdout is
copied too, and each line of both becomes a line of the log. Its exit status becomes ours, even if reports fail. With
`--progress auto` what it writes is read for its progress; terminals and pipes stay such for it, by copies of their own.

With `--cancel` a reader may stop it: SIGTERM, and after a grace SIGKILL, to its process group. SIGKILL comes also if
the command has ended and others of its group have not. Beside a terminal the command stays in the group of the job of
the shell, so that it can read from the terminal; the signals then go to the command alone.
"""

import contextlib
import errno
import logging
import os
import signal
import stat
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from progress_sse._internal.terminal_progress import TerminalProgress, on_stderr
from progress_sse.client.config import ATTEMPT
from progress_sse.client.definitions import definitions
from progress_sse.client.errors import Cancelled
from progress_sse.client.inbox import Request
from progress_sse.client.own_log import log
from progress_sse.client.reports import Create
from progress_sse.client.sync import Progress, Step
from progress_sse.core.asks import AskKind
from progress_sse.core.updates import StepRef
from progress_sse.story.drawing import TabState

assert sys.platform == "linux", "the command checks it"

from progress_sse.cli.copied_streams import (  # noqa: E402  # which exist on Linux alone
    Command,
    CopiedStream,
    Ends,
    LoggedLines,
    Receiver,
    Tail,
    copied,
    is_in_foreground,
    pipe,
    write,
)

if TYPE_CHECKING:
    from progress_sse.cli.output_progress import Found, OutputProgress
    from progress_sse.cli.pseudo_terminals import TerminalJob

GRACE_S: Final = 10.0
"""Seconds from SIGTERM to SIGKILL."""

GROUP_POLL_S: Final = 0.05
"""Seconds between two looks whether the group of a command that has ended is empty."""

NOTHING_FOUND: Final = "found no progress in the output; see progress-sse run --help"

WAKE: Final = signal.SIGRTMIN
"""Wakes the thread that waits for the command; this process sends it to itself."""


class CommandStop:
    """Whether the command is to be stopped, and how far that is.

    Attributes:
        has_group: Whether the command gets a process group of its own, so that its children are stopped, too.
        has_ended: Whether the command itself has ended; others of its group may be left.
        step: The step that the command is now. Requests that concern other steps do not stop it.
    """

    has_ended = False

    def __init__(self, step: StepRef, *, may_stop: bool, has_session: bool = False) -> None:
        """Begin without a request; with `has_session` the command has a terminal, and so a group, of its own."""
        self.has_group = may_stop and (has_session or not _has_terminal())
        self.step = step
        self._request: Request | None = None
        self._kill_at: float | None = None
        self._has_begun = False

    @property
    def cancellation(self) -> Cancelled | None:
        """How the step ends; `None` if the command was not stopped."""
        return self._request.cancellation() if self._has_begun and self._request is not None else None

    def ask(self, request: Request) -> None:
        """Let the command be stopped, if that is what a reader asks; called from another thread."""
        if request.concerns(self.step):
            self._request = request
            os.kill(os.getpid(), WAKE)

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
                    _send(pid, signal.SIGKILL, to_group=self.has_group)
                if self.has_ended:
                    return None
            elif received.si_signo != WAKE:
                return received
            elif self._request is not None and not self._has_begun:
                self._has_begun = True
                self._kill_at = time.monotonic() + GRACE_S
                _send(pid, signal.SIGTERM, to_group=self.has_group)

    def _left_s(self) -> float | None:
        """Return for how long to wait for a signal; `None` without a limit."""
        if self._kill_at is None:
            return None
        left_s = max(0.0, self._kill_at - time.monotonic())
        return min(left_s, GROUP_POLL_S) if self.has_ended else left_s


def _send(pid: int, number: int, *, to_group: bool) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        (os.killpg if to_group else os.kill)(pid, number)


def _has_terminal() -> bool:
    with contextlib.suppress(OSError):
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
        return True
    return False


OF_TERMINALS: Final = frozenset({signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT, signal.SIGTTIN, signal.SIGTTOU})
"""Signals to the job of a terminal. Those to stop it stop us once they have stopped the command."""

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
    """The step that the command is, as the options have it; `None` leaves a field to the environment, as in `Progress`.

    With `cancel` readers may stop the command. The server learns under `profile` how long a session takes that begins
    afresh. With `log` the command's output becomes lines of the log. With `progress` its output is read for progress;
    `pty` then gives it terminals even where our own streams are none. With `no_osc` the terminal's tab shows nothing.
    """

    session_id: str | None
    step: int | str | None
    name: str | None
    url: str | None
    token: str | None
    cancel: bool = False
    profile: str | None = None
    log: bool = False
    progress: str | None = None
    pty: bool = False
    no_osc: bool = False


class CommandProgress(Progress):
    """The session of a command, whose output may name its steps.

    The first name begins the session anew, open-ended, with a step of that name in place of the command's. Later ones
    append steps. In a session that is there already a name is a message.
    """

    running: Step
    tab: TerminalProgress
    _name: str | None = None
    _number = 0  # Of the last step that was named.

    def take(self, stop: CommandStop, found: "Found") -> None:
        """Report what the output says now; called from another thread."""
        message = found.message
        if found.step != self._name:
            self._name = found.step
            if found.step is None or self._creation is None:
                message = message or found.step
            else:
                self._begin_step(found.step, self._creation)
                stop.step = self._number
        if found.current or found.total is not None or message is not None:
            self.running.report(found.current, found.total, message=message)
        if found.is_in_tab:
            self.tab.silence()
        else:
            self.tab.set(TabState(1, 100 * found.current // found.total) if found.total else TabState(3))

    def _begin_step(self, name: str, creation: Create) -> None:
        if self._number:
            self.running.complete()
            self.plan([name])
        else:
            self._creation = begun = replace(creation, steps=definitions([name]), open_ended=True)
            self.put(lambda: begun)
        self._number += 1
        self.running = self.step(self._number)
        self.running.start()

    def end(self, status: int, error: str) -> None:
        """Report how the command has ended: by its exit status, and by the text of the error if that is not 0."""
        if status == 0:
            self.running.complete()
        else:
            self.running.fail(error)
            self.tab.set(TabState(2))
        if self._number:
            self.finish() if status == 0 else self.fail(error)


def run(command: tuple[str, ...], target: Target) -> int:
    """Run a command as a step, and return the exit status to end with.

    Args:
        command: Its name or path, and its arguments.
        target: Without a `step` the session begins afresh, and the command is its only one, called `name` or like the
            command.
    """
    _occupy_closed_descriptors()
    progress = _progress(command, target)
    execution = Execution(command, _environment(target, progress), target)
    progress.running = progress.step(target.step or 1)
    stop = CommandStop(target.step or 1, may_stop=target.cancel, has_session=execution.job is not None)
    output = None
    if target.progress is not None:
        from progress_sse.cli.output_progress import OutputProgress

        output = OutputProgress(partial(progress.take, stop))
    if target.cancel:
        progress.on_request(stop.ask)
    progress.running.start()
    progress.tab = on_stderr(no_osc=target.no_osc)
    progress.tab.set(TabState(3))
    status, error = execution.run(stop, output, (lambda text: progress.running.log(text)) if target.log else None)
    if stop.cancellation is not None:
        (progress.running if target.step is not None else progress).fail(stop.cancellation)
    else:
        progress.end(status, error)
    progress.tab.close()  # Signals still wait.
    with contextlib.suppress(KeyboardInterrupt):
        signal.signal(WAKE, signal.SIG_IGN)  # A reader may still ask, and the signal would end us.
        signal.pthread_sigmask(signal.SIG_SETMASK, execution.command.mask)
        progress.close()
    return status


def _occupy_closed_descriptors() -> None:
    """Open closed standard streams on /dev/null, so that no connection gets the number of stderr.

    The command does not inherit them: to it they are closed as before.
    """
    descriptor = 0
    while descriptor <= _STDERR:
        descriptor = os.open(os.devnull, os.O_RDWR)
    os.close(descriptor)


def _progress(command: tuple[str, ...], target: Target) -> CommandProgress:
    accepts: list[AskKind] = ["cancel"] if target.cancel else []
    if target.step is not None:
        return CommandProgress.attach(target.session_id, url=target.url, token=target.token, accepts=accepts)
    steps = [target.name or PurePath(command[0]).name or _shown(command)]
    return CommandProgress(
        target.session_id, steps=steps, profile=target.profile, url=target.url, token=target.token, accepts=accepts
    )


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


class Execution:
    """A command that runs, with copies of our streams, and perhaps as the job of a terminal of its own."""

    job: "TerminalJob | None" = None

    def __init__(self, arguments: tuple[str, ...], environment: Mapping[str, str], target: Target) -> None:
        """Prepare it, while there are no threads yet; what is not read is copied only if it is stderr or logged."""
        is_whole = target.progress is not None and is_in_foreground() and is_in_foreground(_STDOUT)
        if target.progress is None:
            self._copies = {pipe(): [own] for own in _open_streams() if own == _STDERR or target.log}
        else:
            self._copies = _open_ends(is_whole=is_whole, is_logged=target.log, is_forced=target.pty)
        self._terminals = [ends for ends in self._copies if ends.is_terminal]
        is_whole &= any(_STDOUT in self._copies[ends] for ends in self._terminals)
        self._signals: Collection[int] = OF_TERMINALS if is_whole else [signal.SIGWINCH] if self._terminals else ()
        self._awaited = {*PASSED_ON, *self._signals, signal.SIGCHLD}
        # Threads will have this mask, too, so that the signals come to `_wait` and nowhere else.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {*self._awaited, WAKE})
        self.command = Command(arguments, environment, mask)
        if is_whole:
            from progress_sse.cli.pseudo_terminals import TerminalJob

            next(iter(self._copies.values())).append(0)
            self.job = TerminalJob([*self._copies], self.command)

    def run(
        self, stop: CommandStop, output: "OutputProgress | None", log_lines: Callable[[str], None] | None
    ) -> tuple[int, str]:
        """Run it, and return its exit status, and the error of its step where that is not 0."""
        tail = Tail()
        streams = []
        for ends, owns in self._copies.items():
            receivers: list[Receiver] = [tail.add] if _STDERR in owns else []
            receivers += [output.receiver()] if output is not None else []
            receivers += [LoggedLines(log_lines).add] if log_lines is not None else []
            streams.append(CopiedStream(owns, ends, receivers, is_vital=owns[0] == _STDOUT))
        # An ignored SIGCHLD, which may be inherited, would never come.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        try:
            with self.job or contextlib.nullcontext(), copied(*streams, keyboard=self.job) as descriptors:
                status = self._wait(self._start(descriptors, stop), stop)
        except OSError as error:
            text = f"cannot run {_shown(self.command.arguments)}: {error.strerror}"
            write(_STDERR, os.fsencode(f"progress-sse: {text}\n"))
            return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE, text
        if output is not None:
            log(logging.INFO, NOTHING_FOUND if output.recognised is None else f"found {output.recognised}")
        return status, f"{_describe(status)}\n{tail.text()}".rstrip()

    def _start(self, descriptors: Mapping[int, int], stop: CommandStop) -> int:
        """Start the command, and return its process id; an `OSError` says that it cannot be started."""
        arguments, environment, mask = self.command
        if not arguments[0]:  # Python would raise a ValueError.
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        if self.job is not None:
            return self.job.start(descriptors)
        group: dict[str, Any] = {"setpgroup": 0} if stop.has_group else {}
        return os.posix_spawnp(
            arguments[0],
            arguments,
            environment,
            file_actions=[(os.POSIX_SPAWN_DUP2, source, own) for own, source in descriptors.items()],
            setsigmask=mask,
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],  # Python ignores them.
            **group,
        )

    def _wait(self, pid: int, stop: CommandStop) -> int:
        """Pass on signals until the command has ended, and return its exit status as a shell has it.

        Where a reader has stopped the command, the rest of its group has ended by then, too.
        """
        code: int | None = None
        while code is None or stop.has_left_others(pid):
            received = stop.next_signal(pid, self._awaited)
            if received is None:
                continue
            if received.si_signo in self._signals:
                self._heed(received.si_signo, pid)
            elif received.si_signo != signal.SIGCHLD:
                self._pass_on(received, pid, stop)
            elif code is None:
                code = self._ended(pid, stop)
        return code if code >= 0 else SIGNALLED - code

    def _ended(self, pid: int, stop: CommandStop) -> int | None:
        """Return the exit code of the command, minus the signal that has ended it; `None` if it has not ended.

        If the command has stopped, our own job stops, too.
        """
        if self.job is None:
            ended, status = os.waitpid(pid, os.WNOHANG)
        else:
            ended, status = os.waitpid(self.job.leader, os.WNOHANG | os.WUNTRACED)
        if not ended:
            return None
        if self.job is not None:
            self.job.note_modes()
            if os.WIFSTOPPED(status):
                self.job.suspend()
                return None
        stop.has_ended = True
        return os.waitstatus_to_exitcode(status)

    def _pass_on(self, received: signal.struct_siginfo, pid: int, stop: CommandStop) -> None:
        """Send a signal to the command, unless the terminal has sent it to the command as well."""
        is_by_terminal = received.si_code == _SI_KERNEL
        # It sends its signals to the command as well, but a hangup to the leader of the session alone.
        is_end = received.si_signo == signal.SIGHUP and os.getsid(0) == os.getpid()
        if is_by_terminal and self.job is not None:
            _send(pid, received.si_signo, to_group=True)
        elif is_end or not is_by_terminal:
            _send(pid, received.si_signo, to_group=stop.has_group)

    def _heed(self, number: int, pid: int) -> None:
        """Do for the command what a signal asks of one at a terminal."""
        if number == signal.SIGWINCH:
            from progress_sse.cli.pseudo_terminals import resize

            resize(self._terminals)
        if number == signal.SIGCONT and self.job is not None:
            self.job.resume()
        elif number == signal.SIGTSTP or (number == signal.SIGWINCH and self.job is None):
            _send(pid, number, to_group=False)


def _open_streams() -> list[int]:
    """Return which of our stdout and stderr were open when we were started: only these are inherited."""
    return [own for own in (_STDOUT, _STDERR) if os.get_inheritable(own)]


def _open_ends(*, is_whole: bool, is_logged: bool, is_forced: bool) -> dict[Ends, list[int]]:
    """Return the ends of the streams that can be read, each with the descriptors of ours that the command has it for.

    A terminal gets a pseudo terminal, which stands for stdin and stdout if it `is_whole`; if it `is_forced`, so does
    what is none.
    """
    opened: dict[Ends, list[int]] = {}
    for own in _open_streams():
        same = [owns for owns in opened.values() if os.path.sameopenfile(owns[0], own)]
        if same:
            same[0].append(own)
        elif os.isatty(own) or is_forced:
            from progress_sse.cli.pseudo_terminals import pseudo_terminal

            with contextlib.suppress(OSError):  # There can be no more: it is not read.
                opened[pseudo_terminal(own, is_whole=is_whole and own == _STDOUT)] = [own]
        elif own == _STDERR or is_logged or _is_pipe(own):
            opened[pipe(is_large=True)] = [own]
    return opened


def _is_pipe(descriptor: int) -> bool:
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _shown(command: Sequence[str]) -> str:
    return command[0] or "''"


def _describe(status: int) -> str:
    number = status - SIGNALLED
    if number not in signal.valid_signals():
        return f"exit status {status}"
    return f"exit status {status} ({signal.strsignal(number) or f'signal {number}'})"
