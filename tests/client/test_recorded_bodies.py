"""The bytes of reports stay the bytes that were recorded, as servers of every version read them."""

import hashlib
import json
from pathlib import Path

from progress_sse.client.codec import encode, encode_batch
from progress_sse.client.exchange import ReportRequest
from progress_sse.client.reports import Create
from tests.client.random_reports import random_requests

RECORDING = Path(__file__).with_name("recorded_bodies.json")
"""The seed, and for each block of reports the beginning of the SHA-256 of their requests."""


def digests(seed: int, count: int, block: int) -> list[str]:
    """The digests of the requests of random reports, alone and, but for creations, in batches."""
    requests = list(random_requests(seed, count))
    return [_digest(requests[start : start + block]) for start in range(0, count, block)]


def _digest(requests: list[ReportRequest]) -> str:
    alone = [encode(request) for request in requests]
    together = encode_batch([request for request in requests if not isinstance(request.report, Create)])
    return hashlib.sha256(repr([*map(tuple, alone), tuple(together)]).encode()).hexdigest()[:16]


def test_reports_have_the_recorded_bytes() -> None:
    """20,000 of all kinds and with all options."""
    recording = json.loads(RECORDING.read_text("utf-8"))
    assert digests(recording["seed"], recording["count"], recording["block"]) == recording["digests"]
