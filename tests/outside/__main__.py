"""Run the README's commands on a bare Debian, unpacked by debootstrap into a temporary folder; needs root.

Its packages come from where this machine takes its own.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
SUITE: Final = "trixie"
GIVEN: Final = "make,python3,curl,ca-certificates"
"""What the README asks of its reader's machine."""

SETTINGS: Final = ("resolv.conf", "hosts", "ssl/certs/ca-certificates.crt", "apt/apt.conf.d", "apt/auth.conf.d")
"""Of this machine, below `/etc`: how it reaches others."""

PASSED_ON: Final = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "http_proxy", "https_proxy", "no_proxy")


def mirrors() -> list[str]:
    """Return the address that this machine takes Debian's packages from; none: debootstrap has its own."""
    form = ["--format", "$(SITE)", "Created-By: Packages", f"Codename: {SUITE}", "Component: main"]
    sites = subprocess.check_output(["apt-get", "indextargets", *form], text=True).split()
    return [site for site in sites if site.startswith("http")][:1]


@contextmanager
def base(folder: Path) -> Iterator[Path]:
    """Unpack a minimal Debian that reaches what this machine reaches."""
    options = ["--variant=minbase", f"--include={GIVEN}"]
    subprocess.run(["debootstrap", *options, SUITE, folder, *mirrors()], check=True)
    for name in SETTINGS:
        copied, copy = Path("/etc", name), folder / "etc" / name
        if copied.is_dir():
            shutil.copytree(copied, copy, dirs_exist_ok=True)
        elif copied.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(copied.read_bytes())
    proc = folder / "proc"
    is_mounted = subprocess.run(["mount", "-t", "proc", "proc", proc], check=False).returncode == 0
    try:
        yield folder
    finally:
        if is_mounted:
            subprocess.run(["umount", proc], check=True)


def copy_checkout(folder: Path) -> None:
    """Copy the files of the checkout that git knows, as they are now."""
    names = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True).split("\0")
    for name in filter(None, names):
        copy = folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy)


def main() -> None:
    """Unpack, read the README there, and remove it all."""
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    environment |= {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}
    with tempfile.TemporaryDirectory() as name, base(Path(name) / "debian") as folder:
        copy_checkout(folder / "progress_sse")
        read = "cd /progress_sse && exec python3 tests/outside/readme.py"
        subprocess.run(["chroot", folder, "/bin/sh", "-euc", read], env=environment, check=True)
    print("Each command of the README works on a bare Debian.")  # noqa: T201  # for the terminal


if __name__ == "__main__":
    main()
