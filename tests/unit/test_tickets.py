"""Tickets, and the drawer of a single process."""

import asyncio

import pytest

from progress_sse.auth import EVERYTHING, Grant
from progress_sse.tickets import LIFETIME_S, MAX_TICKETS, MemoryDrawer, Tickets
from tests.clock import ManualClock

GRANT = Grant(sessions=frozenset({"a"}), prefixes=("b", ""), actions=frozenset({"read"}), expires_at=1000.5)


class Office:
    """A ticket office on a clock of its own."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.drawer = MemoryDrawer(self.clock)
        self.tickets = Tickets(self.drawer)


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.mark.parametrize("grant", [GRANT, EVERYTHING])
async def test_a_ticket_stands_for_a_grant_once(office: Office, grant: Grant) -> None:
    """The whole of it; ten who come at once do not share it."""
    ticket = await office.tickets.issue(grant)
    redeemed = await asyncio.gather(*(office.tickets.redeem(ticket) for _ in range(10)))
    assert [each for each in redeemed if each is not None] == [grant]


async def test_a_ticket_lasts_a_moment(office: Office) -> None:
    """PR-01: at most a minute."""
    assert LIFETIME_S <= 60
    used, unused = await office.tickets.issue(GRANT), await office.tickets.issue(GRANT)
    office.clock.advance(LIFETIME_S - 0.1)
    assert await office.tickets.redeem(used) == GRANT
    office.clock.advance(0.1)
    assert await office.tickets.redeem(unused) is None


async def test_tickets_that_nobody_uses_do_not_pile_up(office: Office) -> None:
    """Old ones go when others are sold, and the oldest give way when there are too many."""
    first = await office.tickets.issue(GRANT)
    for _ in range(MAX_TICKETS):
        last = await office.tickets.issue(GRANT)
    assert len(office.drawer) == MAX_TICKETS
    assert await office.tickets.redeem(first) is None
    assert await office.tickets.redeem(last) == GRANT
    office.clock.advance(LIFETIME_S)
    await office.tickets.issue(GRANT)
    assert len(office.drawer) == 1


async def test_who_sees_the_drawer_has_no_ticket(office: Office) -> None:
    """PR-01: nor does anything that is kept contain it."""
    ticket = await office.tickets.issue(GRANT)
    assert len(ticket) >= 32
    assert ticket not in repr(vars(office.drawer))
