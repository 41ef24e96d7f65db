"""The wheel that users install: what is in it, and that the server runs from it."""

from __future__ import annotations

import re
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from progress_sse.endpoints.pages import PUBLIC_SUFFIXES
from tests.harness.serving import Server

ROOT = Path(__file__).parents[1]
REFERENCE = re.compile(r'''(?:src=|href=|from |import )"(?:\./)?((?:web/)?[\w-]+\.(?:js|css))"''')
"""A file that a page or a module asks for, as both write it in double quotes."""

# Building and installing from the registry takes its time on a busy machine.
pytestmark = pytest.mark.timeout(300)


def run(*command: str | Path) -> None:
    """Run a command, and show all that it said if it fails."""
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=240, check=False)
    assert result.returncode == 0, f"{command}:\n{result.stdout}{result.stderr}"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source archive, so that this one is complete too."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh environment that has the wheel, and of its dependencies the versions that are tested."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, symlinks=True)
    path = folder / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", path, "install", "--constraint", "constraints.txt", wheel)
    return path


@pytest.fixture
def server(python: Path, tmp_path: Path) -> Iterator[Server]:
    """The installed command, in an empty folder, with no option but the port."""
    command = [str(python.with_name("progress-sse")), "serve", "--port", "{port}"]
    with Server(tmp_path / "empty", command=command) as server:
        yield server


def test_wheel_has_the_package_and_the_browser_files_only(wheel: Path) -> None:
    """Nothing of the tests or of the development tools ships."""
    browser_files = {path.name for path in (ROOT / "web").iterdir() if path.name.endswith((".html", *PUBLIC_SUFFIXES))}
    names = set(zipfile.ZipFile(wheel).namelist())
    in_package = {name for name in names if name.startswith("progress_sse/")}
    assert names - in_package == {name for name in names if re.match(r"progress_sse-[^/]*\.dist-info/", name)}
    assert {name for name in in_package if not name.endswith(".py")} == {
        "progress_sse/py.typed",
        *(f"progress_sse/web/{name}" for name in browser_files),
    }
    sources = {path.relative_to(ROOT).as_posix() for path in (ROOT / "progress_sse").rglob("*.py")}
    assert {name for name in in_package if name.endswith(".py")} == sources


def test_page_gets_every_file_that_it_asks_for(server: Server) -> None:
    """Its scripts and styles, and the modules that these import: a file left out would be missing for users alone."""
    with httpx.Client(base_url=server.url) as client:
        asked = set(REFERENCE.findall(client.get("/").text))
        got: set[str] = set()
        while missing := asked - got:
            path = missing.pop()
            response = client.get(f"/{path}")
            assert response.status_code == 200, path
            got.add(path)
            asked |= {f"web/{name}" for name in REFERENCE.findall(response.text)}
    assert {"web/page.js", "web/progress.css", "web/tracker.js"} <= got


def test_server_runs_from_the_wheel(server: Server, python: Path) -> None:
    """It serves the page, the browser files and the API, keeps its store where it was started, and ends well."""
    where = subprocess.run(
        [python, "-c", "import progress_sse; print(progress_sse.__file__)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=server.folder,
    )
    assert Path(where.stdout.strip()).is_relative_to(python.parents[1])
    with httpx.Client(base_url=server.url) as client:
        assert client.get("/livez").status_code == 200
        for path, kind in {"/": "text/html", "/s/any": "text/html", "/web/tracker.js": "text/javascript"}.items():
            response = client.get(path)
            assert (response.status_code, response.headers["content-type"].partition(";")[0]) == (200, kind)
        tracker = client.get("/web/tracker.js").content
        update = client.post("/api/progress/first/update", json={"action": "start", "step": 1})
        assert update.json() == {"success": True, "session_id": "first"}
    assert tracker == (ROOT / "web" / "tracker.js").read_bytes()
    assert (server.folder / "progress.db").is_file()
    assert server.terminate() == 0
