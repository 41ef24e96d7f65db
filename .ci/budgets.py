"""Compare the sizes of the project with the budgets in CONTRIBUTING.md; fail where one is exceeded."""

import ast
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
CONTRIBUTING: Final = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
BUDGET: Final = re.compile(r"^\| ([^|]+?) \| ([\d,]+) \|$", re.MULTILINE)


def files(folder: str, pattern: str = "*.py") -> list[Path]:
    """Return the files in a folder that are ours."""
    foreign = {"node_modules", "_build"}
    return [each for each in (ROOT / folder).rglob(pattern) if foreign.isdisjoint(each.parts)]


def lines(folder: str) -> int:
    """Return the number of lines of Python, blank ones too."""
    return sum(len(each.read_text("utf-8").splitlines()) for each in files(folder))


def methods() -> Iterator[tuple[str, int]]:
    """Yield each class of the package and the number of its methods and properties."""
    for path in files("progress_sse"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                functions = (ast.FunctionDef, ast.AsyncFunctionDef)
                yield node.name, sum(isinstance(each, functions) for each in node.body)


def places(recipe: str) -> int:
    """Return how many files the numbered list below a heading of CONTRIBUTING.md names."""
    section = CONTRIBUTING.partition(f"\n## {recipe}\n")[2].partition("\n## ")[0]
    items = " ".join(re.findall(r"^(?:\d+\.| {3}).*", section, re.MULTILINE))
    return len(set(re.findall(r"(?:progress_sse|tests|docs|web)/[\w/.-]*\w", items)))


SIZES: Final[dict[str, Callable[[], int]]] = {
    "lines of Python in `progress_sse/`": lambda: lines("progress_sse"),
    "modules in `progress_sse/`": lambda: len(files("progress_sse")),
    "lines of Python in `progress_sse/client/`": lambda: lines("progress_sse/client"),
    "modules in `progress_sse/client/`": lambda: len(files("progress_sse/client")),
    "methods and properties of a class": lambda: max(count for _, count in methods()),
    "methods of `Backend`": lambda: dict(methods())["Backend"],
    "places of a new step command, by the recipe below": lambda: places("Add a step command"),
    "lines of Python in `tests/`": lambda: lines("tests"),
    "pages in `docs/`": lambda: len(files("docs", "*.md")),
    "words in `docs/`": lambda: sum(len(each.read_text("utf-8").split()) for each in files("docs", "*.md")),
}


def main() -> None:
    """Print each budget that is exceeded, or that the table does not have."""
    budgets = {what: int(most.replace(",", "")) for what, most in BUDGET.findall(CONTRIBUTING)}
    if budgets.keys() != SIZES.keys():
        sys.exit(f"the budgets in CONTRIBUTING.md and in .ci/budgets.py differ: {budgets.keys() ^ SIZES.keys()}")
    sizes = {what: count() for what, count in SIZES.items()}
    exceeded = [f"{what}: {sizes[what]:,} of at most {most:,}" for what, most in budgets.items() if sizes[what] > most]
    if exceeded:
        sys.exit("\n".join(["Above the budgets of CONTRIBUTING.md:", *exceeded]))


if __name__ == "__main__":
    main()
