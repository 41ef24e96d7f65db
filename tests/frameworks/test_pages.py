"""The how-to pages of frameworks: each block is one that the tests beside this file use."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.frameworks.how_to import HowTo
from tests.harness.serving import ROOT

FOLDER = ROOT / "docs" / "how-to"
PAGES = ["django.md", "embed.md", "flask.md"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

each_page = pytest.mark.parametrize("page", PAGES)


@each_page
def test_each_block_is_a_file_or_commands(page: str, tmp_path: Path) -> None:
    """A test writes the files, and runs the commands."""
    languages = re.findall(r"^```(\w+)$", (FOLDER / page).read_text("utf-8"), re.MULTILINE)
    assert set(languages) <= {"python", "html", "sh"}
    assert len(HowTo(page, tmp_path).files) == len(languages) - languages.count("sh")


@each_page
def test_the_tests_install_what_the_page_installs(page: str) -> None:
    """Each library beside ours is one of the project's groups."""
    [installed] = re.findall(r"^pip install ([^#]*)  # in a checkout", (FOLDER / page).read_text("utf-8"), re.MULTILINE)
    ours, *libraries = installed.replace("'", "").split()
    assert ours == ".[server]"
    groups = [*PROJECT["dependency-groups"]["frameworks"], *PROJECT["dependency-groups"]["test"]]
    assert libraries
    assert set(libraries) <= {re.split("[<>=]", each)[0] for each in groups}
