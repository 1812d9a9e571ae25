"""What a test sees of the events of one database: what waits, who relays, what buyers were told."""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.adapters.sql.leases import SqlLeases
from stagedoor.bootstrap.events import LEASES
from stagedoor.kernel.events import DomainEvent
from stagedoor.kernel.lease import LeaseSight
from stagedoor.outbox.model import Outlet
from tests.builders.events import store
from tests.e2e.harness.until import until

LOOKS = 2_400
"""A minute of looks: a loaded machine takes its time, and an idle one is not waited for."""


class EventsHouse:
    """The database of a sale, looked at from outside."""

    def __init__(self, lanes: Lanes) -> None:
        self.lanes = lanes

    async def store(self, *events: DomainEvent) -> None:
        """Write *events* as a sale does."""
        await store(self.lanes, *events)

    async def waiting(self) -> int:
        """Count what waits for Kafka."""
        return int(await self._scalar("SELECT COUNT(*) FROM broker_outbox WHERE state = 1"))

    async def untold(self) -> int:
        """Count what the line has not heard of."""
        return int(await self._scalar("SELECT COUNT(*) FROM outbox WHERE state = 1"))

    async def parked(self) -> int:
        """Count what was set aside on its way to Kafka."""
        return int(await self._scalar("SELECT COUNT(*) FROM broker_outbox WHERE state = 3"))

    async def failed(self) -> int:
        """Count the records that any failure was ever counted of, and that still are there."""
        return int(await self._scalar("SELECT COUNT(*) FROM broker_outbox WHERE attempts > 0"))

    async def told(self) -> Sequence[str]:
        """Return the ids of the events that buyers were told of, each as often as they were."""

        def read(connection: Connection) -> Sequence[str]:
            return list(connection.scalars(text("SELECT event_id FROM notification ORDER BY event_id")))

        return await self.lanes.reading(read)

    async def lease(self) -> LeaseSight:
        """Return who relays to Kafka."""
        return await SqlLeases(self.lanes).look(LEASES[Outlet.BROKER])

    async def led_by(self, pid: int) -> LeaseSight:
        """Wait until the process *pid* relays."""
        return await until(self.lease, lambda seen: leader_of(seen) == pid, looks=LOOKS)

    async def everything_sent(self) -> None:
        """Wait until nothing waits for Kafka any more."""
        await until(self.waiting, lambda waiting: waiting == 0, looks=LOOKS)

    async def told_of(self, *event_ids: str) -> None:
        """Wait until buyers were told of exactly *event_ids*."""
        await until(self.told, lambda told: list(told) == sorted(event_ids), looks=LOOKS)

    async def told_of_more_than(self, count: int) -> None:
        """Wait until buyers were told of more than so many events."""
        await until(self.told, lambda told: len(told) > count, looks=LOOKS)

    async def run(self, statement: str) -> None:
        """Run a statement of one's own."""
        async with self.lanes.writing() as transaction:
            await transaction.run(lambda connection: connection.execute(text(statement)).rowcount)
            await transaction.commit(proof=lambda _: False)

    async def _scalar(self, statement: str) -> int:
        return await self.lanes.reading(lambda connection: connection.scalar(text(statement)) or 0)


def leader_of(seen: LeaseSight) -> int:
    """Return the process that holds the lease, 0 if nobody does."""
    return 0 if seen.holder is None else int(seen.holder.split(":")[1])
