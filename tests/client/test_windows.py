"""The client in a Python without the modules and names that Windows lacks.

`make check` also type-checks the client for Windows, where it finds a name that no test reaches.
"""

import sys

import pytest
from click.testing import CliRunner

from progress_sse.cli.main import main
from tests.client.programs import run, shown
from tests.conftest import Serve

WITHOUT_POSIX = """
    # The standard library of this system needs them; on Windows it has modules of its own.
    import asyncio, http.cookiejar, logging, os, random, select, selectors, signal, socket, ssl, subprocess, sys
    import tempfile, threading, urllib.request, uuid
    import trio  # The HTTP library imports it.

    POSIX_MODULES = "fcntl grp posix pty pwd resource syslog termios tty"
    POSIX_NAMES = {
        os: "chown fchmod fork forkpty getgid getpgid getsid getuid geteuid killpg mkfifo openpty pipe2 posix_spawn"
            " posix_spawnp register_at_fork setsid sysconf uname wait O_NONBLOCK WNOHANG POSIX_SPAWN_DUP2",
        select: "epoll poll",
        signal: "alarm pause pthread_kill pthread_sigmask setitimer siginterrupt sigpending sigwait sigwaitinfo"
            " sigtimedwait struct_siginfo SIG_BLOCK SIG_SETMASK SIGALRM SIGCHLD SIGHUP SIGKILL SIGPIPE SIGQUIT SIGUSR1"
            " SIGUSR2 SIGXFSZ",
    }
    sys.modules.update(dict.fromkeys(POSIX_MODULES.split()))
    for module, names in POSIX_NAMES.items():
        for name in names.split():
            delattr(module, name)
"""

REPORTING = f"""
    {WITHOUT_POSIX}
    from progress_sse import AsyncProgress, Progress
    from progress_sse.cli.main import main

    with Progress(steps=["One", "Two", "Three"]) as progress, progress.step(1) as step:
        step.advance()

    async def go_on():
        async with AsyncProgress.attach() as progress, progress.step(2):
            pass

    asyncio.run(go_on())
    for arguments in (["step", "nightly", "3", "start"], ["step", "nightly", "3", "complete"]):
        try:
            main(arguments)
        except SystemExit as ended:
            assert not ended.code
    try:
        main(["watch", "nightly", "--output", "plain"])
    except SystemExit as ended:
        assert not ended.code
    # Left to the process's exit.
    Progress.attach().step(3).start()
"""


def test_a_job_reports_without_posix(serve: Serve) -> None:
    """It does so by both clients, by the shell's commands, and at its exit."""
    server = serve()
    output = run(REPORTING, server.url)
    assert shown(server)[0] == ["success", "success", "running"], output


@pytest.mark.parametrize(
    ("platform", "command", "sentence"),
    [
        ("win32", "serve", "progress-sse serve does not run on Windows."),
        ("win32", "demo", "progress-sse demo does not run on Windows."),
        ("win32", "run", "progress-sse run needs Linux; progress-sse step runs everywhere."),
        ("darwin", "run", "progress-sse run needs Linux; progress-sse step runs everywhere."),
    ],
)
def test_a_command_that_needs_another_system_says_so(
    monkeypatch: pytest.MonkeyPatch, platform: str, command: str, sentence: str
) -> None:
    """It does so in one sentence, and without a traceback."""
    monkeypatch.setattr(sys, "platform", platform)
    result = CliRunner().invoke(main, [command, "--", "true"])
    assert (result.exit_code, result.output) == (1, f"Error: {sentence}\n")
