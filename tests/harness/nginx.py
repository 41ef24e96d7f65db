"""A real nginx in front of a server, with a configuration that can be rewritten while it runs."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from tests.harness.http1 import HOST, free_port
from tests.harness.serving import children

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
"""Debian installs nginx outside the path of ordinary users."""

START_S = 60
"""Seconds within which it must answer by its new configuration, on a busy machine too."""

HONOURING = ""
"""The default of nginx: it buffers responses, except where the server asks it not to."""

BUFFERING = "proxy_ignore_headers X-Accel-Buffering; proxy_buffer_size 256k; proxy_buffers 8 256k;"
"""It forwards a response once it has 256 KB of it, or its end, whatever the server asks for."""

PIECEMEAL = "proxy_ignore_headers X-Accel-Buffering;"
"""It forwards the beginning, then a few kilobytes at a time once they are full, whatever the server asks for."""

_CONFIGURATION = """
daemon off;
{user}
pid nginx.pid;
error_log stderr warn;
worker_processes 1;
worker_shutdown_timeout 1s;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    {servers}
}}
"""
"""Connections under an older configuration end a second after the newer one is loaded."""


class NginxServer:
    """One nginx on a port of its own, for as long as the block lasts.

    The methods block; in an async test call those that wait through `asyncio.to_thread`.
    """

    def __init__(self, folder: Path, servers: str) -> None:
        """Prepare it; `servers` stands in its `http` block, with one `listen 80;` that is replaced by its own port."""
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._folder = folder
        self._servers = servers
        self._generation = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://{HOST}:{self.port}"

    def reload(self, servers: str) -> None:
        """Rewrite its configuration, load it, and wait until it answers accordingly."""
        assert self._process is not None, "it was not started"
        self._servers = servers
        former = children(self._process.pid)
        self._write()
        self._process.send_signal(signal.SIGHUP)
        self._wait(former)

    def _write(self) -> None:
        self._generation += 1
        assert self._servers.count("listen 80;") == 1
        generation = f'location = /generation {{ return 200 "generation {self._generation}."; }}'
        text = _CONFIGURATION.format(
            # Started by root, it would change to a user without access to the folder.
            user=f"user {getpass.getuser()};" if os.geteuid() == 0 else "",
            servers=self._servers.replace("listen 80;", f"listen {HOST}:{self.port};\n{generation}"),
        )
        (self._folder / "nginx.conf").write_text(text, "utf-8")

    def _wait(self, former: Iterable[int] = ()) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_S
        while not self._answers() or any(map(_accepts, former)):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"no nginx: {(self._folder / 'nginx.log').read_text(errors='backslashreplace')}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=2) as sock:
                sock.sendall(f"GET /generation HTTP/1.0\r\nHost: {HOST}\r\n\r\n".encode())
                answer = b"".join(iter(lambda: sock.recv(1024), b""))
        except OSError:
            return False
        return answer.endswith(f"generation {self._generation}.".encode())

    def __enter__(self) -> Self:
        self._write()
        command = [shutil.which("nginx", path=PATH) or "nginx", "-e", "stderr", "-p", str(self._folder)]
        with (self._folder / "nginx.log").open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "-c", str(self._folder / "nginx.conf")], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        self._process.wait(START_S)


def _accepts(worker: int) -> bool:
    """Whether a worker of nginx accepts connections, as it does until it is told to stop."""
    try:
        return b"shutting down" not in Path(f"/proc/{worker}/cmdline").read_bytes()
    except FileNotFoundError:
        return False


class Nginx(NginxServer):
    """An nginx in front of one server."""

    def __init__(self, folder: Path, target_port: int, directives: str = HONOURING) -> None:
        """Prepare it; `directives` determine how it forwards responses."""
        self._target_port = target_port
        super().__init__(folder, self._passing_on(directives))

    def use(self, directives: str) -> None:
        self.reload(self._passing_on(directives))

    def _passing_on(self, directives: str) -> str:
        # By HTTP/1.0, its usual setting: with 1.1 it forwards each chunk at once, buffering or not.
        return f"""server {{
            listen 80;
            location / {{
                proxy_pass http://{HOST}:{self._target_port};
                proxy_http_version 1.0;
                {directives}
            }}
        }}"""
