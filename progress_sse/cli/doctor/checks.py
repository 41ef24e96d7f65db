"""The table of all checks, in the order of the report. Pure."""

from collections.abc import Callable
from typing import Final, TypeAlias

from progress_sse.cli.doctor.access_checks import check_cookie, check_cors, check_tickets
from progress_sse.cli.doctor.connection_checks import (
    check_address,
    check_http_version,
    check_server,
    check_session,
    check_tls,
)
from progress_sse.cli.doctor.findings import Finding
from progress_sse.cli.doctor.observations import Observations
from progress_sse.cli.doctor.return_checks import check_caching, check_end, check_polling, check_resume
from progress_sse.cli.doctor.stream_checks import (
    check_buffering,
    check_clock,
    check_compression,
    check_content_type,
    check_first_byte,
    check_heartbeats,
    check_query,
    check_snapshot,
)

Check: TypeAlias = Callable[[Observations], Finding]

CONNECTION_CHECKS: Final[dict[str, Check]] = {
    "address": check_address,
    "TLS": check_tls,
    "HTTP version": check_http_version,
    "server": check_server,
}
"""The other checks need a server that answers."""

CHECKS: Final[dict[str, Check]] = {
    "session": check_session,
    "content type": check_content_type,
    "first byte": check_first_byte,
    "snapshot": check_snapshot,
    "buffering": check_buffering,
    "compression": check_compression,
    "query": check_query,
    "heartbeats": check_heartbeats,
    "resume": check_resume,
    "end": check_end,
    "polling": check_polling,
    "caching": check_caching,
    "clock": check_clock,
    "CORS": check_cors,
    "tickets": check_tickets,
    "cookie": check_cookie,
}


def findings_of(seen: Observations) -> dict[str, Finding]:
    """Return the finding of each check; only those of the connection where no progress server answers."""
    checks = CONNECTION_CHECKS if seen.polled is None else CONNECTION_CHECKS | CHECKS
    return {name: check(seen) for name, check in checks.items()}
