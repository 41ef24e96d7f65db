"""Debian's WebKitGTK in its MiniBrowser, driven by WebDriver, the protocol of https://www.w3.org/TR/webdriver2/."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx

from tests.engines.browser import Browser, Tab, key_actions, pointer_actions
from tests.engines.process import Process, environment
from tests.harness.http1 import HOST, free_port

ANSWER_S = 60
"""Within this the browser must answer a command, on a busy machine too."""

_EVALUATE = """
const keep = (value) => { window.evaluated = {value: JSON.stringify(value) ?? null}; };
const value = EXPRESSION;
window.evaluated = null;
value instanceof Promise ? value.then(keep, (error) => { window.evaluated = String(error); }) : keep(value);
return window.evaluated;
"""
"""Takes one turn of the page: the driver never answers where a page is left while a script of several turns runs."""


class WebDriverSession:
    """A session by WebDriver, which has one tab at a time that commands go to."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        """Use a client whose `base_url` is the driver's; it is closed with the session."""
        self._client = client
        self._path = ""
        self._handle = ""
        self._turn = asyncio.Lock()

    async def begin(self, capabilities: dict[str, Any]) -> None:
        created = await self.send("POST", "/session", capabilities={"alwaysMatch": capabilities})
        self._path = f"/session/{created['sessionId']}"

    async def send(self, method: str, path: str, **body: Any) -> Any:
        """Send a command that concerns no tab, and return its result.

        Raises:
            RuntimeError: The browser refuses it.
        """
        response = await self._client.request(method, self._path + path, json=body if method == "POST" else None)
        value = response.json()["value"]
        if response.status_code != 200:
            raise RuntimeError(f"{method} {path}: {value['error']}: {value['message']}")
        return value

    async def send_to(self, handle: str, method: str, path: str, **body: Any) -> Any:
        async with self._turn:
            if handle != self._handle:
                await self.send("POST", "/window", handle=handle)
                self._handle = handle
            return await self.send(method, path, **body)

    async def end(self) -> None:
        try:
            if self._path:
                await self.send("DELETE", "")
        finally:
            await self._client.aclose()


class WebKitTab(Tab):
    """One tab, which the protocol calls a window."""

    def __init__(self, session: WebDriverSession, handle: str) -> None:
        self._session = session
        self._handle = handle

    async def go(self, url: str) -> None:
        await self._session.send_to(self._handle, "POST", "/url", url=url)

    async def evaluate(self, expression: str) -> Any:
        script, result = _EVALUATE.replace("EXPRESSION", expression), None
        while result is None:
            result = await self._session.send_to(self._handle, "POST", "/execute/sync", script=script, args=[])
            script = "return window.evaluated === undefined ? {value: null} : evaluated"  # The page may be left.
        assert isinstance(result, dict), (expression, result)
        return json.loads(result["value"] or "null")

    async def go_back(self) -> None:
        await self._session.send_to(self._handle, "POST", "/back")

    async def press(self, x: int, y: int) -> None:
        """Press the pointer's button, and release it, at a place in the window, in pixels."""
        await self._session.send_to(self._handle, "POST", "/actions", actions=pointer_actions(x, y))

    async def type(self, text: str) -> None:
        await self._session.send_to(self._handle, "POST", "/actions", actions=key_actions(text))

    async def close_page(self) -> None:
        """Close the tab, with its page; called once."""
        await self._session.send_to(self._handle, "DELETE", "/window")


class WebKit(Browser):
    """One MiniBrowser, which the driver starts, on a screen of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._processes: list[Process] = []
        self._session: WebDriverSession | None = None
        self._first = ""

    async def start(self) -> None:
        screen = await self._run(["Xvfb", "-displayfd", "1", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"])
        display = await screen.said(r"^(\d+)$")
        port = free_port()
        driver = ["WebKitWebDriver", f"--port={port}"]
        await self._run(driver, DISPLAY=f":{display}")
        transport = httpx.AsyncHTTPTransport(retries=8)  # The driver does not say when it listens.
        self._session = WebDriverSession(
            httpx.AsyncClient(base_url=f"http://{HOST}:{port}", transport=transport, timeout=ANSWER_S)
        )
        await self._session.begin({"webkitgtk:browserOptions": {"args": ["--automation"]}})
        self._first = await self._session.send("GET", "/window")

    async def _run(self, command: list[str], **variables: str) -> Process:
        process = await Process.start(command, self.folder, environment(self.folder, **variables))
        self._processes.append(process)
        return process

    async def open(self, url: str, *, is_hidden: bool = False) -> WebKitTab:
        """Open an address in a window of its own, or in a tab that stays behind others."""
        assert self._session is not None, "it was not started"
        kind = "tab" if is_hidden else "window"
        created = await self._session.send_to(self._first, "POST", "/window/new", type=kind)
        tab = WebKitTab(self._session, created["handle"])
        await tab.go(url)
        return tab

    async def end(self) -> None:
        try:
            if self._session is not None:
                await self._session.end()
        finally:
            for process in reversed(self._processes):
                await process.end()
