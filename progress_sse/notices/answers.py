"""Answers of receivers, which may be hostile: how much of one is read, and whether it may be shown."""

import html
import re
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from progress_sse._internal.http_library import httpcore, httpx

if TYPE_CHECKING:
    import ssl

MAX_BODY_BYTES: Final = 4096
"""Bytes that a test reads of the body of an answer; a notice reads none."""

MAX_ANSWER_BYTES: Final = 32_768
MAX_READS: Final = 256
MAX_HEADS: Final = 8
MAX_HEAD_LINES: Final = 200
"""The limits of all that a connection brings; heads before that of the answer are 1xx [RFC 9110 §15.2]."""

PIECE_BYTES: Final = 4096
"""Bytes that are parsed at once: other work has its turn in between."""

MIN_PART_CHARS: Final = 4
MAX_PART_CHARS: Final = 8
"""A secret is found by any piece of that many characters, and a shorter one as a whole."""

_INFORMATIONAL: Final = re.compile(rb"(HTTP/[0-9]\.[0-9] +)?1")
_END_OF_HEAD: Final = re.compile(rb"\n\r?\n")


class TooLongError(Exception):
    """Raised where an answer has more than is read of any."""

    def __init__(self) -> None:
        super().__init__("the answer is too long, or comes in too many pieces")


class BoundedStream(httpcore.AsyncNetworkStream):
    """A connection that fails once it has brought more than an answer needs: to parse that takes the processor."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._bytes = 0
        self._reads = 0
        self._heads = 0
        self._lines = 0
        self._head: bytearray | None = bytearray()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what has come, at least a byte.

        Raises:
            TooLongError: More has come than an answer needs.
        """
        data = await self._stream.read(min(max_bytes, PIECE_BYTES), timeout)
        self._bytes += len(data)
        self._reads += 1
        if self._head is not None:
            self._head += data
            self._count_heads(self._head)
        if (
            self._bytes > MAX_ANSWER_BYTES
            or self._reads > MAX_READS
            or self._heads > MAX_HEADS
            or self._lines > MAX_HEAD_LINES
        ):
            raise TooLongError
        return data

    def _count_heads(self, head: bytearray) -> None:
        """Take the heads that are complete off the beginning; after that of the answer its body begins."""
        while (end := _END_OF_HEAD.search(head)) is not None:
            self._lines = max(self._lines, head.count(b"\n", 0, end.end()))
            if not _INFORMATIONAL.match(head):
                self._head = None
                return
            self._heads += 1
            del head[: end.end()]
        self._lines = max(self._lines, head.count(b"\n"))

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send bytes."""
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: "ssl.SSLContext",
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> "BoundedStream":
        """Return the encrypted connection, which counts anew."""
        return BoundedStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """Return what is known of the connection."""
        return self._stream.get_extra_info(info)


class BoundedBackend(httpcore.AsyncNetworkBackend):
    """Makes connections that are bounded."""

    def __init__(self, backend: httpcore.AsyncNetworkBackend) -> None:
        self._backend = backend

    async def connect_tcp(self, *args: Any, **options: Any) -> BoundedStream:
        """Connect to a host."""
        return BoundedStream(await self._backend.connect_tcp(*args, **options))

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._backend.sleep(seconds)


def bounded(transport: httpx.AsyncHTTPTransport) -> None:
    """Bound what a transport reads of each answer; it must keep no connection for the next one."""
    pool = transport._pool  # noqa: SLF001 - httpx passes no backend on
    pool._network_backend = BoundedBackend(pool._network_backend)  # noqa: SLF001


async def read_head(response: httpx.Response) -> bytes:
    """Return the first bytes of a body, at most `MAX_BODY_BYTES`."""
    assert isinstance(response.stream, httpx.AsyncByteStream)
    content = bytearray()
    with suppress(httpx.HTTPError, TooLongError):
        async for chunk in response.stream:
            content += chunk[: MAX_BODY_BYTES - len(content)]
            if len(content) == MAX_BODY_BYTES:
                break
    return bytes(content)


def repeats(answer: str, url: httpx.URL, values: Iterable[str]) -> bool:
    """Return whether an answer has a part of a request's path, query or secret values, also if it is escaped."""
    target = url.raw_path.decode().rstrip("/")
    parts = [each for each in re.split("[/?&=]", target) if len(each) >= MIN_PART_CHARS]
    secrets = [each for each in (target, *target.split("?"), *parts, *values) if each.strip("/")]
    forms = "\n".join((answer, unquote(answer), html.unescape(answer).replace("\\", ""))).casefold()
    return any(piece in forms for each in secrets for form in {each, unquote(each)} for piece in _pieces(form))


def _pieces(secret: str) -> Iterable[str]:
    secret = secret.casefold()
    return (secret[start : start + MAX_PART_CHARS] for start in range(max(1, len(secret) - MAX_PART_CHARS + 1)))
