"""The README is right: its commands and programs run here unchanged, but for the port."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
import tomllib
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from playwright.async_api import Browser, Page, expect

from progress_sse.client.sync import SyncOptions
from progress_sse.settings import Settings
from tests.conftest import Serve
from tests.harness.metrics import metrics_of
from tests.harness.nginx import NginxServer
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, Worker
from tests.harness.tokens import make_token

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
ADDRESS = "http://127.0.0.1:8000"


class Block(NamedTuple):
    """A fenced block: its language, and its text without the fence."""

    language: str
    text: str


BLOCKS = [Block(*match) for match in re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)]


def blocks(language: str) -> list[str]:
    """The text of each block of one language."""
    return [block.text for block in BLOCKS if block.language == language]


def the_block(language: str, mark: str = "") -> str:
    """The text of the only block of a language that contains the mark."""
    [text] = [text for text in blocks(language) if mark in text]
    return text


def table(header: str) -> list[list[str]]:
    """The rows of the table whose header begins like this, each cell without its backticks."""
    [body] = re.findall(rf"^\| {header} \|.*\n\| ---.*\n((?:\|.*\n)+)", README, re.MULTILINE)
    return [[cell.strip().strip("`") for cell in row.strip("|").split("|")] for row in body.splitlines()]


WORKERS_VARIABLES = {"session", "url", "token", "disabled"}
"""Variables that `Progress` reads besides the settings; the shell of the curl commands uses them too."""

COMMANDS_VARIABLES = {"session", "step", "url", "token"}
"""Variables in the environment of the commands of `progress-sse run`."""

CURL = [
    (block.text, answer.text)
    for block, answer in itertools.pairwise(BLOCKS)
    if block.language == "sh" and "curl" in block.text
]
"""Each block of curl commands, and the block after it, which is their output."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all curl commands, which build on each other."""
    with Server(tmp_path_factory.mktemp("readme")) as server:
        yield server


def test_every_block_is_of_a_tested_kind() -> None:
    """A block in a new language needs a test of its own."""
    assert {block.language for block in BLOCKS} == {"sh", "json", "text", "html", "python", "toml", "nginx"}
    answers = [answer for _, answer in CURL]
    assert answers == [block.text for block in BLOCKS if block.language in {"json", "text"}]


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """The environment with our command in it, and the secrets that the README makes with it."""
    path = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    exports, _, _ = the_block("sh", "--read token").partition("progress-sse serve")
    printed = subprocess.check_output(["sh", "-eu", "-c", f"{exports} env"], env={**os.environ, **path}, text=True)
    return {**os.environ, **path, **dict(re.findall(r"^(PROGRESS_SSE_\w+)=(.*)$", printed, re.MULTILINE))}


@pytest.fixture(scope="module")
def closed_server(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server that the README starts with these secrets."""
    _, _, options = the_block("sh", "--read token").partition("progress-sse serve ")
    command = [
        sys.executable,
        "-m",
        "progress_sse",
        "serve",
        "--store",
        "memory://",
        "--port",
        "{port}",
        *options.split(),
    ]
    secrets = [f"{name}={value}" for name, value in environment.items() if name.startswith("PROGRESS_SSE_")]
    with Server(tmp_path_factory.mktemp("closed"), command=["env", *secrets, *command]) as server:
        yield server


@pytest.mark.parametrize(("commands", "printed"), CURL)
def test_curl_commands_print_what_the_readme_says(
    request: pytest.FixtureRequest, environment: dict[str, str], tmp_path: Path, commands: str, printed: str
) -> None:
    """The output is equal to the letter, except where … stands for the rest; each response is on a line of its own."""
    server: Server = request.getfixturevalue("closed_server" if "$token" in commands else "server")
    assert commands.count(ADDRESS) == 1, "the test would talk to another server"
    script = commands.replace(ADDRESS, server.url).replace("curl ", "curl --silent --show-error -w '\\n' ")
    result = subprocess.run(
        ["sh", "-eu", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
        env=environment,
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stdout
    pattern = re.escape(printed.strip()).replace("…", ".*").replace("\\\n", "\n")
    assert re.fullmatch(pattern, result.stdout.strip(), re.DOTALL), result.stdout


def test_make_targets_exist() -> None:
    """Each target of make that the README names exists."""
    named = set(re.findall(r"^make ([\w-]+)|`make ([\w-]+)", README, re.MULTILINE))
    targets = set(re.findall(r"^([\w-]+):.*##", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert {"run", "test", "test-full"} <= {one or other for one, other in named} <= targets


def test_extras_exist() -> None:
    """The table has exactly the extras that can be installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert {row[0] for row in table("extra")} == set(project["optional-dependencies"])


def test_options_of_serve_exist() -> None:
    """Each option or variable that the README names belongs to a setting."""
    options = set(re.findall(r"--([a-z][a-z-]*)", " ".join(re.findall(r"progress-sse serve[^\n`]*", README))))
    variables = set(re.findall(r"PROGRESS_SSE_(\w+)", README))
    assert options
    assert variables
    known = {*Settings.model_fields, *WORKERS_VARIABLES, *COMMANDS_VARIABLES}
    assert {name.replace("-", "_") for name in options} | {name.lower() for name in variables} <= known


def as_written(default: Any) -> str:
    """A default in the form of the README's table."""
    if default is None or default == ():
        return "none"
    return "off" if default is False else str(default)


def test_settings_table_has_every_setting_with_its_default() -> None:
    """The table has no other setting, and the order of the command line."""
    documented = [(name, default) for name, default, _ in table("setting")]
    assert dict(documented) == {name: as_written(field.default) for name, field in Settings.model_fields.items()}
    assert len(documented) == len(Settings.model_fields)


async def test_every_metric_is_explained(server: Server) -> None:
    """The table of metrics has all of ours, and no other."""
    cells = [row[0] for row in table("metric, `progress_sse_…`")]
    shown = {name.removeprefix("progress_sse_") for name in await metrics_of(server.port) if "progress_sse_" in name}
    families = {re.sub(r"(_seconds)_(bucket|count|sum)$", r"\1", name.partition("{")[0]) for name in shown}
    assert set(re.findall("[a-z_]+", " ".join(cells))) == families


async def go_to_block(page: Page, server: Server, html: str) -> None:
    """Open a page of the server's origin that consists of a block of the README."""
    address = f"{server.url}/page-of-the-readme"
    await page.route(address, lambda route: route.fulfill(content_type="text/html; charset=utf-8", body=html))
    await page.goto(address)


async def test_element_of_the_readme_moves(serve: Serve, chromium: Browser) -> None:
    """It waits for its session, and shows it."""
    server = serve()
    async with await chromium.new_page() as page, Worker.at(server) as worker:
        await go_to_block(page, server, the_block("html", "<progress-steps"))
        element = page.locator("progress-steps")
        await expect(element).to_contain_text("Waiting for the job to start")
        await expect(element).to_contain_text("Nightly import")
        await worker.create("import-42", steps=[{"name": "Download"}, {"name": "Parse"}])
        await worker.start("import-42", 1)
        await expect(element).to_contain_text("Step 1 of 2: Download")


async def test_page_of_the_readme_moves(serve: Serve, chromium: Browser) -> None:
    """Its text follows the session at once, and the end is logged."""
    server = serve()
    logged: list[str] = []
    async with await chromium.new_page() as page, Worker.at(server) as worker:
        page.on("console", lambda message: logged.append(message.text))
        await go_to_block(page, server, the_block("html", "onComplete"))
        state = page.locator("#state")
        await expect(state).to_contain_text("not_found, 0%")
        await worker.start("nightly", 1)
        await expect(state).to_have_text("running, 0% 原稿生成")
        assert "`running, 0% 原稿生成`" in README
        await worker.create("nightly", replace=True, total_steps=1)
        await worker.start("nightly", 1)
        async with page.expect_console_message(lambda message: message.text == "nightly is done"):
            await worker.complete("nightly", 1)
    assert logged == ["nightly is done"]


async def test_event_source_of_the_readme_moves(serve: Serve, chromium: Browser) -> None:
    """Its bar follows the session, and the end closes the stream."""
    server = serve()
    async with await chromium.new_page() as page, Worker.at(server) as worker:
        await worker.create("nightly", total_steps=2)
        await worker.start("nightly", 1)
        await worker.complete("nightly", 1)
        await go_to_block(page, server, the_block("html", "new EventSource"))
        bar = page.locator("#bar")
        await expect(bar).to_have_js_property("value", 50)
        await worker.start("nightly", 2)
        await worker.complete("nightly", 2)
        await expect(bar).to_have_js_property("value", 100)
        await page.wait_for_function("source.readyState === EventSource.CLOSED")


async def test_page_of_the_readme_sends_its_token(
    closed_server: Server, environment: dict[str, str], chromium: Browser
) -> None:
    """It asks for a token, and follows with it."""
    token = make_token(environment["PROGRESS_SSE_TOKEN_KEY"], sessions=["nightly"])
    async with await chromium.new_page() as page:
        await page.route("**/token-for-this-user", lambda route: route.fulfill(body=token))
        await go_to_block(page, closed_server, the_block("html", "token:"))
        await expect(page.locator("#state")).to_contain_text("not_found, 0%")


def test_python_worker_reports(server: Server, tmp_path: Path) -> None:
    """It runs unchanged, and the session shows its reports."""
    source = the_block("python", "Idempotency-Key")
    assert ADDRESS in source
    program = tmp_path / "worker.py"
    program.write_text(source.replace(ADDRESS, server.url), "utf-8")
    subprocess.run([sys.executable, program], check=True, timeout=60)
    [step, *_] = httpx.get(f"{server.url}/api/progress/orders").json()["steps"]
    assert (step["status"], step["message"]) == ("success", "8,000 rows")


def test_tokens_of_an_application_are_accepted(
    closed_server: Server, environment: dict[str, str], tmp_path: Path
) -> None:
    """The program prints a token for the sessions that it names."""
    program = tmp_path / "tokens.py"
    program.write_text(the_block("python", "jwt.encode"), "utf-8")
    token = subprocess.check_output([sys.executable, program], env=environment, text=True, timeout=60).strip()
    for session_id, status in {"nightly": 200, "weekly": 200, "other": 403}.items():
        url = f"{closed_server.url}/api/progress/{session_id}"
        assert httpx.get(url, headers={"Authorization": f"Bearer {token}"}).status_code == status


@pytest.fixture
def application() -> Any:
    """The application of the README, made outside the event loop: its imports would block that."""
    names: dict[str, Any] = {}
    exec(the_block("python", "create_app(authorize"), names)  # noqa: S102  # the README's own
    return names["app"]


async def test_function_of_an_application_decides(application: Any) -> None:
    """It lets a user read the sessions named after the user, and no others; an empty name owns nothing."""
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url=ADDRESS, headers={"X-User": "alice"}) as client:
        for method, path, status in [
            ("HEAD", "/api/progress/alice-1/events", 200),
            ("HEAD", "/api/progress/bob-1/events", 403),
            ("HEAD", "/api/progress/alice-smith-1/events", 403),
            ("DELETE", "/api/progress/alice-1", 403),
            ("GET", "/api/progress", 403),
        ]:
            assert (await client.request(method, path)).status_code == status
        del client.headers["X-User"]
        for session_id in ("alice-1", "None-1", "-1", "x"):
            assert (await client.head(f"/api/progress/{session_id}/events")).status_code == 403


def test_python_job_reports_its_steps(server: Server, tmp_path: Path) -> None:
    """It runs unchanged, and the session shows its reports."""
    program = tmp_path / "job.py"
    program.write_text(the_block("python", "from progress_sse import Progress\n"), "utf-8")
    environment = {**os.environ, "PROGRESS_SSE_URL": server.url}
    subprocess.run([sys.executable, program], env=environment, check=True, timeout=60)
    session = httpx.get(f"{server.url}/api/progress/photos").json()
    assert session["status"] == "completed"
    assert [(step["name"], step["message"]) for step in session["steps"]] == [
        ("Find", ""),
        ("Resize", "8,000 photos"),
        ("Publish", ""),
    ]


def test_arguments_of_workers_are_all_there() -> None:
    """Each argument has its variable, and none is invented."""
    arguments = {argument: variable.removeprefix("PROGRESS_SSE_") for argument, variable, _ in table("argument")}
    assert {variable.lower() for variable in arguments.values()} == WORKERS_VARIABLES
    known = {"session_id", *typing.get_type_hints(SyncOptions)}
    assert known - {"on_error", "transport"} == set(arguments)


def test_steps_file_of_the_readme_works(serve: Serve, tmp_path: Path) -> None:
    """The server has both of its workflows, with the defaults where the file names no numbers."""
    path = tmp_path / "workflows.toml"
    path.write_text(the_block("toml"), "utf-8")
    url = serve(steps_file=path).url
    steps = httpx.get(f"{url}/api/steps").json()
    assert steps == {
        "total_steps": 2,
        "steps": [
            {"step": 1, "name": "Download", "timeout_ms": 120_000, "estimated_ms": 30_000},
            {"step": 2, "name": "Import", "timeout_ms": 120_000, "estimated_ms": 30_000},
        ],
    }
    created = httpx.post(f"{url}/api/progress", json={"workflow": "report"})
    assert [step["name"] for step in created.json()["steps"]] == ["Render"]


@pytest.mark.parametrize("version", ["1.1", "1.0"])
async def test_nginx_of_the_readme_lets_events_through_at_once(serve: Serve, tmp_path: Path, version: str) -> None:
    """Each transition comes while the stream stays open: no buffer holds it back.

    HTTP/1.0, the default of many nginx versions, has no chunks: there X-Accel-Buffering alone works.
    """
    server = serve()
    block = the_block("nginx").replace(ADDRESS, server.url)
    block = block.replace("proxy_http_version 1.1;", f"proxy_http_version {version};")
    assert all(part in block for part in (server.url, version))
    with NginxServer(tmp_path / "nginx", block) as nginx:
        async with Worker.at(server) as worker, await RawStream.open(nginx.port, "/api/progress/a/events") as stream:
            for n, event in enumerate(["snapshot", "snapshot", "step"]):
                if n == 1:
                    await worker.start("a", 1)
                assert (await stream.next_event(20)).event == event


def test_codes_of_checks_are_documented() -> None:
    """The table of `tests/README.md` has exactly the codes of the tests."""
    page = (ROOT / "tests" / "README.md").read_text("utf-8")
    explained = re.findall(r"^\| ([A-Z]{2}-\d{2}) \|", page, re.MULTILINE)
    sources = [path.read_text("utf-8") for path in ROOT.glob("tests/**/test_*.py")]
    used = {code for source in sources for code in re.findall(r"\b(?:SC|DG|FT|LD|SE|PR|CL)-\d{2}\b", source)}
    assert sorted(used | {"SE-14"}) == sorted(explained)  # That one is no test, but a way to run tests.
