"""The sale as one pure function: from the rows a batch needs and its commands to outcomes and writes."""

from collections.abc import Sequence
from typing import assert_never

from stagedoor.checkout.commands import (
    ChargeWallet,
    ClosePlace,
    PayForHold,
    PlaceHold,
    ReleaseHold,
    SaleCommand,
)
from stagedoor.checkout.deciding.charge import charge_wallet
from stagedoor.checkout.deciding.desk import Desk, NewEventId
from stagedoor.checkout.deciding.free import close_place, expire_hold, release_hold
from stagedoor.checkout.deciding.pay import pay_for_hold
from stagedoor.checkout.deciding.place import place_hold
from stagedoor.checkout.outcomes import Outcome
from stagedoor.checkout.rows import SaleRows, SaleWrites
from stagedoor.holds.model import HoldPolicy
from stagedoor.seating.switch import ALL_OPEN, SaleSwitches


def decide(
    rows: SaleRows,
    commands: Sequence[SaleCommand],
    policy: HoldPolicy,
    new_event_id: NewEventId,
    switches: SaleSwitches = ALL_OPEN,
) -> tuple[Sequence[Outcome], SaleWrites]:
    """
    Decide *commands* strictly in their order; each sees what those before it changed.

    *switches* say how much of the sale goes on. Returns one outcome a command, and the writes of them all together.
    """
    desk = Desk(rows, policy, new_event_id, switches)
    outcomes = [_decide_one(desk, command) for command in commands]
    return outcomes, desk.writes


def expire(rows: SaleRows, policy: HoldPolicy, new_event_id: NewEventId) -> SaleWrites:
    """Return the writes that mark every hold of *rows* expired; all of them are overdue."""
    desk = Desk(rows, policy, new_event_id)
    for hold in rows.holds.values():
        expire_hold(desk, hold)
    return desk.writes


def _decide_one(desk: Desk, command: SaleCommand) -> Outcome:
    match command:
        case PlaceHold():
            return place_hold(desk, command)
        case PayForHold():
            return pay_for_hold(desk, command)
        case ReleaseHold():
            return release_hold(desk, command)
        case ChargeWallet():
            return charge_wallet(desk, command)
        case ClosePlace():
            return close_place(desk, command)
        case _:
            assert_never(command)
