"""Print the sizes of the project by room, beside those of the last tag: ``make sizes``; ``ARGS=REF`` names a commit.

A size is read, and no size is a goal: the program fails for none. A room is a top folder of the package, of the tests,
of the page or of the documents. What is generated, and data such as vectors and recordings, is left out.
"""

import ast
import io
import json
import subprocess
import sys
import tarfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias, TypeGuard

ROOT: Final = Path(__file__).parents[1]
SECONDS: Final = ROOT / "build" / "test-seconds.json"
"""The seconds of each test file in the last whole run of the tests; `tests/conftest.py` writes them."""

TOPS: Final = ("progress_sse", "tests", "web", "docs")
SUFFIXES: Final = frozenset({".css", ".go", ".html", ".js", ".lua", ".md", ".mjs", ".py", ".ts", ".tsx", ".vue"})
GENERATED: Final = "web/assets/"

COLUMNS: Final = ("files", "lines", "syntax nodes", "docstring lines", "words")

IN_ALL: Final = ", in all"
"""What ends the name of the row with the sum of a top folder."""

Sizes: TypeAlias = dict[str, Counter[str]]
"""By room, and by the name of a column."""


def is_counted(path: str) -> bool:
    """Whether a file is text that is written by hand, and lies in a room."""
    return path.partition("/")[0] in TOPS and Path(path).suffix in SUFFIXES and not path.startswith(GENERATED)


def files_here() -> Iterator[tuple[str, str]]:
    """Yield the path and the text of each file of the work tree, also of those that are not committed yet."""
    listed = subprocess.check_output(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"],  # noqa: S607
        cwd=ROOT,
        text=True,
    )
    for path in filter(is_counted, listed.split("\0")):
        with suppress(FileNotFoundError):  # It is deleted, and the deletion is not committed.
            yield path, (ROOT / path).read_text("utf-8")


def files_of(ref: str) -> Iterator[tuple[str, str]]:
    """Yield the path and the text of each file of a commit."""
    archive = subprocess.check_output(["git", "archive", "--format=tar", ref], cwd=ROOT)  # noqa: S603, S607
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        for member in files:
            if is_counted(member.name) and (content := files.extractfile(member)) is not None:
                yield member.name, content.read().decode()


def last_tag() -> str:
    """Return the last tag before the current commit, or an empty text."""
    described = subprocess.run(
        ["git", "describe", "--tags", "--abbrev=0"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip()


def room_of(path: str) -> str:
    """Return the top folder of a file, as `tests/store`, or the folder that it lies in itself."""
    return "/".join(path.split("/")[:-1][:2])


def size_of(path: str, text: str) -> Counter[str]:
    """Return the size of a file: words of a document; syntax nodes and docstrings, those of attributes too, of Python.

    A file that this Python cannot read has no nodes.
    """
    size = Counter({"files": 1, "lines": text.count("\n")})
    if path.endswith(".md"):
        size["words"] = len(text.split())
    if path.endswith(".py"):
        with suppress(SyntaxError):
            for node in ast.walk(ast.parse(text)):
                size["syntax nodes"] += 1
                if _is_docstring(node):
                    size["docstring lines"] += (node.end_lineno or node.lineno) - node.lineno + 1
    return size


def _is_docstring(node: ast.AST) -> TypeGuard[ast.Expr]:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def sizes_of(files: Iterable[tuple[str, str]]) -> Sizes:
    """Return the sizes of all rooms that these files lie in, and of the tops."""
    sizes: Sizes = defaultdict(Counter)
    for path, text in files:
        size = size_of(path, text)
        sizes[room_of(path)] += size
        sizes[total_of(path)] += size
    return sizes


def total_of(path: str) -> str:
    """Return the name of the row with the sum of a file's top folder."""
    return path.partition("/")[0] + IN_ALL


def seconds() -> Mapping[str, float]:
    """Return the seconds of each room of the tests; none if they were not measured."""
    by_room: dict[str, float] = defaultdict(float)
    with suppress(OSError, ValueError):
        for path, duration_s in json.loads(SECONDS.read_text("utf-8")).items():
            by_room[room_of(path)] += duration_s
            by_room[total_of(path)] += duration_s
    return by_room


def rows(now: Sizes, before: Sizes | None, durations_s: Mapping[str, float]) -> Iterator[list[str]]:
    """Yield the head of the table and the row of each room, those of one top folder under its sum."""
    yield ["", *COLUMNS, "seconds of tests"]
    for room in sorted(now | (before or {}), key=_place):
        cells = [_cell(now[room][each], None if before is None else before[room][each]) for each in COLUMNS]
        yield [room, *cells, _seconds_cell(room, durations_s)]


def _place(room: str) -> tuple[str, bool, str]:
    top = room.partition("/")[0].removesuffix(IN_ALL)
    return top, not room.endswith(IN_ALL), room


def _cell(now: int, before: int | None) -> str:
    if not now and not before:
        return ""
    return f"{now:,}" if before is None else f"{now:,} ({before:,})"


def _seconds_cell(room: str, durations_s: Mapping[str, float]) -> str:
    if room in durations_s:
        return f"{durations_s[room]:,.0f}"
    return "not measured" if room == f"tests{IN_ALL}" else ""


def main() -> None:
    """Print the table."""
    ref = sys.argv[1] if len(sys.argv) > 1 else last_tag()
    try:
        now = sizes_of(files_here())
        before = sizes_of(files_of(ref)) if ref else None
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"no sizes: {error}")  # noqa: T201
        return
    table = list(rows(now, before, seconds()))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    print(f"In brackets: {ref}." if ref else "There is no tag to compare with; ARGS=REF names a commit.")  # noqa: T201
    for room, *cells in table:
        aligned = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
        print("  ".join([room.ljust(widths[0]), *aligned]).rstrip())  # noqa: T201


if __name__ == "__main__":
    main()
