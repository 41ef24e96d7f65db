"""A network namespace behind a cable that can be pulled, for clients that vanish without a packet.

A proxy that falls silent does not show that: the kernel still acknowledges for it.
"""

import ctypes
import itertools
import os
import random
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

CLONE_NEWNET = 0x40000000

_numbers = itertools.count(random.randrange(1 << 16))


class FarNetwork:
    """A network namespace with one interface, and its cable to this machine; needs root.

    Attributes:
        address: The address of this machine in that network.
    """

    def __init__(self) -> None:
        """Prepare one; it exists once entered as a context manager."""
        number = next(_numbers) % (1 << 14)
        self._name = f"far-{os.getpid()}-{number}"
        self._here, self._there = f"here{number}", f"there{number}"
        # Addresses that no real network has: they are reserved for benchmarks [RFC 2544].
        third, fourth = divmod(4 * number, 256)
        self.address = f"198.18.{third}.{fourth + 1}"
        self._far_address = f"198.18.{third}.{fourth + 2}"

    def pull(self) -> None:
        """Drop all packets in both directions; neither side is notified."""
        _ip("link", "set", self._here, "down")

    def plug(self) -> None:
        _ip("link", "set", self._here, "up")

    def socket(self) -> socket.socket:
        """A TCP socket inside the namespace, not connected and not blocking."""

        def make() -> socket.socket:
            with Path(f"/run/netns/{self._name}").open() as namespace:
                if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            sock = socket.socket()
            sock.setblocking(False)
            return sock

        # The namespace is entered by a thread, and left with it.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(make).result()

    def program(self, path: Path, program: str) -> Path:
        """Write a script that runs a program in the namespace, and writes its process id to `….pid` beside it."""
        path.write_text(
            f'#!/bin/sh\necho $$ >"{path.with_suffix(".pid")}"\nexec ip netns exec {self._name} {program} "$@"\n'
        )
        path.chmod(0o755)
        return path

    def __enter__(self) -> Self:
        assert os.geteuid() == 0, "only root can make a network: run the tests as root, as in a container"
        _ip("netns", "add", self._name)
        _ip("link", "add", self._here, "type", "veth", "peer", "name", self._there, "netns", self._name)
        _ip("address", "add", f"{self.address}/30", "dev", self._here)
        _ip("-n", self._name, "address", "add", f"{self._far_address}/30", "dev", self._there)
        for interface in ("lo", self._there):
            _ip("-n", self._name, "link", "set", interface, "up")
        self.plug()
        return self

    def __exit__(self, *_: object) -> None:
        _ip("netns", "delete", self._name)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, timeout=20)
