"""The README and the pages below `docs` are right: their commands and programs run here unchanged, but for the port."""

import ast
import asyncio
import itertools
import os
import re
import subprocess
import sys
import tomllib
import typing
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, Page, expect

from progress_sse import ProgressHub, create_app
from progress_sse.client.sync import SyncOptions
from progress_sse.settings import Settings, load_settings
from tests.conftest import Serve
from tests.harness.documents import Block, blocks_of, read_pages
from tests.harness.nginx import NginxServer
from tests.harness.rawsse import RawStream
from tests.harness.serving import ENV_PREFIX, Server, Worker
from tests.harness.tokens import make_token

pytestmark = pytest.mark.timeout(180)  # All together take long.

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
ADDRESS = "http://127.0.0.1:8000"
START_S = 60
"""Seconds within which a program must have begun or ended, on a busy machine too."""

README = "README.md"
TUTORIAL = "docs/tutorial/first-job.md"
NAMES = "docs/how-to/name-the-steps.md"
PAGES = "docs/how-to/show-progress.md"
LISTS = "docs/how-to/list-jobs.md"
PYTHON = "docs/how-to/report-from-python.md"
SECURE = "docs/how-to/secure.md"
OPERATE = "docs/how-to/operate.md"
FAIL = "docs/how-to/fail-a-step.md"

TEXTS = read_pages()
BLOCKS = [block for page, text in TEXTS.items() for block in blocks_of(page, text)]
ALL = "\n".join(TEXTS.values())


def the_block(page: str, language: str, mark: str = "") -> Block:
    """The only block of a page in a language that contains the mark."""
    [block] = [each for each in BLOCKS if each[:2] == (page, language) and mark in each.text]
    return block


def table(page: str, header: str) -> list[list[str]]:
    """The rows of the page's table whose header begins like this, each cell without its backticks."""
    [body] = re.findall(rf"^\| {header} \|.*\n\| ---.*\n((?:\|.*\n)+)", TEXTS[page], re.MULTILINE)
    return [[cell.strip().strip("`") for cell in row.strip("|").split("|")] for row in body.splitlines()]


WORKERS_VARIABLES = {"session", "url", "token", "disabled"}
"""Variables that `Progress` reads besides the settings; the shell of the curl commands uses them too."""

COMMANDS_VARIABLES = {"session", "step", "attempt", "url", "token"}
"""Variables in the environment of the commands of `progress-sse run`."""

CURL = [
    pair
    for pair in itertools.pairwise(BLOCKS)
    if pair[0].page == pair[1].page and pair[0].language == "sh" and pair[1].language in {"json", "text"}
]
"""Each block of commands, and the block after it, which is their output."""

STARTED = the_block(README, "sh", "uvicorn")
QUICK_START = the_block(README, "sh", "--session mine")
CLOSED = the_block(SECURE, "sh", "--read token")
PHOTOS = the_block(README, "python", "Progress(")
MOUNTED = the_block(README, "python", "ProgressHub(")
TUTORIAL_JOB = the_block(TUTORIAL, "python")
TUTORIAL_PAGE = the_block(TUTORIAL, "html")
ELEMENT = the_block(PAGES, "html", "<progress-steps")
LIST = the_block(LISTS, "html")
TRACKER = the_block(PAGES, "html", "onComplete")
EVENT_SOURCE = the_block(PAGES, "html", "new EventSource")
BADGE = the_block(PAGES, "md")
FRAME = the_block(PAGES, "html", "<iframe")
WITH_TOKEN = the_block(SECURE, "html", "token:")
REPORTER = the_block("docs/how-to/report-over-http.md", "python", "Idempotency-Key")
JOB = the_block(PYTHON, "python", 'Progress("photos"')
CRAWL = the_block(PYTHON, "python", "open_ended")
CANCEL = the_block(PYTHON, "python", 'accepts=["cancel"]')
RETRY = the_block(PYTHON, "python", 'accepts=["retry"]')
PARTS = the_block(PYTHON, "python", "parts_total")
LEARNED = the_block(PYTHON, "python", "profile=")
LOGGED = the_block(PYTHON, "python", "step.log(")
TOKENS = the_block(SECURE, "python", "jwt.encode")
STEPS_FILE = the_block(NAMES, "toml")
NGINX = the_block("docs/how-to/deploy.md", "nginx")
BACKUP = the_block(OPERATE, "sh", "VACUUM INTO")
RESTORE = the_block(OPERATE, "sh", "mv backup.db")
FAILURES = [the_block(FAIL, "python", mark) for mark in ('"raised"', '"reported"')]
HUB_FAILURE = the_block(FAIL, "python", "hub.store")
RUN = [
    *(PHOTOS, MOUNTED, TUTORIAL_JOB, TUTORIAL_PAGE, ELEMENT, TRACKER, EVENT_SOURCE, WITH_TOKEN, REPORTER, JOB),
    *(BADGE, FRAME, LIST, CRAWL, CANCEL, RETRY, PARTS, LEARNED, LOGGED, TOKENS, STEPS_FILE, NGINX),
    *(
        STARTED,
        QUICK_START,
        CLOSED,
        BACKUP,
        RESTORE,
        *FAILURES,
        HUB_FAILURE,
        *itertools.chain.from_iterable(CURL),
    ),
]
"""Blocks that the tests of this file run."""

INSTALL = re.compile(r"pip install '?\.(?:\[([\w,]+)\])?'?")
UNRELEASED = "  # in a checkout: no release is published yet; then 'progress-sse[all]'"
NAMED = re.compile(
    rf"{INSTALL.pattern}( fastapi)?({re.escape(UNRELEASED)})?"
    r"|make [\w-]+( +#.*)?|progress-sse (serve|doctor)( http://\S+)?( --[\w-]+ \S+)*"
    r"|python3? (job\.py|-m venv \.?v?env)|\. \.?v?env/bin/activate|mkdir -p www"
    r"|export PROGRESS_SSE_\w+=\$\(progress-sse token secret\)"
)
"""Commands of blocks that are not run as a whole: the tests below check their targets, extras and options."""


@cache
def pages_tested_elsewhere() -> set[str]:
    """The pages that other tests read, by their names, so that they run the blocks."""
    sources = [path.read_text("utf-8") for path in (ROOT / "tests").rglob("*.py") if path.name != "test_docs.py"]
    named = {Path(name).name for source in sources for name in re.findall(r'[\w./-]+\.md(?=")', source)}
    return {page for page in TEXTS if page != README and Path(page).name in named}


def test_every_block_is_tested() -> None:
    """A new block needs a test, or consists of commands that the tests below look up."""
    rest = [block for block in BLOCKS if block not in RUN and block.page not in pages_tested_elsewhere()]
    commands = [line for block in rest if block.language == "sh" for line in block.text.splitlines()]
    assert [block for block in rest if block.language != "sh"] == []
    assert [line for line in commands if not NAMED.fullmatch(line)] == []


def as_in_the_readme(folder: Path) -> Server:
    """The README's application, in an empty folder."""
    (folder / "app.py").write_text(MOUNTED.text, "utf-8")
    command = STARTED.text.replace("uvicorn", str(BIN / "uvicorn")).replace("8001", "{port}").split()
    return Server(folder, command=command, prefix="/jobs")


def as_in_the_tutorial(folder: Path) -> Server:
    """The server that the tutorial starts, with a folder of pages."""
    serve = the_block(TUTORIAL, "sh", "progress-sse serve").text.replace("progress-sse", f"exec {BIN / 'progress-sse'}")
    return Server(folder, command=["sh", "-euc", f"{serve.strip()} --port {{port}}"])


def with_address(text: str, server: Server) -> str:
    """The text with the address of a server in place of its own."""
    [address] = set(re.findall(r"http://127\.0\.0\.1:8000|http://127\.0\.0\.1:8001/jobs", text))
    return text.replace(address, server.url)


@pytest.fixture(scope="module")
def server_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    """A server and a folder for each page, since the commands of a page build on each other."""
    with ExitStack() as stack:

        @cache
        def start(page: str) -> Server:
            start = as_in_the_readme if page == README else Server
            return stack.enter_context(start(tmp_path_factory.mktemp("page")))

        yield start


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """The environment with our command in it, and the secrets that the page on access makes with it."""
    path = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    exports, _, _ = CLOSED.text.partition("progress-sse serve")
    printed = subprocess.check_output(["sh", "-eu", "-c", f"{exports} env"], env={**os.environ, **path}, text=True)
    return {**os.environ, **path, **dict(re.findall(r"^(PROGRESS_SSE_\w+)=(.*)$", printed, re.MULTILINE))}


@pytest.fixture(scope="module")
def closed_server(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server that the page on access starts with these secrets."""
    options = ["--store", "memory://", "--port", "{port}", *CLOSED.text.partition("progress-sse serve ")[2].split()]
    command = [sys.executable, "-m", "progress_sse", "serve", *options]
    secrets = [f"{name}={value}" for name, value in environment.items() if name.startswith(ENV_PREFIX)]
    with Server(tmp_path_factory.mktemp("closed"), command=["env", *secrets, *command]) as server:
        yield server


@pytest.mark.full
@pytest.mark.parametrize(("commands", "printed"), CURL)
def test_commands_print_what_their_page_says(
    request: pytest.FixtureRequest,
    server_of: Callable[[str], Server],
    environment: dict[str, str],
    commands: Block,
    printed: Block,
) -> None:
    """The output is equal to the letter, except where … stands for the rest; each response is on a line of its own."""
    is_closed = commands.page == SECURE
    server: Server = request.getfixturevalue("closed_server") if is_closed else server_of(commands.page)
    script = with_address(commands.text, server).replace("curl ", "curl --silent --show-error -w '\\n' ")
    if commands.page == TUTORIAL:
        httpx.put(f"{server.url}/api/progress/photos", json={"total_steps": 3}).raise_for_status()
        for step in (1, 2):
            for action in ("start", "complete"):
                update = {"action": action, "step": step}
                httpx.post(f"{server.url}/api/progress/photos/update", json=update).raise_for_status()
    result = subprocess.run(
        ["sh", "-eu", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=110,
        check=False,
        env=environment,
        cwd=server.folder,
    )
    assert result.returncode == 0, result.stdout
    pattern = re.escape(printed.text.strip()).replace("…", ".*").replace("\\\n", "\n")
    assert re.fullmatch(pattern, result.stdout.strip(), re.DOTALL), result.stdout


def test_the_readme_fits_on_a_few_screens() -> None:
    """It has at most 150 lines of at most 120 characters."""
    lines = TEXTS[README].splitlines()
    assert len(lines) <= 150
    assert [line for line in lines if len(line) > 120] == []


def test_make_targets_exist() -> None:
    """Each target of make that a page names exists."""
    named = set(re.findall(r"^make ([\w-]+)|`make ([\w-]+)", ALL, re.MULTILINE))
    targets = set(re.findall(r"^([\w-]+):.*##", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert {"run", "demo", "docs", "test"} <= {one or other for one, other in named} <= targets


def test_extras_exist() -> None:
    """The table has exactly the extras that can be installed, and no page names another one."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = set(project["optional-dependencies"])
    assert {row[0] for row in table("docs/how-to/install.md", "extra")} == extras
    own = (text for page, text in TEXTS.items() if page not in pages_tested_elsewhere())
    named = {extra for text in own for names in INSTALL.findall(text) for extra in names.split(",") if extra}
    assert "all" in named
    assert named <= extras


def test_options_of_serve_exist() -> None:
    """Each option or variable that a page names belongs to a setting."""
    options = set(re.findall(r"--([a-z][a-z-]*)", " ".join(re.findall(r"progress-sse serve[^\n`]*", ALL))))
    variables = set(re.findall(r"PROGRESS_SSE_(\w+)", ALL))
    assert {"www", "read"} <= options
    assert variables
    known = {*Settings.model_fields, *WORKERS_VARIABLES, *COMMANDS_VARIABLES}
    assert {name.replace("-", "_") for name in options} | {name.lower() for name in variables} <= known


def test_commands_exist() -> None:
    """Each command of ours that a page names exists."""
    from progress_sse.cli.main import main

    named = set(re.findall(r"(?:^|`|\$\()progress-sse ([a-z]+)", ALL, re.MULTILINE))
    assert {"serve", "run", "watch"} <= named <= set(main.list_commands(typing.cast(Any, None)))


def test_the_quick_start_shows_a_command(server_of: Callable[[str], Server], environment: dict[str, str]) -> None:
    """Its line runs, but with a shorter command: the session completes under its name."""
    server = server_of(README)
    ours = {name: value for name, value in environment.items() if not name.startswith(ENV_PREFIX)}
    job, command = QUICK_START.text.splitlines()
    assert job == "python job.py"
    run = with_address(command, server).replace("sleep 5", "sleep 0")
    subprocess.run(["sh", "-euc", run], env=ours, cwd=server.folder, check=True, timeout=START_S)
    session = httpx.get(f"{server.url}/api/progress/mine").json()
    assert (session["status"], session["steps"][0]["name"]) == ("completed", "My job")


@pytest.mark.full
@pytest.mark.parametrize(
    ("start", "job", "path"),
    [
        pytest.param(as_in_the_readme, PHOTOS, "/../", id="readme"),
        pytest.param(as_in_the_tutorial, TUTORIAL_JOB, "/job.html", id="tutorial"),
    ],
)
async def test_a_page_of_ones_own_follows_a_job(
    start: Callable[[Path], Server], job: Block, path: str, chromium: Browser, tmp_path: Path
) -> None:
    """As a newcomer copies both: the page in an application of theirs or in the folder `www`, and the job beside it."""
    with start(tmp_path) as server:
        if job.page == TUTORIAL:
            (server.folder / "www" / "job.html").write_text(TUTORIAL_PAGE.text, "utf-8")
        (server.folder / "job.py").write_text(with_address(job.text, server), "utf-8")
        async with await chromium.new_page() as page:
            await page.goto(f"{server.url}{path}")
            element = page.locator("progress-steps")
            await expect(element).to_contain_text("Waiting for the job to start")
            program = await asyncio.create_subprocess_exec(sys.executable, "job.py", cwd=server.folder)
            await expect(element).to_contain_text("Step 2 of 3: Resize", timeout=START_S * 1000)
            await expect(element).to_contain_text("Completed", timeout=START_S * 1000)
            assert await program.wait() == 0
            if job.page == TUTORIAL:
                await expect(page.locator("#state")).to_have_text("completed, 100%")


@pytest.mark.full
def test_the_application_of_the_readme_runs_beside_a_server(tmp_path: Path) -> None:
    """In the same folder, and at the same time: it has a store of its own."""
    with Server(tmp_path, store="sqlite"), as_in_the_readme(tmp_path) as application:
        assert httpx.put(f"{application.url}/api/progress/own", json={"total_steps": 1}).status_code == 201
        assert "Traceback" not in application.log()


async def go_to_block(page: Page, server: Server, html: Block) -> None:
    """Open a page of the server's origin that consists of a block of a document."""
    address = f"{server.url}/page-of-the-documents"
    await page.route(address, lambda route: route.fulfill(content_type="text/html; charset=utf-8", body=html.text))
    await page.goto(address)


async def test_element_of_the_documents_moves(server: Server, chromium: Browser) -> None:
    """It waits for its session, and shows it."""
    async with await chromium.new_page() as page, Worker.at(server) as worker:
        await go_to_block(page, server, ELEMENT)
        element = page.locator("progress-steps")
        await expect(element).to_contain_text("Waiting for the job to start")
        await expect(element).to_contain_text("Nightly import")
        await worker.create("import-42", steps=[{"name": "Download"}, {"name": "Parse"}])
        await worker.start("import-42", 1)
        await expect(element).to_contain_text("Step 1 of 2: Download")


@pytest.mark.parametrize(
    ("block", "types"), [(BADGE, ["image/svg+xml", "text/html"]), (FRAME, ["text/html"])], ids=["badge", "frame"]
)
async def test_addresses_of_the_documents_show_the_session(block: Block, types: list[str]) -> None:
    """The picture, and the page that it leads to or that a frame shows."""
    transport = httpx.ASGITransport(create_app(load_settings(store="memory://")))
    async with httpx.AsyncClient(transport=transport) as client:
        responses = [
            await client.get(address) for address in re.findall(r"https://progress.example[^\")]+", block.text)
        ]
    assert [response.status_code for response in responses] == [200] * len(types)
    assert [response.headers["content-type"].partition(";")[0] for response in responses] == types


async def test_list_of_the_documents_moves(server: Server, chromium: Browser) -> None:
    """It shows its children until there is a session of its filter."""
    async with await chromium.new_page() as page, Worker.at(server) as worker:
        await go_to_block(page, server, LIST)
        element = page.locator("progress-list")
        await expect(element).to_contain_text("no jobs yet")
        await worker.create("alice-1", total_steps=2, labels={"team": "web"})
        await expect(element).to_contain_text("alice-1")


async def test_page_of_the_documents_moves(serve: Serve, chromium: Browser) -> None:
    """Its text follows the session at once, and the end is logged."""
    server = serve()
    logged: list[str] = []
    async with await chromium.new_page() as page, Worker.at(server) as worker:
        page.on("console", lambda message: logged.append(message.text))
        await go_to_block(page, server, TRACKER)
        state = page.locator("#state")
        await expect(state).to_contain_text("not_found, 0%")
        await worker.create("nightly", steps=["Download", "Import"])
        await worker.start("nightly", 1)
        await expect(state).to_have_text("running, 0% Download")
        assert "`running, 0% Download`" in TEXTS[PAGES]
        await worker.create("nightly", replace=True, total_steps=1)
        await worker.start("nightly", 1)
        async with page.expect_console_message(lambda message: message.text == "nightly is done"):
            await worker.complete("nightly", 1)
    assert logged == ["nightly is done"]


async def test_event_source_of_the_documents_moves(server: Server, chromium: Browser) -> None:
    """Its bar follows the session, and the end closes the stream."""
    async with await chromium.new_page() as page, Worker.at(server) as worker:
        await worker.create("nightly", replace=True, total_steps=2)
        await worker.start("nightly", 1)
        await worker.complete("nightly", 1)
        await go_to_block(page, server, EVENT_SOURCE)
        bar = page.locator("#bar")
        await expect(bar).to_have_js_property("value", 50)
        await worker.start("nightly", 2)
        await worker.complete("nightly", 2)
        await expect(bar).to_have_js_property("value", 100)
        await page.wait_for_function("source.readyState === EventSource.CLOSED")


async def test_page_of_the_documents_sends_its_token(
    closed_server: Server, environment: dict[str, str], chromium: Browser
) -> None:
    """It asks for a token, and follows with it."""
    token = make_token(environment["PROGRESS_SSE_TOKEN_KEY"], sessions=["nightly"])
    async with await chromium.new_page() as page:
        await page.route("**/token-for-this-user", lambda route: route.fulfill(body=token))
        await go_to_block(page, closed_server, WITH_TOKEN)
        await expect(page.locator("#state")).to_contain_text("not_found, 0%")


def test_hooks_are_named_where_showing_is_explained() -> None:
    """The page names each module of the npm package that has a hook, and leads to the examples."""
    library = (ROOT / "web" / "lib").glob("*.js")
    hooks = {path.stem for path in library if "export function useProgress" in path.read_text("utf-8")}
    assert hooks == set(re.findall(r"`progress-sse/(\w+)`", TEXTS[PAGES]))
    assert "](../../web/README.md)" in TEXTS[PAGES]


def run_program(text: str, folder: Path, url: str) -> None:
    """Run a program of a page unchanged, beside a server at that address."""
    (folder / "job.py").write_text(text, "utf-8")
    environment = {**os.environ, "PROGRESS_SSE_URL": url}
    subprocess.run([sys.executable, folder / "job.py"], env=environment, check=True, timeout=60)


def test_python_worker_reports(server: Server, tmp_path: Path) -> None:
    """The session shows its reports."""
    assert ADDRESS in REPORTER.text
    run_program(REPORTER.text.replace(ADDRESS, server.url), tmp_path, server.url)
    [step, *_] = httpx.get(f"{server.url}/api/progress/orders").json()["steps"]
    assert (step["status"], step["message"]) == ("success", "8,000 rows")


def test_tokens_of_an_application_are_accepted(
    closed_server: Server, environment: dict[str, str], tmp_path: Path
) -> None:
    """The program prints a token for the sessions that it names."""
    program = tmp_path / "tokens.py"
    program.write_text(TOKENS.text, "utf-8")
    token = subprocess.check_output([sys.executable, program], env=environment, text=True, timeout=60).strip()
    for session_id, status in {"nightly": 200, "weekly": 200, "other": 403}.items():
        url = f"{closed_server.url}/api/progress/{session_id}"
        assert httpx.get(url, headers={"Authorization": f"Bearer {token}"}).status_code == status


def test_python_job_reports_its_steps(server: Server, tmp_path: Path) -> None:
    """The session shows its reports."""
    run_program(JOB.text, tmp_path, server.url)
    session = httpx.get(f"{server.url}/api/progress/photos").json()
    assert session["status"] == "completed"
    assert [(step["name"], step["message"]) for step in session["steps"]] == [
        ("Find", ""),
        ("Resize", "8,000 photos"),
        ("Publish", ""),
    ]


@pytest.mark.parametrize(
    ("block", "session_id"),
    [
        (CANCEL, "posters"),
        *(pytest.param(*each, marks=pytest.mark.full) for each in ((RETRY, "brochure"), (PARTS, "catalogue"))),
    ],
)
def test_python_jobs_that_take_requests_or_have_parts_complete(
    server: Server, tmp_path: Path, block: Block, session_id: str
) -> None:
    """Each session is completed; that of the parts by the last of them."""
    run_program(block.text, tmp_path, server.url)
    session = httpx.get(f"{server.url}/api/progress/{session_id}").json()
    assert session["status"] == "completed"
    accepted = {CANCEL.text: ["cancel"], RETRY.text: ["retry"]}
    assert session.get("accepts", []) == accepted.get(block.text, [])
    assert session["steps"][0].get("parts", {}).get("success") == (8 if block is PARTS else None)


def test_python_job_writes_a_log(server: Server, tmp_path: Path) -> None:
    """The log has what the page says of it."""
    run_program(LOGGED.text, tmp_path, server.url)
    lines = httpx.get(f"{server.url}/api/progress/ledger/log").json()["lines"]
    assert [(line["step"], line["level"], line["text"]) for line in lines] == [
        (1, "info", "3 files found"),
        (1, "warning", "may.csv has no rows"),
        (2, "info", "booked 1240 entries"),
    ]


def test_python_job_finds_its_steps_on_the_way(server: Server, tmp_path: Path) -> None:
    """The session has the steps that the page names."""
    run_program(CRAWL.text, tmp_path, server.url)
    session = httpx.get(f"{server.url}/api/progress/crawl").json()
    assert (session["status"], session["title"]) == ("completed", "Crawl of example.com")
    assert [(step["name"], step.get("conclusion")) for step in session["steps"]] == [
        ("start", None),
        ("news", None),
        ("news", None),
        ("Index", None),
        ("Publish", "skipped"),
    ]
    assert session["links"] == [{"label": "Report", "url": "https://reports.example/42"}]


@pytest.mark.full
def test_python_job_has_a_time_and_is_learned_from(serve: Serve, tmp_path: Path) -> None:
    """Its session has the declared times, and its run has taught the profile."""
    server = serve()
    run_program(LEARNED.text, tmp_path, server.url)
    session = httpx.get(f"{server.url}/api/progress/backup-2026-01-02").json()
    assert session["time"] == {"percentage": 100, "finish_at": None, "basis": "declared", "runs": 0}
    assert [step["estimated_ms"] for step in session["steps"]] == [60_000, 20_000]
    [learned] = re.findall(r"runs_learned_total(?:\{.*\})? (\d)", httpx.get(f"{server.url}/metrics").text)
    assert learned == "1"


def test_arguments_of_workers_are_all_there() -> None:
    """Each argument has its variable, and none is invented."""
    arguments = {
        argument: variable.removeprefix("PROGRESS_SSE_") for argument, variable, _ in table(PYTHON, "argument")
    }
    assert {variable.lower() for variable in arguments.values()} == WORKERS_VARIABLES
    known = {"session_id", *typing.get_type_hints(SyncOptions)}
    assert known - {"accepts", "flush_timeout_s", "lease_s", "on_error", "transport"} == set(arguments)


@pytest.mark.parametrize("block", FAILURES)
def test_python_jobs_fail_their_step(server: Server, tmp_path: Path, block: Block) -> None:
    """By an exception, which goes on, or by a report."""
    raises = "raise OSError" in block.text
    with pytest.raises(subprocess.CalledProcessError) if raises else nullcontext():
        run_program(block.text, tmp_path, server.url)
    [session_id] = re.findall(r'Progress\("(\w+)"', block.text)
    session = httpx.get(f"{server.url}/api/progress/{session_id}").json()
    assert (session["status"], session["steps"][0]["status"]) == ("error", "error")
    assert session["steps"][0]["error"] == ("OSError: disk full" if raises else "disk full")


async def test_the_hub_fails_a_step() -> None:
    """The lines of the page end the step of an embedded server."""
    hub = ProgressHub(Settings(store="memory://"))
    async with hub.lifespan():
        await eval(compile(HUB_FAILURE.text, FAIL, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), {"hub": hub})  # noqa: S307
        session = await hub.store.get_session("embedded")
        assert session is not None
        assert (session.status, session.steps[1].error) == ("error", "disk full")


@pytest.mark.full
def test_a_backup_is_put_back(serve: Serve, environment: dict[str, str]) -> None:
    """The commands of the page keep the sessions that were there, and lose those that came after."""
    server = serve(store="sqlite")
    sessions = [f"{server.url}/api/progress/{name}" for name in ("kept", "lost")]
    for url, commands in zip(sessions, (BACKUP, RESTORE), strict=True):
        httpx.put(url, json={}).raise_for_status()
        if commands is RESTORE:
            server.terminate()
        subprocess.run(["sh", "-euc", commands.text], env=environment, cwd=server.folder, check=True, timeout=START_S)
    server.start()
    assert [httpx.get(url).json()["status"] for url in sessions] == ["pending", "not_found"]


async def test_the_four_endpoints_by_hand_show_a_job(chromium: Browser, tmp_path: Path) -> None:
    """Their page follows its stream to the end, and closes it; each session has a page, one named `livez` too."""
    start = [str(BIN / "uvicorn"), "--app-dir", str(ROOT / "docs" / "examples"), "four:app", "--port", "{port}"]
    with Server(tmp_path, command=start, prefix="/s") as server:
        url = f"{server.url.removesuffix('/s')}/api/progress/nightly"
        async with await chromium.new_page() as page, httpx.AsyncClient() as client:
            await page.goto(f"{server.url}/nightly")
            assert (await client.get(url)).json()["status"] == "not_found"
            for step, percentage in ((1, 50), (2, 100)):
                for action in ("start", "complete"):
                    (await client.post(f"{url}/update", json={"action": action, "step": step})).raise_for_status()
                await expect(page.locator("#bar")).to_have_js_property("value", percentage)
            await page.wait_for_function("source.readyState === EventSource.CLOSED")
            assert (await client.get(url)).json()["status"] == "completed"


def test_steps_file_of_the_documents_works(serve: Serve, tmp_path: Path) -> None:
    """The server has both of its workflows, with the defaults where the file names no numbers."""
    path = tmp_path / "workflows.toml"
    path.write_text(STEPS_FILE.text, "utf-8")
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


@pytest.mark.parametrize("version", ["1.1", pytest.param("1.0", marks=pytest.mark.full)])
async def test_nginx_of_the_documents_lets_events_through_at_once(serve: Serve, tmp_path: Path, version: str) -> None:
    """Each transition comes while the stream stays open: no buffer holds it back.

    HTTP/1.0, the default of many nginx versions, has no chunks: there X-Accel-Buffering alone works.
    """
    server = serve()
    block = NGINX.text.replace(ADDRESS, server.url)
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
