"""The programs whose outputs are recorded: real ones, in small jobs.

A command runs in a folder of its own, with `$SITE` as the address of a slow server of `served/`, and `$PYTHON` as this
Python. `prepare` makes its files before. Both are for `sh`.
"""

from typing import Final, NamedTuple


class Program(NamedTuple):
    """A program that shows its progress; `name` is that of the recording, and `shown` what the documents call it.

    It `needs` what `.ci/need` installs, beside the Python packages of the group `dev`.
    """

    name: str
    shown: str
    command: str
    prepare: str = ""
    needs: tuple[str, ...] = ()


_FILE: Final = "head -c 1000000 /dev/urandom > served/photos.bin"

_FILES: Final = "for number in $(seq 8); do head -c 2000000 /dev/urandom > served/$number; done"

_GIT: Final = "git -c user.name=worker -c user.email=worker@example.test -c init.defaultBranch=main"

_REPOSITORY: Final = rf"""
{_GIT} init -q source && cd source
for number in 1 2 3 4 5 6; do
    for part in $(seq 10); do head -c 300 /dev/urandom > "$number-$part"; done
    git add . && {_GIT} commit -q -m "Add part $number"
done
"""

_PIP: Final = "$PYTHON -m pip --isolated --no-cache-dir download --no-deps --index-url $SITE/simple photos albums"

_WHEELS: Final = r"""
$PYTHON - <<'END'
import os, pathlib, zipfile
for name in ("photos", "albums"):
    folder = pathlib.Path("served/simple", name)
    folder.mkdir(parents=True)
    wheel = f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(folder / wheel, "w") as file:
        file.writestr(f"{name}/data", os.urandom(1_200_000))
        info = f"{name}-1.0.dist-info"
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")
    (folder / "index.html").write_text(f'<a href="{wheel}">{wheel}</a>')
END
"""

_PACKAGES: Final = r"""
mkdir -p lists/partial archives/partial root/var/lib/dpkg/updates root/var/lib/dpkg/info
for name in photos albums; do
    mkdir -p $name/DEBIAN $name/opt
    head -c 600000 /dev/urandom > $name/opt/$name
    printf 'Package: %s\nVersion: 1.0\nArchitecture: all\nDescription: %s\n' $name $name > $name/DEBIAN/control
    echo 'Maintainer: worker <worker@example.test>' >> $name/DEBIAN/control
    dpkg-deb --build $name served/$name.deb >&2
    cat $name/DEBIAN/control
    stat --printf 'Filename: %n\nSize: %s\n' served/$name.deb | sed s,served/,./,
    sha256sum served/$name.deb | sed -E 's/([0-9a-f]+) .*/SHA256: \1\n/'
done > served/Packages
echo "deb [trusted=yes] $SITE ./" > sources.list
touch root/var/lib/dpkg/status
cat > apt.conf <<END
Dir::State::lists "$PWD/lists";
Dir::State::status "$PWD/root/var/lib/dpkg/status";
Dir::Cache "$PWD";
Dir::Etc::sourcelist "$PWD/sources.list";
Dir::Etc::sourceparts "-";
APT::Sandbox::User "";
APT::Architecture "all";
DPkg::Options { "--root=$PWD/root"; "--force-not-root"; "--log=/dev/null"; };
END
export APT_CONFIG=apt.conf
apt-get update
"""

_NINJA: Final = r"""
printf 'rule wait\n  command = sleep 0.1 && touch $out\n  description = Drawing $out\n' > build.ninja
for number in $(seq 12); do echo "build page-$number: wait" >> build.ninja; done
"""

_CMAKE: Final = r"""
printf 'cmake_minimum_required(VERSION 3.20)\nproject(photos C)\n' > CMakeLists.txt
printf 'file(GLOB pages *.c)\nadd_executable(photos ${pages})\n' >> CMakeLists.txt
for number in 1 2 3 4 5; do echo "int page_$number;" > page_$number.c; done
echo 'int main(void) { return 0; }' > main.c
printf '#!/bin/sh\nsleep 0.3\nexec "$@"\n' > slowly
chmod +x slowly
cmake -B build -D CMAKE_C_COMPILER_LAUNCHER="$PWD/slowly" .
"""

_CARGO: Final = r"""
before=
for name in album page frame photo main; do
    mkdir -p $name/src
    printf '[package]\nname = "%s"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\n' $name > $name/Cargo.toml
    test -z "$before" || echo "$before = { path = \"../$before\" }" >> $name/Cargo.toml
    echo 'fn main() { std::thread::sleep(std::time::Duration::from_millis(300)) }' > $name/build.rs
    touch $name/src/lib.rs
    before=$name
done
"""

_TESTS: Final = r"""
printf 'import pytest\n@pytest.mark.parametrize("n", range(400))\ndef test_photo(n): pass\n' > test_photos.py
"""

_CLICK: Final = r"""
import click
with click.progressbar(range(40), label="Photos") as bar:
    for _ in bar: time.sleep(0.03)
"""

_RICH: Final = r"""
from rich.progress import track
for _ in track(range(30), "Photos", refresh_per_second=8): time.sleep(0.05)
"""

_TQDM: Final = r"""
from tqdm import tqdm
for name, number in {"Photos": 150, "Albums": 100}.items():
    for _ in tqdm(range(number), name): time.sleep(0.01)
"""


def _python(code: str) -> str:
    return f"$PYTHON - <<'END'\nimport time{code}\nEND"


_APT_GET: Final = "APT_CONFIG=apt.conf apt-get --option Dpkg::Progress-Fancy=1"
_CURL: Final = "curl -q --output photos.bin $SITE/photos.bin"
_WGET: Final = "wget --no-config $SITE/photos.bin"
_DOWNLOAD: Final = "apt-get install --yes --download-only photos albums"

PROGRAMS: Final = (
    Program("7z", "7z -bsp1", "7z a -bsp1 -mx=9 -mmt=1 photos.7z served", _FILES, ("package:7zip",)),
    Program("apt-get-download", "apt-get download", f"{_APT_GET} download photos albums", _PACKAGES),
    Program("apt-get-install", "apt install", f"{_APT_GET} install --yes photos albums", f"{_PACKAGES}{_DOWNLOAD}"),
    Program(
        "aria2c", "aria2c", "aria2c --no-conf --max-download-limit=300K $SITE/photos.bin", _FILE, ("package:aria2",)
    ),
    Program("cargo", "cargo build", "cd main && cargo build --offline", _CARGO, ("cargo",)),
    Program("click", "click.progressbar", _python(_CLICK)),
    Program("cmake", "make", "make -C build", _CMAKE, ("cmake", "gcc", "make")),
    Program("curl", "curl --output", f"{_CURL} --limit-rate 200K", _FILE, ("curl",)),
    Program("curl-bar", "curl --progress-bar", f"{_CURL} --progress-bar --limit-rate 300K", _FILE, ("curl",)),
    Program("dd", "dd status=progress", "dd if=/dev/zero of=/dev/null bs=1M count=150000 status=progress"),
    Program("git-clone", "git clone --progress", "git clone --no-local --progress source clone", _REPOSITORY, ("git",)),
    Program("git-rebase", "git rebase", f"cd source && {_GIT} rebase --exec 'sleep 0.3' HEAD~5", _REPOSITORY, ("git",)),
    Program("ninja", "ninja", "ninja", _NINJA, ("package:ninja-build",)),
    Program("ninja-pipe", "ninja", "ninja | cat", _NINJA, ("package:ninja-build",)),
    Program("pip", "pip", _PIP, _WHEELS),
    Program("pip-raw", "pip --progress-bar raw", f"{_PIP} --progress-bar raw", _WHEELS),
    Program("pv", "pv", "pv --rate-limit 100K served/photos.bin > copy", _FILE, ("pv",)),
    Program("pytest", "pytest", "$PYTHON -m pytest -p no:cacheprovider", _TESTS),
    Program("rich", "rich.progress", _python(_RICH)),
    Program("rsync", "rsync --info=progress2", "rsync --info=progress2 --bwlimit=200 served/* copy", _FILE, ("rsync",)),
    Program("tqdm", "tqdm", _python(_TQDM)),
    Program("wget", "wget", f"{_WGET} --limit-rate 400K", _FILE, ("wget",)),
    Program("wget-dot", "wget --progress=dot", f"{_WGET} --progress=dot --limit-rate 600K", _FILE, ("wget",)),
)
