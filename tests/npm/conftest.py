"""Projects of users, each with the packed package and the tools of this folder."""

import subprocess
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
WEB = FOLDER.parents[1] / "web"
TOOLS = FOLDER / "node_modules"

MakeProject = Callable[..., Path]


def run(*command: str | Path, folder: Path) -> None:
    """Run a command, and show its output if it fails."""
    ran = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=240, check=False)
    assert ran.returncode == 0, f"{command}:\n{ran.stdout}{ran.stderr}"


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive that `npm publish` would send."""
    folder = tmp_path_factory.mktemp("pack")
    run("npm", "pack", "--silent", "--pack-destination", folder, folder=WEB)
    [path] = folder.glob("*.tgz")
    return path


@pytest.fixture
def make_project(tarball: Path, tmp_path: Path) -> MakeProject:
    """Make a folder with these files, the unpacked package, and links to the tools.

    `replaced` names packages to use under the name of another one: `{"react": "react-18"}`.
    """

    def make(files: Mapping[str, str], replaced: Mapping[str, str] | None = None) -> Path:
        project = tmp_path / "project"
        modules = project / "node_modules"
        (modules / "@types").mkdir(parents=True)
        for tool in [*TOOLS.iterdir(), *(TOOLS / "@types").iterdir()]:
            name = tool.relative_to(TOOLS)
            if str(name) != "@types":
                (modules / name).symlink_to(TOOLS / (replaced or {}).get(str(name), name))
        with tarfile.open(tarball) as archive:
            archive.extractall(modules, filter="data")
        (modules / "package").rename(modules / "progress-sse")
        (project / "package.json").write_text('{"private": true, "type": "module"}', "utf-8")
        for file, text in files.items():
            (project / file).write_text(text, "utf-8")
        return project

    assert TOOLS.is_dir(), "the bundlers are missing: run make clients"
    return make
