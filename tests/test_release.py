"""What `make release` checks, how it builds, and the workflow that runs it."""

import re
import runpy
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

ROOT = Path(__file__).parents[1]
RELEASE: Final[dict[str, Any]] = runpy.run_path(str(ROOT / ".ci" / "release.py"))
JOBS: Final[dict[str, Any]] = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text("utf-8"))[
    "jobs"
]

DAY: Final = "## [1.2.3] - 2026-01-31\n"
READY: Final = {"version": "1.2.3", "changelog": DAY, "tags": ["v1.2.3"], "changes": ""}


def test_a_commit_that_is_ready_is_released() -> None:
    """With its tag, or before it has one."""
    assert list(RELEASE["faults"](**READY)) == []
    assert list(RELEASE["faults"](**READY | {"tags": []})) == []


@pytest.mark.parametrize(
    ("key", "value", "advice"),
    [
        ("changelog", f"# Changelog\n\n## [Unreleased]\n\n{DAY}", r"'\[Unreleased\]'.*'\[1\.2\.3\] - YYYY-MM-DD'"),
        ("changelog", DAY.replace("3", "30"), r"'\[1\.2\.3\] - YYYY-MM-DD'"),
        ("changelog", "## [1.2.3]\n", r"'\[1\.2\.3\] - YYYY-MM-DD'"),
        ("changelog", "# Changelog\n", r"'\[1\.2\.3\] - YYYY-MM-DD'"),
        ("version", "1.2.3-rc.1", "three numbers"),  # PyPI writes 1.2.3rc1.
        ("tags", ["v1.2.3", "v1.2.4"], r"v1\.2\.4"),
        ("changes", " M README.md", r" M README\.md"),
    ],
)
def test_a_commit_that_is_not_ready_is_refused(key: str, value: object, advice: str) -> None:
    """With what to do."""
    assert re.search(advice, next(RELEASE["faults"](**READY | {key: value})))


def test_files_that_differ_are_named(tmp_path: Path) -> None:
    """By content, though size and time are the same; and those that one build lacks."""
    for folder, files in (("a", {"same": "1", "other": "1", "more": "1"}), ("b", {"same": "1", "other": "2"})):
        (tmp_path / folder).mkdir()
        for name, text in files.items():
            (tmp_path / folder / name).write_text(text, "utf-8")
    assert RELEASE["differing"](tmp_path / "a", tmp_path / "b") == ["more", "other"]


@pytest.mark.full
@pytest.mark.timeout(600)
def test_packages_depend_on_the_commit_alone(tmp_path: Path) -> None:
    """On other machines they have the same bytes; their version has no local part, which PyPI refuses."""
    for folder, machine in zip(("a", "b"), RELEASE["MACHINES"], strict=True):
        RELEASE["build_packages"](tmp_path / folder, machine)
    first, second = tmp_path / "a" / "made", tmp_path / "b" / "made"
    assert RELEASE["differing"](first, second) == []
    number = RELEASE["number"]()
    assert sorted(path.name for path in first.iterdir()) == [
        f"progress-sse-{number}.tgz",
        f"progress_sse-{number}-py3-none-any.whl",
        f"progress_sse-{number}.tar.gz",
    ]


def steps(key: str) -> list[Any]:
    return [step[key] for job in JOBS.values() for step in job["steps"] if key in step]


def test_the_workflow_runs_what_there_is() -> None:
    """Targets and scripts of the project, and programs of the machine; actions by the tags of their versions."""
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    for program, argument in (command.split()[:2] if " " in command else (command, "") for command in steps("run")):
        if program == "make":
            assert argument in targets
        else:
            assert program in {"apt-get", "gh", "git", "npm"} or (ROOT / program).is_file()
    assert [each for each in steps("uses") if not re.fullmatch(r"[\w-]+/[\w-]+@v\d+(\.\d+)*", each)] == []


def test_the_workflow_gives_no_job_a_right_that_it_does_not_need() -> None:
    """The job that runs our code can publish nothing; those that publish wait for it, each in its environment."""
    rights = {
        name: {right for right in job["permissions"].items() if right[1] == "write"} for name, job in JOBS.items()
    }
    identity, others = ("id-token", "write"), {("attestations", "write"), ("contents", "write")}
    assert rights["build"] == set()
    assert rights["attest"] | rights["github"] == {identity, *others}
    for registry in ("pypi", "npm"):
        assert rights[registry] == {identity}
        assert (JOBS[registry]["environment"], JOBS[registry]["needs"]) == (registry, "attest")
