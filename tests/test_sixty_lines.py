"""The table of docs/examples/README.md holds in both columns: its commands run here unchanged, but for the ports."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.harness.http1 import free_port
from tests.harness.nginx import PATH
from tests.harness.serving import ENV_PREFIX, ROOT

EXAMPLES = ROOT / "docs" / "examples"
README = (EXAMPLES / "README.md").read_text("utf-8")
DEADLINE_S = 60
DEADLINE_MS = DEADLINE_S * 1000
PORT = r"\b80[0-9]{2}\b"
END = "the end of the block\n"

pytestmark = pytest.mark.processes


def blocks_of(heading: str) -> list[str]:
    """The commands below a heading."""
    [section] = re.findall(rf"^##+ {re.escape(heading)}\n(.*?)(?=^##|\Z)", README, re.MULTILINE | re.DOTALL)
    return re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


OpenTabs = Callable[[str], Awaitable[tuple[list[Page], asyncio.Task[None]]]]

ROWS: list[list[str]] = []
"""The rows of the table, each of which has a test."""


def row(failure: str, sixty_lines: str, ours: str) -> pytest.MarkDecorator:
    """Mark the test of a row, which gets the commands below its heading."""
    ROWS.append([failure, sixty_lines, ours])
    return pytest.mark.parametrize("blocks", [blocks_of(failure)], ids=[failure])


class Terminal:
    """A bash, in a folder of its own, that takes the commands of the page."""

    def __init__(self, folder: Path) -> None:
        self._ports = {port: str(free_port()) for port in set(re.findall(PORT, README))}
        (folder / "docs" / "examples").mkdir(parents=True)
        for path in EXAMPLES.glob("*.*"):
            (folder / "docs" / "examples" / path.name).write_text(self._moved(path.read_text("utf-8")), "utf-8")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}
        environment |= {"PATH": f"{Path(sys.executable).parent}:{PATH}", "TMPDIR": str(folder)}
        environment["BROWSER"] = "echo %s"  # Prints the addresses of tabs.
        self._errors = folder / "errors.log"
        with self._errors.open("wb") as errors:
            self.bash = subprocess.Popen(
                "bash", stdin=PIPE, stdout=PIPE, stderr=errors, cwd=folder, env=environment, text=True, process_group=0
            )

    def _moved(self, text: str) -> str:
        return re.sub(PORT, lambda port: self._ports[port[0]], text)

    def run(self, block: str) -> str:
        """Run commands to their end, and return what they print."""
        assert self.bash.stdin
        assert self.bash.stdout
        watchdog = threading.Timer(DEADLINE_S, self.kill)
        watchdog.start()
        self.bash.stdin.write(f"{self._moved(block)}\necho; echo {END}")
        self.bash.stdin.flush()
        lines = []
        while (line := self.bash.stdout.readline()) not in (END, ""):
            lines.append(line)
        watchdog.cancel()
        assert line == END, (block, lines, self._errors.read_text())
        return "".join(lines)

    def both(self, block: str) -> tuple[str, str]:
        """What the last `both` of a block prints for the sixty lines, and for progress_sse."""
        printed = self.run(block)
        found = re.fullmatch(r".*there:\n(.*)\nhere:\n(.*)", printed, re.DOTALL)
        assert found, (printed, self._errors.read_text())
        return found[1], found[2]

    def until(self, block: str, holds: Callable[[str, str], bool]) -> None:
        """Run a block again and again until its output is as it should be."""
        deadline = time.monotonic() + DEADLINE_S
        while not holds(*(printed := self.both(block))):
            assert time.monotonic() < deadline, printed

    def kill(self) -> None:
        os.killpg(self.bash.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """The terminal in which both servers and the proxy run."""
    terminal = Terminal(tmp_path_factory.mktemp("terminal"))
    with terminal.bash, ExitStack() as stack:
        stack.callback(terminal.kill)
        terminal.run(blocks_of("Start both")[-1])
        yield terminal
        terminal.run(blocks_of("Stop all")[0])


@pytest.fixture
async def open_tabs(terminal: Terminal, chromium: Browser) -> AsyncIterator[OpenTabs]:
    """Run commands that open tabs; return these at once, and the task that visits them one after the other."""
    async with await chromium.new_context(locale="en-GB") as window, asyncio.TaskGroup() as group:

        async def visit(tabs: dict[Page, str]) -> None:
            for tab, address in tabs.items():
                await tab.goto(address, timeout=DEADLINE_MS)

        async def open_tabs(block: str) -> tuple[list[Page], asyncio.Task[None]]:
            printed = await asyncio.to_thread(terminal.run, block)
            addresses = re.findall(r"^http://.*/s/job$", printed, re.MULTILINE)
            tabs = {await window.new_page(): address for address in addresses}
            return list(tabs), group.create_task(visit(tabs))

        yield open_tabs


def first_step(page: Page) -> Locator:
    """The first step in a page of either."""
    return page.locator("ol > li").first


def letters(body: dict[str, Any]) -> str:
    """The steps of a state or of an event: "srp" has done one, and runs the next."""
    return "".join(step["status"][0] for step in (body["steps"] if "steps" in body else [body["step"]]))


def events(printed: str) -> list[str]:
    bodies = [json.loads(text) for text in re.findall(r"^data: (.*)", printed, re.MULTILINE)]
    return [letters(body) for body in bodies if "session_ids" not in body]


def state(printed: str) -> str:
    """The state in the last line."""
    return letters(json.loads(printed.split()[-1]))


def test_the_page_is_complete() -> None:
    """Each row has commands, and a test that asserts what it says; the lines are sixty without docstrings and page."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in re.findall(r"^\| .*", README, re.MULTILINE)]
    assert rows[2:] == ROWS
    assert re.findall(r"^### (.*)", README, re.MULTILINE) == [failure for failure, _, _ in ROWS]
    code = re.sub(r'"""(?:[^"]|"(?!""))*"""', "", (EXAMPLES / "sixty_lines.py").read_text("utf-8"))
    assert 55 <= len([line for line in code.splitlines() if line.strip()]) <= 65


@row("A page is reloaded", "It shows the present state.", "It shows the present state.")
def test_reload(terminal: Terminal, blocks: list[str]) -> None:
    """Two streams, one after the other, begin with it."""
    assert [events(printed) for printed in terminal.both(*blocks)] == [["rpp", "rpp"]] * 2


@row("A laptop sleeps", "Its page misses the changes in between.", "It gets each of them, once and in order.")
def test_sleep(terminal: Terminal, blocks: list[str]) -> None:
    """Six changes were missed."""
    there, here = terminal.both(*blocks)
    assert events(there) == ["sss"]
    assert events(here) == ["r", "s"] * 3


@row("A connection goes silent", "The page looks alive, and stays still.", "The page connects anew.")
@pytest.mark.full
async def test_silence(terminal: Terminal, open_tabs: OpenTabs, blocks: list[str]) -> None:
    """The report reaches the one page, and not the other, whose stream is open."""
    (there, here), _ = await open_tabs(blocks[0])
    await expect(first_step(there)).to_contain_text("pending")
    await expect(here.locator("#connection")).to_have_text("live")
    await asyncio.to_thread(terminal.run, blocks[1])
    await expect(first_step(here)).to_contain_text("🔄", timeout=DEADLINE_MS)
    await expect(first_step(there)).to_contain_text("pending")
    assert await there.evaluate("source.readyState === EventSource.OPEN")


@row("A proxy buffers", "The page stays empty.", "The page polls every two seconds.")
@pytest.mark.full
async def test_buffering_proxy(terminal: Terminal, open_tabs: OpenTabs, blocks: list[str]) -> None:
    """The report reaches the one page by a poll, while nothing of the other's stream has come."""
    (there, here), _ = await open_tabs(blocks[0])
    await expect(here.locator("#connection")).to_have_text("updating every 2 s", timeout=DEADLINE_MS)
    await asyncio.to_thread(terminal.run, blocks[1])
    await expect(first_step(here)).to_contain_text("🔄", timeout=DEADLINE_MS)
    await expect(there.locator("ol")).to_be_empty()


@row("A deploy", "The state is lost, and a 502 stops the page for good.", "The page reconnects, and continues.")
@pytest.mark.full
async def test_deploy(terminal: Terminal, open_tabs: OpenTabs, blocks: list[str]) -> None:
    """The browser gives up a stream that gets a 502."""
    (there, here), _ = await open_tabs(blocks[0])
    await expect(first_step(there)).to_contain_text("pending")
    await expect(here.locator("#connection")).to_have_text("live")
    await asyncio.to_thread(terminal.run, blocks[1])
    await there.wait_for_function("source.readyState === EventSource.CLOSED", timeout=DEADLINE_MS)
    printed, _ = await asyncio.to_thread(terminal.both, blocks[2])
    assert "no such job" in printed
    await expect(first_step(here)).to_contain_text("🔄", timeout=DEADLINE_MS)
    await asyncio.to_thread(terminal.run, """both put; both post '{"action":"start","step":1}'""")
    await expect(first_step(there)).to_contain_text("pending")
    await there.reload()
    await expect(first_step(there)).to_contain_text("running")


@row("`kill -9`", "The state is lost. Reports get 404.", "Each report that got an answer is there.")
def test_kill(terminal: Terminal, blocks: list[str]) -> None:
    """Both servers are killed after a report, and get another one after their restart."""
    printed = terminal.run(*blocks)
    assert printed.count("no such job") == 2
    assert state(printed.removesuffix("\n")) == "spp"


@row("A reader is slow", "Memory grows with each report.", "Memory stays as it is.")
@pytest.mark.full
def test_slow_reader(terminal: Terminal, blocks: list[str]) -> None:
    """Of 24 MB, the kernel holds some before the queue does."""
    (before, after), (ours_before, ours_after) = (
        map(int, re.findall(r"^ *(\d+)$", printed, re.MULTILINE)) for printed in terminal.both(*blocks)
    )
    assert ours_after - ours_before < 6_000 < 12_000 < after - before


@row("An answer is lost", "The retry sets a finished step back.", "The `Idempotency-Key` makes both one report.")
def test_retry(terminal: Terminal, blocks: list[str]) -> None:
    """The retry arrives after the next report."""
    assert [state(printed) for printed in terminal.both(*blocks)] == ["rpp", "spp"]


@row("A worker is late", "It ends the step that another took over.", "Its old `attempt_id` gets 409.")
def test_late_worker(terminal: Terminal, blocks: list[str]) -> None:
    """Two workers have started the step."""
    there, here = terminal.both(*blocks)
    assert [state(there), state(here)] == ["spp", "rpp"]
    assert '"status":409' in here


@row("A worker dies", "Its step runs for ever.", "Its step is lost at the end of its lease.")
def test_dead_worker(terminal: Terminal, blocks: list[str]) -> None:
    """Nothing is reported for longer than the lease."""
    terminal.run(blocks[0])
    terminal.until(blocks[1], lambda there, here: '"conclusion":"lost"' in here and state(there) == "rpp")


@row("Seven tabs", "The seventh hangs: HTTP/1.1 allows six connections.", "All tabs share one stream.")
@pytest.mark.full
async def test_seven_tabs(terminal: Terminal, open_tabs: OpenTabs, blocks: list[str]) -> None:
    """The seventh tab loads as soon as the first is closed."""
    tabs, visits = await open_tabs(blocks[0])
    here, (*six, seventh) = tabs[0::2], tabs[1::2]
    assert (len(six), len(here)) == (6, 7)
    for tab in here:
        await expect(tab.locator("#connection")).to_have_text("live", timeout=DEADLINE_MS)
    await asyncio.to_thread(terminal.run, """both post '{"action":"start","step":1}'""")
    for tab in here:
        await expect(first_step(tab)).to_contain_text("🔄")
    for tab in six:
        await expect(first_step(tab)).to_contain_text("running")
    assert not visits.done()
    await six[0].close()
    await visits
    await expect(first_step(seventh)).to_contain_text("running")
    metrics = await asyncio.to_thread(terminal.run, "get http://127.0.0.1:8000/metrics")
    assert re.search(r"^progress_sse_streams 1(\.0)?$", metrics, re.MULTILINE), metrics


@row("Two processes", "Polls get 404 from the process without the job.", "Each poll finds the job, in Redis.")
@pytest.mark.full
def test_two_processes(terminal: Terminal, blocks: list[str]) -> None:
    """The last row, since it replaces the servers; the second process of the sixty lines may start later."""
    terminal.run(blocks[0])

    def holds(there: str, here: str) -> bool:
        codes = [re.findall(r"(\d{3}) ", printed) for printed in (there, here)]
        assert codes[1] == ["200"] * 40
        return {*codes[0]} == {"200", "404"}

    terminal.until(blocks[1], holds)
