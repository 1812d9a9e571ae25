"""The line's invariants, on the rows of its journal."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, text

from stagedoor.adapters.sql.forgotten import Forgotten, forgotten_until
from stagedoor.kernel.clock import SECOND_MS, Instant, later
from stagedoor.kernel.ids import QueueNumber, RoomId
from stagedoor.observability.invariants import (
    Finding,
    PassRow,
    check_admission_order,
    check_overlap,
    check_rate,
    check_skipped,
    finding,
)
from stagedoor.waiting_room.model import PlaceState

_PASSES = """
    SELECT sequence, room_id, number, returner, admitted_at, ended_at, max_active, rate
    FROM admission_pass
    ORDER BY sequence
"""

_TWICE_LIVING = """
    SELECT room_id, buyer_id, COUNT(*) FROM place WHERE state <= :last_living
    GROUP BY room_id, buyer_id HAVING COUNT(*) > 1
"""

_TOLD_BUT_LIVING = """
    SELECT c.room_id, c.place_number
    FROM closed_place c
    JOIN place p ON p.room_id = c.room_id AND p.number = c.place_number
    WHERE p.state <= :last_living AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.state <> :published)
    AND (c.closed_at <= :recorded_by OR NOT EXISTS (SELECT 1 FROM line_reserve r WHERE r.room_id = c.room_id))
"""

RECORDED_WITHIN_MS = 5 * SECOND_MS
"""A line on Redis is recorded here a moment after it was told."""


_CLOSED_AND_KNOWN = """
    SELECT COUNT(*) FROM closed_place c JOIN place p ON p.room_id = c.room_id AND p.number = c.place_number
"""


def check_line(connection: Connection, values: Mapping[str, int], *, now: Instant) -> Iterator[Finding]:
    """Check places and passes as of *now*; *values* has `last_living` and `published`."""
    values = {**values, "recorded_by": later(now, -RECORDED_WITHIN_MS)}
    living: int | None = connection.scalar(text("SELECT COUNT(*) FROM place WHERE state <= :last_living"), values)
    yield finding(
        "one-living-place",
        "A buyer has at most one living place in a room.",
        checked=living or 0,
        violations=[
            f"room {room_id}: buyer {buyer_id} has {count}"
            for room_id, buyer_id, count in connection.execute(text(_TWICE_LIVING), values)
        ],
    )
    closed: int | None = connection.scalar(text(_CLOSED_AND_KNOWN))
    yield finding(
        "line-was-told",
        "When nothing is left to be told, a place that is over in the sale is over in the line.",
        checked=closed or 0,
        violations=[
            f"room {room_id}: number {number}" for room_id, number in connection.execute(text(_TOLD_BUT_LIVING), values)
        ],
    )
    passes = [
        PassRow(
            sequence=sequence,
            room_id=RoomId(room_id),
            number=QueueNumber(number),
            returner=bool(returner),
            admitted_at=Instant(admitted_at),
            ended_at=None if ended_at is None else Instant(ended_at),
            max_active=max_active,
            rate=rate,
        )
        for sequence, room_id, number, returner, admitted_at, ended_at, max_active, rate in connection.execute(
            text(_PASSES)
        )
    ]
    # A forgotten place took its pass with it, and was over by then: from there on no pass is missing.
    whole_since = forgotten_until(connection, Forgotten.PLACES)
    yield check_overlap(passes, whole_since=whole_since)
    yield check_admission_order(passes)
    yield check_skipped(_waiting(connection), passes, _serving(connection))
    yield check_rate(passes, whole_since=whole_since)


def _serving(connection: Connection) -> Mapping[RoomId, QueueNumber]:
    rows = connection.execute(text("SELECT room_id, serving_number FROM line_mark"))
    return {RoomId(room_id): QueueNumber(number) for room_id, number in rows}


def _waiting(connection: Connection) -> Mapping[RoomId, list[QueueNumber]]:
    waiting: defaultdict[RoomId, list[QueueNumber]] = defaultdict(list)
    rows = connection.execute(
        text("SELECT room_id, number FROM place WHERE state = :waiting ORDER BY room_id, number"),
        {"waiting": PlaceState.WAITING.value},
    )
    for room_id, number in rows:
        waiting[RoomId(room_id)].append(QueueNumber(number))
    return waiting
