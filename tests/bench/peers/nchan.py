"""nginx with the nchan module, in one worker process."""

import getpass
import os
import shutil
import subprocess
import time
from pathlib import Path

from tests.bench.gauges import raise_descriptor_limit
from tests.bench.peers.base import HOST, ROOT, MissingError, Peer
from tests.bench.plan import Dialect, Request

MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
START_S = 10.0

# The number of kept messages and the interval of heartbeats are this project's defaults.
CONFIGURATION = """
load_module {module};
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
worker_processes 1;
worker_rlimit_nofile {descriptors};
events {{ worker_connections {descriptors}; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    nchan_shared_memory_size 1024M;
    nchan_message_buffer_length 1000;
    server {{
        listen {host}:{port} backlog=4096;
        location ~ ^/publish/(\\w+)$ {{
            nchan_publisher;
            nchan_channel_id $1;
        }}
        location ~ ^/events/(\\w+)$ {{
            nchan_subscriber eventsource;
            nchan_channel_id $1;
            nchan_eventsource_ping_interval 15;
        }}
    }}
}}
"""


class Nchan(Peer):
    """The module that Debian ships."""

    name = "nchan"
    dialect = Dialect(
        subscribe=Request("GET", "/events/{session}"),
        publish=Request("POST", "/publish/{session}", "{text}"),
        text_bytes=398,
    )

    def install(self, folder: Path) -> None:
        """Install nginx and the module from Debian if they are missing."""
        if MODULE.exists() and shutil.which("nginx", path=PATH):
            return
        need = [str(ROOT / ".ci" / "need"), "package:nginx", "package:libnginx-mod-nchan"]
        result = subprocess.run(need, capture_output=True, text=True, check=False)
        if result.returncode or not MODULE.exists():
            raise MissingError(f"libnginx-mod-nchan: {result.stderr.strip()[-200:]}")

    def command(self, port: int, folder: Path) -> list[str]:
        """Write a configuration, and return the command that starts nginx with it."""
        user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
        path = folder / "nginx.conf"
        path.write_text(
            CONFIGURATION.format(
                module=MODULE, user=user, folder=folder, host=HOST, port=port, descriptors=raise_descriptor_limit()
            )
        )
        return [shutil.which("nginx", path=PATH) or "nginx", "-p", str(folder), "-c", str(path)]

    def serving_pid(self, pid: int) -> int:
        """The worker process of nginx."""
        children = Path(f"/proc/{pid}/task/{pid}/children")
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            for child in children.read_text().split():
                if b"worker" in Path(f"/proc/{child}/cmdline").read_bytes():
                    return int(child)
            time.sleep(0.01)
        raise OSError("nginx started no worker")
