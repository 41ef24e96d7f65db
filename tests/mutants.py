"""Shows which faults the tests find: changes one place of the package at a time, and runs the tests that reach it.

`python -m tests.mutants` has four commands, whose files lie in `build/mutants` unless they are named:

* `reach` runs the ordinary tests once under coverage, and records which tests reach which line.
* `sample 100 --seed 7` draws random mutants: comparisons, constants, conditions and dropped calls, a quarter each.
* `run` changes a copy of the project by each mutant in turn, and runs the tests of its line up to the first failure.
* `compare BEFORE AFTER` shows the results of two runs, mutant by mutant, and fails if the second one finds fewer.

Two suites are compared by one sample, and by `reach` and `run` in the checkout of each. This module is also the plugin
by which pytest records the lines of each test, and runs some tests alone.
"""

import argparse
import ast
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import coverage
import pytest

ROOT: Final = Path(__file__).parents[1]
FOLDER: Final = ROOT / "build" / "mutants"
SAMPLE: Final = FOLDER / "sample.json"
RESULTS: Final = FOLDER / "results.json"
REACHED: Final = FOLDER / "reached"

KINDS: Final = ("comparison", "constant", "condition", "dropped call")

COMPARISONS: Final[Sequence[tuple[type[ast.cmpop], type[ast.cmpop]]]] = [
    (ast.Lt, ast.LtE),
    (ast.Gt, ast.GtE),
    (ast.Eq, ast.NotEq),
    (ast.Is, ast.IsNot),
    (ast.In, ast.NotIn),  # codespell:ignore notin
]
OTHER_COMPARISON: Final = dict([*COMPARISONS, *(pair[::-1] for pair in COMPARISONS)])

SURVIVED: Final = "survived"
NOT_REACHED: Final = "not reached"
GONE: Final = "its lines have changed"
NOT_RUN: Final = "not run"
UNFOUND: Final = frozenset({SURVIVED, NOT_REACHED, GONE, NOT_RUN})
"""The verdicts on mutants that no test finds; the others are the name of a test, and the two that follow."""

TIMED_OUT: Final = "timed out"
NO_START: Final = "pytest does not start"

PLUGIN: Final = "tests.mutants"
SELECTION: Final = "MUTANTS_SELECTION"
FAILURES: Final = "MUTANTS_FAILURES"
"""Variables with the paths of two files: which tests the plugin runs, and where it writes each that fails."""

NODE_MODULES: Final = "web/node_modules"
"""The folder outside git that tests read; a copy of the project shares it."""

STOP_S: Final = 30
"""Seconds in which tests that are interrupted end what they have started."""

# What a test starts has the test as its context. Of coverage's tracers, ctrace lets a process switch contexts.
COVERAGE: Final = """\
[run]
core = ctrace
source = progress_sse
parallel = true
sigterm = true
data_file = {data}
context = ${{PYTEST_CURRENT_TEST-}}
"""


class Mutant(NamedTuple):
    """A change of one place.

    Attributes:
        path: The file, from the root of the project.
        line: The number of its first line, from 1.
        column: How many characters of that line are before it.
        kind: One of `KINDS`.
        old: The text that is replaced.
        new: The text in its place.
        lines: The whole lines that it lies in, by which it is found again when changes elsewhere have moved it.
        lines_before: How many lines of its statement are before these; Python may run a statement by its first line.
        is_in_function: Whether a call runs it, and not the import of the module.
    """

    path: str
    line: int
    column: int
    kind: str
    old: str
    new: str
    lines: str
    lines_before: int
    is_in_function: bool

    def __str__(self) -> str:
        """Return a name that no other mutant of one sample has."""
        return f"{self.path}:{self.line}:{self.column} {self.kind}: {' '.join(self.old.split())} → {self.new}"

    def line_in(self, text: str) -> int | None:
        """Return the number of its first line in a text of the file: the former one, or where alone its lines are."""
        wanted = self.lines.split("\n")[:-1]
        lines = text.split("\n")
        found = [at + 1 for at in range(len(lines)) if lines[at : at + len(wanted)] == wanted]
        if self.line in found:
            return self.line
        return found[0] if len(found) == 1 else None

    def applied(self, text: str) -> str:
        """Return the changed text of the file, which has its lines."""
        line = self.line_in(text)
        assert line is not None, f"{self} is gone"
        start = _index_of(text, line) + self.column
        return text[:start] + self.new + text[start + len(self.old) :]


def _index_of(text: str, line: int) -> int:
    """Return where a line begins."""
    return sum(len(each) + 1 for each in text.split("\n")[: line - 1])


def mutants_of(path: str, text: str) -> Iterator[Mutant]:
    """Yield the mutants of a file."""
    lines = [f"{line}\n" for line in text.split("\n")]
    starts = [0, *itertools.accumulate(map(len, lines))]
    for node, statement, is_in_function in _nodes(ast.parse(text)):
        for kind, place, new in _changes(node):
            end_line, end_offset = place.end_lineno or 0, place.end_col_offset or 0
            column = _characters(lines[place.lineno - 1], place.col_offset)
            end = starts[end_line - 1] + _characters(lines[end_line - 1], end_offset)
            old = text[starts[place.lineno - 1] + column : end]
            whole = "".join(lines[place.lineno - 1 : end_line])
            lines_before = place.lineno - statement
            yield Mutant(path, place.lineno, column, kind, old, new, whole, lines_before, is_in_function)


def _characters(line: str, offset: int) -> int:
    """Return how many characters the first bytes of a line are, by which syntax trees count."""
    return len(line.encode()[:offset].decode())


def _nodes(node: ast.AST, statement: int = 1, *, is_in_function: bool = False) -> Iterator[tuple[ast.AST, int, bool]]:
    """Yield each node, the first line of its statement, and whether it is in a function.

    Types, docstrings and f-strings are left out.
    """
    if isinstance(node, ast.stmt):
        statement = node.lineno
    yield node, statement, is_in_function
    is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and name not in {"annotation", "returns"} and not _is_text(child):
                yield from _nodes(child, statement, is_in_function=is_in_function or (is_function and name == "body"))


def _is_text(node: ast.AST) -> bool:
    """Whether a node is a docstring, or an f-string, whose parts have wrong places before Python 3.12."""
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _changes(node: ast.AST) -> Iterator[tuple[str, ast.expr | ast.stmt, str]]:
    """Yield each change of a node: its kind, the node that is replaced, and the text in its place."""
    match node:
        case ast.Compare(ops=[comparison]):
            other = OTHER_COMPARISON[type(comparison)]()
            yield "comparison", node, ast.unparse(ast.Compare(node.left, [other], node.comparators))
        case ast.BoolOp(op=ast.And()):
            yield "condition", node, ast.unparse(ast.BoolOp(ast.Or(), node.values))
        case ast.BoolOp(op=ast.Or()):
            yield "condition", node, ast.unparse(ast.BoolOp(ast.And(), node.values))
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test) | ast.comprehension(ifs=[test]):
            yield "condition", test, f"not ({ast.unparse(test)})"
        case ast.Expr(value=ast.Call() | ast.Await(value=ast.Call())):
            yield "dropped call", node, "pass"
        case ast.Constant(value=bool(truth)):
            yield "constant", node, repr(not truth)
        case ast.Constant(value=int() | float() as number):
            yield "constant", node, repr(number + 1)
        case ast.Constant(value=str(text)):
            yield "constant", node, repr("" if text else "other")
        case ast.Constant(value=bytes(text)):
            yield "constant", node, repr(b"" if text else b"other")


def drawn(mutants: Iterable[Mutant], count: int, seed: int) -> list[Mutant]:
    """Return random mutants, of each kind in turn as far as there are; the same for the same mutants and seed."""
    by_kind: dict[str, list[Mutant]] = {kind: [] for kind in KINDS}
    for mutant in mutants:
        by_kind[mutant.kind].append(mutant)
    for each in by_kind.values():
        random.Random(seed).shuffle(each)
    in_turn = itertools.chain(*itertools.zip_longest(*by_kind.values()))
    return list(itertools.islice((each for each in in_turn if each is not None), count))


class Reach:
    """Which tests reach a line: a test itself, or the file of a test whose server or job reached it."""

    def __init__(self) -> None:
        self._data = coverage.CoverageData(str(REACHED))
        self._data.read()

    def tests_of(self, mutant: Mutant, line: int) -> set[str]:
        """Return the tests of a mutant that now is at this line: of what an import runs, all tests of the module."""
        by_line = self._data.contexts_by_lineno(str(ROOT / mutant.path))
        lines = range(line - mutant.lines_before, line + 1) if mutant.is_in_function else by_line
        contexts = itertools.chain.from_iterable(by_line.get(each, []) for each in lines)
        # A process that a test has started names the phase, too: `FILE::TEST (call)`.
        return {_file_of(each) if each.endswith(")") else each for each in contexts if each}


def nearest_first(tests: Iterable[str], mutant: Mutant) -> list[str]:
    """Return tests in the order in which they find most: those of the same folder, then those without a process."""
    folder = mutant.path.split("/")[1]
    return sorted(tests, key=lambda test: (test.split("/")[1] != folder, "::" not in test, test))


class Project:
    """A copy of the project, in which one file at a time is changed."""

    def __init__(self, folder: Path, processes: int, limit_s: float) -> None:
        self.root = folder / "project"
        self._selection = folder / "selection.json"
        self._failures = folder / "failures"
        self._processes = processes
        self._limit_s = limit_s
        self._unsound: set[str] = set()
        self._times_s = itertools.count(1)
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        for name in subprocess.check_output(listed, cwd=ROOT, text=True).split("\0"):
            if name and (ROOT / name).is_file():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.root / name)
        (self.root / NODE_MODULES).symlink_to(ROOT / NODE_MODULES)

    def verdict(self, mutant: Mutant, tests: list[str]) -> str:
        """Return the first test that a mutant fails and that passes without it, or another verdict."""
        path = self.root / mutant.path
        text = path.read_text("utf-8")
        while sound := [test for test in tests if not self._unsound.intersection((test, _file_of(test)))]:
            self._write(path, mutant.applied(text))
            failed = self._first_failure(sound)
            self._write(path, text)
            if failed in {"", TIMED_OUT}:
                return failed or SURVIVED
            failed_without = self._first_failure(sound[:1] if failed == NO_START else [failed])
            if not failed_without:
                return failed
            if failed_without == NO_START:
                sys.exit("pytest does not start without a change, either")
            self._unsound.add(failed)
        return NOT_REACHED

    def _write(self, path: Path, text: str) -> None:
        """Write a file, at a time that it never had: Python knows by time and size whether it is compiled."""
        path.write_text(text, "utf-8")
        time_s = next(self._times_s)
        os.utime(path, (time_s, time_s))

    def _first_failure(self, tests: list[str]) -> str:
        """Run tests, those that fail by themselves apart; return the first that fails, or an empty text."""
        files = list(dict.fromkeys(map(_file_of, tests)))
        selection = {"files": files, "tests": tests, "unsound": list(self._unsound)}
        self._selection.write_text(json.dumps(selection), "utf-8")
        self._failures.write_text("", "utf-8")
        paths = {SELECTION: str(self._selection), FAILURES: str(self._failures), "PYTHONPATH": str(self.root)}
        options = ["--exitfirst", "--hypothesis-seed=0", "-p", "no:cacheprovider"]
        process = subprocess.Popen(
            [*_pytest(self._processes), *options, *files],
            cwd=self.root,
            env={**os.environ, **paths},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            status = process.wait(self._limit_s)
        except subprocess.TimeoutExpired:
            return TIMED_OUT
        finally:
            _end(process)
        if status in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
            return ""
        failed, *_ = self._failures.read_text("utf-8").splitlines() or [NO_START]
        return failed


def _pytest(processes: int) -> list[str]:
    """Return the command that runs tests in so many processes, with this module as a plugin."""
    at_once = ["--numprocesses", str(processes), "--dist", "loadfile", "--no-loadscope-reorder"]
    return [sys.executable, "-m", "pytest", "-p", PLUGIN, *at_once]


def _end(process: subprocess.Popen[bytes]) -> None:
    """End tests that still run, and what they have left."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Record the lines that a test reaches, while coverage is measured."""
    measured = coverage.Coverage.current()
    if measured is None:
        return (yield)
    measured.switch_context(item.nodeid)
    try:
        return (yield)
    finally:
        measured.switch_context("")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the selected tests, in the order of their files."""
    if SELECTION in os.environ:
        selection = json.loads(Path(os.environ[SELECTION]).read_text("utf-8"))
        places = {file: place for place, file in enumerate(selection["files"])}
        tests = set(selection["tests"])
        unsound = set(selection["unsound"])
        selected: list[pytest.Item] = []
        others: list[pytest.Item] = []
        for item in items:
            names = {item.nodeid, _file_of(item.nodeid)}
            (selected if names & tests and not names & unsound else others).append(item)
        config.hook.pytest_deselected(items=others)
        items[:] = sorted(selected, key=lambda item: places[_file_of(item.nodeid)])


def pytest_runtest_logreport(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Write the name of a test that fails."""
    if report.failed and FAILURES in os.environ:
        with Path(os.environ[FAILURES]).open("a", encoding="utf-8") as file:
            file.write(f"{report.nodeid}\n")


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Write the name of a file that cannot be collected."""
    pytest_runtest_logreport(report)


def _file_of(test: str) -> str:
    return test.partition("::")[0]


def compared(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, int]:
    """Return the table of two results, and how many mutants only the first one finds."""
    rows = ["| | mutant | before | after |", "| --- | --- | --- | --- |"]
    lost = 0
    for mutant in dict.fromkeys([*before, *after]):
        earlier = before.get(mutant, NOT_RUN)
        later = after.get(mutant, NOT_RUN)
        is_lost = earlier not in UNFOUND and later in UNFOUND
        lost += is_lost
        cells = ["lost" if is_lost else "", mutant, earlier, later]
        rows.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    return "\n".join(rows), lost


def reach(options: argparse.Namespace) -> None:
    """Run the ordinary tests under coverage, as `make coverage` does, and record the tests of each line."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    settings = FOLDER / "coverage.ini"
    settings.write_text(COVERAGE.format(data=REACHED), "utf-8")
    run_coverage = [sys.executable, "-m", "coverage"]
    subprocess.run([*run_coverage, "erase", f"--rcfile={settings}"], cwd=ROOT, check=True)
    # By the first variable Python measures each process; by the second one, no test starts a process that it cannot.
    variables = {"COVERAGE_PROCESS_START": str(settings), "COVERAGE_RUN": "true"}
    command = [*_pytest(options.processes), "-m", "not full and not unmeasured"]
    status = subprocess.run(command, cwd=ROOT, env={**os.environ, **variables}, check=False).returncode
    subprocess.run([*run_coverage, "combine", "--quiet", f"--rcfile={settings}"], cwd=ROOT, check=True)
    sys.exit(status)


def sample(options: argparse.Namespace) -> None:
    """Draw mutants of the whole package, and write them."""
    paths = sorted((ROOT / "progress_sse").rglob("*.py"))
    texts = [(path.relative_to(ROOT).as_posix(), path.read_text("utf-8")) for path in paths]
    mutants = itertools.chain.from_iterable(itertools.starmap(mutants_of, texts))
    options.sample.parent.mkdir(parents=True, exist_ok=True)
    options.sample.write_text(json.dumps(drawn(mutants, options.count, options.seed), indent=1), "utf-8")


def run(options: argparse.Namespace) -> None:
    """Judge the mutants that the results lack, and write each result at once: a run that is interrupted goes on."""
    reached = Reach()
    results = json.loads(options.results.read_text("utf-8")) if options.results.exists() else {}
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        project = Project(Path(folder), options.processes, options.limit)
        for mutant in itertools.starmap(Mutant, json.loads(options.sample.read_text("utf-8"))):
            if str(mutant) not in results:
                path = ROOT / mutant.path
                line = mutant.line_in(path.read_text("utf-8")) if path.exists() else None
                tests = [] if line is None else nearest_first(reached.tests_of(mutant, line), mutant)
                results[str(mutant)] = GONE if line is None else project.verdict(mutant, tests)
                options.results.write_text(json.dumps(results, indent=1, ensure_ascii=False), "utf-8")
                print(f"{mutant}: {results[str(mutant)]}", flush=True)  # noqa: T201  # for the terminal


def compare(options: argparse.Namespace) -> None:
    """Print the table of two results."""
    table, lost = compared(*(json.loads(path.read_text("utf-8")) for path in (options.before, options.after)))
    print(table)  # noqa: T201  # for the terminal
    sys.exit(f"{lost} mutants are found no longer" if lost else 0)


def main() -> None:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(required=True)
    for command in (reach, sample, run, compare):
        each = commands.add_parser(command.__name__, help=(command.__doc__ or "").rstrip("."))
        each.set_defaults(command=command)
        if command is sample:
            each.add_argument("count", type=int)
            each.add_argument("--seed", type=int, required=True)
        if command in {reach, run}:
            each.add_argument("--processes", type=int, default=5, help="run the tests in so many (5)")
        if command is run:
            each.add_argument("--limit", type=float, default=900, help="seconds for the tests of one mutant (900)")
            each.add_argument("--results", type=Path, default=RESULTS)
        if command in {sample, run}:
            each.add_argument("--sample", type=Path, default=SAMPLE)
        if command is compare:
            each.add_argument("before", type=Path)
            each.add_argument("after", type=Path)
    given = parser.parse_args()
    given.command(given)


if __name__ == "__main__":
    main()
