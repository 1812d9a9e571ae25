"""The outbox over SQL: what waits, what was sent, what is tried again, and what is set aside."""

from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import Connection, bindparam, delete, select

from stagedoor.adapters.sql.driver import Row
from stagedoor.adapters.sql.encoding import decode_event
from stagedoor.adapters.sql.forgotten import Forgotten, note_forgotten
from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.adapters.sql.leases import refuse_sleepers
from stagedoor.adapters.sql.outbox_queue import BROKER, LINE
from stagedoor.adapters.sql.tables import broker_outbox, outbox
from stagedoor.kernel.clock import Instant, later
from stagedoor.kernel.ids import EventId
from stagedoor.kernel.lease import Fence
from stagedoor.outbox.model import OutboxRecord, OutboxState, Outlet, ParkedRecord
from stagedoor.outbox.ports import Outbox, OutboxBacklog, OutboxLeftovers, ParkedRecords

_QUEUES = {Outlet.LINE: LINE, Outlet.BROKER: BROKER}

_NOT_PUBLISHED = (OutboxState.WAITING, OutboxState.PARKED)

# What the broker has not had yet keeps its event.
_SENT = select(outbox.c.sequence, outbox.c.published_at, broker_outbox.c.event_id).join_from(
    outbox, broker_outbox, outbox.c.event_id == broker_outbox.c.event_id, isouter=True
)

# Few were ever sent twice, so the oldest of the others are simply the first ones. Those that are kept are looked at and
# passed over here, not in the search: in an outage of the broker all are kept, and it would look through all of them.
_NEXT_SENT = (
    _SENT.where(
        outbox.c.state == OutboxState.PUBLISHED.value, outbox.c.attempts == 0, outbox.c.sequence > bindparam("after")
    )
    .order_by(outbox.c.sequence)
    .limit(bindparam("at_most"))
)

# Those few are looked through.
_SENT_AGAIN_BEFORE = _SENT.where(
    outbox.c.state == OutboxState.PUBLISHED.value,
    outbox.c.attempts > 0,
    outbox.c.published_at < bindparam("before"),
    broker_outbox.c.event_id.is_(None),
).limit(bindparam("at_most"))

_BEFORE_ALL = 0

STRETCHES_MAX = 4
"""So many times the rows that a call may remove are looked at for them; the next call goes on behind those."""

_FORGET = delete(outbox).where(outbox.c.sequence.in_(bindparam("sequences", expanding=True)))


class SqlOutbox(Outbox, OutboxBacklog, ParkedRecords):
    """The stored events of a SQL database on their way to one outlet."""

    def __init__(self, lanes: Lanes, outlet: Outlet, *, lease: str | None) -> None:
        """
        Read and write through *lanes*.

        Whoever writes has to hold the *lease* of that name; None where there is only one process anyway.
        """
        self._lanes = lanes
        self._queue = _QUEUES[outlet]
        self._lease = lease

    async def waiting(self, *, limit: int, at: Instant) -> Sequence[OutboxRecord]:
        """Return the oldest records to be sent, in order."""
        rows = await self._lanes.reading(lambda connection: self._queue.waiting(connection, limit=limit, at=at))
        return [_record(row) for row in rows]

    async def backlog(self) -> Mapping[OutboxState, int]:
        """Count the records that are not published, by what they wait for."""
        return await self._lanes.reading(
            lambda connection: {state: self._queue.count(connection, state) for state in _NOT_PUBLISHED}
        )

    async def published(self, event_ids: Sequence[EventId], *, at: Instant, fence: Fence) -> None:
        """Record that these were taken by everybody."""
        if not event_ids:
            return

        def write(connection: Connection) -> None:
            self._refuse_sleepers(connection, fence)
            self._queue.take(connection, event_ids, at)

        async with self._lanes.writing() as transaction:
            await transaction.run(write)
            await transaction.commit(proof=lambda connection: self._queue.none_waits(connection, event_ids))

    async def failed(self, event_ids: Sequence[EventId], *, at: Instant, cause: str, fence: Fence) -> None:
        """Count one more failed attempt of each that still waits; park what has had all of them."""
        if not event_ids:
            return

        def write(connection: Connection) -> Mapping[str, int]:
            self._refuse_sleepers(connection, fence)
            return self._queue.fail(connection, event_ids, at, cause)

        async with self._lanes.writing() as transaction:
            failures = await transaction.run(write)
            await transaction.commit(proof=lambda connection: self._queue.are_counted(connection, failures))

    async def parked(self, *, limit: int) -> Sequence[ParkedRecord]:
        """Return the oldest parked records."""
        return await self._lanes.reading(lambda connection: self._queue.parked(connection, limit))

    async def send_again(self, event_ids: Sequence[EventId], *, at: Instant) -> Sequence[EventId]:
        """Let these wait to be sent as if they had never failed; return those that were parked."""
        if not event_ids:
            return []
        async with self._lanes.writing() as transaction:
            again = await transaction.run(lambda connection: self._queue.send_again(connection, event_ids, at))
            # Whoever asks for it again is as well served.
            await transaction.commit(proof=lambda _: False)
        return again

    def _refuse_sleepers(self, connection: Connection, fence: Fence) -> None:
        if self._lease is not None:
            refuse_sleepers(connection, self._lease, fence)


class SqlOutboxLeftovers(OutboxLeftovers):
    """The events of a SQL database that have left by every outlet."""

    def __init__(self, lanes: Lanes) -> None:
        """Read and write through *lanes*."""
        self._lanes = lanes
        self._looked_at = _BEFORE_ALL

    async def forget(self, *, published_before: Instant, limit: int) -> int:
        """Remove the oldest published records of the next stretch; how old they were is noted with that."""
        after = self._looked_at
        old, looked_at = await self._lanes.reading(
            lambda connection: _published_before(connection, published_before, limit, after)
        )
        removed = await self._remove(old) if old else 0
        self._looked_at = looked_at
        return removed

    async def _remove(self, old: Mapping[int, int]) -> int:
        def remove(connection: Connection) -> int:
            note_forgotten(connection, Forgotten.EVENTS, later(Instant(max(old.values())), 1))
            return connection.execute(_FORGET, {"sequences": list(old)}).rowcount

        async with self._lanes.writing() as transaction:
            removed = await transaction.run(remove)
            # Removing them again later is as good.
            await transaction.commit(proof=lambda _: True)
        return removed


def _record(row: Row) -> OutboxRecord:
    sequence, event_id, subject_id, name, payload, attempts = row
    try:
        event = decode_event(name, payload)
    except (KeyError, msgspec.DecodeError):
        # One row that cannot be read must not keep everything behind it from being sent.
        event = None
    return OutboxRecord(
        sequence=sequence, event_id=EventId(event_id), subject_id=subject_id, event=event, attempts=attempts
    )


def _published_before(
    connection: Connection, instant: Instant, limit: int, after: int
) -> tuple[Mapping[int, int], int]:
    """
    Return when each of the oldest records was published, of those that no broker waits for, and where to go on.

    They are looked for behind the sequence *after*, and again from the first one on once all were looked at.
    """
    old: dict[int, int] = {}
    for _ in range(STRETCHES_MAX):
        at_most = limit - len(old)
        stretch = connection.execute(_NEXT_SENT, {"after": after, "at_most": at_most}).all()
        old.update((sequence, at) for sequence, at, kept in stretch if at < instant and not kept)
        if len(stretch) < at_most or stretch[-1].published_at >= instant:
            # What comes now was published later still.
            after = _BEFORE_ALL
            break
        after = stretch[-1].sequence
        if len(old) == limit:
            break
    again = connection.execute(_SENT_AGAIN_BEFORE, {"before": instant, "at_most": limit - len(old)})
    return {**old, **{sequence: published_at for sequence, published_at, _ in again}}, after
