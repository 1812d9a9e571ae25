"""What the process does that leads a room: it plans turns, writes the record, and makes checkpoints."""

import contextlib
import secrets
from collections.abc import Sequence

import structlog

from stagedoor.adapters.redis import checkpoints, log_entries
from stagedoor.adapters.redis.checkpoints import CheckpointGone
from stagedoor.adapters.redis.client import StoreLost
from stagedoor.adapters.redis.line_store import LEASE_MS, Seen, Status
from stagedoor.adapters.redis.log_entries import Changed, UsedUp
from stagedoor.adapters.redis.replica import Replica, recorded_numbers
from stagedoor.adapters.redis.room_line import ATTEMPTS, RoomLine
from stagedoor.adapters.redis.unrecorded import unrecorded
from stagedoor.kernel.clock import Clock, Instant
from stagedoor.kernel.errors import Fault, Overloaded
from stagedoor.kernel.ids import RoomId
from stagedoor.waiting_room.admission_rate import AdmissionRate
from stagedoor.waiting_room.changes import Change, Ending
from stagedoor.waiting_room.line_record import LineRecord, Superseded
from stagedoor.waiting_room.model import EndCause, PlaceState
from stagedoor.waiting_room.ports import Turn, TurnReport

log = structlog.get_logger(__name__)

CHECKPOINT_EVERY = 50_000
"""So many changes a new process may have to read; with a long line a quarter of it."""

CONFIRM_EVERY_MS = 500
"""Whoever is left behind by the others, on a store that only it still reaches, knows it after so long."""

RECORDED_AT_ONCE = 100
"""So many changes are recorded in one transaction, which others of the room wait for."""


class Leading:
    """
    Leads each room that nobody else leads: whoever holds its lease, under a fence that rises with every holder.

    *candidate* names this process, *own_clock* is its own, which never stands still.
    """

    def __init__(self, record: LineRecord, *, candidate: str, own_clock: Clock) -> None:
        """Lead nothing yet."""
        self._record = record
        self.candidate = candidate
        self._own_clock = own_clock
        self._fences: dict[RoomId, tuple[int, int]] = {}
        self._read_at: dict[RoomId, Instant] = {}
        self._confirmed_at: dict[RoomId, Instant] = {}

    def leads(self, room_id: RoomId) -> bool:
        """Say whether this process led the room when it last looked."""
        return room_id in self._fences

    def was_read_within(self, line: RoomLine, ms: int) -> bool:
        """Say whether the line is as it was read less than *ms* ago, when its lease was asked for too."""
        replica = line.replica
        if replica is None or line.is_stale or line.owed or not line.goes_on_from(replica):
            return False
        return self._is_within(ms, self._read_at.get(line.room.id))

    @staticmethod
    def only_elapse(line: RoomLine, turn: Turn) -> None:
        """Note what time has passed in a room that somebody else leads, and that was read a moment ago."""
        replica, now = line.replica, line.now()
        assert replica is not None
        replica.room = turn.room
        replica.line.elapse(turn.room, seats_free=turn.seats_free and now >= replica.admits_from, now=now)

    async def turn(self, line: RoomLine, turn: Turn) -> TurnReport:
        """Take the turn, or, where another process leads, note what time has passed. Raises `Fault`."""
        room = turn.room
        await self.confirm(line)
        with contextlib.suppress(Fault):
            # If that is how it is, the turn itself will find out.
            await line.flush()
        if line.replica is not None and self.leads(room.id):
            # What was admitted before is on record before anybody else is.
            await self.write_record(line)
        try:
            change = await line.alone(lambda: self._turn(line, turn))
            if change is not None:
                await self._keep(line)
        finally:
            line.tell_decided()
        return TurnReport(
            room_id=room.id,
            admitted=0 if change is None else len(change.admitted),
            passed_over=0 if change is None else len(change.passed_over) + len(change.not_taken),
            ended=0 if change is None else len(change.ended),
        )

    async def _keep(self, line: RoomLine) -> None:
        """Record what the turn has come to, before anybody is told of it where that can be; raises `Superseded`."""
        try:
            await self.write_record(line)
            await self._make_checkpoint(line)
        except Superseded:
            raise
        except Fault as fault:
            # It stands in the log, and is recorded before there is another turn.
            log.info("line.not_recorded", room=line.room.id, cause=str(fault))

    async def confirm(self, line: RoomLine) -> None:
        """
        Ask the record whether the line is in its present epoch, if that was not done a moment ago.

        Raises `StoreLost` or `Superseded`; nothing where the record is out of
        reach: nobody can begin another epoch then.
        """
        if self._is_within(CONFIRM_EVERY_MS, self._confirmed_at.get(line.room.id)):
            return
        try:
            await self._confirm(line)
        except (StoreLost, Superseded):
            raise
        except Fault as fault:
            log.info("line.not_confirmed", room=line.room.id, cause=str(fault))

    async def lead(self, line: RoomLine) -> int:
        """
        Take the lease or keep it; return the fence, 0 where somebody else leads. Raises `Fault`.

        Whoever cannot `confirm` can let nobody in, and leaves the lease to those who can.
        """
        asked_at = self._own_clock.now()
        is_confirmed = self._is_within(LEASE_MS, self._confirmed_at.get(line.room.id))
        tail = await line.catch_up(candidate=self.candidate if is_confirmed else "")
        self._read_at[line.room.id] = asked_at
        replica = await line.opened()
        held = (replica.epoch, tail.fence)
        if not tail.fence:
            self._fences.pop(line.room.id, None)
            replica.applied = None
        elif self._has_to_begin(replica, held):
            # Nobody writes the record before it is known what the last leader left out: what comes later in the log
            # would be taken for all there is.
            async with line.recording:
                if self._has_to_begin(replica, held):
                    await self._begin(line, replica)
                    self._fences[line.room.id] = held
                    log.info("line.leading", room=line.room.id, epoch=replica.epoch, fence=tail.fence)
        return tail.fence

    async def _confirm(self, line: RoomLine) -> None:
        await line.confirm()
        self._confirmed_at[line.room.id] = self._own_clock.now()

    def _is_within(self, ms: int, instant: Instant | None) -> bool:
        return instant is not None and self._own_clock.now() - instant < ms

    def _has_to_begin(self, replica: Replica, held: tuple[int, int]) -> bool:
        return self._fences.get(replica.room.id) != held or replica.applied is None

    async def hand_over(self, line: RoomLine) -> None:
        """Record what there is to record, and lead the room no more. Raises `Fault`."""
        held = self._fences.pop(line.room.id, None)
        if held is not None:
            await self.write_record(line)
            await line.store.release(candidate=self.candidate, fence=held[1])

    async def write_record(self, line: RoomLine) -> None:
        """Record what was admitted and has ended since the last time. Raises `Fault`."""
        async with line.recording:
            await self._write_record(line)

    async def _write_record(self, line: RoomLine) -> None:
        replica = await line.opened()
        # A part of it at a time, so that what has gathered in an outage of the database is not tried in vain for ever.
        while changes := replica.applied:
            some = changes[:RECORDED_AT_ONCE]
            numbers = {number for _, change in some for number in recorded_numbers(change)}
            places = {number: place for number in numbers if (place := replica.place(number)) is not None}
            session_ends = dict(replica.moved_sessions)
            writing = self._record.write(
                line.room.id,
                epoch=replica.epoch,
                changes=some,
                places=places,
                session_ends=session_ends,
            )
            await line.recorded(replica, writing)
            del changes[: len(some)]
            for number, ends_at in session_ends.items():
                if replica.moved_sessions.get(number) == ends_at:
                    del replica.moved_sessions[number]

    async def _turn(self, line: RoomLine, turn: Turn) -> Change | None:
        fence = await self.lead(line)
        await line.send_owed()
        replica = await line.opened()
        replica.room = room = turn.room
        is_confirmed = False
        for _ in range(ATTEMPTS):
            if not line.goes_on_from(replica):
                # In another epoch fences begin anew, and this one may fit again: the next turn asks for its own.
                return None
            now = line.now()
            seats_free = turn.seats_free and now >= replica.admits_from
            replica.line.elapse(room, seats_free=seats_free, now=now)
            if not fence:
                return None
            if replica.lost_until and now >= replica.admits_from:
                replica.give_up_lost()
            change = replica.line.plan_turn(room, seats_free=seats_free, now=now)
            if not change.is_durable:
                replica.line.apply(change)
                return change
            if change.admitted and not is_confirmed:
                # Others may lead by now on a store that this process does not reach: they have said so in the record.
                await self._confirm(line)
                is_confirmed = True
                continue
            entry = log_entries.changed(line.request(), change)
            status = await line.turn(replica, entry, candidate=self.candidate, fence=fence)
            if status is Status.OK:
                return change
            if status is Status.FENCED:
                self._fences.pop(room.id, None)
                log.warning("line.turn_refused", room=room.id, fence=fence)
                return None
        raise Overloaded("the line changes faster than a turn can be taken")

    async def _begin(self, line: RoomLine, replica: Replica) -> None:
        """Begin to lead: without what only this process believes, and with what the last one may not have recorded."""
        replica.state.rate = AdmissionRate(replica.state.rate.last_admitted_at)
        applied: list[tuple[int, Change]] = []
        until, replica.applied = replica.position, applied
        replica.moved_sessions = {number: one.session_ends_at for number, one in replica.state.passes.items()}
        try:
            # Meanwhile what is read anew gathers behind that.
            applied[:0] = await self._unrecorded(line, replica, until)
        except BaseException:
            replica.applied = None
            raise

    async def _unrecorded(self, line: RoomLine, replica: Replica, until: int) -> Sequence[tuple[int, Change]]:
        """Return what the log has up to *until* that is not on record. Raises `Fault`."""
        marks = await line.recorded(
            replica,
            self._record.reserve(line.room.id, epoch=replica.epoch, numbers_until=replica.numbers_until, told_ms=0),
        )
        if marks.position < 0 and await self._record_beginning(line, replica):
            marks = marks._replace(position=0)
        found: list[tuple[int, Change]] = []
        after = marks.position
        while after < until:
            tail = await line.store.catch_up(Seen(replica.epoch, after, replica.sign), is_sign_of_life=False)
            if not tail.entries:
                break
            for position, packed in tail.entries:
                if position <= until and (change := _change_in(packed)) is not None:
                    found.append((position, change))
            after = tail.entries[-1][0]
        if marks.position < until:
            # Where sessions end that were moved while nobody recorded it.
            found.append((until, Change(at=line.now(), last_number=0, serving_number=replica.state.serving)))
        return found

    async def _record_beginning(self, line: RoomLine, replica: Replica) -> bool:
        """
        Record what the epoch began with and the record lacks, all of it or nothing; return whether there was any.

        It is taken from the store, as it was at position 0: another leader that does the same then writes the same.
        Raises `Fault`.
        """
        epoch, packed = await line.store.head()
        if epoch != replica.epoch:
            raise StoreLost("the line has begun another epoch")
        now = line.now()
        try:
            # No other one is sealed before this one is on record.
            begun = await checkpoints.loaded(line.store, line.room, epoch=epoch, packed=packed, at=now)
        except CheckpointGone:
            raise StoreLost("the line has begun another epoch") from None
        changes = unrecorded(begun, await self._record.read(line.room.id), now)
        if not changes:
            return False
        numbers = {number for change in changes for number in recorded_numbers(change)}
        writing = self._record.write(
            line.room.id,
            epoch=epoch,
            changes=[(0, change) for change in changes],
            places={number: place for number in numbers if (place := begun.place(number)) is not None},
            session_ends={},
        )
        await line.recorded(replica, writing)
        return True

    async def _make_checkpoint(self, line: RoomLine) -> None:
        replica = await line.opened()
        store = line.store
        if replica.grown < CHECKPOINT_EVERY + len(replica.state.columns) // 4:
            return
        epoch, before = await store.head()
        if epoch != replica.epoch or checkpoints.position_of(before) > replica.position:
            # Another process leads, and has cut the log further on than this one has read.
            return
        if replica.applied is None or replica.applied:
            # What is not on record stands in the log alone; who leads no more does not know what is on record.
            return
        seen, grown = replica.seen, replica.grown
        packed, chunks = checkpoints.taken(replica, name=f"{replica.epoch}:{secrets.token_hex(4)}")
        await checkpoints.write_chunks(store, chunks)
        if await store.seal(seen, packed, chunks=[name for name, _ in chunks], before=before):
            replica.grown -= grown


def _change_in(packed: bytes) -> Change | None:
    entry = log_entries.decode(packed)
    match entry:
        case Changed():
            return log_entries.change_of(entry, last_number=0)
        case UsedUp():
            at = Instant(entry.at)
            ended = tuple(Ending(number, PlaceState.DONE, EndCause.PAID, had_pass=True) for number in entry.numbers)
            return Change(at=at, last_number=0, serving_number=0, ended=ended)
        case _:
            return None
