"""Checks of the way to the server: address, TLS, HTTP version, and whether a progress server answers at all. Pure."""

import json
from typing import Final

from progress_sse.cli.doctor.findings import Finding, fault, ok, skipped, warning
from progress_sse.cli.doctor.observations import Exchange, Observations, media_type_of, values_of
from progress_sse.cli.doctor.proxies import proxies_in, remedy

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})

SHARE_STORE: Final = "one store in Redis for all servers, or one server."

EXPIRY_DAYS: Final = 14
"""Days before which a certificate should have been renewed."""

_ADD_TLS: Final = "put TLS in front, and use an https URL."
_NO_CONNECTION: Final = "There is no connection."
_THROUGH_ENVIRONMENT: Final = "The requests go through the proxy of the environment."


def check_address(seen: Observations) -> Finding:
    """Whether the host name has an address, and a server accepts connections there."""
    network = seen.network
    if network.environment_proxy:
        return warning(
            f"The environment sends requests through {network.environment_proxy}; browsers may take another way.",
            "unset HTTP_PROXY, HTTPS_PROXY and ALL_PROXY, or add the host to NO_PROXY.",
        )
    if not network.addresses:
        return fault(f"{seen.host} has no address: {network.error}.", "the host name in the URL, or its DNS entry.")
    addresses = ", ".join(network.addresses)
    is_address = network.addresses == (seen.host,)
    if network.connect_s is None:
        where = seen.url if is_address else f"{seen.url}, whose host is {addresses}"
        return fault(
            f"Nothing accepts connections at {where}: {network.error}.",
            "the port in the URL, the firewall, or the address that the proxy or server listens on.",
        )
    name = seen.host if is_address else f"{seen.host} is {addresses}; it"
    return ok(f"{name} accepts connections within {_ms(network.connect_s)}.")


def check_tls(seen: Observations) -> Finding:
    """Whether TLS protects tokens, by a certificate that stays valid."""
    network = seen.network
    if not seen.has_tls:
        return _without_tls(seen)
    if network.environment_proxy:
        return skipped(_THROUGH_ENVIRONMENT)
    if not seen.has_connection:
        return skipped(_NO_CONNECTION)
    if not network.tls_version:
        return fault(
            f"TLS fails: {network.error}.",
            f"a valid certificate for {seen.host}, with its intermediate certificates. If an authority of your own has "
            "signed it, set SSL_CERT_FILE to the authority's certificate here and for jobs.",
        )
    if network.certificate_days is None:
        return ok(f"{network.tls_version}; the certificate is valid.")
    days = f"{network.certificate_days:.0f} days"
    if network.certificate_days < EXPIRY_DAYS:
        return warning(f"The certificate expires in {days}.", "renew the certificate.")
    return ok(f"{network.tls_version}; the certificate is valid for {days} more.")


def _without_tls(seen: Observations) -> Finding:
    if seen.host in LOOPBACK:
        return ok("Not needed on this machine.")
    return warning(
        "Without TLS every machine on the way reads tokens, so the pages send none, and browsers use HTTP/1.1.",
        _ADD_TLS,
    )


def check_http_version(seen: Observations) -> Finding:
    """Whether browsers get HTTP/2, where any number of streams share one connection."""
    limit = "HTTP/1.1, by which a browser opens six connections to an origin over all its tabs"
    if not seen.has_tls and seen.host in LOOPBACK:
        return ok(f"{limit}. Browsers use HTTP/2 over TLS only; ProgressTracker shares one stream among all tabs.")
    if not seen.has_tls:
        return warning(
            f"{limit}. Without TLS tabs cannot share a stream, so ProgressTracker polls in a tab without a connection.",
            _ADD_TLS,
        )
    if seen.network.environment_proxy:
        return skipped(_THROUGH_ENVIRONMENT)
    if not seen.network.tls_version:
        return skipped("There is no TLS connection.")
    if seen.network.alpn == "h2":
        return ok("HTTP/2.")
    return warning(
        f"{limit}. That is too few for pages with an EventSource of their own.", remedy("http2", seen.headers)
    )


def check_server(seen: Observations) -> Finding:
    """Whether a progress server answers a poll."""
    poll = seen.poll
    if not seen.has_connection:
        return skipped(_NO_CONNECTION)
    if seen.polled is not None:
        through = " and ".join(proxy.name for proxy in proxies_in(seen.headers))
        way = f"through {through}" if through else "no proxy shows itself"
        return ok(f"A progress server answers within {_ms(poll.ended - poll.began)}; {way}.")
    if poll.status == 0:
        reason = poll.error.rpartition(f"{seen.url}: ")[2]
        return fault(f"No answer from {seen.url}: {reason}.", "the address, or the proxy: does it reach the server?")
    if poll.status in _REFUSALS:
        return _refusal(seen, poll)
    if 300 <= poll.status < 400:
        target = ", ".join(values_of(poll.headers, "location"))
        return fault(f"The URL redirects to {target}, which an EventSource and jobs may not follow.", "the URL.")
    if poll.status == 200 and poll.error:
        return fault(
            f"The answer broke off after {len(poll.body)} bytes: {poll.error}.",
            "the proxy's buffers and temporary files (nginx: rights and room in `proxy_temp_path`).",
        )
    kind = media_type_of(poll.headers) or "no type"
    return fault(
        f"The answer ({poll.status}, {kind}) is not that of a progress server.",
        "the path of the URL: the application's mount point. A login page or a fallback of the proxy must not answer "
        "for /api/.",
    )


def _refusal(seen: Observations, poll: Exchange) -> Finding:
    text, change = _REFUSALS[poll.status]
    if poll.status == 401 and seen.has_token:
        change = remedy("request header", poll.headers, "Authorization")
        return fault(
            "401: the server does not accept the token, or does not get it.",
            f"the token; or a proxy removes the header Authorization: {change}",
        )
    return fault(f"{poll.status}: {text}", change)


_REFUSALS: Final = {
    401: ("the server wants a token.", "give one by --token, or in PROGRESS_SSE_TOKEN."),
    403: ("the token does not allow to read the session, or a proxy refuses.", "the token, or --session."),
    404: ("nothing is at this path.", "the path of the URL: the application's mount point, as the proxy passes it on."),
    421: ("without tokens the server does not answer to this host name.", "serve with a token, or with --insecure."),
    429: ("that is more often than the server allows.", "wait, or raise `read_rate`."),
    502: ("the proxy does not reach the server.", "the server's address in the proxy, and whether the server runs."),
    503: ("the server or the proxy is not available.", "see the server's /readyz and log."),
    504: ("the proxy gets no answer from the server.", "the server's address in the proxy, and the server's log."),
}


def check_session(seen: Observations) -> Finding:
    """Whether the doctor has a session that moves, and has removed it."""
    creation = seen.creation
    if creation is None:
        return _given_session(seen)
    if seen.has_created:
        return _own_session(seen)
    if creation.status in (401, 403) and creation.is_problem:
        return warning(
            f"No right to create a session ({creation.status}), so nothing moves during the examination.",
            "give a token that may publish, or a session that moves by --session.",
        )
    return fault(
        f"A session cannot be created: {creation.status or creation.error}. {_detail(creation)}".rstrip(),
        _if_by_proxy(seen, creation) or "see the server's log.",
    )


def _given_session(seen: Observations) -> Finding:
    status = seen.polled["status"] if seen.polled is not None else ""
    if status == "not_found":
        return warning(
            f"The server knows no session {seen.session_id}, so nothing moves during the examination.",
            "the id at --session, unless its job has yet to start.",
        )
    return ok(f"The doctor reads the session {seen.session_id} (`{status}`), and changes nothing.")


def _own_session(seen: Observations) -> Finding:
    refused, deletion = seen.refused_report, seen.deletion
    if seen.is_lost:
        return fault(
            "A report on the session that was just created gets 404: several servers that share no store answer.",
            SHARE_STORE,
        )
    if refused is not None:
        return fault(
            f"Reports on a session are refused: {refused.status or refused.error}. {_detail(refused)}".rstrip(),
            _if_by_proxy(seen, refused) or "see the server's log.",
        )
    if deletion is not None and deletion.status != 204:
        return warning(
            f"The session {seen.session_id} could not be removed: {deletion.status or deletion.error}.",
            _if_by_proxy(seen, deletion) or "delete it, or wait until the server removes it.",
        )
    return ok(f"Reports on a session of its own arrive; {seen.session_id} is removed again.")


def _if_by_proxy(seen: Observations, exchange: Exchange) -> str:
    is_refused = 400 <= exchange.status < 500 and not exchange.is_problem
    return remedy("methods", seen.headers) if is_refused else ""


def _detail(exchange: Exchange) -> str:
    try:
        return str(json.loads(exchange.body)["detail"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
