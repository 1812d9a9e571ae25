"""The journal is read back: a million places in a few seconds, column by column."""

from collections.abc import Sequence
from itertools import pairwise

from sqlalchemy import Connection

from stagedoor.kernel.clock import Instant, Outage
from stagedoor.kernel.ids import RoomId
from stagedoor.waiting_room.columns import Columns
from stagedoor.waiting_room.restoring import StoredLine, StoredPass

_ROWS_AT_ONCE = 20_000


def credit_passes(connection: Connection, outage: Outage) -> int:
    """
    Move the session's end of every running pass later by what *outage* took of it; return how many there are.

    To be called once an outage, in the transaction that notes the outage as credited.
    """
    credited = connection.exec_driver_sql(
        "UPDATE admission_pass SET session_ends_at = session_ends_at + MAX(0, MIN(?, ? - admitted_at)) "
        "WHERE ended_at IS NULL",
        (outage.credited_ms, outage.ended_at),
    )
    return credited.rowcount


def read_lines(connection: Connection, at: Instant) -> Sequence[StoredLine]:
    """Return every line as journaled, each living buyer seen at *at*."""
    marks = connection.exec_driver_sql("SELECT room_id, last_number, serving_number FROM line_mark").all()
    return [
        StoredLine(
            room_id=RoomId(room_id),
            columns=_read_columns(connection, room_id, last_number, at),
            passes=_read_passes(connection, room_id),
            serving_number=serving_number,
            last_admitted_at=_last_admission(connection, room_id),
        )
        for room_id, last_number, serving_number in marks
    ]


def _read_columns(connection: Connection, room_id: str, last_number: int, at: Instant) -> Columns:
    # The driver's own rows: wrapped ones would cost more than everything else together.
    found = connection.exec_driver_sql(
        "SELECT number, buyer_id, state, counts, token_expires_at, COALESCE(ended_at, ?) FROM place "
        "WHERE room_id = ? ORDER BY number",
        (at, room_id),
    ).cursor
    assert found is not None
    columns: Columns | None = None
    while rows := found.fetchmany(_ROWS_AT_ONCE):
        if columns is None:
            columns = Columns(rows[0][0])
        for some in _without_gaps(rows):
            numbers, buyers, states, counting, token_expires_at, seen_at = zip(*some, strict=True)
            columns.add_gap(numbers[0] - columns.last_number - 1)
            columns.add_stored(
                buyers=buyers, states=states, counting=counting, token_expires_at=token_expires_at, seen_at=seen_at
            )
    if columns is None:
        return Columns(last_number + 1)
    columns.add_gap(last_number - columns.last_number)
    columns.count_again()
    return columns


def _without_gaps(rows: Sequence[tuple[int, ...]]) -> Sequence[Sequence[tuple[int, ...]]]:
    """Cut *rows* where numbers are missing: places forgotten in between."""
    if rows[-1][0] - rows[0][0] == len(rows) - 1:
        return [rows]
    cuts = [0, *(i for i in range(1, len(rows)) if rows[i][0] != rows[i - 1][0] + 1), len(rows)]
    return [rows[start:end] for start, end in pairwise(cuts)]


def _read_passes(connection: Connection, room_id: str) -> Sequence[StoredPass]:
    found = connection.exec_driver_sql(
        "SELECT number, admitted_at, session_ends_at, entered_at FROM admission_pass "
        "WHERE ended_at IS NULL AND room_id = ?",
        (room_id,),
    )
    return [
        StoredPass(number=number, admitted_at=admitted_at, session_ends_at=session_ends_at, entered_at=entered_at)
        for number, admitted_at, session_ends_at, entered_at in found
    ]


def _last_admission(connection: Connection, room_id: str) -> Instant | None:
    found = connection.exec_driver_sql("SELECT MAX(admitted_at) FROM admission_pass WHERE room_id = ?", (room_id,))
    last = found.scalar()
    return None if last is None else Instant(last)
