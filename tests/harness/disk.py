"""A disk of a test's own, small, that can be filled and made read-only; and one that only says that it is full."""

import contextlib
import os
import subprocess
from pathlib import Path
from typing import Final, Self

_AS_ROOT: Final = ["--map-root-user"] if os.geteuid() else []
_ENTERING: Final = ["--user", "--preserve-credentials"] if os.geteuid() else []

_HOLDER: Final = 'mount -t tmpfs -o "size=$2" none "$1" && echo mounted && read -r _'


class SmallDisk:
    """A file system in memory, visible only to processes started by `command`; it ends with the block."""

    def __init__(self, folder: Path, size: str) -> None:
        """Mount it on a new folder; `size` as in `mount -o size=8m`."""
        folder.mkdir(parents=True)
        self.folder = folder
        command = ["unshare", "--mount", *_AS_ROOT, "sh", "-c", _HOLDER, "sh", str(folder), size]
        self._holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != "mounted\n":
            self.__exit__()
            raise PermissionError("mounting needs root, or namespaces for other users")

    @property
    def host_path(self) -> Path:
        """The path by which the test finds the content of `folder`."""
        return Path(f"/proc/{self._holder.pid}/root{self.folder}")

    def command(self, *arguments: str) -> list[str]:
        """A command that sees the disk at `folder`; its process is the one that is started."""
        return ["nsenter", "--target", str(self._holder.pid), "--mount", *_ENTERING, "--", *arguments]

    def remount(self, option: str) -> None:
        """Remount it, `ro` or `rw`; no process may then have a file open for writing."""
        subprocess.run(self.command("mount", "-o", f"remount,{option}", str(self.folder)), check=True)

    def fill(self) -> None:
        with (
            (self.host_path / "filling").open("wb", buffering=0) as filling,
            contextlib.suppress(OSError),  # The test will see the error itself.
        ):
            while True:
                filling.write(bytes(4096))

    def free(self) -> None:
        (self.host_path / "filling").unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._holder.communicate("\n")


class ReportedDisk:
    """A folder whose disk reports to a server that it is full, and takes writes all the same.

    The server refuses what would use up its reserve before the kernel does, so it meets no other error on most disks.
    This one needs no right to mount.
    """

    _SERVE: Final = """
import pathlib, sys
from progress_sse.cli.main import main
from progress_sse.store.sqlite import room

free_bytes, full = room.free_bytes, pathlib.Path(sys.argv.pop(1))
room.free_bytes = lambda descriptor: 0 if full.exists() else free_bytes(descriptor)
main()
"""

    def __init__(self, folder: Path, _size: str) -> None:
        folder.mkdir(parents=True)
        self.folder = self.host_path = folder
        self._full = folder / "full"

    def command(self, python: str, _module: str, _package: str, *arguments: str) -> list[str]:
        """A command of ours, `python -m progress_sse …`, that asks this disk for its free space."""
        return [python, "-c", self._SERVE, str(self._full), *arguments]

    def fill(self) -> None:
        self._full.touch()

    def free(self) -> None:
        self._full.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass
