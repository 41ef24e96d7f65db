"""A page outside Playwright, which can therefore be hidden, frozen, and kept in the back/forward cache.

Playwright keeps every page of its own visible, on which freezing has no effect, and loses sight of one that comes back
from the cache. This one is driven by Chromium's own protocol instead, through the connection that the browser has.
"""

import asyncio
import itertools
import json
from typing import Any, Self

from playwright.async_api import Browser, CDPSession

TIMEOUT_S = 20
SERVER_ERROR = -32000
"""The code of Chromium's errors that are none of the call's form, such as that the page is just being left."""


class CdpError(Exception):
    """An error that Chromium answers to a call."""

    def __init__(self, method: str, error: dict[str, Any]) -> None:
        super().__init__(f"{method}: {error}")
        self.code = error["code"]


class CdpPage:
    """One tab outside all of Playwright's contexts."""

    def __init__(self, browser: CDPSession, target_id: str, session_id: str) -> None:
        self._browser = browser
        self._target_id = target_id
        self._session_id = session_id
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        browser.on("Target.receivedMessageFromTarget", self._on_message)

    @classmethod
    async def open(cls, browser: Browser, url: str, script: str = "", *, is_hidden: bool = False) -> Self:
        """Open a tab at an address, in front of others or behind them; the script runs before those of each page."""
        session = await browser.new_browser_cdp_session()
        target = await session.send("Target.createTarget", {"url": "about:blank", "background": is_hidden})
        attached = await session.send("Target.attachToTarget", {"targetId": target["targetId"]})
        page = cls(session, target["targetId"], attached["sessionId"])
        await page.send("Page.enable")
        await page.send("Page.addScriptToEvaluateOnNewDocument", source=script)
        await page.send("Page.navigate", url=url)
        return page

    def _on_message(self, event: dict[str, Any]) -> None:
        message = json.loads(event["message"])
        answer = self._answers.pop(message.get("id"), None) if event["sessionId"] == self._session_id else None
        if answer is not None and not answer.done():
            answer.set_result(message)

    async def send(self, method: str, **parameters: Any) -> Any:
        number = next(self._numbers)
        self._answers[number] = answered = asyncio.get_running_loop().create_future()
        message = json.dumps({"id": number, "method": method, "params": parameters})
        await self._browser.send("Target.sendMessageToTarget", {"sessionId": self._session_id, "message": message})
        async with asyncio.timeout(TIMEOUT_S):
            answer = await answered
        if "error" in answer:
            raise CdpError(method, answer["error"])
        return answer["result"]

    async def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page, awaited if it is a promise."""
        answer = await self.send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def until(self, expression: str, timeout_s: float = TIMEOUT_S) -> None:
        """Evaluate an expression until it is true, in whichever page is loaded by then."""
        value = None
        try:
            async with asyncio.timeout(timeout_s):
                while not (value := await self._value_now(expression)):  # noqa: ASYNC110 - asks the browser
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise TimeoutError(f"{expression} was {value!r} at last") from None

    async def _value_now(self, expression: str) -> Any:
        """The value of an expression; `None` while the page is being left."""
        try:
            return await self.evaluate(expression)
        except CdpError as error:
            if error.code != SERVER_ERROR:
                raise
            return None

    async def freeze(self) -> None:
        """Hide and freeze the page, as a browser does with unused tabs."""
        await self.send("Page.setWebLifecycleState", state="frozen")

    async def wake(self) -> None:
        """Unfreeze the page and show it, as if its tab were selected again."""
        await self.send("Page.setWebLifecycleState", state="active")
        other = await self._browser.send("Target.createTarget", {"url": "about:blank"})
        await self.send("Page.bringToFront")
        await self._browser.send("Target.closeTarget", other)

    async def aclose(self) -> None:
        await self._browser.send("Target.closeTarget", {"targetId": self._target_id})
        await self._browser.detach()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
