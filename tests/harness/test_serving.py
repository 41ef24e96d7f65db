import signal
import socket
import sys
from pathlib import Path

import pytest

from tests.harness.http1 import HOST
from tests.harness.serving import Server, eventually, session_path

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
    return Server(folder, command=[sys.executable, "-c", TINY, "{port}"])


def test_a_server_keeps_its_port_after_a_kill(tmp_path: Path) -> None:
    """Start, kill and start again: same address, another process, one log."""
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
        assert 1 << 20 < server.memory_bytes() < 1 << 28
        assert 0 <= server.cpu_s() < 10


async def test_a_server_holds_the_connections_that_it_has_not_closed(tmp_path: Path) -> None:
    """They are known by the client's port, and no longer held once closed, though the client remains open."""
    with tiny(tmp_path) as server, socket.create_connection((HOST, server.port)) as client:
        port = client.getsockname()[1]
        await eventually(lambda: port in server.client_ports(), 10)
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        await eventually(lambda: port not in server.client_ports(), 10)


def test_a_server_that_ends_at_once_shows_its_log(tmp_path: Path) -> None:
    """The error contains the server's output."""
    server = Server(tmp_path, command=[sys.executable, "-c", "raise SystemExit('no luck')"])
    with pytest.raises(RuntimeError, match=r"(?s)exit code 1.*no luck"):
        server.start()


def test_settings_become_flags(tmp_path: Path) -> None:
    """Names are as in Python, values are texts, and `True` is a bare flag."""
    arguments = Server(tmp_path, store="sqlite", heartbeat_s=0.5, insecure=True).arguments()
    assert arguments[-3:] == ["--heartbeat-s", "0.5", "--insecure"]
    assert f"sqlite:///{tmp_path}/progress.db" in arguments


def test_settings_of_an_embedded_application_go_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables of the test run's own environment are ignored, with either server."""
    monkeypatch.setenv("PROGRESS_SSE_RETRY_MS", "7")
    server = Server(tmp_path, factory="a:b", heartbeat_s=0.5, insecure=True, graceful_timeout_s=3)
    ours = {name: value for name, value in server.environment().items() if name.startswith("PROGRESS_SSE_")}
    assert ours == {
        "PROGRESS_SSE_STORE": "memory://",
        "PROGRESS_SSE_HEARTBEAT_S": "0.5",
        "PROGRESS_SSE_INSECURE": "True",
        "PROGRESS_SSE_GRACEFUL_TIMEOUT_S": "3",
    }
    assert server.arguments()[-2:] == ["--factory", "a:b"]
    assert "--timeout-graceful-shutdown 3" in " ".join(server.arguments())
    assert "PROGRESS_SSE_STORE" not in Server(tmp_path).environment()
    assert "PROGRESS_SSE_RETRY_MS" not in Server(tmp_path).environment()


@pytest.mark.parametrize(
    ("session_id", "path"), [("a b", "/api/progress/a%20b/events"), ("日", "/api/progress/%E6%97%A5/events")]
)
def test_a_session_path_is_encoded(session_id: str, path: str) -> None:
    """The id stays one segment, whatever its characters."""
    assert session_path(session_id, "events") == path
