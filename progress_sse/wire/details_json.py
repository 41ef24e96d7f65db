"""Details and parts ⇄ JSON: what readers see of a session besides its steps, of a step's parts, and what is stored."""

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from progress_sse.core.asks import Asks, ReaderAsk
from progress_sse.core.details import NO_DETAILS, Claim, Details, FinishAt, Link, Time, Timing
from progress_sse.core.parts import Part, Parts
from progress_sse.core.subscriptions import Subscription
from progress_sse.wire.json_text import encode_json


def shown_parts(parts: Parts) -> dict[str, object]:
    """Return what polls and events show of a step's parts, JSON-ready."""
    counts = parts.counts._asdict()
    return {"total": parts.total, **counts, "listed": [_shown_part(part) for part in parts.listed()]}


def encode_parts(parts: Parts | None) -> bytes:
    """Return all parts of a step, in the order of their first report, as their own endpoint shows them."""
    known = () if parts is None else parts.by_name.values()
    return encode_json({"parts": [_shown_part(part) for part in known], "next": None})


def stored_parts(parts: Parts) -> dict[str, object]:
    """Return parts as they are stored, JSON-ready: each as an array; what `load_parts` takes."""
    return {"total": parts.total, "all": tuple(parts.by_name.values())}


def load_parts(total: int | None, stored: Iterable[Any]) -> Parts:
    """Return the parts that `stored_parts` wrote."""
    return Parts(total, {part.part: part for part in (Part(*fields) for fields in stored)})


def _shown_part(part: Part) -> dict[str, object]:
    shown: dict[str, object] = {"part": part.part, "status": part.status}
    if part.current is not None:
        shown["progress"] = {"current": part.current, "total": part.total}
    if part.message:
        shown["message"] = part.message
    if part.error:
        shown["error"] = part.error
    shown["elapsed_ms"] = part.elapsed_ms
    return shown


_SHOWN: Final = Details._fields.index("log") + 1
"""How many fields readers see: the first ones."""

_NOTHING_SHOWN: Final = NO_DETAILS[:_SHOWN]


def shown_details(details: Details) -> dict[str, object]:
    """Return what readers see of a session besides its steps, JSON-ready; nothing if no worker reported any of it."""
    if details[:_SHOWN] == _NOTHING_SHOWN:
        return {}
    shown: dict[str, object] = {}
    if details.title is not None:
        shown["title"] = details.title
    if details.labels:
        shown["labels"] = dict(details.labels)
    if details.links:
        shown["links"] = [link._asdict() for link in details.links]
    if details.open_ended:
        shown["open_ended"] = True
    shown |= _shown_end(details)
    if details.accepts:
        shown["accepts"] = details.accepts
    if details.requests:
        shown["requests"] = [show_request(each) for each in details.requests]
    if details.log:
        shown["log"] = True
    return shown


def _shown_end(details: Details) -> dict[str, object]:
    shown: dict[str, object] = {}
    if details.error is not None:
        shown["error"] = details.error
    if details.conclusion is not None:
        shown["conclusion"] = details.conclusion
    if details.time is not None:
        finish_at = details.time.finish_at
        shown["time"] = details.time._asdict() | {"finish_at": None if finish_at is None else finish_at._asdict()}
    return shown


def show_request(request: ReaderAsk) -> dict[str, object]:
    """Return a request as readers see it, JSON-ready."""
    return {name: value for name, value in request._asdict().items() if value is not None or name == "step"}


def asked_requests(requests: Asks) -> list[dict[str, object]]:
    """Return the requests that no worker has answered yet, in the form for workers, JSON-ready."""
    return [{"id": each.id, "kind": each.kind, "step": each.step} for each in requests if each.state == "asked"]


def encode_details(details: Details) -> bytes:
    """Return details as they are stored, with what readers do not see; what `decode_details` takes."""
    hidden: dict[str, object] = {}
    if details.is_finished:
        hidden["is_finished"] = True
    if details.creator is not None:
        hidden["creator"] = details.creator
    if details.claims:
        steps = defaultdict[Claim, list[int]](list)  # Most sessions have one attempt, and many steps of it.
        for step, claim in details.claims.items():
            steps[claim].append(step)
        hidden["claims"] = [[*claim[: 4 if claim.has_stalled else 3], held] for claim, held in steps.items()]
    if details.replaced:
        hidden["replaced"] = details.replaced
    if details.is_cancelled:
        hidden["is_cancelled"] = True
    if details.timing is not None:
        timing = details.timing
        hidden["timing"] = [timing.profile, timing.floor, sorted(timing.untaught), timing.has_taught]
    if details.subscriptions:
        hidden["subscriptions"] = details.subscriptions
    return encode_json({**shown_details(details), **hidden})


def decode_details(data: bytes) -> Details:
    """Return the details that `encode_details` wrote."""
    return load_details(json.loads(data))


def load_details(fields: dict[str, Any]) -> Details:
    """Return the details from what their JSON contains."""
    links = tuple(Link(**link) for link in fields.pop("links", ()))
    claims = {step: Claim(*claim) for *claim, steps in fields.pop("claims", ()) for step in steps}
    accepts = tuple(fields.pop("accepts", ()))
    replaced = tuple(fields.pop("replaced", ()))
    requests = tuple(ReaderAsk(**request) for request in fields.pop("requests", ()))
    time = fields.pop("time", None)
    timing = fields.pop("timing", None)
    subscriptions = tuple(Subscription(*each) for each in fields.pop("subscriptions", ()))
    return Details(
        **fields,
        links=links,
        time=None if time is None else _load_time(**time),
        timing=None if timing is None else _load_timing(*timing),
        claims=claims,
        accepts=accepts,
        requests=requests,
        replaced=replaced,
        subscriptions=subscriptions,
    )


def _load_time(finish_at: dict[str, str] | None, **fields: Any) -> Time:
    return Time(finish_at=None if finish_at is None else FinishAt(**finish_at), **fields)


def _load_timing(profile: str | None, floor: int, untaught: list[int], has_taught: bool) -> Timing:
    return Timing(profile, floor, frozenset(untaught), has_taught)
