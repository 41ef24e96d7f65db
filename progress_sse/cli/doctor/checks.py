"""The table of all checks, in the order of the report. Pure."""

from collections.abc import Callable
from typing import Final, TypeAlias

from progress_sse.cli.doctor import access_checks, connection_checks, return_checks, stream_checks
from progress_sse.cli.doctor.findings import Finding
from progress_sse.cli.doctor.observations import Observations

Check: TypeAlias = Callable[[Observations], Finding]

CONNECTION_CHECKS: Final[dict[str, Check]] = {
    "address": connection_checks.check_address,
    "TLS": connection_checks.check_tls,
    "HTTP version": connection_checks.check_http_version,
    "server": connection_checks.check_server,
}
"""The other checks need a server that answers."""

CHECKS: Final[dict[str, Check]] = {
    "session": connection_checks.check_session,
    "content type": stream_checks.check_content_type,
    "first byte": stream_checks.check_first_byte,
    "snapshot": stream_checks.check_snapshot,
    "buffering": stream_checks.check_buffering,
    "compression": stream_checks.check_compression,
    "query": stream_checks.check_query,
    "heartbeats": stream_checks.check_heartbeats,
    "resume": return_checks.check_resume,
    "end": return_checks.check_end,
    "polling": return_checks.check_polling,
    "caching": return_checks.check_caching,
    "clock": stream_checks.check_clock,
    "CORS": access_checks.check_cors,
    "tickets": access_checks.check_tickets,
    "cookie": access_checks.check_cookie,
}


def findings_of(seen: Observations) -> dict[str, Finding]:
    """Return the finding of each check; only those of the connection where no progress server answers."""
    checks = CONNECTION_CHECKS if seen.polled is None else CONNECTION_CHECKS | CHECKS
    return {name: check(seen) for name, check in checks.items()}
