"""The element of each engine in a page of another origin than the server's."""

from pathlib import Path

import pytest

from tests.browser.following import response, work
from tests.browser.test_tokens import DENIED, wire_of
from tests.engines.conftest import OpenTab
from tests.harness.chaos import ChaosProxy
from tests.harness.serving import Server, Worker
from tests.harness.tokens import CLOSED, PUBLISH_TOKEN, make_token
from tests.live.browsing import Playback

pytestmark = [pytest.mark.full, pytest.mark.alone]

IN_ELEMENT = "document.querySelector('progress-steps').shadowRoot"


async def test_an_element_of_another_origin_follows_and_asks_by_its_token(
    open_tab: OpenTab, sid: str, tmp_path: Path
) -> None:
    """SC-11, PR-01: it streams, comes back after a cut, and cancels; the token is sent in headers alone."""
    server = Server(tmp_path / "server", heartbeat_s=1, retry_ms=300, **CLOSED)
    token = make_token(sessions=[sid], actions=["read", "control"])
    async with ChaosProxy(server.port) as proxy:
        html = f"""<!doctype html><html lang="en"><title>embedding</title>
        <script type="module" src="http://127.0.0.1:{proxy.port}/web/define.js"></script>
        <progress-steps session="{sid}">please wait</progress-steps>"""
        async with Playback(response("200 OK", html, "text/html")) as site:
            # Not even the same site, so that no cookie could help.
            server.settings["allow_origins"] = f"http://localhost:{site.port}"
            with server:
                async with Worker.at(server, PUBLISH_TOKEN) as worker:
                    await worker.create(sid, total_steps=4, accepts=["cancel"])
                    tab = await open_tab(f"http://localhost:{site.port}/")
                    await tab.evaluate("customElements.whenDefined('progress-steps').then(() => null)")
                    await tab.until_texts("[part~=headline]", [DENIED], IN_ELEMENT)
                    await tab.evaluate(f"void (document.querySelector('progress-steps').token = '{token}')")
                    await tab.until_texts("[part~=connection]", ["live"], IN_ELEMENT)
                    await work(worker, sid, 1)
                    await tab.until_texts(".percent", ["25%"], IN_ELEMENT)
                    proxy.cut()
                    await work(worker, sid, 2)
                    await tab.until_texts(".percent", ["50%"], IN_ELEMENT)
                    await tab.until_texts("[part~=connection]", ["live"], IN_ELEMENT)
                    await worker.start(sid, 3)
                    await tab.click(".cancel", IN_ELEMENT)
                    await tab.click("dialog .confirm", IN_ELEMENT)
                    await tab.until_texts(".request-text", ["Cancellation requested"], IN_ELEMENT)
                    [request] = (await worker.poll(sid))["requests"]
                    assert (request["kind"], request["state"]) == ("cancel", "asked")
    assert wire_of(proxy).count(token.encode()) == wire_of(proxy).count(f" Bearer {token}\r\n".encode()) > 0
