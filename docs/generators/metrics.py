"""The page of metrics."""

import asyncio

from docs.generators.markdown import code, page, table
from progress_sse._internal.http_library import httpx
from progress_sse.notices.hooks_file import Hook
from progress_sse.notices.notifier import Notifier
from progress_sse.observability.metrics import PREFIX, families
from progress_sse.service import ProgressService
from progress_sse.settings import load_settings


def metrics_page() -> str:
    """Return the page."""
    return page(
        "Metrics",
        "`GET /metrics` has these metrics, and those of the process (`process_…`).\n"
        f"[Operate](../how-to/operate.md#metrics) says how to scrape them. Each name begins with `{PREFIX}`.",
        table("metric | kind | labels | meaning", asyncio.run(_rows())),
    )


async def _rows() -> list[list[str]]:
    settings = load_settings(store="memory://")
    service = ProgressService(settings)
    service.notifier = notifier = Notifier(service.store, service.clock, settings)
    await service.store.open()
    await notifier.load((Hook("oncall", httpx.URL("https://example.org"), (b"",)),))
    await notifier.count_waiting()
    sessions = {"pending": 0}
    rows = [
        [
            code(family.name.removeprefix(PREFIX) + ("_total" if family.type == "counter" else "")),
            family.type,
            ", ".join(code(label) for label in family.samples[0].labels if label != "le"),
            family.documentation,
        ]
        for family in families(service, sessions)  # type: ignore[arg-type]  # one status shows the label
        if family.name.startswith(PREFIX)
    ]
    await notifier.aclose()
    await service.store.aclose()
    return rows
