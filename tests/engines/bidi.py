"""A connection by WebDriver BiDi, the protocol of https://www.w3.org/TR/webdriver-bidi/."""

import asyncio
import itertools
from typing import Any, Self

import aiohttp

ANSWER_S = 60
"""Within this the browser must answer a command, on a busy machine too."""


class BidiConnection:
    """Sends commands to a browser, any number at a time."""

    def __init__(self, client: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._client = client
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._reading = asyncio.get_running_loop().create_task(self._read())

    @classmethod
    async def open(cls, url: str) -> Self:
        client = aiohttp.ClientSession()
        try:
            connection = cls(client, await client.ws_connect(url, max_msg_size=0))
        except BaseException:
            await client.close()
            raise
        await connection.send("session.new", capabilities={})
        return connection

    async def _read(self) -> None:
        async for message in self._socket:
            answer = message.json()
            waiting = self._answers.pop(answer.get("id"), None)
            if waiting is not None and not waiting.done():
                waiting.set_result(answer)
        for waiting in self._answers.values():
            if not waiting.done():
                waiting.set_exception(ConnectionError("the browser is gone"))

    async def send(self, method: str, **parameters: Any) -> Any:
        """Send a command, and return its result.

        Raises:
            RuntimeError: The browser refuses it.
            ConnectionError: The browser has ended.
        """
        number = next(self._numbers)
        self._answers[number] = answered = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(ANSWER_S):
            answer = await answered
        if answer["type"] != "success":
            raise RuntimeError(f"{method}: {answer['error']}: {answer['message']}")
        return answer["result"]

    async def aclose(self) -> None:
        """Close the connection; the browser may be gone already."""
        await self._socket.close()
        await self._reading
        await self._client.close()
