"""Compare the shape of the code with the budgets in CONTRIBUTING.md; fail where one is exceeded."""

import ast
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
CONTRIBUTING: Final = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
BUDGET: Final = re.compile(r"^\| ([^|]+?) \| ([\d,]+) \|$", re.MULTILINE)


def methods() -> Iterator[tuple[str, int]]:
    """Yield each class of the package and the number of its methods and properties."""
    for path in (ROOT / "progress_sse").rglob("*.py"):
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
    "methods and properties of a class": lambda: max(count for _, count in methods()),
    "methods of `Backend`": lambda: dict(methods())["Backend"],
    "places of a new step command, by the recipe below": lambda: places("Add a step command"),
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
