"""Print the lowest versions that pyproject.toml allows, as requirements for pip.

Where the tests need a higher version, that one is printed.
"""

import re
import tomllib
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

REQUIREMENT = re.compile(r"([a-z0-9-]+)(?:\[[a-z0-9,]+\])?>=([0-9.]+)(?:,<[0-9]+)?(?:; .*)?")


def lowest(requirements: Iterable[Any]) -> dict[str, str]:
    """Return the lower bound of each package by its name; entries that are not such requirements are left out."""
    found = (REQUIREMENT.fullmatch(each) for each in requirements if isinstance(each, str))
    return {match[1]: match[2] for match in found if match}


if __name__ == "__main__":
    pyproject = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))
    project = pyproject["project"]
    ours = lowest(chain(project["dependencies"], *project["optional-dependencies"].values()))
    theirs = lowest(pyproject["dependency-groups"]["test"])
    for name, version in ours.items():
        print(f"{name}=={theirs.get(name, version)}")  # noqa: T201  # for pip
