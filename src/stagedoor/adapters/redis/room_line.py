"""One room's line in one process: what it knows of it, and how that gets to the store and back."""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import structlog

from stagedoor.adapters.redis import log_entries
from stagedoor.adapters.redis.client import StoreLost
from stagedoor.adapters.redis.line_clock import LineClock
from stagedoor.adapters.redis.line_store import LogCut, Renewal, RoomStore, Status, Tail
from stagedoor.adapters.redis.log_entries import Changed, GaveBack, Heard, Joins, LogEntry, RequestId, UsedUp
from stagedoor.adapters.redis.opening import Opening
from stagedoor.adapters.redis.replica import EntriesMissing, JoinOutcome, Replica
from stagedoor.adapters.redis.shared import Shared
from stagedoor.adapters.redis.untold_notes import Note, UntoldNotes
from stagedoor.kernel.clock import Instant, Outage, later
from stagedoor.kernel.errors import Fault, Overloaded
from stagedoor.kernel.ids import BuyerId
from stagedoor.waiting_room.changes import NewPlace
from stagedoor.waiting_room.columns import ADMITTED, WAITING
from stagedoor.waiting_room.joining import join_terms
from stagedoor.waiting_room.line_record import LineRecord, Superseded
from stagedoor.waiting_room.model import SignedPlace
from stagedoor.waiting_room.policy import longest_told_ms
from stagedoor.waiting_room.room import Room

T = TypeVar("T")
log = structlog.get_logger(__name__)

Signs = Sequence[tuple[int, int, int]]

NUMBERS_AHEAD = 1_000
"""So many numbers are reserved beyond the last one, at least; twice as many when more are reserved."""

ATTEMPTS = 20

NEAR_MS = 2_000
"""A sign of somebody whose pass, or absence, is about to end is told to the others before she is answered."""


class RoomLine:
    """
    A replica of the line, and the one way in which it is changed: by what comes back from the store.

    `fresh` returns once everything is known that was in the store when it was
    called, `flush` once the others know what was heard here before; both raise
    `Fault`.
    """

    def __init__(self, *, record: LineRecord, opening: Opening, clock: LineClock, room: Room) -> None:
        """Know nothing before `opened`."""
        self._store: RoomStore | None = None
        self._record = record
        self._opening = opening
        self._clock = clock
        self._writer = secrets.randbits(52)
        self._one_at_a_time = asyncio.Lock()
        self._opening_lock = asyncio.Lock()
        self.fresh = Shared(self.catch_up)
        self.flush = Shared(self._flush)
        self._settled = asyncio.Event()
        self._notes = UntoldNotes()
        self.owed: list[Outage] = []
        self.used_up: set[int] = set()
        self.recording = asyncio.Lock()
        self.room = room
        self.replica: Replica | None = None
        self.is_current = False
        self._is_out_of_reach = False
        self._unfounded: frozenset[int] = frozenset()
        self.quiet_since = Instant(0)

    @property
    def is_stale(self) -> bool:
        """Whether what this process knows may be over: the store is out of reach, or has gone on without it."""
        return self._is_out_of_reach or (self.replica is not None and not self.is_current)

    async def alone(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run *work* while nothing else of this process changes the room, and after what is used up has ended."""
        async with self._one_at_a_time:
            await self._end_used_up()
            return await work()

    async def opened(self) -> Replica:
        """Return the replica of the present epoch. Raises `Fault`."""
        if self._is_where_it_was():
            assert self.replica is not None
            return self.replica
        async with self._opening_lock:
            if not self._is_where_it_was():
                self.is_current = False
                was_at = "" if self._store is None else self._store.server
                opening = self._opening.open(self.room, self.replica, was_at=was_at)
                self._take(*await self._heard_from(opening))
            assert self.replica is not None
            return self.replica

    @property
    def store(self) -> RoomStore:
        """The room's part of the store, where it was last `opened`."""
        assert self._store is not None
        return self._store

    def _is_where_it_was(self) -> bool:
        return self.is_current and self._opening.is_at(self.store.server)

    def _take(self, store: RoomStore, replica: Replica) -> None:
        if self.replica is not None:
            replica.heard = self.replica.heard
            log.info("line.opened_anew", room=self.room.id, epoch=replica.epoch)
        self._store, self.replica, self.is_current = store, replica, True
        self._unfounded = frozenset()

    async def recorded(self, replica: Replica, work: Awaitable[T]) -> T:
        """
        Do *work* on the record of the epoch of *replica*. Raises `Fault`.

        Where that is not the present epoch any more (`Superseded`), this line
        is not either: it answers nothing before it was `opened` again, and whom
        it has let in without a record was never let in.
        """
        try:
            return await work
        except Superseded:
            if self.replica is replica and self.is_current:
                log.warning("line.superseded", room=self.room.id, epoch=replica.epoch, server=self.store.server)
                self.is_current = False
                self._unfounded = frozenset(
                    number for _, change in replica.applied or () for number, *_ in change.admitted
                )
            raise

    async def confirm(self) -> None:
        """Return if the line is still in its present epoch, by the record. Raises `Fault`."""
        replica = await self.opened()
        await self.recorded(replica, self._record.confirm(self.room.id, epoch=replica.epoch))

    async def catch_up(self, *, candidate: str = "") -> Tail:
        """Read everything there is; with *candidate* also take or keep the lease. Raises `Fault`."""
        try:
            return await self._read_on(candidate)
        except LogCut:
            # Opened anew, it begins behind what was cut: whoever has only just started may have read nothing for long.
            return await self._read_on(candidate)

    async def _read_on(self, candidate: str) -> Tail:
        replica = await self.opened()
        tail = await self._read(replica, self.store.catch_up(replica.seen, candidate=candidate))
        self.quiet_since = Instant(tail.now - self.room.policy.away_after_ms + NEAR_MS)
        if tail.gap_ended_at > replica.credited_until and tail.gap_ended_at:
            began, ended = tail.gap_began_at, tail.gap_ended_at
            self.owed.append(Outage(began, ended, self._opening.credit_of(began, ended)))
        return tail

    async def join(self, room: Room, buyers: Sequence[BuyerId]) -> Sequence[JoinOutcome]:
        """Give each buyer a number. To be called `alone`. Raises `Fault`."""
        for _ in range(ATTEMPTS):
            replica = await self.reserved(room, len(buyers))
            terms = join_terms(room, self._clock.now())
            entry = Joins(
                request=self.request(),
                at=self._clock.now(),
                closed=terms.closed,
                line_max=terms.line_max,
                expires_at=terms.expires_at,
                numbers_until=replica.numbers_until,
                buyers=list(buyers),
            )
            outcomes = await self._append(entry)
            if None not in outcomes:
                return outcomes
        raise Overloaded("numbers are used up faster than they can be reserved")

    async def use_up(self, numbers: Sequence[int]) -> None:
        """End the places of buyers who have paid. Raises `Fault`."""
        async with self._one_at_a_time:
            await self._end_used_up(numbers)

    async def _end_used_up(self, more: Sequence[int] = ()) -> None:
        if not (self.used_up or more):
            return
        replica = await self.opened()
        numbers = {*self.used_up, *more}
        known = [number for number in numbers if replica.may_live(number)]
        if known:
            await self._append(UsedUp(request=self.request(), at=self._clock.now(), numbers=known))
        self.used_up -= numbers

    async def reserved(self, room: Room, more: int) -> Replica:
        """Return the replica with *more* numbers reserved at least. Raises `Fault`."""
        replica = await self.opened()
        last = replica.state.columns.last_number
        if last + more + NUMBERS_AHEAD >= replica.numbers_until:
            until = last + more + 2 * NUMBERS_AHEAD
            await self.raise_marks(replica, room, until)
        return replica

    async def raise_marks(self, replica: Replica, room: Room, numbers_until: int) -> None:
        """Reserve the numbers below *numbers_until*, and what a line as long as that may be told. Raises `Fault`."""
        waiting = max(numbers_until - replica.state.serving, replica.waiting + 2 * NUMBERS_AHEAD)
        told_ms = longest_told_ms(waiting=waiting, polls_per_second=room.policy.polls_per_second)
        marks = await self.recorded(
            replica,
            self._record.reserve(room.id, epoch=replica.epoch, numbers_until=numbers_until, told_ms=told_ms),
        )
        replica.numbers_until, replica.told_ms = marks.numbers_until, marks.told_ms

    async def keep_told(self) -> None:
        """
        Record how long anybody may be told to wait with her next poll: the line may have grown, or its limits changed.

        Until that is recorded nobody is told so. Raises `Fault`.
        """
        replica = await self.opened()
        waiting = replica.waiting + NUMBERS_AHEAD
        if longest_told_ms(waiting=waiting, polls_per_second=self.room.policy.polls_per_second) > replica.told_ms:
            await self.raise_marks(replica, self.room, replica.numbers_until)

    def goes_on_from(self, replica: Replica) -> bool:
        """Say whether what was planned on *replica* may be sent: the line was not opened anew, nor has to be."""
        return self.replica is replica and self._is_where_it_was()

    async def decide(
        self, replica: Replica, entry: Changed, keys: Sequence[Renewal] = (), *, whoever_joins: bool = False
    ) -> bool:
        """
        Write what was decided on *replica* as it is, without a pause since; return whether it still fitted.

        *whoever_joins* says that joins meanwhile make no difference. To be called `alone`. Raises `Fault`.
        """
        if not self.goes_on_from(replica):
            return False

        async def send(packed: bytes) -> Tail:
            binding = replica.binding if whoever_joins else None
            return await self.store.decide(replica.seen, packed, keys, binding=binding)

        written, _ = await self._sent(replica, entry, send)
        return written

    async def remember(self, keys: Sequence[Renewal]) -> Mapping[BuyerId, bytes]:
        """Store *keys*, but for those that have changed; return what these are now, by their buyers. Raises `Fault`."""
        if not keys:
            return {}
        replica = await self.opened()
        return await self._heard_from(self.store.remember(replica.epoch, keys))

    async def turn(self, replica: Replica, entry: Changed, *, candidate: str, fence: int) -> Status:
        """
        Write a turn that was planned on *replica* as it is. To be called `alone`. Raises `Fault`.

        Of whom it decides nothing is told before `tell_decided`.
        """
        if not self.goes_on_from(replica):
            return Status.MOVED
        replica.deciding = frozenset(
            [number for number, *_ in (*entry.ended, *entry.admitted)] + entry.not_taken + entry.passed_over
        )
        self._settled.clear()
        status = Status.MOVED

        async def send(packed: bytes) -> Tail:
            nonlocal status
            tail = await self.store.turn(
                replica.seen, packed, candidate=candidate, fence=fence, binding=replica.binding
            )
            status = tail.status
            return tail

        written, _ = await self._sent(replica, entry, send)
        if written:
            return Status.OK
        return Status.MOVED if status is Status.OK else status

    def tell_decided(self) -> None:
        """Let those have their answers of whom a `turn` has decided, or has not."""
        if self.replica is not None:
            self.replica.deciding = frozenset()
        self._settled.set()

    async def decided(self, number: int) -> None:
        """
        Return when no turn of this process is under way that decides the place.

        Raises `StoreLost` where that turn let it in and was refused its record.
        """
        while self.replica is not None and number in self.replica.deciding:
            await self._settled.wait()
        if number in self._unfounded:
            raise StoreLost("whoever was let in by that turn never was")

    async def note(self, notes: Sequence[Note]) -> None:
        """
        Tell everybody of holds (number, hold, until when).

        Raises `Fault` where the others do not know yet: they are told later,
        and the notes hold here meanwhile.
        """
        now = self._clock.now()
        if self.replica is not None:
            for number, hold_id, until in notes:
                self.replica.line.note_hold(number, hold_id, until, now)  # type: ignore[arg-type]  # new types
        self._notes.keep(notes)
        if self.is_stale:
            raise StoreLost("the line's store cannot be told of holds")
        await self.flush()

    async def _flush(self) -> None:
        """Tell everybody what was heard here. Raises `Fault`: then it is told later."""
        replica = await self.opened()
        # Signs from before an outage come before it, notes (which know of it) after it.
        binding, others = replica.take_heard()
        if binding or others:
            try:
                await self._tell(replica, signs=binding, more_signs=others)
            except Fault:
                for number, at, _ in (*binding, *others):
                    replica.heard.setdefault(number, at)
                raise
        await self.send_owed()
        for notes in self._notes.portions():
            await self._tell(replica, notes=notes)
        if self.used_up:
            await self.use_up(())

    async def _tell(
        self, replica: Replica, *, signs: Signs = (), more_signs: Signs = (), notes: Sequence[Note] = ()
    ) -> None:
        """Add to the log what turns depend on, *signs* and *notes*, and *more_signs* to what they do not."""
        now = self._clock.now()
        binding = Heard(self._writer, 0, now, signs=list(signs), notes=list(notes))
        others = Heard(self._writer, 0, now, signs=list(more_signs))
        await self._read(
            replica,
            self.store.append(
                replica.seen,
                entry=log_entries.encode(binding) if signs or notes else b"",
                binding=True,
                signs=log_entries.encode(others) if more_signs else b"",
            ),
        )

    async def send_owed(self) -> None:
        """Have everybody give back what is owed. Raises `Fault`: then it is owed still."""
        while self.owed:
            outage = self.owed[0]
            replica = await self.opened()
            if outage.ended_at > replica.credited_until and outage.credited_ms > 0:
                await self._append(GaveBack(self.request(), *outage))
            if self.owed and self.owed[0] is outage:
                del self.owed[0]

    async def take_back(self, signed: SignedPlace) -> None:
        """Know a lost place again by its token. Raises `Fault`."""
        number, place = signed.ref.number, NewPlace(signed.ref.number, signed.buyer_id, signed.expires_at)
        for _ in range(ATTEMPTS):
            replica = await self.opened()
            if not replica.is_lost(number):
                return
            change = replica.line.plan_taking_back([place], self._clock.now())
            if not change.is_durable or await self.decide(replica, log_entries.changed(self.request(), change)):
                return
        raise Overloaded("the line changes faster than a place can be taken back")

    def is_settled(self, number: int, *, entering: bool) -> bool:
        """Say whether nothing has to be read or told before it can be said how the place stands."""
        if self._is_used_up(number):
            return True
        replica = self.replica
        if replica is None or number in replica.deciding or number in self.used_up or number in self._unfounded:
            return False
        return replica.is_sure_of(
            number, entering=entering, soon=later(self._clock.now(), NEAR_MS), quiet_since=self.quiet_since
        )

    async def settled(self, number: int, *, signed: SignedPlace | None, entering: bool) -> None:
        """Return once it can be said how the place stands. Raises `Fault` where nobody can say."""
        try:
            replica = await self.opened()
            await self.decided(number)
            if number in self.used_up:
                await self.use_up([number])
            columns = replica.state.columns
            row = number - columns.first
            state = columns.states[row] if 0 <= row < len(columns) else 0
            if state == ADMITTED or (state == WAITING and not entering):
                # Her sign, which keeps her pass or her turn, must not come too late.
                replica.heard[number] = self._clock.now()
                replica.urgent.add(number)
                await self.flush()
            else:
                await self.fresh()
            if signed is not None and self.replica is not None and self.replica.is_lost(number):
                await self.alone(lambda: self.take_back(signed))
        except Fault:
            if not self.may_tell(number) or (entering and self._waits(number)):
                raise

    def _waits(self, number: int) -> bool:
        """Say whether the place still waits as far as is known here: another process may have let it in since."""
        if self.replica is None or (row := self.replica.state.row(number)) is None:
            return False
        return self.replica.state.columns.states[row] == WAITING

    def _is_used_up(self, number: int) -> bool:
        """Say whether the place is known here, and known to be paid for: that is so whatever the store says."""
        replica = self.replica
        return number in self.used_up and replica is not None and replica.state.row(number) is not None

    def may_tell(self, number: int) -> bool:
        """Say whether, with the store out of reach, there is still something to say of the place."""
        if self._is_used_up(number):
            return True
        replica = self.replica
        if replica is None or number in self.used_up or number in self._unfounded:
            return False
        if (row := replica.state.row(number)) is None:
            return False
        if replica.state.columns.states[row] != ADMITTED:
            return True
        return self._clock.now() < replica.lasts(number)

    def now(self) -> Instant:
        """Return the line's present instant, as far as it is known here."""
        return self._clock.now()

    def request(self) -> RequestId:
        """Return a name for a new request."""
        return secrets.randbits(52)

    async def _append(self, entry: LogEntry) -> Sequence[JoinOutcome]:
        replica = await self.opened()
        binding = not isinstance(entry, Joins)
        outcomes: Sequence[JoinOutcome] = ()

        async def send(packed: bytes) -> Tail:
            return await self.store.append(replica.seen, entry=packed, binding=binding)

        written, outcomes = await self._sent(replica, entry, send)
        if not written:
            raise StoreLost("the entry did not come back from the log")
        return outcomes

    async def _sent(
        self, replica: Replica, entry: LogEntry, send: Callable[[bytes], Awaitable[Tail]]
    ) -> tuple[bool, Sequence[JoinOutcome]]:
        """Send *entry*, and look for it in the log, also where the answer was lost. Raises `StoreLost`."""
        request = entry.request
        replica.awaited.add(request)
        try:
            try:
                await self._read(replica, send(log_entries.encode(entry)))
            except StoreLost as lost:
                with contextlib.suppress(StoreLost):
                    await self.catch_up()
                if request not in replica.answers:
                    raise lost from None
            return request in replica.answers, replica.answers.pop(request, ())
        finally:
            replica.awaited.discard(request)
            replica.answers.pop(request, None)

    async def _read(self, replica: Replica, call: Awaitable[Tail]) -> Tail:
        """Absorb what *call* brings, and all that is behind it. Raises `Fault`."""
        tail = await self._heard_from(call)
        try:
            while True:
                if tail.status is Status.LOST:
                    self.is_current = False
                    self._opening.lost(self.room.id, replica.epoch)
                    raise StoreLost("the store has lost the line")
                is_all = replica.absorb(tail)
                self._clock.heard(replica.latest_at)
                if is_all:
                    return tail
                more = await self._heard_from(self.store.catch_up(replica.seen))
                tail = more._replace(status=tail.status if more.status is Status.OK else more.status, fence=tail.fence)
        except EntriesMissing:
            self.is_current = False
            raise LogCut("the log was cut before it was read") from None

    async def _heard_from(self, call: Awaitable[T]) -> T:
        try:
            answer = await call
        except (StoreLost, Superseded) as lost:
            if not self._is_out_of_reach:
                log.warning("line.store_lost", room=self.room.id, cause=str(lost))
            self._is_out_of_reach = True
            raise
        if self._is_out_of_reach:
            log.info("line.store_is_back", room=self.room.id)
        self._is_out_of_reach = False
        return answer
