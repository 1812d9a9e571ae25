"""The statements of one way out of the outbox: what waits, what has failed, and what is set aside."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, Delete, Table, Update, bindparam, delete, func, select, update

from stagedoor.adapters.sql.bulk import Bulk
from stagedoor.adapters.sql.driver import Row
from stagedoor.adapters.sql.sized import SizedQuery, SizedWrite, listed
from stagedoor.adapters.sql.tables import broker_outbox, outbox
from stagedoor.kernel.clock import Instant, later
from stagedoor.kernel.ids import EventId
from stagedoor.outbox.model import ATTEMPTS_MAX, OutboxState, ParkedRecord, retry_after_ms

FAILURE_LENGTH_MAX = 500

_WAITING = OutboxState.WAITING.value
_PARKED = OutboxState.PARKED.value


class Queue:
    """
    What waits in *table*, whose rows have their event's id, subject, state and attempts.

    *taken* is done to the rows that have left, those of the parameter `ids` that still wait.
    """

    def __init__(self, table: Table, taken: Update | Delete) -> None:
        """Make the statements; each is compiled once a dialect, when it is first run."""
        its = table.c
        record = select(its.sequence, its.event_id, its.subject_id, outbox.c.type, outbox.c.payload, its.attempts)
        if table is not outbox:
            record = record.join_from(table, outbox, its.event_id == outbox.c.event_id)
        # What has failed and is not due yet holds up its subject, and nothing else.
        held_up = select(its.subject_id).where(
            its.state == _WAITING, its.attempts > 0, its.next_attempt_at > bindparam("at")
        )
        oldest = record.where(its.state == _WAITING, its.subject_id.not_in(held_up))
        oldest = oldest.order_by(its.sequence).limit(bindparam("at_most"))
        self._new = SizedQuery(oldest.where(its.attempts == 0))
        self._due_again = SizedQuery(oldest.where(its.attempts > 0, its.next_attempt_at <= bindparam("at")))
        self._take = SizedWrite(taken, "ids")
        self._states = SizedQuery(
            select(its.event_id, its.state, its.attempts).where(its.event_id.in_(listed("ids"))), "ids"
        )
        self._count = select(func.count()).select_from(table).where(its.state == bindparam("in_state"))
        self._fail = Bulk.change(
            {
                "new_state": its.state,
                "new_attempts": its.attempts,
                "due_at": its.next_attempt_at,
                "cause": its.failure,
                "failed_id": its.event_id,
            },
            lambda given: (
                update(table)
                .where(its.event_id == given["failed_id"])
                .values(
                    state=given["new_state"],
                    attempts=given["new_attempts"],
                    next_attempt_at=given["due_at"],
                    failure=given["cause"],
                )
            ),
        )
        parked = select(its.event_id, outbox.c.type, its.subject_id, its.attempts, its.failure)
        if table is not outbox:
            parked = parked.join_from(table, outbox, its.event_id == outbox.c.event_id)
        self._parked = parked.where(its.state == _PARKED).order_by(its.sequence).limit(bindparam("at_most"))
        self._send_again = SizedWrite(
            update(table)
            .where(its.event_id.in_(listed("ids")), its.state + 0 == _PARKED)
            .values(state=_WAITING, attempts=0, next_attempt_at=bindparam("at")),
            "ids",
        )

    def waiting(self, connection: Connection, *, limit: int, at: Instant) -> Sequence[Row]:
        """Return the oldest rows to be sent, in order: sequence, event id, subject, type, payload, attempts."""
        rows = [*self._new(connection, at=at, at_most=limit), *self._due_again(connection, at=at, at_most=limit)]
        # By their sequence, which no two share.
        rows.sort()
        return rows[:limit]

    def take(self, connection: Connection, ids: Sequence[EventId], at: Instant) -> None:
        """Record that these have left."""
        self._take(connection, ids=list(ids), at=at)

    def none_waits(self, connection: Connection, ids: Sequence[EventId]) -> bool:
        """Tell whether none of these waits any more."""
        return all(state != _WAITING for _, state, _ in self._states(connection, ids=list(ids)))

    def count(self, connection: Connection, state: OutboxState) -> int:
        """Count the rows in *state*."""
        return connection.scalar(self._count, {"in_state": state.value}) or 0

    def fail(self, connection: Connection, ids: Sequence[EventId], at: Instant, cause: str) -> Mapping[str, int]:
        """Count one more attempt of each that waits; park what has had all of them. Return the attempts by event id."""
        failures = {
            event_id: attempts + 1
            for event_id, state, attempts in self._states(connection, ids=list(ids))
            if state == _WAITING
        }
        rows = [
            (
                _PARKED if attempts >= ATTEMPTS_MAX else _WAITING,
                attempts,
                later(at, retry_after_ms(attempts)),
                cause[:FAILURE_LENGTH_MAX],
                event_id,
            )
            for event_id, attempts in failures.items()
        ]
        self._fail(connection, rows)
        return failures

    def are_counted(self, connection: Connection, failures: Mapping[str, int]) -> bool:
        """Tell whether *failures*, as `fail` returned them, are what is stored."""
        if not failures:
            return True
        found = {event_id: attempts for event_id, _, attempts in self._states(connection, ids=list(failures))}
        return found == failures

    def parked(self, connection: Connection, limit: int) -> Sequence[ParkedRecord]:
        """Return the oldest parked rows."""
        return [
            ParkedRecord(
                event_id=EventId(event_id), name=name, subject_id=subject_id, attempts=attempts, failure=failure or ""
            )
            for event_id, name, subject_id, attempts, failure in connection.execute(self._parked, {"at_most": limit})
        ]

    def send_again(self, connection: Connection, ids: Sequence[EventId], at: Instant) -> Sequence[EventId]:
        """Let those of *ids* that are parked wait again, and return them."""
        found = self._states(connection, ids=list(ids))
        parked = [EventId(event_id) for event_id, state, _ in found if state == _PARKED]
        if parked:
            self._send_again(connection, ids=parked, at=at)
        return parked


# By id. As a plain column the state would tempt SQLite to walk through everything that waits instead.
LINE = Queue(
    outbox,
    update(outbox)
    .where(outbox.c.event_id.in_(listed("ids")), outbox.c.state + 0 == _WAITING)
    .values(state=OutboxState.PUBLISHED.value, published_at=bindparam("at")),
)

BROKER = Queue(
    broker_outbox,
    delete(broker_outbox).where(broker_outbox.c.event_id.in_(listed("ids")), broker_outbox.c.state + 0 == _WAITING),
)
