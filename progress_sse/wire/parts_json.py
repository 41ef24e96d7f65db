"""The parts of a step ⇄ JSON: the few that polls and events show, all in order, and all as they are stored."""

from collections.abc import Iterable
from typing import Any

from progress_sse.core.parts import Part, Parts
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
