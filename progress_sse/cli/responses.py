"""Which responses a follower can use, and why not the others."""

from typing import Final

from progress_sse._internal.http_library import httpx
from progress_sse.client.availability import LONGEST_RETRY_AFTER_S
from progress_sse.client.codec import retry_after_s
from progress_sse.core.errors import ProgressError


class NotAllowedError(ProgressError):
    """Raised when the server does not let this client read that; asking again would not change that."""


class UnexpectedResponseError(Exception):
    """The response is of no use; the next one may be, after `retry_after_s` seconds at least."""

    def __init__(self, text: str, retry_after_s: float = 0) -> None:
        super().__init__(text)
        self.retry_after_s = min(retry_after_s, LONGEST_RETRY_AFTER_S)


def check(response: httpx.Response, media_type: str) -> None:
    """Raise an error unless the response is of the kind that was asked for."""
    if response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise NotAllowedError(_NOT_ALLOWED[response.status_code])
    if response.status_code != httpx.codes.OK:
        raise UnexpectedResponseError(
            f"the server answers {response.status_code}", retry_after_s(response.headers) or 0
        )
    if response.headers.get("Content-Type", "").partition(";")[0].strip().lower() != media_type:
        raise UnexpectedResponseError("the answer is not that of a progress server")


_NOT_ALLOWED: Final[dict[int, str]] = {
    httpx.codes.UNAUTHORIZED: "The server wants a token for this, and this is none: see --token.",
    httpx.codes.FORBIDDEN: "The token does not allow this.",
}
