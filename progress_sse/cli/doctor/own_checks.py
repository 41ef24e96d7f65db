"""Checks of a progress server: of its sessions, streams, polls and tickets. Pure."""

from progress_sse.cli.doctor.checks import held_back
from progress_sse.cli.doctor.findings import Finding, fault, ok, skipped, warning
from progress_sse.cli.doctor.observations import Answer, Observations


def check_session(seen: Observations) -> Finding:
    """Whether the doctor has a session that moves, and has removed it."""
    creation, refused = seen.creation, seen.refused_report
    if seen.is_given:
        status = seen.polled["status"] if seen.polled is not None else ""
        text = f"The doctor reads the session {seen.session_id} (`{status}`), and changes nothing."
        change = "the id at --session, unless its job has yet to start."
        return warning(text, change) if status == "not_found" else ok(text)
    if creation.status in (401, 403) and creation.is_problem:
        text = f"No right to create a session ({creation.status}), so nothing moves during the examination."
        return warning(text, "give a token that may publish, or a session that moves by --session.")
    if creation.status != 201:
        return _refused("A session cannot be created", creation)
    if refused is not None and refused.status == 404 and refused.is_problem:
        text = "A report on the session that was just created gets 404: several servers that share no store answer."
        return fault(text, "one store in Redis for all servers, or one server.")
    if refused is not None:
        return _refused("Reports on a session are refused", refused)
    if seen.deletion.status != 204:
        return _refused(f"The session {seen.session_id} could not be removed", seen.deletion)
    return ok(f"Reports on a session of its own arrive; {seen.session_id} is removed again.")


def _refused(what: str, answer: Answer) -> Finding:
    is_by_proxy = 400 <= answer.status < 500 and not answer.is_problem
    text = f"{what}: {answer.outcome}. {answer.value('detail')}".rstrip()
    return fault(text, "<methods>" if is_by_proxy else "see the server's log.")


def check_end(seen: Observations) -> Finding:
    """Whether streams of a completed session end for good."""
    if not seen.stream.of("end"):
        return skipped("The end of the session was not seen.")
    if seen.returned.status == 204:
        return ok("The end arrives, and a client that comes back all the same gets 204.")
    text = f"After the end a client that comes back gets {seen.returned.outcome} instead of 204, again and again."
    return fault(text, "see resume; or the rules of the proxy for answers without a body.")


def check_polling(seen: Observations) -> Finding:
    """Whether a poll of an unchanged session costs no more than a 304."""
    first, again = seen.tagged_poll, seen.repoll
    if first.status != 200 or again.status not in (200, 304):
        return skipped("A poll was not answered.")
    if again.status == 304:
        return ok("A poll of an unchanged session gets 304.")
    if "etag" not in first.headers:
        return warning("The answer has no ETag, so each poll carries the whole session.", "<response header ETag>")
    if again.body != first.body:
        return skipped("The session has changed between two polls.")
    text = "A poll with If-None-Match gets the whole session, although it is unchanged."
    return warning(text, "<request header If-None-Match> Or Apache: `DeflateAlterETag NoChange`.")


def check_tokens(seen: Observations) -> Finding:
    """Whether a ticket in the URL opens a stream, for clients that can set no header."""
    if seen.ticket.is_problem:
        return skipped(f"Without a token that it knows, the server issues no ticket ({seen.ticket.status}).")
    if seen.ticket.status != 201:
        return fault(f"The server issues no ticket ({seen.ticket.outcome}).", "<methods>")
    if seen.ticket_stream.status == 200:
        return ok("A ticket in the URL opens a stream.")
    if held_back(seen):
        return skipped("Streams are held back.")
    text = f"The server does not accept the ticket that it has issued ({seen.ticket_stream.outcome})."
    return fault(text, "one store in Redis for all servers; or the query is removed: <query>")
