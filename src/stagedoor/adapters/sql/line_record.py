"""The record of a line whose store is elsewhere: how far it may have gone, who was let in, and who is through."""

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection, Table, Update, bindparam, delete, func, insert, select, update

from stagedoor.adapters.sql.bulk import Bulk, BulkQuery, Given
from stagedoor.adapters.sql.dialect import OPEN_LINE_ONCE
from stagedoor.adapters.sql.forgotten import Forgotten, note_forgotten
from stagedoor.adapters.sql.lanes import Lanes, Step, asked_among_writes
from stagedoor.adapters.sql.tables import admission_pass, closed_place, hold, line_mark, line_reserve, place
from stagedoor.holds.model import HoldState
from stagedoor.kernel.clock import Instant
from stagedoor.kernel.ids import BuyerId, RoomId
from stagedoor.waiting_room.changes import Change, NewPlace
from stagedoor.waiting_room.line_record import LineRecord, Marks, RecordedPlace, RecordedRoom, Superseded
from stagedoor.waiting_room.model import EndCause, PlaceState
from stagedoor.waiting_room.restoring import StoredPass

_ROWS_AT_ONCE = 1_000
_ProofOf = Callable[[Marks], Step[bool]]
_FIRST = Marks(epoch=1, numbers_until=1, told_ms=0, position=0)


class SqlLineRecord(LineRecord):
    """The record beside the sale, in the same database."""

    def __init__(self, lanes: Lanes) -> None:
        """Write through *lanes*."""
        self._lanes = lanes

    async def open(self, room_id: RoomId, *, server: str, held_epoch: int | None, lost_epoch: int | None) -> Marks:
        """Return the room's marks in the store *server*, and begin a new epoch where that one is not the last one."""

        def write(connection: Connection) -> Marks:
            found = connection.execute(_MARKS_LOCKED, {"room": room_id}).first()
            if found is None:
                # Processes that start together all find nothing; the row is made once, and the others read it.
                OPEN_LINE_ONCE(connection, [(room_id, server, *_FIRST)])
                found = connection.execute(_MARKS_LOCKED, {"room": room_id}).one()
            marks = Marks(found.epoch, found.numbers_until, found.told_ms, found.position)
            if found.server == server and marks.epoch != lost_epoch:
                return marks
            if found.server != server and held_epoch is not None and marks.epoch > held_epoch:
                raise Superseded("the line has gone on in another store than the one that was left for it")
            # Before its log there is what it begins with, at position 0.
            marks = marks._replace(epoch=marks.epoch + 1, position=-1)
            values = {"epoch": marks.epoch, "position": marks.position, "server": server}
            connection.execute(update(line_reserve).where(line_reserve.c.room_id == room_id).values(**values))
            _record_closed(connection, room_id)
            return marks

        found = await self._lanes.reading(lambda connection: connection.execute(_MARKS, {"room": room_id}).first())
        if found is not None and found.server == server and found.epoch != lost_epoch:
            return Marks(found.epoch, found.numbers_until, found.told_ms, found.position)
        return await self._write(write, proof=lambda marks: _is_begun(room_id, marks, server))

    async def confirm(self, room_id: RoomId, *, epoch: int) -> None:
        """Return if *epoch* is still the present one."""
        # Nobody is let in without that, and of each the record is written.
        found = await asked_among_writes(self._lanes, lambda c: c.execute(_MARKS, {"room": room_id}).one())
        _refuse_unless(found.epoch, epoch)

    async def reserve(self, room_id: RoomId, *, epoch: int, numbers_until: int, told_ms: int) -> Marks:
        """Raise the marks to these at least."""

        def write(connection: Connection) -> Marks:
            marks = _marks_of(epoch, connection, room_id)
            marks = marks._replace(
                numbers_until=max(numbers_until, marks.numbers_until), told_ms=max(told_ms, marks.told_ms)
            )
            values = {"numbers_until": marks.numbers_until, "told_ms": marks.told_ms}
            connection.execute(update(line_reserve).where(line_reserve.c.room_id == room_id).values(**values))
            return marks

        return await self._write(write, proof=lambda marks: _is_reserved(room_id, marks))

    async def write(
        self,
        room_id: RoomId,
        *,
        epoch: int,
        changes: Sequence[tuple[int, Change]],
        places: Mapping[int, NewPlace],
        session_ends: Mapping[int, Instant],
    ) -> None:
        """Record whom *changes* admitted and ended, and when sessions end that were moved."""

        def write(connection: Connection) -> Marks:
            marks = _marks_of(epoch, connection, room_id)
            # A leader that has just been followed may still write; whoever follows has found the same in the log.
            new = [change for at, change in changes if at > marks.position]
            if not new:
                return marks
            for change in new:
                _write_change(connection, room_id, change, places)
            _MOVE(connection, [(room_id, number, at) for number, at in session_ends.items()])
            serving = max(change.serving_number for change in new)
            position = changes[-1][0]
            _write_serving(connection, room_id, serving, last_number=marks.numbers_until - 1)
            values = {"position": position}
            connection.execute(update(line_reserve).where(line_reserve.c.room_id == room_id).values(**values))
            return marks._replace(position=position)

        await self._write(write, proof=lambda marks: _is_written(room_id, marks))

    async def read(self, room_id: RoomId) -> RecordedRoom:
        """Return what is recorded of the room."""
        return await self._lanes.reading(lambda connection: _read(connection, room_id))

    async def _write(self, write: Step[Marks], *, proof: _ProofOf) -> Marks:
        async with self._lanes.writing() as transaction:
            marks = await transaction.run(write)
            await transaction.commit(proof=proof(marks))
            return marks


_MARKS = select(line_reserve).where(line_reserve.c.room_id == bindparam("room"))
_MARKS_LOCKED = _MARKS.with_for_update()


def _marks_of(epoch: int, connection: Connection, room_id: RoomId) -> Marks:
    """Return the marks of *epoch*, and lock them. Raises `Superseded` where that is not the present one."""
    found = connection.execute(_MARKS_LOCKED, {"room": room_id}).one()
    _refuse_unless(found.epoch, epoch)
    return Marks(found.epoch, found.numbers_until, found.told_ms, found.position)


def _refuse_unless(present: int, epoch: int) -> None:
    if present != epoch:
        raise Superseded(f"the line is in epoch {present} by now, and not in {epoch}")


def _changing(table: Table, *names: str) -> Bulk:
    """Return what writes *names* of rows of *table* that have not ended, each in its own way."""

    def change(given: Given) -> Update:
        # By number. As a plain column, the end would tempt PostgreSQL to walk through all that have none.
        has_not_ended = (table.c.ended_at + 0).is_(None)
        runs = (table.c.room_id == given["room_id"], table.c.number == given["number"], has_not_ended)
        return update(table).where(*runs).values({name: given[name] for name in names})

    return Bulk.change({name: table.c[name] for name in ("room_id", "number", *names)}, change)


# One statement for many numbers each: on a server every statement is a journey, and others wait for the room's row.
_STAND = _changing(place, "state")
_END = _changing(place, "state", "ended_at", "end_cause")
_LET_OUT = _changing(admission_pass, "ended_at", "end_cause")
_MOVE = _changing(admission_pass, "session_ends_at")
_ENTER = _changing(admission_pass, "entered_at")
_KNOWN = BulkQuery(
    {"room_id": place.c.room_id, "number": place.c.number},
    lambda given: select(place.c.number).where(place.c.room_id == given["room_id"], place.c.number == given["number"]),
)


def _write_change(connection: Connection, room_id: RoomId, change: Change, places: Mapping[int, NewPlace]) -> None:
    """Write one change."""
    ended = [number for number, *_ in change.ended]
    admitted = [number for number, *_ in change.admitted]
    known = {number for (number,) in _KNOWN(connection, [(room_id, number) for number in {*ended, *admitted}])}
    new = [places[number] for number in dict.fromkeys((*admitted, *ended)) if number not in known and number in places]
    if new:
        connection.execute(insert(place), [_place_row(room_id, one, change.at) for one in new])
    _ENTER(connection, [(room_id, number, at) for number, at in dict(change.entered).items()])
    _END(
        connection, [(room_id, number, state.value, change.at, cause.value) for number, state, cause, _ in change.ended]
    )
    _LET_OUT(connection, [(room_id, number, change.at, cause.value) for number, _, cause, _ in change.ended])
    not_taken = EndCause.ENTRY_NOT_TAKEN.value
    _LET_OUT(connection, [(room_id, number, change.at, not_taken) for number in change.not_taken])
    _STAND(connection, [(room_id, number, PlaceState.PASSED_OVER.value) for number in change.not_taken])
    if admitted:
        assert change.terms is not None
        terms = change.terms
        _STAND(connection, [(room_id, number, PlaceState.ADMITTED.value) for number in admitted])
        connection.execute(
            insert(admission_pass),
            [
                {
                    "room_id": room_id,
                    "number": number,
                    "returner": returner,
                    "admitted_at": change.at,
                    "max_active": terms.max_active,
                    "rate": terms.rate,
                    "session_ends_at": terms.session_ends_at,
                }
                for number, returner, _ in change.admitted
            ],
        )
    if change.forgotten:
        _forget(connection, room_id, change)


def _place_row(room_id: RoomId, one: NewPlace, at: Instant) -> Mapping[str, object]:
    # One living place a buyer is the line's business; here a newer one may be written before the end of the old.
    return {
        "room_id": room_id,
        "number": one.number,
        "buyer_id": one.buyer_id,
        "living_buyer_id": None,
        "state": PlaceState.WAITING.value,
        "counts": False,
        "joined_at": at,
        "token_expires_at": one.token_expires_at,
    }


def _forget(connection: Connection, room_id: RoomId, change: Change) -> None:
    for start in range(0, len(change.forgotten), _ROWS_AT_ONCE):
        some = change.forgotten[start : start + _ROWS_AT_ONCE]
        for table in (place, admission_pass):
            connection.execute(delete(table).where(table.c.room_id == room_id, table.c.number.in_(some)))
    assert change.forgotten_until is not None
    note_forgotten(connection, Forgotten.PLACES, change.forgotten_until)


def _write_serving(connection: Connection, room_id: RoomId, serving: int, *, last_number: int) -> None:
    before = connection.execute(select(line_mark).where(line_mark.c.room_id == room_id)).first()
    if before is None:
        connection.execute(insert(line_mark).values(room_id=room_id, serving_number=serving, last_number=last_number))
        return
    values = {"serving_number": max(serving, before.serving_number), "last_number": last_number}
    connection.execute(update(line_mark).where(line_mark.c.room_id == room_id).values(**values))


def _is_begun(room_id: RoomId, marks: Marks, server: str) -> Step[bool]:
    def is_begun(connection: Connection) -> bool:
        found = connection.execute(_MARKS, {"room": room_id}).first()
        return found is not None and found.epoch == marks.epoch and found.server == server

    return is_begun


def _is_reserved(room_id: RoomId, marks: Marks) -> Step[bool]:
    def is_reserved(connection: Connection) -> bool:
        found = connection.execute(_MARKS, {"room": room_id}).first()
        return found is not None and found.numbers_until >= marks.numbers_until and found.told_ms >= marks.told_ms

    return is_reserved


def _is_written(room_id: RoomId, marks: Marks) -> Step[bool]:
    def is_written(connection: Connection) -> bool:
        found = connection.execute(_MARKS, {"room": room_id}).first()
        # In a later epoch nobody knows: a no leads to another attempt, which is told that it is over.
        return found is not None and found.epoch == marks.epoch and found.position >= marks.position

    return is_written


def _read(connection: Connection, room_id: RoomId) -> RecordedRoom:
    places = connection.execute(select(place).where(place.c.room_id == room_id).order_by(place.c.number))
    passes = connection.execute(
        select(admission_pass)
        .where(admission_pass.c.room_id == room_id, admission_pass.c.ended_at.is_(None))
        .order_by(admission_pass.c.sequence)
    )
    last = connection.scalar(select(func.max(admission_pass.c.admitted_at)).where(admission_pass.c.room_id == room_id))
    serving: int | None = connection.scalar(select(line_mark.c.serving_number).where(line_mark.c.room_id == room_id))
    return RecordedRoom(
        places=[
            RecordedPlace(
                NewPlace(row.number, BuyerId(row.buyer_id), Instant(row.token_expires_at)),
                PlaceState(row.state),
                None if row.ended_at is None else Instant(row.ended_at),
            )
            for row in places
        ],
        closed=_closed(connection, room_id),
        passes=[
            StoredPass(
                number=row.number,
                admitted_at=Instant(row.admitted_at),
                session_ends_at=Instant(row.session_ends_at),
                entered_at=None if row.entered_at is None else Instant(row.entered_at),
            )
            for row in passes
        ],
        serving_number=serving or 0,
        last_admitted_at=None if last is None else Instant(last),
    )


def _record_closed(connection: Connection, room_id: RoomId) -> None:
    """Record the ends that the sale knows of and that were lost with the line's store, before anybody told of them."""
    ends = {PlaceState.DONE: EndCause.PAID.value, PlaceState.EXPIRED: EndCause.LEFT.value}
    closed_at = select(closed_place.c.place_number, closed_place.c.closed_at).where(closed_place.c.room_id == room_id)
    at = {row.place_number: row.closed_at for row in connection.execute(closed_at)}
    closed = [(number, state) for number, state in _closed(connection, room_id) if number in at]
    for start in range(0, len(closed), _ROWS_AT_ONCE):
        some = closed[start : start + _ROWS_AT_ONCE]
        _END(connection, [(room_id, n, state.value, at[n], ends[state]) for n, state in some])
        _LET_OUT(connection, [(room_id, n, at[n], ends[state]) for n, state in some])


def _closed(connection: Connection, room_id: RoomId) -> Sequence[tuple[int, PlaceState]]:
    """Return the places that are over in the sale: used up where something was bought under them, else left."""
    paid = frozenset(
        connection.scalars(
            select(hold.c.place_number)
            .where(hold.c.room_id == room_id, hold.c.state == HoldState.PAID.value)
            .distinct()
        )
    )
    closed = connection.scalars(select(closed_place.c.place_number).where(closed_place.c.room_id == room_id))
    return [(number, PlaceState.DONE if number in paid else PlaceState.EXPIRED) for number in closed]
