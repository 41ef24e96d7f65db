"""The packages that users install: the wheel, from which the server runs, and the npm package for bundlers."""

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import tarfile
import textwrap
import venv
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from progress_sse.api.endpoints.pages import PUBLIC_SUFFIXES
from tests.harness.serving import Server

ROOT = Path(__file__).parents[1]
NODE_BIN = ROOT / "web" / "node_modules" / ".bin"
NEIGHBOURS = [("", "fastapi==0.115.*"), ("", "fastapi==0.130.*"), ("", "django==4.2.*"), ("[server]", "django==4.2.*")]
"""Extras, and the oldest version of a framework beside which they can be installed."""

MAX_OWN_BYTES = 8_000_000
MAX_JOB_BYTES = 12_500_000
"""Bytes of the package, and of all that a job needs, as pip leaves it: with the files that it compiles."""

REFERENCE = re.compile(
    r'''(?:src=|href=|from ?|import ?|import\((?=.{2,20}-[A-Z0-9]{8}\.))"(?:\./)?((?:web/)?[\w-]+\.(?:js|css))"'''
)
"""A file that a page or a module loads; both write its name in double quotes."""

# Building and installing from the registry takes its time on a busy machine.
pytestmark = pytest.mark.timeout(300)


def run(*command: str | Path) -> None:
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=240, check=False)
    assert result.returncode == 0, f"{command}:\n{result.stdout}{result.stderr}"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source archive, which shows that the archive is complete too."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment with the server, and with the tested versions of its dependencies."""
    return environment(tmp_path_factory.mktemp("venv"), f"{wheel}[server]")


def environment(folder: Path, *requirements: str, options: Sequence[str] = ()) -> Path:
    """Install packages into an environment, which is created if it is missing; return its Python."""
    path = folder / "bin" / "python"
    if not path.exists():
        venv.create(folder, symlinks=True)
    pip = (sys.executable, "-m", "pip", "--python", path, "install", "--constraint", "constraints.txt")
    run(*pip, *options, *requirements)
    return path


@pytest.fixture
def server(python: Path, tmp_path: Path) -> Iterator[Server]:
    """The installed command, in an empty folder, with only the port as an option."""
    command = [str(python.with_name("progress-sse")), "serve", "--port", "{port}"]
    with Server(tmp_path / "empty", command=command) as server:
        yield server


def test_no_wheel_of_another_state_has_the_version_of_an_earlier_one(wheel: Path, tmp_path: Path) -> None:
    """Each changed, added or moved file of the wheel counts, and nothing that a run leaves behind; archives keep it."""
    script = ROOT / ".ci" / "version.py"
    sources: dict[str, Any] = runpy.run_path(str(script))
    assert wheel.name == f"progress_sse-{sources['version']()}-py3-none-any.whl"
    for each in (script.relative_to(ROOT), *map(Path, sources["SOURCES"]), Path("web", "package.json")):
        copy = tmp_path / each
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(ROOT / each, copy) if (ROOT / each).is_dir() else shutil.copy(ROOT / each, copy)

    def version() -> str:
        found: str = runpy.run_path(str(tmp_path / ".ci" / "version.py"))["version"]()
        return found

    versions = [version()]
    assert versions == [sources["version"]()]
    (tmp_path / "progress_sse" / "made.pyc").touch()
    assert version() == versions[0]
    (tmp_path / "progress_sse" / "added.py").touch()
    versions.append(version())
    (tmp_path / "progress_sse" / "added.py").rename(tmp_path / "progress_sse" / "moved.py")
    versions.append(version())
    (tmp_path / "web" / "lib" / "tracker.js").write_text("")
    versions.append(version())
    assert len(set(versions)) == len(versions)


def test_documents_name_the_version() -> None:
    """An image or archive that a page names is that of the release."""
    number = runpy.run_path(str(ROOT / ".ci" / "version.py"))["number"]()
    pages = [ROOT / "web" / "README.md", ROOT / "docs" / "deploy" / "kubernetes.yaml"]
    assert [re.findall(r"progress-sse[-:](\d+\.\d+\.\d+)", page.read_text("utf-8")) for page in pages] == [[number]] * 2


def test_wheel_has_the_package_and_the_browser_files_only(wheel: Path) -> None:
    """Nothing of the tests but the protocol's conversations ships, nor of the development tools."""
    web = ROOT / "web"
    folders = (web / "assets", web / "lib")
    files = {path.relative_to(web).as_posix() for folder in folders for path in folder.iterdir()}
    browser_files = {name for name in files if not name.endswith(".map")}
    assert all(name.endswith((".html", ".svg", *PUBLIC_SUFFIXES)) for name in browser_files)
    names = set(zipfile.ZipFile(wheel).namelist())
    in_package = {name for name in names if name.startswith("progress_sse/")}
    assert names - in_package == {name for name in names if re.match(r"progress_sse-[^/]*\.dist-info/", name)}
    assert {name for name in in_package if not name.endswith(".py")} == {
        "progress_sse/py.typed",
        *(f"progress_sse/corpus/{name}.json" for name in ("exchanges", "servers")),
        *files_of_the_package("*.lua"),
        *files_of_the_package("*.toml"),
        *(f"progress_sse/web/{name}" for name in browser_files),
    }
    assert {name for name in in_package if name.endswith(".py")} == files_of_the_package("*.py")


def files_of_the_package(pattern: str) -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in (ROOT / "progress_sse").rglob(pattern)}


def files_asked_for(url: str, path: str = "/") -> set[str]:
    """Load the scripts and styles of a page, and the modules that these import; return their names."""
    with httpx.Client(base_url=url) as client:
        asked = set(REFERENCE.findall(client.get(path).text))
        got: set[str] = set()
        while missing := asked - got:
            file = missing.pop()
            response = client.get(f"/{file}")
            assert response.status_code == 200, file
            got.add(file)
            asked |= {f"web/{name}" for name in REFERENCE.findall(response.text)}
    return got


@pytest.mark.full
def test_page_gets_every_file_that_it_loads(server: Server) -> None:
    """A file missing in the wheel would be missing for users only."""
    for path, names in (("/", {"home.css"}), ("/s/any", {"page.css"})):
        files = {re.sub("-[A-Z0-9]{8}", "", each) for each in files_asked_for(server.url, path)}
        assert files == {f"web/{name}" for name in (*names, "chunk.js", "later.js", "texts-ja.js")}


@pytest.mark.full
def test_demo_runs_from_the_wheel(python: Path, tmp_path: Path) -> None:
    """Its server is found, and its page gets every file that it loads."""
    command = [str(python.with_name("progress-sse")), "demo", "--no-open", "--port", "{port}"]
    with Server(tmp_path / "empty", command=command) as demo:
        files = {re.sub("-[A-Z0-9]{8}", "", name) for name in files_asked_for(demo.url)}
        names = ("demo.css", "demo.js", "define.js", "define-list.js", "chunk.js", "index.js")
        assert {f"web/{name}" for name in names} <= files
        assert demo.terminate() == 0


@pytest.mark.full
def test_server_runs_from_the_wheel(server: Server, python: Path) -> None:
    """It serves the page, the browser files and the API, stores in its working directory, and stops cleanly."""
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
    assert tracker == (ROOT / "web" / "lib" / "tracker.js").read_bytes()
    assert (server.folder / "progress.db").is_file()
    assert server.terminate() == 0


@pytest.fixture(scope="module")
def job_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a job's environment: the package without extras."""
    return environment(tmp_path_factory.mktemp("job"), str(wheel))


@pytest.mark.full
def test_the_package_of_a_job_is_small_and_pure_python(job_python: Path) -> None:
    """At most 8 MB, and 12.5 MB with its dependencies, as the README says; no file of it is compiled for a platform."""
    [packages] = job_python.parents[1].glob("lib/python*/site-packages")
    files = [path for path in packages.rglob("*") if path.is_file()]
    own = [path for path in files if path.is_relative_to(packages / "progress_sse")]
    assert [path for path in own if path.suffix == ".pyc"]
    assert sum(path.stat().st_size for path in own) <= MAX_OWN_BYTES
    assert sum(path.stat().st_size for path in files) <= MAX_JOB_BYTES
    assert not [path for path in files if path.suffix in {".so", ".pyd", ".dylib"}]


@pytest.mark.full
def test_a_job_reports_from_the_package_without_extras(job_python: Path, server: Server, tmp_path: Path) -> None:
    """In Python and in a shell; `serve` says how to install the server."""
    code = "from progress_sse import Progress\nwith Progress('job', steps=['a']) as p, p.step(1): pass"
    command = job_python.with_name("progress-sse")
    environ = {**os.environ, "PROGRESS_SSE_URL": server.url}
    reports: list[list[str | Path]] = [
        [job_python, "-c", code],
        [command, "run", "--session", "shell", "--", "true"],
        [command, "step", "single", "1", "start", "--create"],
        [command, "watch", "job", "--output", "auto"],
        [command, "conformance", server.url, "--level", "core"],
    ]
    for arguments in reports:
        subprocess.run(arguments, env=environ, cwd=tmp_path, check=True, timeout=60)
    statuses = [
        httpx.get(f"{server.url}/api/progress/{session_id}").json()["status"]
        for session_id in ("job", "shell", "single")
    ]
    assert statuses == ["completed", "completed", "running"]
    refused = subprocess.run([command, "serve"], capture_output=True, text=True, check=False, timeout=60)
    assert (refused.returncode, "pip install 'progress-sse[server]'" in refused.stderr) == (1, True)


@pytest.mark.full
def test_a_job_reports_with_httpx2_where_only_that_is_installed(wheel: Path, server: Server, tmp_path: Path) -> None:
    """In Python, on an event loop too, and in a shell; the log has no line for each request."""
    job_python = environment(tmp_path / "venv", "click", "httpx2>=2")
    environment(tmp_path / "venv", str(wheel), options=["--no-deps"])
    environ = {**os.environ, "PROGRESS_SSE_URL": server.url}
    code = """
        import asyncio, importlib.util, logging
        from progress_sse import AsyncProgress, Progress

        async def go_on():
            async with AsyncProgress.attach("job", flush_timeout_s=60) as progress, progress.step(2):
                pass

        assert importlib.util.find_spec("httpx") is None
        logging.basicConfig(level=logging.INFO)
        with Progress("job", steps=["a", "b"], flush_timeout_s=60) as progress, progress.step(1):
            pass
        asyncio.run(go_on())
    """
    result = subprocess.run(
        [job_python, "-c", textwrap.dedent(code)], env=environ, capture_output=True, text=True, check=False, timeout=90
    )
    assert (result.returncode, "HTTP Request" in result.stderr) == (0, False), result.stderr
    command = job_python.with_name("progress-sse")

    def printed_by(*arguments: str) -> str:
        program = [str(command), *arguments]
        return subprocess.run(program, env=environ, capture_output=True, text=True, check=True, timeout=90).stdout

    assert printed_by("run", "--session", "shell", "--", "echo", "done") == "done\n"
    for session_id in ("job", "shell"):
        shown = printed_by("watch", session_id, "--output", "json")
        assert json.loads(shown.splitlines()[-1])["status"] == "completed"
    assert printed_by("doctor").splitlines()[-1] == "Faults: 0. Warnings: 0."


@pytest.mark.full
@pytest.mark.parametrize(("extras", "neighbour"), NEIGHBOURS)
def test_the_package_can_be_installed_beside_older_frameworks(wheel: Path, extras: str, neighbour: str) -> None:
    """As pip resolves it, without installing anything."""
    run(sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", f"{wheel}{extras}", neighbour)


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive that `npm publish` would send."""
    folder = tmp_path_factory.mktemp("npm")
    run("npm", "pack", "--silent", "--pack-destination", folder, ROOT / "web")
    [path] = folder.glob("*.tgz")
    return path


@pytest.fixture(scope="module")
def project(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's project with the package alone: npm is offline, so the package has no dependencies."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    run("npm", "--prefix", folder, "install", "--offline", tarball)
    return folder


@pytest.mark.full
def test_npm_package_has_files_that_the_wheel_serves(tarball: Path, server: Server) -> None:
    """Byte by byte, with the version of the wheel."""
    with tarfile.open(tarball) as archive:
        files = {
            member.name.removeprefix("package/"): stream.read()
            for member in archive
            if (stream := archive.extractfile(member)) is not None
        }
    manifest = json.loads(files.pop("package.json"))
    assert files.pop("LICENSE") == (ROOT / "LICENSE").read_bytes()
    assert files.pop("README.md")
    for bundled in ("define", "define-list", "index"):  # A bundler takes the modules.
        assert files.pop(f"lib/{bundled}.js")
    with httpx.Client(base_url=server.url) as client:
        assert files == {name: client.get(f"/web/{Path(name).name}").content for name in files}
    assert manifest["version"] == httpx.get(f"{server.url}/api").json()["version"].partition("+")[0]
    assert "dependencies" not in manifest


def bundle(project: Path, source: str) -> Path:
    """Bundle a module of the project by esbuild; `meta.json` beside it lists the inputs."""
    (project / "main.js").write_text(source)
    outputs = f"--outfile={project / 'bundle.js'}", f"--metafile={project / 'meta.json'}"
    run(NODE_BIN / "esbuild", project / "main.js", "--bundle", "--format=esm", *outputs)
    return project / "bundle.js"


@pytest.mark.full
def test_bundler_takes_the_tracker(project: Path) -> None:
    """The bundle runs, also without a document."""
    source = 'import { ProgressTracker, checkTimeout } from "progress-sse";\n'
    source += 'console.log(new ProgressTracker("a").state, checkTimeout({ status: "pending" }));'
    ran = subprocess.run(["node", bundle(project, source)], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout == "stopped false\n"


@pytest.mark.full
def test_bundler_takes_the_elements(project: Path) -> None:
    """They register themselves, with all their modules in the bundle; the package's others are for frameworks."""
    made = bundle(project, 'import "progress-sse/progress-steps";import "progress-sse/progress-list";').read_text()
    for name in ("progress-steps", "progress-list"):
        assert re.search(rf"""registry\d*\.define\(["']{name}["']""", made)
    assert not re.search(r"^import ", made, re.MULTILINE)
    inputs = {Path(path).name for path in json.loads((project / "meta.json").read_text())["inputs"]}
    package = project / "node_modules" / "progress-sse"
    for_frameworks = {"followed-list.js", "followed-session.js", "react.js", "vue.js"}
    assert inputs - {"main.js"} == {path.name for path in package.rglob("*.js")} - for_frameworks


@pytest.mark.full
@pytest.mark.parametrize(("module", "resolution"), [("esnext", "bundler"), ("nodenext", "nodenext")])
def test_types_reach_users(project: Path, module: str, resolution: str) -> None:
    """Those of the tracker, of the element and of its events; and they reject wrong uses."""
    (project / "main.ts").write_text(
        """
        import { checkTimeout, ProgressTracker, type Progress } from "progress-sse";
        import type { ProgressSteps } from "progress-sse/progress-steps";
        import "progress-sse/progress-steps";

        const onUpdate = ({ steps, percentage }: Progress) => console.log(percentage, steps.some(checkTimeout));
        const tracker: ProgressTracker = new ProgressTracker("a", { onUpdate, interval: 1000 });
        await tracker.start();
        const steps: ProgressSteps = document.createElement("progress-steps");
        steps.session = "a";
        steps.addEventListener("progress-complete", ({ detail }) => onUpdate(detail.data));
        // @ts-expect-error: an id is a text
        new ProgressTracker(1);
        // @ts-expect-error: no such property
        steps.identifier = "a";
        """
    )
    options = ["--module", module, "--moduleResolution", resolution, "--target", "es2022", "--lib", "es2022,dom"]
    run(NODE_BIN / "tsc", "--noEmit", "--strict", "--ignoreConfig", *options, project / "main.ts")
