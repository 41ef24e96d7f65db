"""Tickets, and the drawer of a single process."""

import asyncio

import pytest

from progress_sse.auth.tickets import LIFETIME_S, MAX_TICKETS, MAX_TICKETS_PER_TOKEN, MemoryOneTimeStore, Tickets
from tests.clock import ManualClock
from tests.harness.tokens import make_token

TOKEN = make_token(sessions=["a"])


class Office:
    """A ticket office on a clock of its own."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.drawer = MemoryOneTimeStore(self.clock)
        self.tickets = Tickets(self.drawer)


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.mark.parametrize("token", [TOKEN, "x" * 4000, "\xe4 \xff", ""])
async def test_a_ticket_stands_for_a_token_once(office: Office, token: str) -> None:
    """The whole of it; ten who come at once do not share it."""
    ticket = await office.tickets.issue(token)
    redeemed = await asyncio.gather(*(office.tickets.redeem(ticket) for _ in range(10)))
    assert [each for each in redeemed if each is not None] == [token]


async def test_a_ticket_lasts_a_moment(office: Office) -> None:
    """PR-01: at most a minute."""
    assert LIFETIME_S <= 60
    used, unused = await office.tickets.issue(TOKEN), await office.tickets.issue(TOKEN)
    office.clock.advance(LIFETIME_S - 0.1)
    assert await office.tickets.redeem(used) == TOKEN
    office.clock.advance(0.1)
    assert await office.tickets.redeem(unused) is None


async def test_tickets_that_nobody_uses_do_not_pile_up(office: Office) -> None:
    """Old ones go when others are sold, and the oldest give way when there are too many."""
    first = await office.tickets.issue(TOKEN)
    for number in range(MAX_TICKETS):
        last = await office.tickets.issue(f"{TOKEN}{number}")
    assert len(office.drawer) == MAX_TICKETS
    assert await office.tickets.redeem(first) is None
    assert await office.tickets.redeem(last) == f"{TOKEN}{MAX_TICKETS - 1}"
    office.clock.advance(LIFETIME_S)
    await office.tickets.issue(TOKEN)
    assert len(office.drawer) == 1


async def test_whoever_takes_too_many_makes_none_but_his_own_void(office: Office) -> None:
    """The oldest of them; those of others still open what they are for."""
    other = await office.tickets.issue("other")
    tickets = [await office.tickets.issue(TOKEN) for _ in range(3 * MAX_TICKETS_PER_TOKEN)]
    assert len(office.drawer) == 1 + MAX_TICKETS_PER_TOKEN
    assert await office.tickets.redeem(other) == "other"
    assert await office.tickets.redeem(tickets[-MAX_TICKETS_PER_TOKEN - 1]) is None
    assert await office.tickets.redeem(tickets[-MAX_TICKETS_PER_TOKEN]) == TOKEN


async def test_who_sees_the_drawer_has_no_ticket(office: Office) -> None:
    """PR-01: nor the token: nothing that is kept contains either, and nothing is kept twice alike."""
    tickets = [await office.tickets.issue(TOKEN) for _ in range(2)]
    assert len(tickets[0]) >= 32
    kept = vars(office.drawer)["_kept"]
    assert not any(secret in repr(kept) for secret in (*tickets, TOKEN, TOKEN[:20]))
    assert len({value for _, value in kept.values()}) == 2
