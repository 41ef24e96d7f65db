"""Who is notified by push: what a subscription changes, and when it is refused."""

from datetime import timedelta

import pytest

from progress_sse.core import state_machine
from progress_sse.core.commands import Command, Create, Subscribe, Unsubscribe
from progress_sse.core.errors import (
    ProblemError,
    RequestOutOfTimeError,
    SessionNotFoundError,
    TooManySubscriptionsError,
)
from progress_sse.core.model import Session
from progress_sse.core.subscriptions import MAX_OF_CALLER, MAX_SUBSCRIPTIONS, Subscription
from progress_sse.core.updates import Finish, Start
from progress_sse.wire.details_json import decode_details, encode_details
from tests.core.samples import DEFINITIONS, T0, T1

PHONE = Subscription("phone", "https://push.example/1", "key", "secret", "ja", "reader")


def after(session: Session | None, *commands: Command) -> Session:
    for command in commands:
        session = state_machine.apply("s", session, command, T1).session
    assert session is not None
    return session


CREATED = after(None, Create(DEFINITIONS))


def subscriptions(session: Session) -> list[str]:
    return [each.id for each in session.details.subscriptions]


def test_a_browser_subscribes_and_ends_that() -> None:
    """Each is a transition that readers see nothing of; the same again is none."""
    outcome = state_machine.apply("s", CREATED, Subscribe(PHONE), T1)
    assert outcome.session is not None
    assert (outcome.event, outcome.steps, subscriptions(outcome.session)) == ("session", (), ["phone"])
    assert outcome.session.progress.updated_at == CREATED.progress.updated_at
    again = state_machine.apply("s", outcome.session, Subscribe(PHONE), T1)
    assert (again.event, again.session) == (None, outcome.session)
    ended = state_machine.apply("s", outcome.session, Unsubscribe("phone"), T1)
    assert ended.session is not None
    assert (ended.event, subscriptions(ended.session)) == ("session", [])
    assert state_machine.apply("s", ended.session, Unsubscribe("phone"), T1).event is None


def test_it_is_kept_with_the_session() -> None:
    """Until that is replaced."""
    session = after(CREATED, Subscribe(PHONE))
    assert decode_details(encode_details(session.details)) == session.details
    assert subscriptions(after(session, Start(1), Finish(success=False))) == ["phone"]
    assert subscriptions(after(session, Create(DEFINITIONS))) == []


def test_another_subscription_of_the_id_takes_its_place() -> None:
    session = after(CREATED, Subscribe(PHONE), Subscribe(PHONE._replace(language="en")))
    assert [each.language for each in session.details.subscriptions] == ["en"]


def many(count: int, caller: str = "") -> list[Subscribe]:
    return [Subscribe(PHONE._replace(id=f"{caller}{n}", caller=caller or f"{n}")) for n in range(count)]


@pytest.mark.parametrize(
    ("session", "command", "error"),
    [
        (None, Subscribe(PHONE), SessionNotFoundError),
        (after(CREATED, Finish()), Subscribe(PHONE), RequestOutOfTimeError),
        (after(CREATED, *many(MAX_SUBSCRIPTIONS)), Subscribe(PHONE), TooManySubscriptionsError),
        (after(CREATED, *many(MAX_OF_CALLER, "reader")), Subscribe(PHONE), TooManySubscriptionsError),
    ],
)
def test_it_is_refused(session: Session | None, command: Subscribe, error: type[ProblemError]) -> None:
    with pytest.raises(error):
        state_machine.apply("s", session, command, T1)


def test_expired_ones_make_room() -> None:
    """One whose reader may read no more is dropped with the next subscription."""
    short = PHONE._replace(id="short", expires_at=(T1 + timedelta(seconds=1)).timestamp())
    session = after(CREATED, Subscribe(short), *many(MAX_SUBSCRIPTIONS - 1))
    later = state_machine.apply("s", session, Subscribe(PHONE), T0 + timedelta(hours=1)).session
    assert later is not None
    assert len(later.details.subscriptions) == MAX_SUBSCRIPTIONS
    assert "short" not in subscriptions(later)
