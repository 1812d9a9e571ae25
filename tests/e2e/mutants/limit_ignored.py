"""A server that counts no seats per buyer."""

import dataclasses

from stagedoor.checkout.deciding.desk import Desk, NewEventId
from stagedoor.checkout.rows import SaleRows
from stagedoor.holds.model import SEATS_PER_HOLD_MAX, HoldPolicy
from stagedoor.seating.switch import ALL_OPEN, SaleSwitches
from tests.e2e.harness.removed_guard import replace, run

with_limit = Desk.__init__


def without_limit(
    desk: Desk, rows: SaleRows, policy: HoldPolicy, new_event_id: NewEventId, switches: SaleSwitches = ALL_OPEN
) -> None:
    """Allow as many as a hold can have."""
    with_limit(desk, rows, dataclasses.replace(policy, seats_per_buyer=SEATS_PER_HOLD_MAX), new_event_id, switches)


replace(Desk, "__init__", without_limit)
run()
