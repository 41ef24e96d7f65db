"""Pseudo terminals, at which a command runs where our own streams are terminals, so that its output can be read.

Where stdin and stdout are the terminal of our job, one stands for both, and the command has a session there, in which
keys signal it; ours is raw meanwhile. Else our terminal stays its stdin and its session's, and only its output goes to
a pseudo terminal, which leaves the bytes as they are.
"""

import contextlib
import errno
import fcntl
import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Collection, Iterable, Mapping, Sequence
from io import FileIO
from types import TracebackType
from typing import Final, NoReturn

assert sys.platform == "linux", "the command checks it"

from progress_sse.cli.copied_streams import Command, Ends, is_in_foreground, pipe  # noqa: E402  # on Linux alone

_FAILED: Final = 126
_SIGNALLED: Final = 128
_SIZE: Final = (24, 80)  # Lines and columns, where there is no terminal.
_TYPED_BYTES: Final = 4096


def pseudo_terminal(own: int, *, is_whole: bool) -> Ends:
    """Return a new one with the size and modes of `own`. It processes output if it is `is_whole`; else ours does that.

    Raises:
        OSError: There can be no more of them.
    """
    master, slave = os.openpty()
    os.set_blocking(master, False)
    model = next(filter(os.isatty, (own, 0, 1, 2)), slave)
    modes = termios.tcgetattr(model)
    if not is_whole:
        modes[1] &= ~termios.OPOST
    termios.tcsetattr(slave, termios.TCSANOW, modes)
    termios.tcsetwinsize(slave, _SIZE)
    ends = Ends(FileIO(master), FileIO(slave, "r+"), is_terminal=True)
    resize([ends])
    return ends


def resize(terminals: Sequence[Ends]) -> None:
    """Give them the size of our terminal; who runs in the foreground of one gets SIGWINCH if that is another size."""
    model = next(filter(os.isatty, range(3)), None)
    for ends in terminals:
        if model is not None and not ends.source.closed:
            size = fcntl.ioctl(model, termios.TIOCGWINSZ, bytes(8))
            fcntl.ioctl(ends.source, termios.TIOCSWINSZ, size)


class TerminalJob:
    """A command at a pseudo terminal in place of ours, which is raw meanwhile.

    Between us and the command is the leader of its session, since the kernel stops no job whose parent is in another
    one. The leader stops and ends as the command does, and continues it when it is continued.
    """

    def __init__(self, ends: Sequence[Ends], command: Command) -> None:
        """Fork the leader, which waits for `start`, while there are no threads; the terminal is the first of `ends`."""
        self._terminal = ends[0]
        self._modes = termios.tcgetattr(0)
        self._typed = b""
        self._is_held = self._is_raw = self._has_ended = False
        go, self._go, _ = pipe()
        self._answer, answer, _ = pipe()
        with go, answer:
            self.leader = os.fork()
            if not self.leader:
                _lead([self._go, self._answer, *(each.source for each in ends)], go, answer, ends[0].target, command)

    def start(self, descriptors: Mapping[int, int]) -> int:
        """Start the command with these descriptors, and return its process id; an `OSError` says why it cannot."""
        self._is_held = descriptors[0] != 0  # Else no thread copies.
        self._take()
        self._go.write(b" ".join(b"%d %d" % each for each in descriptors.items()))
        pid = min((int(each) for each in self._answer.readall().split()), default=-errno.EAGAIN)
        if pid < 0:
            raise OSError(-pid, os.strerror(-pid))
        return pid

    def __enter__(self) -> None:
        """Do nothing yet: `start` makes our terminal raw."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Give our terminal back; a leader that was not started ends."""
        self._release()
        self._go.close()
        self._answer.close()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.leader, 0)

    def _take(self) -> bool:
        """Make our terminal raw if we are in its foreground, and return whether it is."""
        if self._is_held and not self._is_raw and is_in_foreground():
            with contextlib.suppress(OSError, termios.error):
                tty.setraw(0, termios.TCSADRAIN)
                self._is_raw = True
        return self._is_raw

    def note_modes(self) -> None:
        """Let our terminal get the modes that the command leaves at its own, as `stty` may; a line keeps its speed."""
        with contextlib.suppress(OSError, termios.error):
            now = termios.tcgetattr(self._terminal.target)
            for place in (0, 1, 3, 6):  # Input, output, the local ones, the keys.
                self._modes[place] = now[place]

    def _release(self) -> None:
        """Give our terminal its former modes back, if it is raw."""
        was_raw = self._is_raw
        self._is_held = False
        self._is_raw = False
        if was_raw:
            with contextlib.suppress(OSError, termios.error):
                termios.tcsetattr(0, termios.TCSADRAIN, self._modes)

    def suspend(self) -> None:
        """Stop with our whole job, as the command has stopped, until the shell continues it."""
        self.note_modes()
        self._release()
        os.killpg(0, signal.SIGTSTP)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTSTP})  # Here it stops.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTSTP})
        signal.sigtimedwait({signal.SIGCONT}, 0)
        self.resume()

    def resume(self) -> None:
        """Take our terminal again, whose modes and size may have changed, and continue the command."""
        self._is_held = True
        self._is_raw = False
        self._take()
        resize([self._terminal])
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.leader, signal.SIGCONT)

    # The rest is for the thread of the keyboard.

    def awaited(self) -> dict[int, int]:
        """Return the descriptors to wait for, each with its events; none while we are in the background."""
        if self._terminal.source.closed or self._has_ended:
            return {}
        if self._typed:
            return {self._terminal.source.fileno(): select.POLLIN | select.POLLOUT}
        return {0: select.POLLIN} if self._take() else {}

    def pass_on(self, ready: Collection[int]) -> None:
        """Pass on what was typed, as far as the terminal of the command takes it."""
        if 0 in ready and self._is_raw:
            with contextlib.suppress(OSError):
                self._typed = os.read(0, _TYPED_BYTES)
            self._has_ended = not self._typed
        if self._typed and not self._terminal.source.closed:
            with contextlib.suppress(OSError):
                self._typed = self._typed[os.write(self._terminal.source.fileno(), self._typed) :]


def _lead(ours: Sequence[FileIO], go: FileIO, answer: FileIO, terminal: FileIO, command: Command) -> NoReturn:
    """Run the command as the leader of its session, and end as it does."""
    code = _FAILED
    try:
        for each in ours:
            each.close()
        numbers = [int(each) for each in go.read(_TYPED_BYTES).split()]
        if numbers:
            os.setsid()
            fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            pid = os.fork()
            if not pid:
                _become(command, zip(numbers[::2], numbers[1::2], strict=True), answer, terminal)
            answer.write(b"%d " % pid)
            answer.close()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})  # If we are killed, the command gets it, too.
            code = _followed(pid)
            os.tcsetpgrp(terminal.fileno(), os.getpgrp())  # What it leaves in the background gets none.
    finally:
        os._exit(code if code >= 0 else _SIGNALLED - code)


def _followed(pid: int) -> int:
    """Stop when a process stops, and return its exit code, or minus the signal that has ended it."""
    while True:
        _, status = os.waitpid(pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            return os.waitstatus_to_exitcode(status)
        os.kill(os.getpid(), signal.SIGSTOP)
        os.killpg(pid, signal.SIGCONT)


def _become(command: Command, descriptors: Iterable[tuple[int, int]], answer: FileIO, terminal: FileIO) -> NoReturn:
    """Become the command, in the foreground of its terminal."""
    try:
        os.setpgid(0, 0)
        os.tcsetpgrp(terminal.fileno(), os.getpid())
        for own, descriptor in descriptors:
            os.dup2(descriptor, own)
        for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # By Python.
            signal.signal(ignored, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, command.mask)
        os.execvpe(command.arguments[0], command.arguments, command.environment)  # noqa: S606  # as the user says
    except OSError as error:
        answer.write(b"%d " % -(error.errno or errno.EIO))
    finally:
        os._exit(_FAILED)
