"""A command that runs with our streams and signals, or with copies of those streams that are read.

What is a terminal, a pipe or a file for us is one for the command, too.
"""

import contextlib
import errno
import logging
import os
import signal
import stat
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from progress_sse.client.own_log import log

assert sys.platform == "linux", "the command checks it"

from progress_sse.cli.copied_streams import (  # noqa: E402  # which exist on Linux alone
    Command,
    CopiedStream,
    Ends,
    LoggedLines,
    Receiver,
    Tail,
    copied,
    pipe,
    write,
)

if TYPE_CHECKING:
    from progress_sse.cli.output_progress import OutputProgress
    from progress_sse.cli.pseudo_terminals import TerminalJob
    from progress_sse.cli.run_command import CommandStop

NOTHING_FOUND: Final = "found no progress in the output; see progress-sse run --help"

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


def _is_at_terminal() -> bool:
    """Return whether stdin and stdout are the terminal in whose foreground we run."""
    if os.isatty(0) and os.isatty(_STDOUT) and os.path.sameopenfile(0, _STDOUT):
        with contextlib.suppress(OSError):
            return os.tcgetpgrp(0) == os.getpgrp()
    return False


def _copies(*, is_whole: bool, is_logged: bool, is_forced: bool) -> dict[Ends, list[int]]:
    """Return the ends of the streams that are copied, each with the descriptors of ours that the command has it for."""
    copies: dict[Ends, list[int]] = {}
    for own in (_STDOUT, _STDERR):
        same = [owns for owns in copies.values() if os.path.sameopenfile(owns[0], own)]
        if same:
            same[0].append(own)
        elif os.isatty(own) or (is_forced and os.get_inheritable(own)):  # Else it was closed.
            from progress_sse.cli.pseudo_terminals import pseudo_terminal

            with contextlib.suppress(OSError):  # There can be no more: it is not read.
                copies[pseudo_terminal(own, is_whole=is_whole and own == _STDOUT)] = [own]
        elif own == _STDERR or is_logged or _is_pipe(own):
            copies[pipe(is_large=True)] = [own]
    return copies


def _is_pipe(descriptor: int) -> bool:
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


class Execution:
    """A command that runs, with copies of our streams, and perhaps as the job of a terminal of its own."""

    def __init__(self, *, is_read: bool, is_logged: bool, is_forced: bool) -> None:
        """Open what the command gets for our streams: for all that can be read, or for stderr and what is logged."""
        self.job: TerminalJob | None = None
        self._is_whole = is_read and _is_at_terminal()
        if is_read:
            self._copies = _copies(is_whole=self._is_whole, is_logged=is_logged, is_forced=is_forced)
        else:
            self._copies = {pipe(): [own] for own in (_STDOUT, _STDERR) if own == _STDERR or is_logged}
        self._terminals = [ends for ends in self._copies if ends.is_terminal]
        self._is_whole &= any(_STDOUT in self._copies[ends] for ends in self._terminals)
        self.signals: Collection[int] = OF_TERMINALS if self._is_whole else [signal.SIGWINCH] if self._terminals else ()

    def prepare(self, command: Command) -> None:
        """Choose the command, while there are no threads yet."""
        self._command = command
        if self._is_whole:
            from progress_sse.cli.pseudo_terminals import TerminalJob

            next(iter(self._copies.values())).append(0)
            self.job = TerminalJob([*self._copies], command)

    def run(
        self, stop: "CommandStop", output: "OutputProgress | None", log_lines: Callable[[str], None] | None
    ) -> tuple[int, str]:
        """Run it, and return its exit status, and the error of its step where that is not 0."""
        tail = Tail()
        streams = []
        for ends, (own, *others) in self._copies.items():
            receivers: list[Receiver] = [tail.add] if _STDERR in (own, *others) else []
            receivers += [output.receiver()] if output is not None else []
            receivers += [LoggedLines(log_lines).add] if log_lines is not None else []
            streams.append(CopiedStream(own, receivers, own == _STDOUT, others, ends))
        # An ignored SIGCHLD, which may be inherited, would never come.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        try:
            with self.job or contextlib.nullcontext(), copied(*streams, keyboard=self.job) as descriptors:
                status = self._wait(self._start(descriptors, stop), stop)
        except OSError as error:
            text = f"cannot run {shown(self._command.arguments)}: {error.strerror}"
            write(_STDERR, os.fsencode(f"progress-sse: {text}\n"))
            return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE, text
        if output is not None:
            log(logging.INFO, NOTHING_FOUND if output.recognised is None else f"found {output.recognised}")
        return status, f"{_describe(status)}\n{tail.text()}".rstrip()

    def _start(self, descriptors: Mapping[int, int], stop: "CommandStop") -> int:
        """Start the command, and return its process id; an `OSError` says that it cannot be started."""
        arguments, environment, mask = self._command
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

    def _wait(self, pid: int, stop: "CommandStop") -> int:
        """Pass on signals until the command has ended, and its group if it was stopped; return its exit status."""
        code: int | None = None
        while code is None or stop.has_left_others(pid):
            received = stop.next_signal(pid, {*PASSED_ON, *self.signals, signal.SIGCHLD})
            if received is None:
                continue
            if received.si_signo in self.signals:
                self._heed(received.si_signo, pid)
            elif received.si_signo != signal.SIGCHLD:
                self._pass_on(received, pid, stop)
            elif code is None:
                code = self._ended(pid, stop)
        return code if code >= 0 else SIGNALLED - code

    def _ended(self, pid: int, stop: "CommandStop") -> int | None:
        """Return the exit code of the command if it has ended; stop if it has stopped."""
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
        stop.end()
        return os.waitstatus_to_exitcode(status)

    def _pass_on(self, received: signal.struct_siginfo, pid: int, stop: "CommandStop") -> None:
        if self.job is not None and received.si_code == _SI_KERNEL:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, received.si_signo)
        elif self.job is not None or not _is_shared(received):
            stop.send(pid, received.si_signo)

    def _heed(self, number: int, pid: int) -> None:
        """Do for the command what a signal asks of one at a terminal."""
        if number == signal.SIGWINCH:
            from progress_sse.cli.pseudo_terminals import resize

            resize(self._terminals)
        if number == signal.SIGCONT and self.job is not None:
            self.job.resume()
        elif number == signal.SIGTSTP or (number == signal.SIGWINCH and self.job is None):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)


def shown(command: Sequence[str]) -> str:
    """Return the name of a command, for people."""
    return command[0] or "''"


def _is_shared(received: signal.struct_siginfo) -> bool:
    """Whether the terminal sent it to the command as well; a hangup goes to the leader of the session alone."""
    is_end = received.si_signo == signal.SIGHUP and os.getsid(0) == os.getpid()
    return received.si_code == _SI_KERNEL and not is_end


def _describe(status: int) -> str:
    number = status - SIGNALLED
    if number not in signal.valid_signals():
        return f"exit status {status}"
    return f"exit status {status} ({signal.strsignal(number) or f'signal {number}'})"
