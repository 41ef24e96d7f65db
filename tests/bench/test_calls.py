"""What operations call of the package, compared with the table that shows the price of each rule."""

import subprocess
import sys
from collections import Counter

from tests.bench.calls import TABLE, parsed


def test_operations_call_what_the_table_says() -> None:
    """No call more and none fewer; `python -m tests.bench.calls --write` writes the table anew, for a review."""
    printed = subprocess.run([sys.executable, "-m", "tests.bench.calls"], capture_output=True, text=True, check=True)
    counted, listed = parsed(printed.stdout), parsed(TABLE.read_text("utf-8"))
    came = {name: dict(calls - listed.get(name, Counter())) for name, calls in counted.items()}
    gone = {name: dict(calls - counted.get(name, Counter())) for name, calls in listed.items()}
    assert ({name: calls for name, calls in came.items() if calls}, {n: c for n, c in gone.items() if c}) == ({}, {})
