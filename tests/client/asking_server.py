"""A server whose readers ask the jobs for something."""

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.client.fake import FakeServer


class AskingServer(FakeServer):
    """Takes every report, and tells open requests: at once, or with `tells="answers"` only in answers to updates.

    Attributes:
        tells: When it tells open requests.
        waits: The sessions of each wait for requests that has come, with its seconds.
        waiting: The sessions of each wait that is under way.
        updates: Each update, in the order in which they came.
    """

    def __init__(self, *, tells: str = "at once") -> None:
        super().__init__()
        self.tells = tells
        self._open: list[dict[str, Any]] = []
        self._asked = asyncio.Condition()
        self.waits: list[tuple[list[str], int]] = []
        self.waiting: list[list[str]] = []
        self.updates: list[dict[str, Any]] = []
        self.may_answer.set()

    async def ask(self, session_id: str, kind: str = "cancel", **more: Any) -> str:
        """Ask like a reader, and return the id of the request."""
        request_id = f"request-{len(self._open) + 1}"
        fields = {"id": request_id, "kind": kind, "step": None, "state": "asked", **more}
        async with self._asked:
            self._open.append({"session_id": session_id, **fields})
            self._asked.notify_all()
        return request_id

    def state_of(self, request_id: str) -> str:
        return next(str(each["state"]) for each in self._open if each["id"] == request_id)

    async def _respond(
        self, request: str, headers: dict[str, str], body: bytes, reader: asyncio.StreamReader
    ) -> tuple[bytes, bytes]:
        if not request.startswith("GET "):
            return await super()._respond(request, headers, body, reader)
        session_ids = parse_qs(urlsplit(request.split(" ")[1]).query)["session_id"]
        wait_s = int(headers.get("prefer", "wait=0").removeprefix("wait="))
        self.waits.append((session_ids, wait_s))
        if self.tells != "at once":
            return b"404 Not Found", b"{}"
        self.waiting.append(session_ids)
        asked = asyncio.ensure_future(self._wait_for_one(session_ids))
        gone = asyncio.ensure_future(reader.read(1))
        await asyncio.wait({asked, gone}, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        gone.cancel()
        await asyncio.wait({asked, gone})
        self.waiting.remove(session_ids)
        return b"200 OK", json.dumps({"requests": self._told(session_ids, "asked", "seen")}).encode()

    async def _wait_for_one(self, session_ids: list[str]) -> None:
        async with self._asked:
            await self._asked.wait_for(lambda: self._told(session_ids, "asked"))

    def _told(self, session_ids: list[str], *states: str) -> list[dict[str, Any]]:
        return [each for each in self._open if each["session_id"] in session_ids and each["state"] in states]

    def _answer(self, request: str, body: bytes) -> tuple[bytes, bytes]:
        told = json.loads(body)
        session_id = request.split("/")[3].split("?")[0].removesuffix(" HTTP")
        updates = told.get("updates", [{"session_id": session_id, **told}])
        self.updates += [each for each in updates if "action" in each]
        for update in updates:
            if update.get("action") == "acknowledge":
                next(each for each in self._open if each["id"] == update["request"])["state"] = update["state"]
        if "updates" not in told:
            return b"200 OK", json.dumps({"success": True, "session_id": "any", **self._beside(session_id)}).encode()
        results = [{"status": 200, **self._beside(each["session_id"])} for each in updates]
        return b"200 OK", json.dumps({"results": results}).encode()

    def _beside(self, session_id: str) -> dict[str, Any]:
        asked = self._told([session_id], "asked")
        return {"requests": [{name: each[name] for name in ("id", "kind", "step")} for each in asked]} if asked else {}
