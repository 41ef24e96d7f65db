"""Checks responses against the server's own API description."""

import re
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, get_args

import httpx
import jsonschema_rs

from progress_sse.api.openapi.document import document
from progress_sse.api.openapi.projection import projected
from progress_sse.api.routes import ROUTES
from progress_sse.auth.grants import Action
from progress_sse.settings import BodyLimits

DOCUMENT = document(ROUTES, BodyLimits(262_144, 8192, 1000), 20, frozenset(get_args(Action)))
"""The description of a server that requires tokens; its responses are the same as any other server's."""

PROJECTED = projected(DOCUMENT)
"""The same as OpenAPI 3.1."""


def check_answer(method: str, path: str, response: httpx.Response) -> None:
    """Raise an `AssertionError` if a response is not described for such a request.

    Its body must have been read; the body of a stream is not checked.
    """
    template = _template(path)
    method = "get" if method == "HEAD" else method.lower()
    if template is None or method not in DOCUMENT["paths"][template]:
        return
    shown = f"{method} {template}: {response.status_code} {response.headers} {response.text[:300]}"
    answer = DOCUMENT["paths"][template][method]["responses"].get(str(response.status_code))
    assert answer is not None, shown
    assert _required_headers(answer) <= set(response.headers), shown
    if response.content:
        media_type = response.headers["content-type"].partition(";")[0]
        kinds = [kind for kind in answer.get("content", {}) if fnmatchcase(media_type, kind)]
        assert kinds, shown
        if media_type.endswith("json"):
            for validator in _validators(template, method, str(response.status_code), kinds[0]):
                assert validator.is_valid(response.json()), shown


def _template(path: str) -> str | None:
    """The path template of the description that matches; `None` if there is none."""
    for template in DOCUMENT["paths"]:
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), path):
            return str(template)
    return None


def _required_headers(answer: Any) -> set[str]:
    described = DOCUMENT["components"]["headers"]
    return {name.lower() for name in answer.get("headers", {}) if described[name].get("required")}


@cache
def _validators(path: str, method: str, status: str, kind: str) -> list[jsonschema_rs.Draft202012Validator]:
    """Those of the description and of its projection."""
    return [
        jsonschema_rs.Draft202012Validator(
            described["paths"][path][method]["responses"][status]["content"][kind]["schema"]
            | {"components": described["components"]}  # What it refers to; the whole takes three times as long.
        )
        for described in (DOCUMENT, PROJECTED)
    ]
