"""Computes the content of a disk after a loss of power from the system calls of a program.

A disk keeps what was written to a file before the last `fsync` of that file that returned. Of later writes it keeps any
part: each write completely, not at all, or up to one of its sectors.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

SECTOR_BYTES: Final = 512

_CALL: Final = re.compile(r"(\d+) +(pwrite64|fdatasync|fsync|ftruncate|unlink|write|writev|sendmsg|sendto)\((.*)")
_RESUMED: Final = re.compile(r"(\d+) +<\.\.\. (?:fdatasync|fsync) resumed>")
_HEX: Final = r"((?:\\x[0-9a-f]{2})*)"
_FILE: Final = re.compile(rf'(?:\d+<{_HEX}>|"{_HEX}")')
_WRITTEN: Final = re.compile(rf'"{_HEX}", \d+, (\d+)')
_TRUNCATED: Final = re.compile(r">, (\d+)")
_ANSWER: Final = "".join(rf"\x{byte:02x}" for byte in b"HTTP/1.1 200 ")


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a server: on a file, or a response with status 200."""

    kind: Literal["write", "truncate", "sync", "remove", "answer"]
    file: str = ""
    at: int = 0
    data: bytes = b""


def recording(log: Path, command: Sequence[str]) -> list[str]:
    """A command whose process, the one that is started, has its disk and network operations written to a log."""
    calls = "trace=pwrite64,fdatasync,fsync,ftruncate,unlink,write,writev,sendmsg,sendto"
    return ["strace", "-D", "-f", "--seccomp-bpf", "-y", "-xx", "-s", "70000", "-o", str(log), "-e", calls, *command]


def has_ended(pid: int, log: Path) -> bool:
    return re.search(rf"^{pid} +\+\+\+ exited", log.read_text("ascii")[-1000:], re.MULTILINE) is not None


def operations(log: Path) -> list[Operation]:
    """The operations in a log, in order; a sync counts once it has returned."""
    found: list[Operation] = []
    under_way: dict[str, str] = {}
    for line in log.read_text("ascii").splitlines():
        if resumed := _RESUMED.match(line):
            found.append(Operation("sync", under_way.pop(resumed[1])))
        elif call := _CALL.match(line):
            thread, name, arguments = call.groups()
            if name in ("fdatasync", "fsync") and arguments.endswith("<unfinished ...>"):
                under_way[thread] = _file(arguments)
            else:
                found += _operation(name, arguments)
    return found


def _operation(name: str, arguments: str) -> list[Operation]:
    if name == "pwrite64":
        written = _WRITTEN.search(arguments)
        assert written is not None, arguments[-100:]
        return [Operation("write", _file(arguments), int(written[2]), _decoded(written[1]))]
    if name == "ftruncate":
        truncated = _TRUNCATED.search(arguments)
        assert truncated is not None, arguments
        return [Operation("truncate", _file(arguments), int(truncated[1]))]
    if name in ("fdatasync", "fsync", "unlink"):
        return [Operation("remove" if name == "unlink" else "sync", _file(arguments))]
    return [Operation("answer")] if _ANSWER in arguments else []


def _file(arguments: str) -> str:
    named = _FILE.match(arguments)
    assert named is not None, arguments[:100]
    return _decoded(named[1] or named[2]).decode()


def _decoded(escaped: str) -> bytes:
    return bytes.fromhex(escaped.replace(r"\x", ""))


def after_power_loss(done: Sequence[Operation], file: str, rng: random.Random) -> bytes:
    """One possible content of a file, new at the beginning, if the power fails after these operations."""
    mine = [operation for operation in done if operation.file == file]
    last_sync = max((n for n, operation in enumerate(mine) if operation.kind == "sync"), default=-1)
    content = bytearray()
    for n, operation in enumerate(mine):
        _apply(content, operation, 1.0 if n < last_sync else rng.choice((0.0, rng.random(), 1.0)))
    return bytes(content)


def _apply(content: bytearray, operation: Operation, part: float) -> None:
    if operation.kind == "remove":
        content.clear()
    elif operation.kind == "truncate" and part == 1:
        content[:] = content[: operation.at].ljust(operation.at, b"\0")
    elif operation.kind == "write" and part:
        size = len(operation.data)
        kept = operation.data if part == 1 else operation.data[: int(part * size) // SECTOR_BYTES * SECTOR_BYTES]
        content.extend(bytes(max(0, operation.at + len(kept) - len(content))))
        content[operation.at : operation.at + len(kept)] = kept
