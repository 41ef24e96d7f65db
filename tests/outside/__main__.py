"""Run a command in a checkout on a bare Debian, unpacked by debootstrap into a temporary folder; needs root.

`python -m tests.outside [SUITE [COMMAND …]]`: SUITE is a release of Debian, which decides the version of Python, and
COMMAND by default what the README says. Packages come from where this machine takes its own.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
SUITE: Final = "trixie"
"""That of this machine, whose package lists name the address."""

README: Final = ("python3", "tests/outside/readme.py")
GIVEN: Final = "make,python3,curl,ca-certificates"
"""What the README asks of its reader's machine."""

SETTINGS: Final = ("resolv.conf", "hosts", "ssl/certs/ca-certificates.crt", "apt/apt.conf.d", "apt/auth.conf.d")
"""Of this machine, below `/etc`: how it reaches others."""

MOUNTS: Final = {"proc": "proc", "devpts": "dev/pts", "tmpfs": "dev/shm"}
"""Where file systems of these kinds belong. Some containers forbid to mount them; the README needs none."""

PASSED_ON: Final = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "http_proxy", "https_proxy", "no_proxy")


def mirrors() -> list[str]:
    """Return the address that this machine takes Debian's packages from; none: debootstrap has its own."""
    form = ["--format", "$(SITE)", "Created-By: Packages", f"Codename: {SUITE}", "Component: main"]
    sites = subprocess.check_output(["apt-get", "indextargets", *form], text=True).split()
    return [site for site in sites if site.startswith("http")][:1]


@contextmanager
def base(folder: Path, suite: str) -> Iterator[Path]:
    """Unpack a minimal Debian that reaches what this machine reaches."""
    options = ["--variant=minbase", f"--include={GIVEN}"]
    subprocess.run(["debootstrap", *options, suite, folder, *mirrors()], check=True)
    for name in SETTINGS:
        copied, copy = Path("/etc", name), folder / "etc" / name
        if copied.is_dir():
            shutil.copytree(copied, copy, dirs_exist_ok=True)
        elif copied.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(copied.read_bytes())
    with ExitStack() as mounts:
        for kind, place in MOUNTS.items():
            (folder / place).mkdir(exist_ok=True)
            if subprocess.run(["mount", "-t", kind, kind, folder / place], check=False).returncode == 0:
                mounts.callback(partial(subprocess.run, ["umount", folder / place], check=True))
        yield folder


def copy_checkout(folder: Path) -> None:
    """Copy the files of the checkout that git knows, as they are now."""
    names = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True).split("\0")
    for name in filter(None, names):
        copy = folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy)


def main(suite: str = SUITE, *command: str) -> None:
    """Unpack, run the command there, and remove it all."""
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    environment |= {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}
    with tempfile.TemporaryDirectory() as name, base(Path(name) / "debian", suite) as folder:
        copy_checkout(folder / "progress_sse")
        run = ["env", "--chdir=/progress_sse", *(command or README)]
        subprocess.run(["chroot", folder, *run], env=environment, check=True)
    print(f"{' '.join(command) or 'Each command of the README'} works on a bare Debian ({suite}).")  # noqa: T201  # for the terminal


if __name__ == "__main__":
    main(*sys.argv[1:])
