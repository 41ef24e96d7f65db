"""The pages that are generated from the code, and `llms.txt`: they are up to date, and a difference is named."""

from __future__ import annotations

import re
import runpy
import shutil
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def generator() -> dict[str, Any]:
    """The names of `docs/generate.py`."""
    return runpy.run_path(str(ROOT / "docs" / "generate.py"))


@pytest.fixture(scope="module")
def generated(generator: dict[str, Any]) -> dict[str, str]:
    """The content of each generated file, by its path below `docs`."""
    files: dict[str, str] = generator["generated"]()
    return files


def test_generated_pages_follow_from_the_code(generated: dict[str, str]) -> None:
    """`make format` writes them."""
    assert {
        name: (ROOT / "docs" / name).read_text("utf-8") == text for name, text in generated.items()
    } == dict.fromkeys(generated, True)


def test_a_difference_is_named(
    generated: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the check leaves the file as it is; without `--check` the script repairs it."""
    shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("_build"))
    for name in ("README.md", "llms.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    page = tmp_path / "docs" / "reference" / "settings.md"
    page.write_text("changed", "utf-8")
    script = str(tmp_path / "docs" / "generate.py")
    monkeypatch.setattr("sys.argv", [script, "--check"])
    assert runpy.run_path(script)["main"]() == 1
    assert "reference/settings.md" in capsys.readouterr().err
    assert page.read_text("utf-8") == "changed"
    monkeypatch.setattr("sys.argv", [script])
    assert runpy.run_path(script)["main"]() == 0
    assert page.read_text("utf-8") == generated["reference/settings.md"]


def test_the_index_for_language_models_leads_to_every_page() -> None:
    """Each link leads to a page, and each page is linked once."""
    links = re.findall(r"\]\((docs/[^)]+)\)", (ROOT / "llms.txt").read_text("utf-8"))
    pages = [path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts]
    assert sorted(links) == sorted(set(pages) - {"docs/index.md"})
