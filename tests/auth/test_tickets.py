"""Tickets, and the one-time store of a single process."""

import asyncio

import pytest

from progress_sse.auth.tickets import LIFETIME_S, MAX_TICKETS_PER_TOKEN, MAX_VALUES, MemoryOneTimeStore, Tickets
from tests.clock import ManualClock
from tests.harness.tokens import make_token

TOKEN = make_token(sessions=["a"])


class TicketOffice:
    """Tickets in a store of their own, on a manual clock."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryOneTimeStore(self.clock)
        self.tickets = Tickets(self.store)


@pytest.fixture
def office() -> TicketOffice:
    return TicketOffice()


@pytest.mark.parametrize("token", [TOKEN, "x" * 4000, "\xe4 \xff", ""])
async def test_a_ticket_stands_for_a_token_once(office: TicketOffice, token: str) -> None:
    """For the whole token, and for one of ten requests at the same time."""
    ticket = await office.tickets.issue(token)
    redeemed = await asyncio.gather(*(office.tickets.redeem(ticket) for _ in range(10)))
    assert [each for each in redeemed if each is not None] == [token]


async def test_a_ticket_lasts_a_moment(office: TicketOffice) -> None:
    """PR-01: at most a minute."""
    assert LIFETIME_S <= 60
    used, unused = await office.tickets.issue(TOKEN), await office.tickets.issue(TOKEN)
    office.clock.advance(LIFETIME_S - 0.1)
    assert await office.tickets.redeem(used) == TOKEN
    office.clock.advance(0.1)
    assert await office.tickets.redeem(unused) is None


@pytest.mark.full
async def test_unused_tickets_do_not_accumulate(office: TicketOffice) -> None:
    """Expired ones are dropped when others are issued, and the oldest when there are too many."""
    first = await office.tickets.issue(TOKEN)
    for number in range(MAX_VALUES):
        last = await office.tickets.issue(f"{TOKEN}{number}")
    assert len(office.store) == MAX_VALUES
    assert await office.tickets.redeem(first) is None
    assert await office.tickets.redeem(last) == f"{TOKEN}{MAX_VALUES - 1}"
    office.clock.advance(LIFETIME_S)
    await office.tickets.issue(TOKEN)
    assert len(office.store) == 1


async def test_too_many_tickets_of_a_token_invalidate_only_its_own(office: TicketOffice) -> None:
    """The oldest of them; tickets of other tokens stay valid."""
    other = await office.tickets.issue("other")
    tickets = [await office.tickets.issue(TOKEN) for _ in range(3 * MAX_TICKETS_PER_TOKEN)]
    assert len(office.store) == 1 + MAX_TICKETS_PER_TOKEN
    assert await office.tickets.redeem(other) == "other"
    assert await office.tickets.redeem(tickets[-MAX_TICKETS_PER_TOKEN - 1]) is None
    assert await office.tickets.redeem(tickets[-MAX_TICKETS_PER_TOKEN]) == TOKEN


async def test_the_content_of_the_store_reveals_no_ticket(office: TicketOffice) -> None:
    """PR-01: and no token: no value contains either, and the values for one token differ."""
    tickets = [await office.tickets.issue(TOKEN) for _ in range(2)]
    assert len(tickets[0]) >= 32
    kept = vars(office.store)["_kept"]
    assert not any(secret in repr(kept) for secret in (*tickets, TOKEN, TOKEN[:20]))
    assert len({value for _, value in kept.values()}) == 2
