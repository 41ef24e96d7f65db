import gc
import json
import signal
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any, cast

import hypothesis
import pytest
from blockbuster import blockbuster_ctx
from playwright.async_api import Browser, async_playwright, expect

from progress_sse.client.report_queue import report_queues
from tests.harness.chaos import ChaosProxy
from tests.harness.redis import KINDS, Kind, Persistence, RedisCluster, RedisServer
from tests.harness.serving import Server, Worker

# A shell that starts the tests in the background makes them, and all their child processes, ignore some signals.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Tests never assert speed.
hypothesis.settings.register_profile(
    "busy", parent=hypothesis.settings(), deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("busy")

# Playwright's own five seconds are short for a browser on a busy machine.
expect.set_options(timeout=20_000)

CHROMIUM = "/usr/bin/chromium"

# The panels under the address bar are pages too; a window without them takes a third of the processor time.
PANELS = ["WebUIOmniboxPopup", "WebUIOmniboxAimPopup"]

# Playwright's own list, repeated here, since a second `--disable-features` replaces the first.
BY_PLAYWRIGHT = [
    *("AimEnabled", "AvoidCorsURLLoaderRestartOnRedirect", "AvoidUnnecessaryBeforeUnloadCheckSync"),
    *("DestroyProfileOnBrowserClose", "HttpsFirstBalancedModeAutoEnable", "HttpsUpgrades", "LensOverlay"),
    *("MediaRouter", "NetworkTimeServiceQuerying", "OptimizationHints", "PaintHolding", "PreconnectToSearch"),
    "ThirdPartyStoragePartitioning",
]

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--disable-features={','.join(PANELS + BY_PLAYWRIGHT)}",
]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The server runs on asyncio, and so do its tests; one event loop may then outlive a single test."""
    return "asyncio"


MAY_BLOCK = {
    # An application may be made in a running loop, before it serves.
    "starlette/staticfiles.py": "__init__",
    # limits reads its scripts when it is imported, which is once, when the first rates are made.
    "limits/util.py": "get_package_data",
    "progress_sse/_internal/files.py": "read_file",
    # redis-py looks up its own version on each connection, and `mimetypes` reads the system's tables once.
    "importlib/metadata/__init__.py": "version",
    "/mimetypes.py": "init",
    # Reads from /proc wait for no disk.
    "prometheus_client/process_collector.py": "collect",
    # The awaited threads have no work left.
    "progress_sse/store/sqlite/reader.py": "aclose",
    "progress_sse/store/sqlite/writer.py": "aclose",
    # Measuring coverage locks what it has measured.
    "coverage/collector.py": "lock_data",
    # pytest's handler writes each log line to the null device.
    "logging/__init__.py": "emit",
    # These tests act from outside while a call of the package is under way.
    "tests/store/sqlite/test_writer.py": "look",
    "tests/store/redis/test_repeated_commits.py": "damage",
}
"""Functions that are allowed to block an event loop."""


@pytest.fixture(scope="session", autouse=True)
def _blocking_calls() -> Iterator[None]:
    """Fail each test in which the package blocks an event loop."""
    with blockbuster_ctx("progress_sse") as detector:
        for call in detector.functions.values():
            for file, function in MAY_BLOCK.items():
                call.can_block_in(file, function)
        yield


@pytest.fixture(autouse=True)
def _waiting_reports() -> Iterator[None]:
    """Drop the reports that still wait for the server of a test: the sender would log them in a later test."""
    yield
    for queue in report_queues():
        if not queue.is_settled:
            queue.give_up()


Serve = Callable[..., Server]


@pytest.fixture(scope="module")
def factory() -> str | None:
    """The factory of the application that a plain uvicorn serves in a test; `None` is our own command line."""
    return None


@pytest.fixture
def serve(tmp_path: Path, factory: str | None) -> Iterator[Serve]:
    """Start servers as users do, `serve(store="memory://", heartbeat_s=1)`; all are stopped at the end."""
    servers: list[Server] = []

    def start(**settings: Any) -> Server:
        servers.append(Server(tmp_path / f"server-{len(servers)}", factory=factory, **settings))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.end()


@pytest.fixture(scope="module")
def server_settings() -> dict[str, Any]:
    """The settings of a module's `server`; folders and modules have their own."""
    return {}


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, factory: str | None, server_settings: dict[str, Any]
) -> Iterator[Server]:
    """A server that the tests of a module share; each has sessions of its own, and leaves it intact."""
    with Server(tmp_path_factory.mktemp("server"), factory=factory, **server_settings) as running:
        yield running


@pytest.fixture
async def worker(server: Server) -> AsyncIterator[Worker]:
    """A worker of the shared server, in another process than the server and the browser."""
    async with Worker.at(server, server.settings.get("publish_token")) as at_server:
        yield at_server


@pytest.fixture
async def proxy(server: Server) -> AsyncIterator[ChaosProxy]:
    """A proxy before the shared server."""
    async with ChaosProxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def sid(request: pytest.FixtureRequest) -> str:
    """A session id for this test alone."""
    return "".join(c if c.isalnum() else "-" for c in request.node.name)[:100]


RunRedis = Callable[..., RedisServer]


STARTERS = {"serve", "run_redis", "redis_servers", "redis_clusters", "chromium"}
"""Fixtures that start a process."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave tests on Valkey to the full run: it equals Redis in everything that the server uses.

    Tests that start processes by a fixture get their mark. Files whose tests may take longest come first, so that at
    the end of a run no process works on one of them alone.
    """
    longest_s: dict[Path, float] = {}
    for item in items:
        parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
        kinds = [each for each in parameters if isinstance(each, str) and each.startswith(KINDS)]
        if kinds or STARTERS.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.processes)
        if any(each.startswith("valkey") for each in kinds):
            item.add_marker(pytest.mark.full)
        limit = item.get_closest_marker("timeout")
        longest_s[item.path] = max(longest_s.get(item.path, 0), limit.args[0] if limit else 0)
    items.sort(key=lambda item: -longest_s[item.path])


class FileDurations:
    """Adds up the seconds of each test file, over all processes of a run, and keeps them for `make sizes`."""

    PATH = Path(__file__).parents[1] / "build" / "test-seconds.json"

    def __init__(self) -> None:
        self._seconds: dict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid.partition("::")[0]] += report.duration

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Write them, unless the tests were only collected, or a failure has made them longer or shorter."""
        if self._seconds and exitstatus == pytest.ExitCode.OK:
            rounded = {file: round(seconds, 3) for file, seconds in self._seconds.items()}
            self.PATH.parent.mkdir(exist_ok=True)
            self.PATH.write_text(json.dumps(rounded, indent=1, sort_keys=True), "utf-8")


def pytest_configure(config: pytest.Config) -> None:
    """Time the ordinary run alone: all files, by the usual marks. Of several processes, the first has all reports."""
    is_whole = config.args_source is config.ArgsSource.TESTPATHS and not config.option.keyword
    if is_whole and config.option.markexpr == "not full" and not hasattr(config, "workerinput"):
        config.pluginmanager.register(FileDurations())


def pytest_collection_finish() -> None:
    """Spare the garbage collector the thousands of tests, which it would look through again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """The kind of server that stores the sessions."""
    return cast(Kind, request.param)


@pytest.fixture
def run_redis(kind: Kind, tmp_path: Path) -> Iterator[RunRedis]:
    """Start a Redis of the test's own, which it may harm."""
    started: list[RedisServer] = []

    def start(persistence: Persistence = "none", **options: Any) -> RedisServer:
        started.append(RedisServer(kind, tmp_path / f"redis-{len(started)}", persistence, **options))
        started[-1].start()
        return started[-1]

    yield start
    for each in started:
        each.end()


@pytest.fixture(scope="session")
def redis_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, RedisServer]]:
    """A Redis and a Valkey for all tests that do not harm them; each test has a key prefix of its own."""
    servers: dict[str, RedisServer] = {kind: RedisServer(kind, tmp_path_factory.mktemp(kind)) for kind in KINDS}
    try:
        for server in servers.values():
            server.start()
        yield servers
    finally:
        for server in servers.values():
            server.end()


@pytest.fixture(scope="session")
def redis_clusters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Kind], RedisCluster]]:
    """Clusters for all tests that do not harm them, each started on first use."""
    with ExitStack() as stack:

        @cache
        def start(kind: Kind) -> RedisCluster:
            return stack.enter_context(RedisCluster(kind, tmp_path_factory.mktemp(f"{kind}-cluster")))

        yield start


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """Debian's Chromium, headless."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()
