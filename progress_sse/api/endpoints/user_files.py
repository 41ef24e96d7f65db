"""Serves the folder of the setting `www`: pages of the operator's own, beside the API that they use."""

import os
from pathlib import Path
from typing import Final

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from progress_sse.api.page_files import page_headers
from progress_sse.settings import Settings

POLICY: Final = "object-src 'none'; base-uri 'self'"
"""The scripts of a page are the operator's business; that other sites move its links is not."""


class UserFiles(StaticFiles):
    """Serves each regular file below a folder under its own name, and lists nothing."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        """Serve `folder`; links that lead out of it are not followed."""
        super().__init__(directory=folder)
        self._folder = folder.resolve()
        self._headers = page_headers(settings, POLICY)

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """Find a file that may be served: neither its name nor that of a folder begins with a dot."""
        full_path, found = super().lookup_path(path)
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
