"""Measure how long a job waits for its first `Progress`: `python -m tests.bench.first_progress`.

Nearly all of it is the import of the HTTP client. The shortest of several runs counts, each in a fresh interpreter.
"""

import subprocess
import sys

RUNS = 10

PROGRAM = """
from time import perf_counter
from progress_sse import Progress
began = perf_counter()
Progress("first", steps=["One"], url="http://127.0.0.1:9")
print(perf_counter() - began)
"""


def measure() -> float:
    return min(float(subprocess.check_output([sys.executable, "-c", PROGRAM], timeout=60)) for _ in range(RUNS))


if __name__ == "__main__":
    print(f"first Progress: {measure() * 1000:.0f} ms")  # noqa: T201  # the result
