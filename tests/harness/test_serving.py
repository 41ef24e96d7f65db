import signal
import sys
from pathlib import Path

import pytest

from tests.harness.serving import Server, session_path

TINY = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print("asked for", self.path, flush=True)
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def tiny(folder: Path) -> Server:
    """A server of ten lines in place of ours."""
    return Server(folder, command=[sys.executable, "-c", TINY, "{port}"])


def test_a_server_comes_back_on_its_port_after_a_kill(tmp_path: Path) -> None:
    """Start, kill, start again: same address, another process, one log."""
    with tiny(tmp_path) as server:
        first_pid = server.pid
        server.kill()
        server.start()
        assert server.pid != first_pid
        assert server.log().count("asked for /livez") == 2
        assert server.terminate() == -signal.SIGTERM


def test_the_probes_look_at_the_process(tmp_path: Path) -> None:
    """Descriptors, memory and processor time come from the kernel."""
    with tiny(tmp_path) as server:
        assert 3 <= server.descriptors() < 50
        assert 1 << 20 < server.pss_bytes() < 1 << 28
        assert 0 <= server.cpu_s() < 10


def test_a_server_that_ends_at_once_shows_its_log(tmp_path: Path) -> None:
    """Whoever reads the failure sees what the server said."""
    server = Server(tmp_path, command=[sys.executable, "-c", "raise SystemExit('no luck')"])
    with pytest.raises(RuntimeError, match=r"(?s)exit code 1.*no luck"):
        server.start()


def test_settings_become_flags(tmp_path: Path) -> None:
    """Names as in Python, values as text, `True` alone."""
    arguments = Server(tmp_path, store="sqlite", heartbeat_s=0.5, insecure=True).arguments()
    assert arguments[-3:] == ["--heartbeat-s", "0.5", "--insecure"]
    assert f"sqlite:///{tmp_path}/progress.db" in arguments


@pytest.mark.parametrize(
    ("session_id", "path"), [("a b", "/api/progress/a%20b/events"), ("日", "/api/progress/%E6%97%A5/events")]
)
def test_a_session_path_is_encoded(session_id: str, path: str) -> None:
    """Whatever an id holds, it stays one segment."""
    assert session_path(session_id, "events") == path
