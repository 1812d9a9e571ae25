"""A server that does not know that a hold is paid, over a database that lets it be ordered twice."""

import dataclasses

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from stagedoor.adapters.sql import sale_writes
from stagedoor.checkout.deciding.desk import Desk
from stagedoor.checkout.rows import SaleWrites
from stagedoor.holds.model import Hold, HoldState
from stagedoor.kernel.ids import BuyerId, HoldId
from tests.e2e.harness.removed_guard import ignore_counted_rows, replace, run

find_hold = Desk.hold
write_orders = sale_writes._write_orders  # noqa: SLF001 -- the second guard is in there


def as_if_unpaid(desk: Desk, hold_id: HoldId, buyer_id: BuyerId) -> Hold | None:
    """Find the hold and take it for an open one."""
    hold = find_hold(desk, hold_id, buyer_id)
    return None if hold is None else dataclasses.replace(hold, state=HoldState.OPEN, ended_at=None)


def write_what_fits(connection: Connection, writes: SaleWrites) -> None:
    """Leave out an order that is there already."""
    try:
        with connection.begin_nested():
            write_orders(connection, writes)
    except IntegrityError:
        return


replace(Desk, "hold", as_if_unpaid)
replace(sale_writes, "_write_orders", write_what_fits)
ignore_counted_rows()
run()
