"""A sale over a real database, and the checker that looks at what it left there."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from sqlalchemy import Connection, insert

from stagedoor.adapters.embedded.sqlite_file import SqliteFile
from stagedoor.adapters.sql import schema, tables
from stagedoor.adapters.sql.buyer_records import SqlBuyerRecords
from stagedoor.adapters.sql.invariants import check_all
from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.adapters.sql.outbox import SqlOutbox, SqlOutboxLeftovers
from stagedoor.adapters.sql.sales_book import SqlSalesBook
from stagedoor.adapters.sql.seating_plan import SqlSeatingPlan
from stagedoor.adapters.sql.wallets import SqlWallets
from stagedoor.checkout.commands import SaleCommand
from stagedoor.checkout.outcomes import Outcome
from stagedoor.checkout.use_cases import SettleSale, TidyHolds
from stagedoor.holds.model import HoldPolicy
from stagedoor.kernel.clock import HOUR_MS, Clock, Instant, later
from stagedoor.kernel.ids import PerformanceId
from stagedoor.observability.invariants import Finding
from stagedoor.outbox.model import Outlet
from stagedoor.wallet.model import FUNDING, TransferKind
from tests.builders.sale import BALANCE, NOON, OVER, PRICE, ROOMS, SEATS

MEMBERS = 200


class House:
    """The sale over one database, with the ports that read what it did."""

    def __init__(self, lanes: Lanes, clock: Clock, *, for_broker: bool = False, seed: int = 7) -> None:
        self.lanes = lanes
        self.clock = clock
        self.changed: list[frozenset[PerformanceId]] = []
        self.wakes = 0
        self.book = SqlSalesBook(
            lanes, clock, committed=self.changed.append, events_written=self._wake, for_broker=for_broker
        )
        random_bits = Random(seed).getrandbits
        self._sale = SettleSale(book=self.book, policy=HoldPolicy(), event_ids=random_bits)
        self._tidying = TidyHolds(book=self.book, event_ids=random_bits)
        self.records = SqlBuyerRecords(lanes)
        self.wallets = SqlWallets(lanes)
        self.seating = SqlSeatingPlan(lanes)
        self.outbox = SqlOutbox(lanes, Outlet.LINE, lease=None)
        self.old_events = SqlOutboxLeftovers(lanes)

    async def batch(self, *commands: SaleCommand) -> Sequence[Outcome]:
        """Settle *commands* in one transaction."""
        return await self._sale.settle(commands)

    async def one(self, command: SaleCommand) -> Outcome:
        """Settle *command* in a transaction of its own."""
        [outcome] = await self.batch(command)
        return outcome

    async def at_once(self, *commands: SaleCommand, batch: int = 1) -> Sequence[Outcome]:
        """Settle *commands* in batches that all start at the same time."""
        batches = [commands[first : first + batch] for first in range(0, len(commands), batch)]
        settled = await asyncio.gather(*(self.batch(*one) for one in batches))
        return [outcome for outcomes in settled for outcome in outcomes]

    async def tidy(self, limit: int = 100) -> int:
        return await self._tidying.tidy(limit=limit)

    async def findings(self) -> Sequence[Finding]:
        """Look at every invariant of the stored data."""
        now = self.clock.now()
        return await self.lanes.reading(lambda connection: check_all(connection, now=now, seats_per_buyer=4))

    async def check(self) -> None:
        """Fail unless every invariant holds."""
        assert await self.violated() == set()

    async def violated(self) -> set[str]:
        """Name the invariants that do not hold."""
        return {found.name for found in await self.findings() if not found.holds}

    async def events(self) -> list[str]:
        """Name the events that wait to be told, in order."""
        waiting = await self.outbox.waiting(limit=1_000, at=self.clock.now())
        return [record.event.name for record in waiting if record.event is not None]

    def _wake(self) -> None:
        self.wakes += 1


@asynccontextmanager
async def open_sqlite(folder: Path, contents: bytes | None = None) -> AsyncIterator[SqliteFile]:
    """Open a SQLite file in *folder* that has *contents*, or the programme with nothing sold."""
    path = folder / "stagedoor.db"
    path.write_bytes(before_the_sale() if contents is None else contents)
    file = SqliteFile(path)
    try:
        yield file
    finally:
        await file.close()


@cache
def before_the_sale() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "template.db"
        file = SqliteFile(path)
        with file.write_engine.connect() as connection, connection.begin():
            schema.upgrade(connection)
            lay_out(connection)
        file.write_engine.dispose()
        return path.read_bytes()


def lay_out(connection: Connection, now: Instant = NOON) -> None:
    """Write the rooms, performances, seats and members of `tests.builders.sale`."""
    for room_id in dict.fromkeys(ROOMS.values()):
        connection.execute(insert(tables.room).values(id=room_id, name=room_id, state="OPEN", version=1))
    for performance_id, seat_ids in SEATS.items():
        starts_at = later(now, -HOUR_MS if performance_id == OVER else performance_id * HOUR_MS)
        connection.execute(
            insert(tables.performance).values(
                id=performance_id,
                room_id=ROOMS[performance_id],
                title=f"Performance {performance_id}",
                venue="The Hall",
                starts_at=starts_at,
                ends_at=later(starts_at, HOUR_MS),
                time_zone="Asia/Seoul",
            )
        )
        connection.execute(insert(tables.seat), [_seat(performance_id, seat_ids, seat_id) for seat_id in seat_ids])
    members = range(1, MEMBERS + 1)
    connection.execute(insert(tables.member), [{"id": number, "created_at": now} for number in members])
    connection.execute(insert(tables.wallet), [{"buyer_id": number, "balance_won": BALANCE} for number in members])
    connection.execute(insert(tables.transfer), [_first_charge(number, now) for number in members])


def _seat(performance_id: PerformanceId, seat_ids: range, seat_id: int) -> dict[str, int | str]:
    position = seat_id - seat_ids.start + 1
    return {
        "id": seat_id,
        "performance_id": performance_id,
        "position": position,
        "section": "Stalls",
        "row_name": "A",
        "seat_number": position,
        "zone": "one price",
        "price_won": PRICE,
    }


def _first_charge(number: int, now: Instant) -> dict[str, int | str]:
    return {
        "id": number,
        "buyer_id": number,
        "kind": TransferKind.CHARGE.value,
        "debit": FUNDING,
        "credit": f"wallet:{number}",
        "amount_won": BALANCE,
        "posted_at": now,
    }
