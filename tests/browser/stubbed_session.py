"""A session whose server is played by the test, for states that a worker reaches only for a moment."""

from collections.abc import Sequence
from typing import Any, Self

from playwright.async_api import Route

from tests.browser.conftest import OpenPage
from tests.browser.page_driver import POLLING_ONLY, PageDriver
from tests.browser.session_page import page_of
from tests.harness.serving import Server, eventually

DEADLINE_S = 20

POLL_MS = 3000
"""Longer than from one poll of the page to the next."""


class StubbedSession:
    """Answers a page's polls with `state`, which tests change, and records what the page asks.

    `allow` are the methods that the reader may use on the session's requests; `refusal` is the status that a request
    gets, if it is not accepted. `parts` are those of every step, and `learned` what is learned of its steps.
    """

    def __init__(self, state: dict[str, Any], shown: PageDriver) -> None:
        """Play the server of an opened page, which has not gone to the session yet."""
        self.state = state
        self.shown = shown
        self.allow = "GET, HEAD, POST"
        self.refusal = 0
        self.asked: list[dict[str, Any]] = []
        self.parts: list[dict[str, Any]] = []
        self.learned: list[dict[str, Any]] = []
        self.requests: list[str] = []

    @classmethod
    async def open(
        cls,
        state: dict[str, Any],
        server: Server,
        open_page: OpenPage,
        html: str = "",
        learned: Sequence[dict[str, Any]] = (),
        **options: Any,
    ) -> Self:
        """Open the session's page, or `html` in its place, with its time held."""
        session = cls(state, await open_page("about:blank", scripts=(POLLING_ONLY,), **options))
        session.learned += learned
        await session.shown.page.clock.install()
        await session.shown.page.route("**/api/progress/**", session._answer)
        await session.shown.page.route("**/api/steps**", session._answer_steps)
        await session.shown.go(f"{server.url}/embedding" if html else page_of(server, state["session_id"]), html)
        return session

    async def _answer(self, route: Route) -> None:
        path = route.request.url.rpartition(self.state["session_id"])[2]
        self.requests.append(f"{route.request.method} {path}")
        if route.request.method == "HEAD":
            await route.fulfill(headers={"Allow": self.allow})
        elif path == "/requests":
            await self._ask(route)
        elif path.startswith("/parts"):
            await route.fulfill(json={"parts": self.parts, "next": None})
        elif path == "/steps":
            await route.fulfill(json={"steps": self.learned})
        else:
            await route.fulfill(json=self.state)

    async def _answer_steps(self, route: Route) -> None:
        self.requests.append(f"{route.request.method} {route.request.url.rpartition('/api')[2]}")
        await route.fulfill(json={"steps": self.learned})

    async def _ask(self, route: Route) -> None:
        self.asked.append(route.request.post_data_json or {})
        if self.refusal:
            await route.fulfill(status=self.refusal, json={"type": "about:blank", "detail": "No."})
            return
        request = {"id": f"r{len(self.asked)}", "step": None, "state": "asked", "asked_at": "2026-01-01T00:00:00+00:00"}
        self.state["requests"] = [request | self.asked[-1], *self.state.get("requests", [])]
        await route.fulfill(status=202, json=self.state["requests"][0])

    async def settle(self, state: str, **more: Any) -> None:
        """Let the worker answer the newest request, once it has come, and change the session; the page polls that."""
        await eventually(lambda: bool(self.state.get("requests")), DEADLINE_S)
        self.state["requests"][0]["state"] = state
        await self.change(**more)

    async def change(self, **more: Any) -> None:
        """Change the session; the page polls that."""
        self.state |= more
        await self.shown.page.clock.fast_forward(POLL_MS)
