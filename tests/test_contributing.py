"""The pages for contributors name files and functions that exist: `CONTRIBUTING.md`, `docs/explanation`, `docs/adr`."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ARCHITECTURE = ROOT / "docs" / "explanation" / "architecture.md"
DECISIONS = ROOT / "docs" / "adr"
PAGES = [ROOT / "CONTRIBUTING.md", *sorted(ARCHITECTURE.parent.glob("*.md")), *sorted(DECISIONS.glob("*.md"))]

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def prose(page: Path) -> str:
    """The text of a page with single spaces, so that a sentence is found across line ends."""
    return " ".join(page.read_text("utf-8").split())


@each_page
def test_paths_exist(page: Path) -> None:
    """Each path of the project that a page names exists; `NAME` stands for a file to be added."""
    named = re.findall(r"\b(?:progress_sse|tests|web|docs)/[\w./-]*\w", page.read_text("utf-8"))
    assert [path for path in named if "NAME" not in path and not (ROOT / path).exists()] == []


@each_page
def test_names_stand_in_the_files_that_are_named_with_them(page: Path) -> None:
    """This covers every place where a page names a name and its file."""
    text = prose(page)
    for names, path in re.findall(r"((?:`\w+`(?:, | and | or |, and ))*`\w+`) (?:in|of|from) `([\w/.]+\.py)`", text):
        source = (ROOT / path).read_text("utf-8")
        for name in re.findall(r"\w+", re.sub(r"` (and|or) `", "` `", names.replace(", and ", ", "))):
            assert re.search(rf"\b{name}\b", source), f"{name} in {path}"


@each_page
def test_make_targets_exist(page: Path) -> None:
    """Each target that a page names has a line in `make help`."""
    named = set(re.findall(r"(?:^|`)make ([\w-]+)", page.read_text("utf-8"), re.MULTILINE))
    assert named <= set(re.findall(r"^([\w-]+):.*##", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def test_decisions_are_numbered() -> None:
    """From 1 on without a gap, in the name and in the title of each page."""
    pages = sorted(page for page in DECISIONS.glob("*.md") if page.name != "README.md")
    for number, page in enumerate(pages, start=1):
        assert page.name.startswith(f"{number:04}-")
        assert page.read_text("utf-8").startswith(f"# {number}. ")


def test_every_package_has_its_row() -> None:
    """The rows are the layers of the contract in `pyproject.toml`, where the innermost one is the last."""
    rows = re.findall(r"^\| `progress_sse/(\w+)(?:/|\.py)` \|", ARCHITECTURE.read_text("utf-8"), re.MULTILINE)
    parts = (ROOT / "progress_sse").iterdir()
    assert sorted(rows) == sorted(
        part.stem for part in parts if not part.name.startswith("__") and part.suffix != ".typed"
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    [contract] = [each for each in project["tool"]["importlinter"]["contracts"] if each["type"] == "layers"]
    assert rows == [*reversed(contract["layers"])][:-1]  # The last is `__main__`.


def test_the_functions_of_the_sequence_diagram_exist() -> None:
    """Each call names a function of the file that it goes to."""
    [diagram] = re.findall(
        r"^```mermaid\n(sequenceDiagram\n.*?)^```$", ARCHITECTURE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    files = dict(re.findall(r"^ *participant (\w+) as (progress_sse/\S+\.py)$", diagram, re.MULTILINE))
    calls = re.findall(r"->>(\w+): (?:\w+\.)?(\w+)\(\)$", diagram, re.MULTILINE)
    assert len(calls) > 10
    for receiver, function in calls:
        source = (ROOT / files[receiver]).read_text("utf-8")
        assert re.search(rf"^ *(?:async )?def {function}\(", source, re.MULTILINE), f"{function} in {files[receiver]}"
