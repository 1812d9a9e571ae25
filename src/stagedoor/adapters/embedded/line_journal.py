"""
The line's journal: what one mutation changes is written in one transaction, set by set.

Every statement names exactly the rows it changes; a count that differs means
that memory and journal have parted, which is a defect: nothing is kept then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import Connection

from stagedoor.adapters.embedded.line_keys import key_is_written, write_keys
from stagedoor.adapters.line_keys import KeyScope, StoredKey
from stagedoor.adapters.sql import audit
from stagedoor.adapters.sql.forgotten import Forgotten, note_forgotten
from stagedoor.adapters.sql.lanes import Step
from stagedoor.kernel.clock import Instant
from stagedoor.kernel.errors import TurnedAway
from stagedoor.kernel.ids import RoomId
from stagedoor.operators.model import AuditEntry
from stagedoor.waiting_room.changes import Change
from stagedoor.waiting_room.model import EndCause, PlaceState

Row = tuple[object, ...]

_JOIN = (
    "INSERT INTO place (room_id, number, buyer_id, living_buyer_id, state, counts, joined_at, token_expires_at) "
    "VALUES (?, ?, ?, ?, ?, 1, ?, ?)"
)
_END = (
    "UPDATE place SET state = ?, end_cause = ?, ended_at = ?, counts = 0, living_buyer_id = NULL "
    "WHERE room_id = ? AND number = ? AND ended_at IS NULL"
)
_LEAVE_THE_LINE = "UPDATE place SET state = ?, counts = 0 WHERE room_id = ? AND number = ? AND ended_at IS NULL"
_LET_IN = (
    "INSERT INTO admission_pass (room_id, number, returner, admitted_at, max_active, rate, session_ends_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_LET_OUT = "UPDATE admission_pass SET ended_at = ?, end_cause = ? WHERE room_id = ? AND number = ? AND ended_at IS NULL"
_MARK_AWAY = "UPDATE place SET counts = 0 WHERE room_id = ? AND number = ? AND counts = 1"
_ENTER = "UPDATE admission_pass SET entered_at = ? WHERE room_id = ? AND number = ? AND ended_at IS NULL"
_FORGET = "DELETE FROM place WHERE room_id = ? AND number = ? AND ended_at IS NOT NULL"
_FORGET_PASSES = "DELETE FROM admission_pass WHERE room_id = ? AND number = ?"
_MARK = (
    "INSERT INTO line_mark (room_id, last_number, serving_number) VALUES (?, ?, ?) "
    "ON CONFLICT (room_id) DO UPDATE SET last_number = excluded.last_number, serving_number = excluded.serving_number"
)


class Overtaken(TurnedAway):
    """
    Something came between a plan and its commit, so that it has to be planned again.

    We turn back here, and not the database: its breaker must not count it.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """What one mutation makes durable: a change a room, the keys of the requests, and what operators did."""

    at: Instant
    changes: Mapping[RoomId, Change]
    keys: dict[KeyScope, StoredKey] = field(default_factory=dict)
    audited: Sequence[AuditEntry] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not self.keys and not self.audited and not any(change.is_durable for change in self.changes.values())

    def write(self, connection: Connection) -> Step[bool]:
        """
        Write it in the transaction open on *connection*; return what can later tell whether that was committed.

        Raises `Overtaken` if it was planned on what is no longer so.
        """
        proof: Step[bool] | None = None
        for room_id, change in self.changes.items():
            if change.is_durable:
                _write_change(connection, room_id, change)
                proof = _proof_of(room_id, change)
        if self.keys:
            if not write_keys(connection, self.keys, self.at):
                raise Overtaken("keys were stored since this was planned")
            proof = partial(key_is_written, scope=next(iter(self.keys)), at=self.at)
        for entry in self.audited:
            proof = partial(audit.is_written, audit_id=audit.append(connection, entry), entry=entry)
        assert proof is not None
        return proof


def _write_change(connection: Connection, room_id: RoomId, change: Change) -> None:
    at = change.at

    def write(statement: str, rows: Sequence[Row], *, exactly: bool = True) -> None:
        if rows:
            written = connection.exec_driver_sql(statement, list(rows)).rowcount
            assert not exactly or written == len(rows), (statement, written, len(rows))

    write(_ENTER, [(entered_at, room_id, number) for number, entered_at in change.entered])
    write(_END, [(state, cause, at, room_id, number) for number, state, cause, _ in change.ended])
    write(_LET_OUT, [(at, cause, room_id, number) for number, _, cause, had_pass in change.ended if had_pass])
    write(_LET_OUT, [(at, EndCause.ENTRY_NOT_TAKEN, room_id, number) for number in change.not_taken])
    passed_over = (*change.not_taken, *change.passed_over)
    write(_LEAVE_THE_LINE, [(PlaceState.PASSED_OVER, room_id, number) for number in passed_over])
    write(_MARK_AWAY, [(room_id, number) for number in change.away])
    if change.terms is not None:
        figures = (at, change.terms.max_active, change.terms.rate, change.terms.session_ends_at)
        write(_LEAVE_THE_LINE, [(PlaceState.ADMITTED, room_id, admission.number) for admission in change.admitted])
        write(_LET_IN, [(room_id, number, returner, *figures) for number, returner, _ in change.admitted])
    write(
        _JOIN,
        [
            (room_id, number, buyer_id, buyer_id, PlaceState.WAITING, at, token_expires_at)
            for number, buyer_id, token_expires_at in change.joined
        ],
    )
    forgotten = [(room_id, number) for number in change.forgotten]
    write(_FORGET, forgotten)
    write(_FORGET_PASSES, forgotten, exactly=False)
    if change.forgotten_until is not None:
        note_forgotten(connection, Forgotten.PLACES, change.forgotten_until)
    write(_MARK, [(room_id, change.last_number, change.serving_number)])


def _is_found(connection: Connection, *, query: str, of: Row) -> bool:
    return connection.exec_driver_sql(query, of).first() is not None


def _proof_of(room_id: RoomId, change: Change) -> Step[bool]:
    """Return what tells whether *change* is in the journal: by one of its rows, for all were written together."""
    place = "SELECT 1 FROM place WHERE room_id = ? AND number = ?"
    of: Row
    if change.joined:
        query, of = place, (change.joined[0].number,)
    elif change.ended:
        query, of = f"{place} AND ended_at IS NOT NULL", (change.ended[0].number,)
    elif change.admitted:
        query, of = f"{place} AND state = {PlaceState.ADMITTED:d}", (change.admitted[0].number,)
    elif out := (*change.not_taken, *change.passed_over):
        query, of = f"{place} AND state = {PlaceState.PASSED_OVER:d}", (out[0],)
    elif change.away:
        query, of = f"{place} AND counts = 0", (change.away[0],)
    elif change.entered:
        query = "SELECT 1 FROM admission_pass WHERE room_id = ? AND number = ? AND entered_at = ?"
        of = change.entered[0]
    else:
        query, of = f"SELECT 1 WHERE NOT EXISTS ({place})", (change.forgotten[0],)
    return partial(_is_found, query=query, of=(room_id, *of))
