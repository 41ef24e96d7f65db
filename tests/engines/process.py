"""Child processes that make up a browser."""

import asyncio
import contextlib
import os
import re
from pathlib import Path
from typing import Self

START_S = 60
"""Within this a process must be ready, on a busy machine too."""

END_S = 10
"""After this a process that was asked to end is killed."""


def environment(home: Path, **variables: str) -> dict[str, str]:
    """The variables of a browser that finds neither the user's files nor the services of a desktop."""
    without_desktop = {"DBUS_SESSION_BUS_ADDRESS": "disabled:", "GSETTINGS_BACKEND": "memory", "NO_AT_BRIDGE": "1"}
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", **without_desktop, **variables}


class Process:
    """One child process, whose output is kept in a file."""

    def __init__(self, child: asyncio.subprocess.Process, log_path: Path) -> None:
        self._child = child
        self._log_path = log_path

    @classmethod
    async def start(cls, command: list[str], folder: Path, variables: dict[str, str]) -> Self:
        log_path = folder / f"{Path(command[0]).name}.log"
        with log_path.open("wb") as log:
            child = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, env=variables
            )
        return cls(child, log_path)

    async def said(self, pattern: str) -> str:
        """Wait for a line of the output, and return the first group of the pattern.

        Raises:
            RuntimeError: The process has ended, or it has not said that in time; with its output.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_S):
                while self._child.returncode is None:
                    if found := re.search(pattern, self._log(), re.MULTILINE):
                        return found[1]
                    await asyncio.sleep(0.05)
        raise RuntimeError(f"{self._log_path.stem} (exit code {self._child.returncode}):\n{self._log()}")

    def _log(self) -> str:
        return self._log_path.read_text(errors="backslashreplace")

    async def end(self) -> None:
        """Ask it to end, and kill it if it does not."""
        if self._child.returncode is not None:
            return
        self._child.terminate()
        try:
            async with asyncio.timeout(END_S):
                await self._child.wait()
        except TimeoutError:
            self._child.kill()
            await self._child.wait()
