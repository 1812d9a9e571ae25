"""The outbox over SQL: what waits, what was sent, what is tried again, and what is set aside."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, bindparam, delete, func, select, update

from stagedoor.adapters.sql.bulk import ANY_DIALECT, Bulk
from stagedoor.adapters.sql.encoding import decode_event
from stagedoor.adapters.sql.forgotten import Forgotten, note_forgotten
from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.adapters.sql.sized import SizedQuery, SizedWrite, listed
from stagedoor.adapters.sql.tables import outbox
from stagedoor.kernel.clock import Instant, later
from stagedoor.kernel.ids import EventId
from stagedoor.outbox.model import ATTEMPTS_MAX, OutboxRecord, OutboxState, retry_after_ms
from stagedoor.outbox.ports import Outbox, OutboxBacklog, OutboxLeftovers

FAILURE_LENGTH_MAX = 500

_WAITING = OutboxState.WAITING.value

_RECORD = select(outbox.c.sequence, outbox.c.subject_id, outbox.c.type, outbox.c.payload, outbox.c.attempts)

# What has failed and is not due yet holds up its subject, and nothing else.
_HELD_UP = select(outbox.c.subject_id).where(
    outbox.c.state == _WAITING, outbox.c.attempts > 0, outbox.c.next_attempt_at > bindparam("at")
)

_NEW = SizedQuery(
    _RECORD.where(outbox.c.state == _WAITING, outbox.c.attempts == 0, outbox.c.subject_id.not_in(_HELD_UP))
    .order_by(outbox.c.sequence)
    .limit(bindparam("at_most"))
)

_DUE_AGAIN = SizedQuery(
    _RECORD.where(
        outbox.c.state == _WAITING,
        outbox.c.attempts > 0,
        outbox.c.next_attempt_at <= bindparam("at"),
        outbox.c.subject_id.not_in(_HELD_UP),
    )
    .order_by(outbox.c.sequence)
    .limit(bindparam("at_most"))
)

_PUBLISH = SizedWrite(
    update(outbox)
    # By id. As a plain column the state would tempt SQLite to walk through everything that waits instead.
    .where(outbox.c.event_id.in_(listed("ids")), outbox.c.state + 0 == _WAITING)
    .values(state=OutboxState.PUBLISHED.value, published_at=bindparam("at")),
    "ids",
)

_STATES = SizedQuery(
    select(outbox.c.event_id, outbox.c.state, outbox.c.attempts).where(outbox.c.event_id.in_(listed("ids"))), "ids"
)

_NOT_PUBLISHED = (OutboxState.WAITING, OutboxState.PARKED)

# Few were ever sent twice, so the oldest of the others are simply the first ones. Those few are looked through.
_FIRST_SENT = (
    select(outbox.c.sequence, outbox.c.published_at)
    .where(outbox.c.state == OutboxState.PUBLISHED.value, outbox.c.attempts == 0)
    .order_by(outbox.c.sequence)
    .limit(bindparam("at_most"))
)

_SENT_AGAIN_BEFORE = (
    select(outbox.c.sequence, outbox.c.published_at)
    .where(
        outbox.c.state == OutboxState.PUBLISHED.value,
        outbox.c.attempts > 0,
        outbox.c.published_at < bindparam("before"),
    )
    .limit(bindparam("at_most"))
)

_FORGET = delete(outbox).where(outbox.c.sequence.in_(bindparam("sequences", expanding=True)))

_COUNT = select(func.count()).where(outbox.c.state == bindparam("state"))

_FAIL = Bulk(
    {
        ANY_DIALECT: update(outbox)
        .where(outbox.c.event_id == bindparam("failed_id"))
        .values(
            state=bindparam("new_state"),
            attempts=bindparam("new_attempts"),
            next_attempt_at=bindparam("due_at"),
            failure=bindparam("cause"),
        )
    },
    ("new_state", "new_attempts", "due_at", "cause", "failed_id"),
)


class SqlOutbox(Outbox, OutboxBacklog, OutboxLeftovers):
    """The stored events of a SQL database."""

    def __init__(self, lanes: Lanes) -> None:
        """Read and write through *lanes*."""
        self._lanes = lanes

    async def waiting(self, *, limit: int, at: Instant) -> Sequence[OutboxRecord]:
        """Return the oldest records to be sent, in order."""

        def read(connection: Connection) -> Sequence[OutboxRecord]:
            rows = [*_NEW(connection, at=at, at_most=limit), *_DUE_AGAIN(connection, at=at, at_most=limit)]
            # By their sequence, which no two share.
            rows.sort()
            return [
                OutboxRecord(
                    sequence=sequence, subject_id=subject_id, event=decode_event(name, payload), attempts=attempts
                )
                for sequence, subject_id, name, payload, attempts in rows[:limit]
            ]

        return await self._lanes.reading(read)

    async def backlog(self) -> Mapping[OutboxState, int]:
        """Count the records that are not published, by what they wait for."""

        def count(connection: Connection) -> Mapping[OutboxState, int]:
            return {state: connection.scalar(_COUNT, {"state": state.value}) or 0 for state in _NOT_PUBLISHED}

        return await self._lanes.reading(count)

    async def published(self, event_ids: Sequence[EventId], *, at: Instant) -> None:
        """Record that these were taken by everybody."""
        if not event_ids:
            return
        ids = list(event_ids)

        def is_done(connection: Connection) -> bool:
            return all(state != _WAITING for _, state, _ in _STATES(connection, ids=ids))

        async with self._lanes.writing() as transaction:
            await transaction.run(lambda connection: _PUBLISH(connection, ids=ids, at=at))
            await transaction.commit(proof=is_done)

    async def failed(self, event_ids: Sequence[EventId], *, at: Instant, cause: str) -> None:
        """Count one more failed attempt of each that still waits; park what has had all of them."""
        if not event_ids:
            return
        async with self._lanes.writing() as transaction:
            failures = await transaction.run(lambda connection: _count_failure(connection, event_ids, at, cause))
            await transaction.commit(proof=lambda connection: _are_counted(connection, failures))

    async def forget(self, *, published_before: Instant, limit: int) -> int:
        """Remove the oldest published records; how old they were is noted with that."""
        old = await self._lanes.reading(lambda connection: _published_before(connection, published_before, limit))
        if not old:
            return 0

        def remove(connection: Connection) -> int:
            note_forgotten(connection, Forgotten.EVENTS, later(Instant(max(old.values())), 1))
            return connection.execute(_FORGET, {"sequences": list(old)}).rowcount

        async with self._lanes.writing() as transaction:
            removed = await transaction.run(remove)
            # Removing them again later is as good.
            await transaction.commit(proof=lambda _: True)
        return removed


def _published_before(connection: Connection, instant: Instant, limit: int) -> Mapping[int, int]:
    """Return when each of the oldest records was published."""
    first = connection.execute(_FIRST_SENT, {"at_most": limit})
    old = [(sequence, published_at) for sequence, published_at in first if published_at < instant]
    again = connection.execute(_SENT_AGAIN_BEFORE, {"before": instant, "at_most": limit - len(old)})
    return dict([*old, *((sequence, published_at) for sequence, published_at in again)])


def _count_failure(connection: Connection, event_ids: Sequence[EventId], at: Instant, cause: str) -> Mapping[str, int]:
    failures = {
        event_id: attempts + 1
        for event_id, state, attempts in _STATES(connection, ids=list(event_ids))
        if state == _WAITING
    }
    rows = [
        (
            OutboxState.PARKED.value if attempts >= ATTEMPTS_MAX else _WAITING,
            attempts,
            later(at, retry_after_ms(attempts)),
            cause[:FAILURE_LENGTH_MAX],
            event_id,
        )
        for event_id, attempts in failures.items()
    ]
    _FAIL(connection, rows)
    return failures


def _are_counted(connection: Connection, failures: Mapping[str, int]) -> bool:
    if not failures:
        return True
    found = {event_id: attempts for event_id, _, attempts in _STATES(connection, ids=list(failures))}
    return found == failures
