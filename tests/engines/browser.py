"""What the tests ask of a browser, whichever engine it has."""

import asyncio
import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Self

DEADLINE_S = 40
"""Of each wait for a page: long enough for the longest back-off, and for a busy machine."""

_CENTRE = """(async () => {
  const place = () => {
    const element = ROOT.querySelector(SELECTOR);
    if (!element?.checkVisibility({visibilityProperty: true})) return null;
    element.scrollIntoView({block: "center", behavior: "instant"});
    const {x, y, width, height} = element.getBoundingClientRect();
    const centre = [Math.round(x + width / 2), Math.round(y + height / 2)];
    return element.contains(ROOT.elementFromPoint(...centre)) ? centre : null;
  };
  const before = place();
  await new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)));
  return before?.join() === place()?.join() ? before : null;
})()"""
"""Where an element is that can be clicked on: nothing covers it, and it does not move."""


def pointer_actions(x: int, y: int) -> list[dict[str, Any]]:
    """A click at a place in the window, in pixels, as WebDriver and WebDriver BiDi describe it."""
    press = [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
    return [{"type": "pointer", "id": "mouse", "actions": [{"type": "pointerMove", "x": x, "y": y}, *press]}]


def key_actions(text: str) -> list[dict[str, Any]]:
    """Keys pressed one after the other, as WebDriver and WebDriver BiDi describe it."""
    strokes = [{"type": kind, "value": letter} for letter in text for kind in ("keyDown", "keyUp")]
    return [{"type": "key", "id": "keyboard", "actions": strokes}]


class Tab(ABC):
    """One tab of a browser.

    Expressions are those of JavaScript. A promise is awaited, and the value comes as JSON.
    """

    is_open = True

    @abstractmethod
    async def go(self, url: str) -> None:
        """Go to an address, and wait until its page is loaded."""

    @abstractmethod
    async def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page."""

    @abstractmethod
    async def press(self, x: int, y: int) -> None:
        """Press the pointer's button, and release it, at a place in the window, in pixels."""

    @abstractmethod
    async def type(self, text: str) -> None:
        """Press the key of each letter, and release it."""

    @abstractmethod
    async def close_page(self) -> None:
        """Close the tab, with its page; called once."""

    async def close(self) -> None:
        """Close the tab, with its page, unless that was done."""
        if self.is_open:
            self.is_open = False
            await self.close_page()

    async def go_back(self) -> None:
        """Go back in the tab's history; does not wait."""
        await self.evaluate("void setTimeout(() => history.back())")

    async def click(self, selector: str, root: str = "document") -> None:
        """Wait until an element is visible, and click on it; `root` is an expression, as for `until_texts`."""
        centre = await self.until(_CENTRE.replace("ROOT", root).replace("SELECTOR", json.dumps(selector)))
        await self.press(*centre)

    async def until(self, expression: str) -> Any:
        """Evaluate an expression until it is true, in whichever page is loaded by then, and return its value."""
        value = None
        try:
            async with asyncio.timeout(DEADLINE_S):
                while not (value := await self.evaluate(expression)):  # noqa: ASYNC110 - asks the browser
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise TimeoutError(f"{expression} was {value!r} at last") from None
        return value

    async def until_text(self, selector: str, text: str) -> None:
        """Wait until the first element that a selector finds has this text."""
        shown = f"document.querySelector({json.dumps(selector)})?.textContent"
        try:
            await self.until(f"{shown} === {json.dumps(text)}")
        except TimeoutError:
            raise TimeoutError(f"{selector} had {await self.evaluate(shown)!r} at last, not {text!r}") from None

    async def until_texts(self, selector: str, texts: list[str], root: str = "document") -> None:
        """Wait until the elements that a selector finds have these texts; `root` is their document or shadow root."""
        shown = f"[...{root}.querySelectorAll({json.dumps(selector)})].map(({{textContent}}) => textContent)"
        try:
            await self.until(f"JSON.stringify({shown}) === JSON.stringify({json.dumps(texts)})")
        except TimeoutError:
            raise TimeoutError(f"{selector} had {await self.evaluate(shown)!r} at last, not {texts!r}") from None


class Browser(ABC):
    """One browser with an empty profile, which runs as long as the asynchronous context lasts.

    It sends nothing to other machines.
    """

    def __init__(self, folder: Path) -> None:
        """Prepare a browser that keeps its files in a folder of its own, which exists."""
        self.folder = folder

    @abstractmethod
    async def open(self, url: str, *, is_hidden: bool = False) -> Tab:
        """Open an address in a tab in front of others, or in one that stays behind others."""

    @abstractmethod
    async def start(self) -> None:
        """Start it, and wait until it takes commands."""

    @abstractmethod
    async def end(self) -> None:
        """End all its processes."""

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.end()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end()
