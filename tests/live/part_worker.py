"""A process that does some parts of a step: `python part_worker.py PORT SESSION FIRST COUNT`.

It says `ready`, waits for a line, and reports each part twice: that it runs, and how it ended. One part of seven fails.
"""

import http.client
import json
import sys


def main() -> None:
    """Report, and fail unless each report is applied."""
    port, session, first, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    for status in ("running", "ended"):
        for number in range(first, first + count):
            ended = "success" if number % 7 else "error"
            body = {"action": "part", "step": 1, "part": f"part {number}"}
            body["status"] = ended if status == "ended" else "running"
            connection.request(
                "POST",
                f"/api/progress/{session}/update",
                json.dumps(body),
                {"Content-Type": "application/json", "Idempotency-Key": f"{number} {status}"},
            )
            response = connection.getresponse()
            answer = response.read()
            if response.status != 200:
                sys.exit(f"{body}: {response.status} {answer!r}")


main()
