"""Resources used by a process, from /proc; the cores and descriptors of the machine."""

import os
import resource
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """Seconds of CPU, user and system, that a process has used with all its threads [proc_pid_stat(5)]."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / TICKS_PER_S


def pss_kib(pid: int) -> int:
    """KiB of memory that a process holds, its share of shared pages included [proc_pid_smaps(5)]."""
    return _kib(f"/proc/{pid}/smaps_rollup", "Pss:")


def kernel_kib() -> int:
    """KiB of memory that the kernel holds for its objects, sockets and files among them [proc_meminfo(5)]."""
    return _kib("/proc/meminfo", "Slab:")


def _kib(path: str, name: str) -> int:
    """The KiB in a line of that name."""
    for line in Path(path).read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    raise LookupError(f"no {name} in {path}")


def raise_descriptor_limit() -> int:
    """Raise the descriptor limit of this process and its children to the maximum, and return it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def two_cores() -> tuple[int, int]:
    """A core for the server and one for the load; the same one twice where there is only one."""
    cores = sorted(os.sched_getaffinity(0))
    return cores[0], cores[1 % len(cores)]


def machine() -> str:
    """A description of the machine."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    model = models[0] if models else os.uname().machine
    return f"{model}, {len(os.sched_getaffinity(0))} cores, Linux {os.uname().release}"
