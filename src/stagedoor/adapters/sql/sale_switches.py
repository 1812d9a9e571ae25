"""The stop switches in a SQL database: a row for each that was ever turned."""

from typing import Final

from sqlalchemy import Connection, bindparam, select, update

from stagedoor.adapters.sql.audit import append, is_written
from stagedoor.adapters.sql.dialect import HAVE_SWITCH_ONCE
from stagedoor.adapters.sql.lanes import Lanes, asked_either_way
from stagedoor.adapters.sql.tables import performance, sale_switch
from stagedoor.kernel.clock import Clock
from stagedoor.kernel.ids import PerformanceId
from stagedoor.kernel.sale_state import SaleState
from stagedoor.operators.model import AuditEntry
from stagedoor.seating.rejections import UnknownPerformance
from stagedoor.seating.switch import SaleSwitches, SwitchBook, SwitchDesk

EVERYTHING: Final = 0
"""The row of the switch for everything: no performance has that id."""

_LOCK = select(sale_switch.c.state).where(sale_switch.c.performance_id == bindparam("its_id")).with_for_update()
_SWITCHES = select(sale_switch.c.performance_id, sale_switch.c.state)


class SqlSwitchBook(SwitchBook):
    """The stored switches, read."""

    def __init__(self, lanes: Lanes) -> None:
        """Read through *lanes*."""
        self._lanes = lanes

    async def all(self) -> SaleSwitches:
        """Return what every switch says, to whoever can still sell or still read."""
        return await asked_either_way(self._lanes, switches_in)


def switches_in(connection: Connection) -> SaleSwitches:
    """Return what every switch says."""
    stored = {id_: SaleState(state) for id_, state in connection.execute(_SWITCHES)}
    everywhere = stored.pop(EVERYTHING, SaleState.OPEN)
    of_performance = {PerformanceId(id_): state for id_, state in stored.items() if state is not SaleState.OPEN}
    return SaleSwitches(everywhere=everywhere, of_performance=of_performance)


class SqlSwitchDesk(SwitchDesk):
    """Turns the stored switches."""

    def __init__(self, lanes: Lanes, clock: Clock) -> None:
        """Write through *lanes*."""
        self._lanes = lanes
        self._clock = clock

    async def turn(self, state: SaleState, performance_id: PerformanceId | None, *, actor: str) -> None:
        """Turn one switch."""
        now = self._clock.now()
        row_id = EVERYTHING if performance_id is None else performance_id
        subject = "sale" if performance_id is None else f"performance:{performance_id}"

        def write(connection: Connection) -> tuple[int, AuditEntry]:
            if performance_id is not None:
                _require(connection, performance_id)
            # A row that is not there cannot be locked, so first there is one: of many hands one turns at a time.
            HAVE_SWITCH_ONCE(connection, [(row_id, SaleState.OPEN.value, now)])
            before = connection.scalar(_LOCK, {"its_id": row_id})
            connection.execute(
                update(sale_switch)
                .where(sale_switch.c.performance_id == row_id)
                .values(state=state.value, turned_at=now)
            )
            detail = {"from": before, "to": state.value}
            entry = AuditEntry(at=now, actor=actor, action="sale.switch", subject=subject, detail=detail)
            return append(connection, entry), entry

        async with self._lanes.writing() as transaction:
            audit_id, entry = await transaction.run(write)
            await transaction.commit(proof=lambda connection: is_written(connection, audit_id, entry))


def _require(connection: Connection, performance_id: PerformanceId) -> None:
    if connection.execute(select(performance.c.id).where(performance.c.id == performance_id)).first() is None:
        raise UnknownPerformance
