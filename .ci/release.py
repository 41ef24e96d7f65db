"""Check whether the last commit may be released, build what is released, or try that: see ``main``.

The packages depend on the last commit alone. So they are built twice, in two folders and on two kinds of `Machine`, and
a difference is an error. Checksums and a list of components (SBOM, in the form of CycloneDX) lie beside them. The list
has what ``progress-sse[all]`` runs on, in the versions of the tests; the npm package runs on nothing else.
"""

import filecmp
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[1]
DIST: Final = ROOT / "dist"


class Machine(NamedTuple):
    """What packages must not depend on: variables, the mask of file modes, and a command that changes the clock."""

    variables: dict[str, str]
    umask: int
    clock: tuple[str, ...] = ()

    def run(self, *command: str | Path, folder: Path = ROOT) -> None:
        """Run a command there, with the time of the commit for whatever a package dates."""
        environment = {**os.environ, **self.variables, "SOURCE_DATE_EPOCH": commit()[1]}
        subprocess.run([*self.clock, *command], cwd=folder, env=environment, umask=self.umask, check=True)  # noqa: S603


MACHINES: Final = (
    Machine({"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "1"}, 0o022),
    Machine({"TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "2"}, 0o077, ("faketime", "-f", "+400d")),
)
HERE: Final = Machine({}, 0o022)


def git(*command: str) -> str:
    """Return what git prints."""
    return subprocess.check_output(["git", *command], cwd=ROOT, text=True).strip()  # noqa: S603, S607


@cache
def commit() -> list[str]:
    """Return the last commit and its time in Unix seconds, which do not change while this program runs."""
    return git("log", "-1", "--format=%H %ct").split()


def number() -> str:
    """Return the version of the release, without the local part that other builds have."""
    manifest: dict[str, str] = json.loads(git("show", f"{commit()[0]}:web/package.json"))
    return manifest["version"]


def faults(version: str, changelog: str, tags: Sequence[str], changes: str) -> Iterator[str]:
    """Yield what speaks against a release, and what to do; `tags` are the commit's, `changes` the work tree's."""
    heading = re.search(r"^## (.*)$", changelog, re.MULTILINE)
    newest = heading[1] if heading else ""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        yield f"The version in web/package.json is {version}: write three numbers, which PyPI and npm spell alike."
    if not re.fullmatch(rf"\[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d", newest):
        yield f"CHANGELOG.md begins with '{newest}': change that to '[{version}] - YYYY-MM-DD', the day of the release."
    for tag in tags:
        if tag != f"v{version}":
            yield f"The commit has the tag {tag}: remove it, or change the version in web/package.json."
    if changes:
        yield f"The work tree differs from the commit that would be built: commit, or remove:\n{changes}"


def check() -> None:
    """Exit with all faults, if there is one."""
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    tags = git("tag", "--points-at", "HEAD", "--list", "v*").split()
    found = list(faults(number(), changelog, tags, git("status", "--porcelain")))
    if found:
        sys.exit("\n".join(["This commit cannot be released.", *found]))


def export(folder: Path, machine: Machine) -> None:
    """Write the files of the last commit into a new folder, with the version of the release."""
    folder.mkdir(parents=True)
    archive = folder.with_suffix(".tar")
    git("archive", f"--output={archive}", commit()[0])
    machine.run("tar", "--extract", "--touch", "--same-permissions", "--file", archive, folder=folder)
    pyproject = folder / "pyproject.toml"
    dynamic, static = 'dynamic = ["version"]', f'version = "{number()}"'
    before, _, after = pyproject.read_text("utf-8").partition(dynamic)
    assert after, f"pyproject.toml has no {dynamic}"
    pyproject.write_text(f"{before}{static}{after}", "utf-8")


def build_packages(folder: Path, machine: Machine) -> None:
    """Build source archive, wheel and npm package into `made` in a new folder."""
    source, made = folder / "source", folder / "made"
    export(source, machine)
    machine.run(sys.executable, "-m", "build", "--no-isolation", "--outdir", made, source)
    machine.run("npm", "pack", "--silent", "--pack-destination", made, folder=source / "web")


def list_components(folder: Path, machine: Machine) -> None:
    """Install the wheel that was built into an environment of its own, and list what is there."""
    source, made, environment = folder / "source", folder / "made", folder / "environment"
    [wheel] = made.glob("*.whl")
    venv.create(environment, symlinks=True)
    python, constraints = environment / "bin" / "python", source / "constraints.txt"
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--constraint", constraints)
    machine._replace(clock=()).run(*pip, f"{wheel}[all]")  # Certificates end before the clock that is changed.
    sbom = made / f"progress_sse-{number()}.cdx.json"
    options = ("--output-reproducible", "--pyproject", source / "pyproject.toml", "--output-file", sbom)
    machine.run(sys.executable, "-m", "cyclonedx_py", "environment", *options, python)


def differing(first: Path, second: Path) -> list[str]:
    """Return the names of files that differ, or that one of the folders lacks."""
    names = {path.name for folder in (first, second) for path in folder.iterdir()}
    _, different, missing = filecmp.cmpfiles(first, second, names, shallow=False)
    return sorted(different + missing)


def checksums(folder: Path) -> str:
    """Return the SHA-256 of each file, as `sha256sum --check` reads them."""
    files = sorted(folder.iterdir())
    return "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)


def build() -> None:
    """Build twice, compare, and replace `dist/` by what was built; exit with the names of files that differ."""
    with tempfile.TemporaryDirectory() as name:
        folders = (Path(name, "first"), Path(name, "further", "second"))
        for folder, machine in zip(folders, MACHINES, strict=True):
            build_packages(folder, machine)
            list_components(folder, machine)
        first, second = (folder / "made" for folder in folders)
        if different := differing(first, second):
            sys.exit(f"Two builds of one commit differ: {', '.join(different)}")
        shutil.rmtree(DIST, ignore_errors=True)
        shutil.copytree(first, DIST)
    sums = checksums(DIST)
    (DIST / "SHA256SUMS").write_text(sums, "utf-8")
    print(f"Two builds have the same bytes:\n{sums}", end="")  # noqa: T201  # for the terminal


def try_python(package: Path, folder: Path) -> None:
    """Install a package, with all extras, where nothing else is, and follow the README."""
    environment = folder / "environment"
    venv.create(environment, symlinks=True)
    pip = (sys.executable, "-m", "pip", "--python", environment / "bin" / "python", "install", "--quiet")
    constraints = ("--constraint", "constraints.txt", "--build-constraint", "constraints.txt")
    HERE.run(*pip, *constraints, f"{package}[all]", "fastapi")
    for stamp in (".pip", ".run"):
        (environment / stamp).touch()  # So that make installs no checkout over the package.
    HERE.run(sys.executable, "-m", "tests.outside.installed", environment, folder / "checkout")


def try_npm(package: Path, folder: Path) -> None:
    """Install the npm package as its README says, where nothing else is, and use it."""
    shutil.copy(package, folder)
    [install] = re.findall(r"^npm install .*$", (ROOT / "web" / "README.md").read_text("utf-8"), re.MULTILINE)
    HERE.run(*install.split(), folder=folder)
    program = 'import { ProgressTracker } from "progress-sse"; new ProgressTracker("nightly");'
    HERE.run("node", "--input-type=module", "--eval", program, folder=folder)


def try_packages() -> None:
    """Try each package in `dist/`."""
    for pattern, attempt in (("*.whl", try_python), ("*.tar.gz", try_python), ("*.tgz", try_npm)):
        [package] = DIST.glob(pattern)
        with tempfile.TemporaryDirectory() as folder:
            attempt(package, Path(folder))
        print(f"{package.name} can be installed, and does what its README says.")  # noqa: T201  # for the terminal


def main() -> None:
    """Run `check`, `build` or `try`."""
    {"check": check, "build": build, "try": try_packages}[sys.argv[1]]()


if __name__ == "__main__":
    main()
