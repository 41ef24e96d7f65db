"""`progress-sse doctor` as a process: against the server alone, and through an nginx that is configured wrongly."""

import asyncio
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.harness.http1 import HOST, free_port
from tests.harness.nginx import BUFFERING, PIECEMEAL, NginxServer
from tests.harness.serving import Server, Worker
from tests.harness.tokens import CLOSED, PUBLISH_TOKEN, bearer, make_token

ORIGIN = "https://app.example"
HEARTBEAT_S = 0.5
DOCTOR_S = 110
"""Seconds that the command promises to take at most."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that requires tokens, and lists an origin."""
    folder = tmp_path_factory.mktemp("server")
    with Server(folder, heartbeat_s=HEARTBEAT_S, allow_origins=ORIGIN, **CLOSED) as server:
        yield server


class Diagnosis(NamedTuple):
    """The output of the doctor."""

    status: int
    lines: dict[str, tuple[str, str]]
    summary: str

    def of(self, level: str) -> dict[str, str]:
        """The texts of that level, by check."""
        return {name: text for name, (found, text) in self.lines.items() if found == level}


def doctor(url: str, *options: str, token: str | None = PUBLISH_TOKEN, **environ: str) -> Diagnosis:
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    token_variable = {"PROGRESS_SSE_TOKEN": token} if token else {}
    command = [sys.executable, "-m", "progress_sse", "doctor", url, *options]
    result = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=DOCTOR_S,
        env={**kept, **token_variable, **environ},
        check=False,
    )
    assert not result.stderr, result.stderr
    *lines, summary = result.stdout.splitlines()
    fields = [re.fullmatch(r"(\w+) +([\w ]+?)  +(.*)", line) for line in lines]
    return Diagnosis(result.returncode, {field[2]: (field[1], field[3]) for field in fields if field}, summary)


def sessions(server: Server) -> list[str]:
    listed = httpx.get(f"{server.url}/api/progress", headers=bearer(PUBLISH_TOKEN)).json()
    return [each["session_id"] for each in listed["sessions"]]


def test_the_server_alone_is_ok_in_every_check(server: Server) -> None:
    """The exit status is 0, and no session is left."""
    found = doctor(server.url, "--origin", ORIGIN)
    assert (found.status, found.summary) == (0, "Faults: 0. Warnings: 0.")
    assert not found.of("skipped")
    assert len(found.of("ok")) == 18
    assert "3 updates came, the slowest" in found.lines["buffering"][1]
    assert sessions(server) == []


@pytest.mark.full
def test_an_open_server_needs_no_token(tmp_path: Path) -> None:
    """The check of tokens is skipped, whether the environment has one or not."""
    with Server(tmp_path / "server", heartbeat_s=1) as server:
        for token in (None, PUBLISH_TOKEN):
            found = doctor(server.url, token=token)
            assert (found.status, set(found.of("skipped"))) == (0, {"CORS", "tokens"})


@pytest.mark.full
def test_a_session_that_is_given_is_only_read(server: Server) -> None:
    """A token that may read it alone is enough."""

    async def create() -> None:
        async with Worker.at(server, PUBLISH_TOKEN) as worker:
            await worker.create("given", total_steps=1)

    asyncio.run(create())
    token = make_token(sessions=["given"])
    try:
        for url, *options in ((server.url, "--session", "given"), (f"{server.url}/s/given",)):
            found = doctor(url, *options, token=token)
            assert found.status == 0
            assert set(found.of("skipped")) == {"CORS", "end", "resume"}  # Nothing moves.
        refused = doctor(server.url, token=token)
        assert (refused.status, list(refused.of("fault"))) == (2, ["server"])
        assert "--session" in refused.lines["server"][1]
    finally:
        httpx.delete(f"{server.url}/api/progress/given", headers=bearer(PUBLISH_TOKEN)).raise_for_status()


@pytest.mark.full
def test_a_reader_may_examine_an_empty_session(tmp_path: Path) -> None:
    """The doctor then says that nothing moved."""
    with Server(tmp_path / "server", heartbeat_s=1, publish_token=PUBLISH_TOKEN) as server:
        found = doctor(server.url, token=None)
    assert (found.status, list(found.of("warning"))) == (1, ["session"])
    assert "nothing moves" in found.lines["session"][1]


@pytest.mark.full
def test_a_name_without_an_address_is_a_fault() -> None:
    """`invalid` is reserved for that [RFC 6761 §6.4]."""
    found = doctor("http://progress.invalid")
    assert (found.status, list(found.of("fault"))) == (2, ["address"])
    assert "has no address" in found.lines["address"][1]


@pytest.mark.full
def test_a_server_that_never_answers_is_given_up() -> None:
    """It accepts the connection, and sends nothing."""
    with socket.create_server((HOST, 0)) as silent:
        began = time.monotonic()
        found = doctor(f"http://{HOST}:{silent.getsockname()[1]}")
    assert (found.status, list(found.of("fault"))) == (2, ["server"])
    assert "not within 10 s" in found.lines["server"][1]
    assert time.monotonic() - began < DOCTOR_S


GZIP = "gzip on; gzip_types text/event-stream; gzip_min_length 0;"
CACHE = "proxy_cache polls; proxy_ignore_headers Cache-Control Vary; proxy_cache_valid 200 1m;"
PAGE = 'if ($uri ~ /events$) { add_header Content-Type text/html; return 200 "<html>"; }'
HIDDEN_TYPE = "proxy_hide_header Content-Type; add_header Content-Type text/plain;"
ALLOWED = "Access-Control-Allow-Origin"

FAULTS: dict[str, tuple[str, str, str, str, str, tuple[str, ...]]] = {
    "no-last-event-id": ('proxy_set_header Last-Event-ID "";', "warning", "resume", "does not get what it missed",
                         "`proxy_set_header Last-Event-ID`", ("end",)),
    "buffering": (BUFFERING, "fault", "buffering", "The whole stream came at once", "`proxy_buffering off`",
                  ("first byte",)),
    "piecemeal": (PIECEMEAL, "fault", "buffering", "buffers the stream", "`proxy_buffering off`", ("first byte",)),
    "gzip": (GZIP, "warning", "compression", "compresses the stream (gzip)", "`gzip_types`", ()),
    "gzip-and-buffering": (GZIP + PIECEMEAL, "fault", "compression", "hold events back", "`gzip_types`",
                           ("buffering", "first byte")),
    "cache": (CACHE, "fault", "caching", "still brings the state `not_found`", "`proxy_cache off`", ()),
    "no-origin": ('proxy_set_header Origin "";', "fault", "CORS", "not read the stream", "`proxy_set_header Origin`",
                  ()),
    "second-allowed-origin": (f"add_header {ALLOWED} * always;", "fault", "CORS", f"{ORIGIN} and *",
                              f"`add_header {ALLOWED}`", ()),
    "no-etag": ("proxy_hide_header ETag;", "warning", "polling", "has no ETag", "`proxy_hide_header ETag`", ()),
    "no-if-none-match": ('proxy_set_header If-None-Match "";', "warning", "polling", "although it is unchanged",
                         "`proxy_set_header If-None-Match`", ()),
    "content-type": (HIDDEN_TYPE, "fault", "content type", "text/plain", "`proxy_hide_header Content-Type`", ()),
    "no-query": ("", "fault", "tokens", "does not accept the ticket", "`$is_args$args`", ()),
    "no-authorization": ('proxy_set_header Authorization "";', "fault", "server", "gets no token",
                         "`proxy_set_header Authorization`", ()),
    "read-only": ("limit_except GET { deny all; }", "fault", "session", "cannot be created: 403", "`limit_except`",
                  ("CORS", "tokens")),
    "fallback-page": (PAGE, "fault", "content type", "the content type text/", "Content-Type", ()),
}  # fmt: skip
"""Directives of nginx, the level, check, text and remedy of what the doctor finds, and the checks that fail with it."""


def configuration(directives: str, port: int, folder: Path, path: str = "/", uri: str = "") -> str:
    """The `http` block of an nginx before the server."""
    return f"""
        proxy_cache_path {folder}/cache keys_zone=polls:1m;
        server {{
            listen 80;
            location {path} {{
                proxy_pass http://{HOST}:{port}{uri};
                {directives}
            }}
        }}"""


@pytest.mark.processes
@pytest.mark.parametrize(
    "name", [each if each == "no-last-event-id" else pytest.param(each, marks=pytest.mark.full) for each in FAULTS]
)
def test_a_fault_of_nginx_is_named(server: Server, tmp_path: Path, name: str) -> None:
    """With what it means, the setting to change, and no other fault but its consequences."""
    directives, level, check, text, setting, consequences = FAULTS[name]
    block = configuration(directives, server.port, tmp_path, uri="$uri" if name == "no-query" else "")
    with NginxServer(tmp_path / "nginx", block) as nginx:
        found = doctor(nginx.url, "--origin", ORIGIN)
    found_text, _, change = found.lines[check][1].partition("Change: ")
    assert found.lines[check][0] == level, found
    assert text in found_text
    assert setting in change
    assert {*found.of("fault"), *found.of("warning")} == {check, *consequences}
    assert found.status == (2 if found.of("fault") else 1)
    assert sessions(server) == []


@pytest.mark.full
def test_a_read_timeout_of_nginx_below_the_heartbeat_is_named(tmp_path: Path) -> None:
    """The stream is cut while it is silent, and resumed."""
    with (
        Server(tmp_path / "server", heartbeat_s=6) as server,
        NginxServer(tmp_path / "nginx", configuration("proxy_read_timeout 2s;", server.port, tmp_path)) as nginx,
    ):
        found = doctor(nginx.url, token=None)
    assert (found.status, list(found.of("fault")), found.of("warning")) == (2, ["heartbeats"], {})
    text = found.lines["heartbeats"][1]
    assert "The stream was cut after" in text
    assert "Change: nginx: `proxy_read_timeout` well above the heartbeat." in text
    assert found.lines["resume"][0] == "ok"


@pytest.mark.full
def test_nginx_as_it_should_be_is_ok_in_every_check(server: Server, tmp_path: Path) -> None:
    """Over HTTP/1.0 to the server, its usual setting, over HTTP/1.1, and below a path."""
    for version, path, uri in (("1.0", "/", ""), ("1.1", "/jobs/", "/")):
        block = configuration(f"proxy_http_version {version};", server.port, tmp_path, path, uri)
        with NginxServer(tmp_path / version, block) as nginx:
            found = doctor(nginx.url + path, "--origin", ORIGIN)
        assert (found.status, len(found.of("ok"))) == (0, 18), found
        assert "through nginx" in found.lines["server"][1]


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def sign(folder: Path, name: str, issuer: str, days: int, extensions: str) -> None:
    """Make the certificate of that name, by the issuer, for a key of its own."""
    (folder / f"{name}.ext").write_text(extensions)
    key = ["-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key"]
    openssl(folder, "req", *key, "-subj", f"/CN={name}", "-out", f"{name}.csr")
    by = ["-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key", "-CAcreateserial"]
    extended = ["-days", str(days), "-extfile", f"{name}.ext"]
    openssl(folder, "x509", "-req", "-in", f"{name}.csr", *by, *extended, "-out", f"{name}.pem")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate authority, an intermediate one, and certificates by the latter for `localhost`."""
    folder = tmp_path_factory.mktemp("authority")
    key = ["-newkey", "rsa:2048", "-nodes", "-keyout", "root.key"]
    usage = ["-addext", "keyUsage=critical,keyCertSign"]
    openssl(folder, "req", "-x509", *key, "-subj", "/CN=root", "-days", "60", *usage, "-out", "root.pem")
    sign(folder, "intermediate", "root", 60, "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign")
    chain = (folder / "intermediate.pem").read_text()
    for name, host, days in (("good", "localhost", 60), ("ending", "localhost", 3), ("other", "other.example", 60)):
        sign(folder, name, "intermediate", days, f"subjectAltName=DNS:{host}")
        leaf = (folder / f"{name}.pem").read_text()
        (folder / f"{name}.chain.pem").write_text(leaf + chain)
    return folder


def secured(block: str, port: int, certificate: Path, key: Path, http2: str = "on") -> str:
    return block.replace(
        "listen 80;",
        f"""listen 80;
        listen {HOST}:{port} ssl;
        http2 {http2};
        ssl_certificate {certificate};
        ssl_certificate_key {key};""",
    )


@pytest.mark.full
@pytest.mark.parametrize("http2", ["on", "off"])
def test_tls_and_the_http_version_of_browsers_are_reported(
    server: Server, tmp_path: Path, authority: Path, http2: str
) -> None:
    """HTTP/1.1 is a warning, and an authority that is not trusted a fault."""
    port = free_port()
    block = configuration("", server.port, tmp_path)
    block = secured(block, port, authority / "good.chain.pem", authority / "good.key", http2)
    url = f"https://localhost:{port}"
    with NginxServer(tmp_path / "nginx", block):
        found = doctor(url, SSL_CERT_FILE=str(authority / "root.pem"))
        distrusted = doctor(url)
    assert re.match(r"TLSv1.3; the certificate is valid for (59|60) days", found.lines["TLS"][1])
    assert found.of("warning").keys() == ({"HTTP version"} if http2 == "off" else set())
    assert found.status == (1 if http2 == "off" else 0)
    assert set(distrusted.of("fault")) == {"TLS", "server"}
    assert "unable to get local issuer certificate" in distrusted.lines["TLS"][1]
    assert "SSL_CERT_FILE" in distrusted.lines["TLS"][1]


@pytest.mark.full
@pytest.mark.parametrize(
    ("certificate", "key", "level", "text"),
    [
        ("ending.chain.pem", "ending.key", "warning", "expires in 3 days"),
        ("other.chain.pem", "other.key", "fault", "Hostname mismatch"),
        ("good.pem", "good.key", "fault", "unable to get local issuer certificate"),
    ],
    ids=["expires-soon", "other-host", "without-the-intermediate-certificate"],
)
def test_a_fault_of_the_certificate_is_named(
    server: Server, tmp_path: Path, authority: Path, certificate: str, key: str, level: str, text: str
) -> None:
    """The authority itself is trusted."""
    port = free_port()
    block = configuration("", server.port, tmp_path)
    with NginxServer(tmp_path / "nginx", secured(block, port, authority / certificate, authority / key)):
        found = doctor(f"https://localhost:{port}", SSL_CERT_FILE=str(authority / "root.pem"))
    assert found.lines["TLS"][0] == level
    assert text in found.lines["TLS"][1]
    assert {*found.of("fault"), *found.of("warning")} == ({"TLS", "server"} if level == "fault" else {"TLS"})
