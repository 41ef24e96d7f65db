"""Debian's Firefox ESR, driven by WebDriver BiDi."""

import json
from pathlib import Path
from typing import Any

from tests.engines.bidi import BidiConnection
from tests.engines.browser import Browser, Tab, key_actions, pointer_actions
from tests.engines.process import Process, environment

UNREACHABLE_PORT = 1

PREFERENCES = {
    # Whatever the browser wants from the internet meets a closed port of this machine, whose own servers need no proxy.
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": UNREACHABLE_PORT,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": UNREACHABLE_PORT,
    "network.proxy.failover_direct": False,
    "network.proxy.allow_bypass": False,
    "network.dns.disablePrefetch": True,
    "network.trr.mode": 5,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.enabled": False,
    "app.normandy.enabled": False,
    "dom.push.connection.enabled": False,
    "extensions.update.enabled": False,
    "extensions.systemAddon.update.enabled": False,
    "browser.safebrowsing.update.enabled": False,
    "browser.startup.page": 0,
    "intl.accept_languages": "en-GB",
}


class FirefoxTab(Tab):
    """One tab, which the protocol calls a context."""

    def __init__(self, connection: BidiConnection, context: str) -> None:
        self._connection = connection
        self._context = context

    async def go(self, url: str) -> None:
        await self._connection.send("browsingContext.navigate", context=self._context, url=url, wait="complete")

    async def evaluate(self, expression: str) -> Any:
        result = await self._connection.send(
            "script.evaluate",
            expression=f"(async () => JSON.stringify(await ({expression})) ?? null)()",
            target={"context": self._context},
            awaitPromise=True,
        )
        assert result["type"] == "success", (expression, result)
        return json.loads(result["result"].get("value", "null"))

    async def press(self, x: int, y: int) -> None:
        """Press the pointer's button, and release it, at a place in the window, in pixels."""
        await self._perform(pointer_actions(x, y))

    async def type(self, text: str) -> None:
        await self._perform(key_actions(text))

    async def _perform(self, actions: list[dict[str, Any]]) -> None:
        await self._connection.send("input.performActions", context=self._context, actions=actions)

    async def close_page(self) -> None:
        """Close the tab, with its page; called once."""
        await self._connection.send("browsingContext.close", context=self._context)


class Firefox(Browser):
    """One process of Firefox, with its children, without a window."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._process: Process | None = None
        self._connection: BidiConnection | None = None

    async def start(self) -> None:
        profile = self.folder / "profile"
        profile.mkdir()
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
        (profile / "user.js").write_text("\n".join(lines), "utf-8")
        command = ["firefox-esr", "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port=0"]
        self._process = await Process.start(command, self.folder, environment(self.folder))
        address = await self._process.said(r"^WebDriver BiDi listening on (ws://\S+)$")
        self._connection = await BidiConnection.open(f"{address}/session")

    async def open(self, url: str, *, is_hidden: bool = False) -> FirefoxTab:
        """Open an address in a tab in front of others, or in one that stays behind others."""
        assert self._connection is not None, "it was not started"
        created = await self._connection.send("browsingContext.create", type="tab", background=is_hidden)
        tab = FirefoxTab(self._connection, created["context"])
        await tab.go(url)
        return tab

    async def end(self) -> None:
        if self._process is not None:
            await self._process.end()
        if self._connection is not None:
            await self._connection.aclose()
