"""axe-core, which checks pages for violations of the accessibility guidelines."""

from typing import Any, Final, Literal

from tests.browser.page_driver import PageDriver
from tests.harness.serving import ROOT

AXE = (ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")
RUN = """async () => (await axe.run(document, {resultTypes: ["violations"]})).violations
    .map(({id, help, nodes}) => [id, help, nodes.map(({html}) => html)])"""


THEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
WIDTHS: Final = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"


async def check_themes(shown: PageDriver, state: str = "") -> None:
    """Axe finds nothing in either theme, and nothing overflows sideways; `state` is named if it does."""
    for theme in THEMES:
        await shown.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        assert await axe_violations(shown) == [], (state, theme)
    scroll, client = await shown.evaluate(WIDTHS)
    assert scroll <= client, state


async def axe_violations(shown: PageDriver) -> list[Any]:
    """The violations that axe-core finds: rule, description, and elements of each."""
    await shown.evaluate(AXE)
    violations: list[Any] = await shown.evaluate(RUN)
    return violations
