"""Serves the pages, the browser files and the operator's own folder, from the wheel as well as from a checkout."""

import asyncio
import gzip
import hashlib
import json
import os
import re
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Final
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Receive, Scope, Send

from progress_sse.api.page_files import ASSETS, ICON, LIB, REVALIDATED, page_headers
from progress_sse.api.request_parts import query_of, session_id_of, uri_component
from progress_sse.core.errors import PathNotFoundError
from progress_sse.service import ProgressService
from progress_sse.settings import Settings
from progress_sse.wire.headers import header_values
from progress_sse.wire.preferences import preferred_language

PUBLIC_SUFFIXES: Final = (".js", ".css", ".d.ts", ".map", ".png")

PRIVATE: Final = "private, no-cache"
IMMUTABLE: Final = "public, max-age=31536000, immutable"

PAGE_FILES: Final = {"en": "page.html", "ja": "page.ja.html"}
"""The page of a session with the texts of each language. Its script loads others where the browser prefers them."""

_HASHED: Final = re.compile(r"-[A-Z0-9]{8}\.")

FILE_HEADERS: Final = {"X-Content-Type-Options": "nosniff", "Accept-Ranges": "none", "Vary": "Accept-Encoding"}

GZIP: Final = {"content-encoding": "gzip"}


async def session_page(service: ProgressService, request: Request) -> Response:
    """`GET /s/{session_id}`: the page of a session, which need not exist yet. Its id must be valid.

    Browsers load the session's state beside the page's script, which asks for it first. Where a token is needed, the
    page may still have to get one.
    """
    session_id = session_id_of(request)
    response = await _page(service, request)
    if not _needs_token_to_read(service):
        state = quote(f"{request.scope.get('root_path', '')}/api/progress/") + uri_component(session_id)
        response.headers["Link"] = f"<{state}>; rel=preload; as=fetch; crossorigin"
    return response


async def home_page(service: ProgressService, request: Request) -> Response:
    """`GET /`: the list of the sessions that the visitor may list; with a query of `session_id`s, the page of those."""
    if any(query_of(request).getlist("session_id")):
        return await _page(service, request)
    authorizer = service.authorizer
    prefixes = json.dumps(await service.authorizer.listable_prefixes(request))
    tokens = "taken" if authorizer.takes_tokens and not authorizer.is_open_to("list") else "none"
    response = await _html("home.html", request, service, tokens=tokens, list=prefixes)
    response.headers["Cache-Control"] = PRIVATE
    return response


async def _page(service: ProgressService, request: Request) -> Response:
    read = "token" if _needs_token_to_read(service) else "open"
    language = preferred_language(header_values(request, b"accept-language"), PAGE_FILES)
    response = await _html(PAGE_FILES[language], request, service, read=read)
    response.headers["Vary"] = "Accept-Encoding, Accept-Language"
    return response


async def _html(name: str, request: Request, service: ProgressService, **facts: str) -> Response:
    """Return a page with facts for its script, each in a `<meta>` of its name."""
    facts["publish"] = "open" if service.authorizer.is_open_to("publish") else "token"
    facts["dev"] = "on" if service.settings.dev else "off"
    if name != "home.html":
        facts["push"] = "on" if service.settings.push else "off"
    root = escape(request.scope.get("root_path", ""), quote=True)
    html = await asyncio.to_thread((ASSETS / name).read_text, "utf-8")
    html = html.replace('<base href="/">', f'<base href="{root}/">')
    for fact, content in facts.items():
        meta = f'<meta name="progress-{fact}" content="'
        before, _, after = html.partition(meta)
        html = before + meta + escape(content, quote=True) + after[after.index('"') :]
    headers = page_headers(service.settings) | {"Vary": "Accept-Encoding"}
    if not _accepts_gzip(request.headers):
        return Response(html, media_type="text/html", headers=headers)
    return Response(gzip.compress(html.encode(), mtime=0), media_type="text/html", headers=headers | GZIP)


def _accepts_gzip(headers: Headers) -> bool:
    return "gzip" in headers.get("accept-encoding", "")


def _needs_token_to_read(service: ProgressService) -> bool:
    return service.authorizer.takes_tokens and not service.authorizer.is_open_to("read")


async def push_worker(service: ProgressService, _request: Request) -> Response:
    """`GET /push-worker.js`: the service worker of push, whose scope is the mount by the place of this path."""
    _check_push(service)
    return FileResponse(ASSETS / "push-worker.js", headers=FILE_HEADERS | {"Cache-Control": REVALIDATED})


async def manifest(service: ProgressService, request: Request) -> Response:
    """`GET /manifest.webmanifest`: lets a phone keep a page on its home screen, as push needs on some."""
    _check_push(service)
    root = f"{request.scope.get('root_path', '')}/"
    icon = {"src": "web/icon.png", "sizes": "192x192", "type": "image/png"}
    content = {"name": "Progress", "id": root, "scope": root, "display": "standalone", "icons": [icon]}
    headers = {"Cache-Control": REVALIDATED, "X-Content-Type-Options": "nosniff"}
    return Response(json.dumps(content), media_type="application/manifest+json", headers=headers)


def _check_push(service: ProgressService) -> None:
    if not service.settings.push:
        raise PathNotFoundError("This server offers no push.")


class BrowserFiles(StaticFiles):
    """Serves the public files of `lib` and `assets`, compressed if the browser accepts that."""

    def get_directories(self, *_args: object) -> list[str | os.PathLike[str]]:
        """Return both folders; a bundle comes before a module of its name."""
        return [ASSETS, LIB]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the whole file: `Range` may be ignored [RFC 9110 §14.2]."""
        headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
        await super().__call__({**scope, "headers": headers}, receive, send)

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """Find a public file, and read it: this runs in a thread, where reading blocks no other request."""
        if "/" in path or not path.endswith(PUBLIC_SUFFIXES):
            return "", None
        full_path, found = super().lookup_path(path)
        if found is not None:
            _contents(full_path, found.st_mtime_ns)
        return full_path, found

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """Return a file with its headers.

        Browsers keep a file with a hash in its name for a year, and revalidate every other one at each use (304 as a
        rule).
        """
        content, compressed, tag = _contents(str(full_path), stat_result.st_mtime_ns)
        response = FileResponse(full_path, status_code, stat_result=stat_result)
        response.headers.update(FILE_HEADERS | {"ETag": tag})
        if str(full_path).endswith(".map"):
            response.headers["Content-Type"] = "text/plain; charset=utf-8"
        response.headers["Cache-Control"] = IMMUTABLE if _HASHED.search(Path(full_path).name) else REVALIDATED
        if self.is_not_modified(response.headers, Headers(scope=scope)):
            return NotModifiedResponse(response.headers)
        headers = {name: value for name, value in response.headers.items() if name != "content-length"}
        if _accepts_gzip(Headers(scope=scope)):
            return Response(compressed, headers=headers | GZIP)
        return Response(content, headers=headers)


@lru_cache(maxsize=64)
def _contents(path: str, _changed_ns: int) -> tuple[bytes, bytes, str]:
    """Return a file's content, plain and compressed, and its ETag. Each file is read and compressed once.

    The tag is of the content: with another name of what it imports, an upgraded file may have the same size and time.
    """
    content = Path(path).read_bytes()
    return content, gzip.compress(content, mtime=0), f'"{hashlib.sha256(content).hexdigest()[:32]}"'


USER_POLICY: Final = "object-src 'none'; base-uri 'self'"
"""The scripts of a page are the operator's business; that other sites move its links is not."""


class UserFiles(StaticFiles):
    """Serves each regular file below a folder under its own name; lists nothing, and follows no link out of it."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        """Serve `folder`; links that lead out of it are not followed."""
        super().__init__(directory=folder)
        self._folder = folder.resolve()
        self._headers = page_headers(settings, USER_POLICY)

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """Find a file that may be served: neither its name nor that of a folder begins with a dot."""
        full_path, found = super().lookup_path(path)
        if found is None and path == "favicon.ico":  # Browsers ask for it where a page names no icon.
            return str(ICON), ICON.stat()
        if found is None or _is_hidden(path) or _is_hidden(os.path.relpath(full_path, self._folder)):
            return "", None
        return (full_path, found) if os.access(full_path, os.R_OK) else ("", None)

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """Return a file with its headers; browsers ask for it again at each use (304 as a rule)."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(self._headers)
        return response


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") for part in Path(path).parts)
