"""axe-core, which checks pages for violations of the accessibility guidelines."""

from __future__ import annotations

from typing import Any

from tests.browser.page_driver import PageDriver
from tests.harness.serving import ROOT

AXE = (ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")
RUN = """async () => (await axe.run(document, {resultTypes: ["violations"]})).violations
    .map(({id, help, nodes}) => [id, help, nodes.map(({html}) => html)])"""


async def axe_violations(shown: PageDriver) -> list[Any]:
    """The violations that axe-core finds: rule, description, and elements of each."""
    await shown.evaluate(AXE)
    violations: list[Any] = await shown.evaluate(RUN)
    return violations
