"""The browser files of the package, and the headers of pages."""

from pathlib import Path
from typing import Final

from progress_sse.settings import Settings

_PACKAGE: Final = Path(__file__).resolve().parents[1]
_WEB: Final = next(folder for folder in (_PACKAGE / "web", _PACKAGE.parent / "web") if folder.is_dir())

LIB: Final = _WEB / "lib"
"""The files that pages of users load."""

ASSETS: Final = _WEB / "assets"
"""The HTML of our pages, and their bundles. Each bundle's name has a hash of its content."""

ICON: Final = ASSETS / "favicon.svg"

REVALIDATED: Final = "no-cache"

PAGE_HEADERS: Final = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": REVALIDATED,
}

POLICY: Final = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'none'; "
    "require-trusted-types-for 'script'; trusted-types progress-sse"
)


def page_headers(settings: Settings, policy: str = POLICY) -> dict[str, str]:
    """Return the headers of a page; the policy also names the sites that may show it in a frame."""
    ancestors = " ".join(["frame-ancestors 'self'", *settings.frame_origins])
    return {"Content-Security-Policy": f"{policy}; {ancestors}", **PAGE_HEADERS}
