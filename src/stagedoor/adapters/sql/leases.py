"""Leases over SQL: a row each, whose fence every write under it looks at in its own transaction."""

from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from stagedoor.adapters.sql.lanes import Lanes, Step
from stagedoor.adapters.sql.tables import lease
from stagedoor.kernel.lease import Fence, LeaseBook, LeaseLost, LeaseSight

_NEVER_HELD = LeaseSight(fence=Fence(0), beat=0, holder=None)

_LOOK = select(lease.c.fence, lease.c.beat, lease.c.holder).where(lease.c.name == bindparam("its_name"))

_FENCE = select(lease.c.fence).where(lease.c.name == bindparam("its_name")).with_for_update()

_OURS = (lease.c.name == bindparam("its_name"), lease.c.fence == bindparam("its_fence"))

_TAKE = (
    update(lease)
    .where(*_OURS, lease.c.beat == bindparam("its_beat"))
    .values(fence=lease.c.fence + 1, beat=lease.c.beat + 1, holder=bindparam("by_whom"))
)

_RENEW = update(lease).where(*_OURS).values(beat=lease.c.beat + 1)

_GIVE_BACK = update(lease).where(*_OURS).values(holder=None, beat=lease.c.beat + 1)


def refuse_sleepers(connection: Connection, name: str, fence: Fence) -> None:
    """
    Raise `LeaseLost` unless *fence* still is the one of the lease *name*.

    The row is locked until the transaction ends, so nobody takes the lease in between.
    """
    if connection.scalar(_FENCE, {"its_name": name}) != fence:
        raise LeaseLost(f"somebody else has taken the lease {name}")


class SqlLeases(LeaseBook):
    """The leases in a SQL database."""

    def __init__(self, lanes: Lanes) -> None:
        """Read and write through *lanes*."""
        self._lanes = lanes

    async def look(self, name: str) -> LeaseSight:
        """Return the lease as it is stored."""
        return await self._lanes.reading(lambda connection: _look(connection, name))

    async def take(self, name: str, seen: LeaseSight, *, holder: str) -> Fence | None:
        """Take the lease if nobody has touched it since it was *seen*."""
        taken = Fence(seen.fence + 1)

        def write(connection: Connection) -> bool:
            if seen == _NEVER_HELD and _look(connection, name) == _NEVER_HELD:
                connection.execute(insert(lease).values(name=name, fence=taken, beat=1, holder=holder))
                return True
            asked = {"its_name": name, "its_fence": seen.fence, "its_beat": seen.beat, "by_whom": holder}
            return connection.execute(_TAKE, asked).rowcount == 1

        try:
            is_ours = await self._written(write, lambda connection: _look(connection, name)[::2] == (taken, holder))
        except IntegrityError:
            # Two were the first at once, and this one was the second.
            return None
        return taken if is_ours else None

    async def renew(self, name: str, fence: Fence) -> bool:
        """Move the beat on, where the fence is still ours."""
        asked = {"its_name": name, "its_fence": fence}
        return await self._written(lambda connection: connection.execute(_RENEW, asked).rowcount == 1, _cannot_tell)

    async def give_back(self, name: str, fence: Fence) -> None:
        """Make the lease nobody's, where the fence is still ours."""
        asked = {"its_name": name, "its_fence": fence}
        await self._written(lambda connection: connection.execute(_GIVE_BACK, asked).rowcount == 1, _cannot_tell)

    async def _written(self, step: Step[bool], proof: Step[bool]) -> bool:
        async with self._lanes.writing() as transaction:
            is_written = await transaction.run(step)
            await transaction.commit(proof=proof)
        return is_written


def _look(connection: Connection, name: str) -> LeaseSight:
    row = connection.execute(_LOOK, {"its_name": name}).one_or_none()
    return _NEVER_HELD if row is None else LeaseSight(fence=Fence(row.fence), beat=row.beat, holder=row.holder)


def _cannot_tell(_connection: Connection) -> bool:
    # It is done again in a moment.
    return False
