"""
The waiting line on Redis: a log of what happens there, and a replica of the line in every process.

Joins, ends and signs of buyers are added to the log by whoever hears of them,
and every process decides them alike. Turns are planned by one process at a
time, which holds a lease; the store refuses a turn of anybody else. So what a
poll is answered from is this process's own replica, and no store is touched.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from stagedoor.adapters.line_batches import EndBatch, JoinBatch
from stagedoor.adapters.redis import keyring, log_entries
from stagedoor.adapters.redis.client import RedisClient, StoreLost
from stagedoor.adapters.redis.leading import Leading
from stagedoor.adapters.redis.line_clock import LineClock
from stagedoor.adapters.redis.opening import Opening
from stagedoor.adapters.redis.replica import Replica
from stagedoor.adapters.redis.room_line import ATTEMPTS, RoomLine
from stagedoor.kernel.clock import GAP_MS, Instant, Outage, later
from stagedoor.kernel.errors import Fault, Overloaded, Rejection
from stagedoor.kernel.idempotency import KEY_KEPT_MS
from stagedoor.kernel.ids import BuyerId, PlaceRef, QueueNumber, RoomId
from stagedoor.observability.unheard import to_its_end
from stagedoor.operators.model import AuditEntry
from stagedoor.operators.ports import AuditPen
from stagedoor.resilience.deadline import due
from stagedoor.waiting_room.line import Line
from stagedoor.waiting_room.line_record import LineRecord, Superseded
from stagedoor.waiting_room.model import LineView, PlaceView, SignedPlace
from stagedoor.waiting_room.ports import (
    EndPlace,
    HoldNote,
    Join,
    Joined,
    LineLeftovers,
    PlaceEnded,
    Rooms,
    Turn,
    TurnReport,
    WaitingLine,
)
from stagedoor.waiting_room.rejections import UnknownPlace
from stagedoor.waiting_room.room import Room
from stagedoor.waiting_room.showing import show_used_up

S = TypeVar("S")
T = TypeVar("T")


def _never() -> bool:
    return False


class RedisLine(WaitingLine, LineLeftovers):
    """
    Every room's line, as this process knows it.

    `refresh` has to be called about every 200 ms. While *stands* says that
    the service does, no turn is taken and no sign of life is given.
    """

    def __init__(  # noqa: PLR0913 -- a store, a record and a pen; a clock and what it may be wrong by
        self,
        *,
        client: RedisClient,
        installation: str,
        record: LineRecord,
        audit_pen: AuditPen,
        rooms: Rooms,
        clock: LineClock,
        keys_kept_ms: int = KEY_KEPT_MS,
        outage_credit_max_ms: int,
        stands: Callable[[], bool] = _never,
        read_again_ms: int = 0,
    ) -> None:
        """
        Know nothing of any room yet; *installation* is whose lines they are, by an id in the record's database.

        What was read less than *read_again_ms* ago is not read again, but by a turn of whoever leads the room.
        """
        self._record = record
        self._audit_pen = audit_pen
        self._rooms = rooms
        self._clock = clock
        self._keys_kept_ms = keys_kept_ms
        self._stands = stands
        self._read_again_ms = read_again_ms
        self._opening = Opening(client, record, clock, installation=installation, credit_max_ms=outage_credit_max_ms)
        self._leading = Leading(record, candidate=secrets.token_hex(8), own_clock=clock.own)
        self._lines: dict[RoomId, RoomLine] = {}
        self._forget_from: dict[RoomId, int] = {}
        self._scan_from: dict[RoomId, int] = {}
        self._under_way: set[asyncio.Task[object]] = set()

    async def refresh(self) -> int:
        """
        Tell everybody what was heard here, and read what is new; return how many rooms there are. Raises `Fault`.

        A room that nobody leads is led from then on.
        """
        await self._each(lambda room: self._whole(self._refresh(self._line(room))), self._rooms.all())
        return len(self._lines)

    async def join(self, joins: Sequence[Join]) -> Sequence[Joined | Rejection]:
        """Give each buyer her living place, or a new one at the back."""
        outcomes: list[Joined | Rejection | None] = [None] * len(joins)
        for room_id in dict.fromkeys(join.room.id for join in joins):
            at = [i for i, join in enumerate(joins) if join.room.id == room_id]
            some = await self._whole(self._join(self._line(joins[at[0]].room), [joins[i] for i in at]))
            for i, outcome in zip(at, some, strict=True):
                outcomes[i] = outcome
        return [outcome for outcome in outcomes if outcome is not None]

    def is_settled(self, ref: PlaceRef, *, entering: bool = False) -> bool:
        """Say whether nothing has to be read or told before it can be said how the place stands."""
        line = self._lines.get(ref.room_id)
        if line is None:
            return False
        return line.is_settled(ref.number, entering=entering)

    async def settled(self, ref: PlaceRef, *, signed: SignedPlace | None = None, entering: bool = False) -> None:
        """Return once it can be said how the place stands."""
        room = self._rooms.get(ref.room_id)
        if room is None:
            return
        line = self._line(room)
        if not line.is_settled(ref.number, entering=entering):
            # What is found out is so for everybody, and for her when she comes again.
            with due(None):
                await self._whole(line.settled(ref.number, signed=signed, entering=entering))

    def look_at_once(self, ref: PlaceRef, *, telling: bool = False) -> PlaceView | None:
        """
        Return the place as this process knows it, and take the look as a sign of its buyer's presence.

        Raises `StoreLost` for a pass that has run out since the store was last heard.
        """
        line, room = self._lines.get(ref.room_id), self._rooms.get(ref.room_id)
        if line is None or room is None or (replica := line.replica) is None:
            return None
        now = self._clock.now()
        if line.is_stale:
            if not telling and not line.may_tell(ref.number):
                raise StoreLost("nobody can say whether the pass still runs")
            place = replica.line.show(ref, room, now)
        else:
            place = replica.line.look(ref, room, now, telling=telling)
        if ref.number in line.used_up:
            return show_used_up(place)
        if place is not None and place.state.is_live:
            replica.heard[ref.number] = now
            if place.poll_after_ms > replica.told_ms:
                place = _as_recorded(replica, place)
        return place

    async def turn(self, turns: Sequence[Turn]) -> Sequence[TurnReport]:
        """Let time act on each room that this process leads; read what the leader did in the others."""
        return await self._each(lambda turn: self._whole(self._turn(turn)), turns)

    async def end(self, endings: Sequence[EndPlace]) -> Sequence[PlaceEnded | Rejection]:
        """End each place, unless it is over already."""
        outcomes: list[PlaceEnded | Rejection] = [UnknownPlace() for _ in endings]
        for room_id in dict.fromkeys(ending.ref.room_id for ending in endings):
            at = [i for i, ending in enumerate(endings) if ending.ref.room_id == room_id]
            room = self._rooms.get(room_id)
            if room is None:
                continue
            some = await self._whole(self._end(self._line(room), [endings[i] for i in at]))
            for i, outcome in zip(at, some, strict=True):
                outcomes[i] = outcome
        return outcomes

    def mark_used_up(self, ref: PlaceRef) -> None:
        """End the place before the next thing this process does to its room."""
        room = self._rooms.get(ref.room_id)
        if room is not None:
            self._line(room).used_up.add(ref.number)

    async def use_up(self, refs: Sequence[PlaceRef]) -> None:
        """End each place because its buyer has paid; what is over or not known is passed by."""
        for room_id, numbers in _by_room(refs):
            room = self._rooms.get(room_id)
            if room is not None:
                await self._whole(self._line(room).use_up(numbers))

    async def note_holds(self, notes: Sequence[HoldNote]) -> None:
        """Remember until when each place's buyer holds seats; where the store is lost the others hear of it later."""
        untold: Fault | None = None
        for room_id, _ in _by_room([note.ref for note in notes]):
            room = self._rooms.get(room_id)
            if room is None:
                continue
            line = self._line(room)
            of_room = [note for note in notes if note.ref.room_id == room_id]
            try:
                await line.note([(note.ref.number, note.hold_id, self._as_it_is_now(line, note)) for note in of_room])
            except Fault as fault:
                untold = fault
        if untold is not None:
            raise untold

    def view(self, room_id: RoomId) -> LineView:
        """Return the room's line as everybody may see it."""
        line = self._lines.get(room_id)
        if line is None or line.replica is None:
            return LineView(room_id, 0, 0, 0, 0, None)
        return line.replica.line.view()

    def is_stale(self) -> bool:
        """Say whether the store cannot be reached: what is told of the rooms is how they last were, and may be over."""
        return any(line.is_stale for line in self._lines.values())

    def give_back(self, outage: Outage) -> None:
        """Leave *outage* out of every deadline and every absence, before the next turn; once, whoever tells of it."""
        for room in self._rooms.all():
            self._line(room).owed.append(outage)

    async def hand_over(self) -> None:
        """Tell the others what was heard here, and leave the rooms that this process leads to them. Raises `Fault`."""
        await self.idle()
        await self._each(self._hand_over, self._lines.values())

    async def _hand_over(self, line: RoomLine) -> None:
        await line.flush()
        await self._leading.hand_over(line)

    async def idle(self) -> None:
        """Return when nothing is under way."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def forget(self, *, ended_before: Instant, keys_before: Instant, limit: int) -> int:
        """
        Forget some of the places over before *ended_before*, and some of the keys stored before *keys_before*.

        Only the process that leads a room does; keys are kept for 24 hours at least.
        """
        forgotten = 0
        for room in self._rooms.all():
            forgotten += await self._whole(self._forget(self._line(room), ended_before, keys_before, limit))
        return forgotten

    async def _join(self, line: RoomLine, joins: Sequence[Join]) -> Sequence[Joined | Rejection]:
        if any(join.key is not None for join in joins):
            answers = await line.alone(lambda: self._join_by_keys(line, joins))
            while isinstance(answers, int):
                # Not alone: nobody else has to wait for the record of that turn.
                await line.decided(answers)
                answers = await line.alone(lambda: self._join_by_keys(line, joins))
            return answers
        room = joins[0].room
        outcomes = await line.alone(lambda: line.join(room, [join.buyer_id for join in joins]))
        told: list[Joined | Rejection] = []
        for number in outcomes:
            assert number is not None
            if isinstance(number, Rejection):
                told.append(number)
                continue
            await line.decided(number)
            place = self.look_at_once(PlaceRef(room.id, QueueNumber(number)), telling=True)
            told.append(UnknownPlace() if place is None else Joined(place=place))
        return told

    async def _join_by_keys(self, line: RoomLine, joins: Sequence[Join]) -> Sequence[Joined | Rejection] | int:
        """
        Join those whose keys are new, then store the keys, then answer.

        Where a turn under way decides a place of theirs, nothing is stored and
        its number is the answer: they have to come again once that is `decided`.

        Nothing has to stand still in between: whoever joins once more, with the
        same key at another process or after a crash of this one, gets the place
        that she has; and of two who store one key the second answers what the
        first has stored.
        """
        replica = await line.opened()
        now = self._clock.now()
        stored = await self._stored(line, [join.buyer_id for join in joins if join.key is not None], now)
        if stored.is_ahead_of(replica):
            await line.catch_up()
        batch = JoinBatch(_only(replica.line), stored.ring, now)
        decided = [batch.known(join) for join in joins]
        left = [i for i, known in enumerate(decided) if known is None]
        given = await self._given(line, [joins[i] for i in left])
        for _ in range(ATTEMPTS):
            replica = await line.opened()
            batch = JoinBatch(_only(replica.line), stored.ring, now, given=given)
            for i in left:
                decided[i] = batch.decide(joins[i])
            for one in decided:
                if one is not None and not isinstance(one, Rejection) and one.ref.number in replica.deciding:
                    return one.ref.number
            others = await line.remember(stored.changed())
            if not others:
                answers = [
                    batch.outcome(join, known) for join, known in zip(joins, decided, strict=True) if known is not None
                ]
                return [
                    replace(answer, place=_as_recorded(replica, answer.place)) if isinstance(answer, Joined) else answer
                    for answer in answers
                ]
            left = [i for i in left if joins[i].key is not None and joins[i].buyer_id in others]
            stored = self._stored_as(others, line, now)
        raise Overloaded("a buyer's keys change faster than one can be added to them")

    async def _given(self, line: RoomLine, joins: Sequence[Join]) -> Mapping[BuyerId, int | Rejection]:
        if not joins:
            return {}
        buyers = [join.buyer_id for join in joins]
        outcomes = await line.join(joins[0].room, buyers)
        return {buyer: outcome for buyer, outcome in zip(buyers, outcomes, strict=True) if outcome is not None}

    async def _end(self, line: RoomLine, endings: Sequence[EndPlace]) -> Sequence[PlaceEnded | Rejection]:
        outcomes, audited = await line.alone(lambda: self._end_alone(line, endings))
        if audited:
            # Not alone: they are another store's, which the line is not to wait for.
            await self._audit_pen.note(*audited)
        return outcomes

    async def _end_alone(
        self, line: RoomLine, endings: Sequence[EndPlace]
    ) -> tuple[Sequence[PlaceEnded | Rejection], Sequence[AuditEntry]]:
        """End each place; return the outcomes, and what is to be audited of it."""
        for _ in range(ATTEMPTS):
            await line.catch_up()
            replica = await line.opened()
            now = self._clock.now()
            scopes = EndBatch.scopes(endings, _only(replica.line))
            stored = await self._stored(line, [scope.buyer_id for scope in scopes], now)
            if line.replica is not replica:
                continue
            batch = EndBatch(_only(replica.line), self._rooms, stored.ring, now)
            decided = [batch.decide(ending) for ending in endings]
            change, keys = next(iter(batch.changes().values()), None), stored.changed()
            if change is not None and (change.is_durable or keys):
                is_so = await line.decide(
                    replica, log_entries.changed(line.request(), change), keys, whoever_joins=True
                )
            else:
                # A key that is known by now may be of a leaving that came after the line was read.
                await line.catch_up()
                is_so = line.replica is replica
            if is_so:
                return [batch.outcome(decision) for decision in decided], batch.audited
        raise Overloaded("the line changes faster than can be decided on it")

    async def _stored(self, line: RoomLine, buyers: Sequence[BuyerId], now: Instant) -> keyring.StoredKeys:
        if not buyers:
            return keyring.StoredKeys({}, line.room.id)
        wanted = list(dict.fromkeys(buyers))
        found = await line.store.keys_of(wanted)
        return self._stored_as(dict(zip(wanted, found, strict=True)), line, now)

    def _stored_as(self, packed: Mapping[BuyerId, bytes | None], line: RoomLine, now: Instant) -> keyring.StoredKeys:
        return keyring.StoredKeys(packed, line.room.id, kept_since=later(now, -self._keys_kept_ms), now=now)

    async def _turn(self, turn: Turn) -> TurnReport:
        line = self._line(turn.room)
        if self._stands():
            # Time is about to be given back; until then nothing is judged by it.
            return _nothing_done(turn)
        if self._is_followed(line):
            self._leading.only_elapse(line, turn)
            return _nothing_done(turn)
        return await self._leading.turn(line, turn)

    def _is_followed(self, line: RoomLine) -> bool:
        """Say whether another process leads the room, by what was read a moment ago."""
        return self._leading.was_read_within(line, self._read_again_ms) and not self._leading.leads(line.room.id)

    async def _refresh(self, line: RoomLine) -> None:
        if self._stands():
            return
        if not self._leading.was_read_within(line, self._read_again_ms):
            await self._leading.confirm(line)
            await line.flush()
            if await self._leading.lead(line):
                await self._leading.write_record(line)
        await line.keep_told()

    async def _forget(self, line: RoomLine, ended_before: Instant, keys_before: Instant, limit: int) -> int:
        if self._is_followed(line):
            return 0
        await self._leading.confirm(line)
        if not await self._leading.lead(line):
            return 0
        forgotten = await line.alone(lambda: self._forget_places(line, ended_before, keys_before, limit))
        forgotten += await line.alone(lambda: self._forget_keys(line, keys_before, limit))
        if forgotten:
            await self._leading.write_record(line)
        return forgotten

    async def _forget_places(self, line: RoomLine, ended_before: Instant, keys_before: Instant, limit: int) -> int:
        replica = await line.opened()
        found = replica.line.find_long_over(
            from_number=self._forget_from.get(line.room.id, 0), ended_before=ended_before, limit=limit
        )
        self._forget_from[line.room.id] = found.next_number
        buyers = {buyer for number in found.numbers if (buyer := replica.line.buyer_of(number)) is not None}
        named = keyring.named(await line.store.keys_of(list(buyers)), keys_before) if buyers else frozenset()
        numbers = [number for number in found.numbers if number not in named]
        for _ in range(ATTEMPTS):
            if not numbers:
                return 0
            await line.catch_up()
            replica = await line.opened()
            change = replica.line.plan_forgetting(numbers, ended_before=ended_before, now=self._clock.now())
            if await line.decide(replica, log_entries.changed(line.request(), change)):
                return len(numbers)
        raise Overloaded("the line changes faster than can be forgotten")

    async def _forget_keys(self, line: RoomLine, keys_before: Instant, limit: int) -> int:
        await line.catch_up()
        cursor, packed = await line.store.scan_keys(self._scan_from.get(line.room.id, 0), limit)
        left, dropped = keyring.thinned(packed, keys_before, limit=limit)
        if left:
            replica = await line.opened()
            nothing = replica.line.plan_forgetting((), ended_before=keys_before, now=self._clock.now())
            if not await line.decide(replica, log_entries.changed(line.request(), nothing), left):
                # Somebody was faster: looked at again the next time round.
                return 0
        self._scan_from[line.room.id] = cursor
        return dropped

    def _as_it_is_now(self, line: RoomLine, note: HoldNote) -> Instant | None:
        # A note that was on its way over an outage says what was so before it.
        if note.until is None or note.known_at is None:
            return note.until
        known_at = note.known_at
        replica = line.replica
        outages = [*([] if replica is None else replica.outages), *line.owed]
        return later(note.until, sum(outage.credit_since(known_at) for outage in outages))

    def _line(self, room: Room) -> RoomLine:
        line = self._lines.get(room.id)
        if line is None:
            line = self._lines[room.id] = RoomLine(
                record=self._record, opening=self._opening, clock=self._clock, room=room
            )
        line.room = room
        if line.replica is not None:
            line.replica.room = room
        return line

    async def _each(self, work: Callable[[S], Awaitable[T]], of: Iterable[S]) -> list[T]:
        """Do *work* on each; that others have gone on with one room without this process keeps it from no other."""
        done: list[T] = []
        superseded: Superseded | None = None
        for one in of:
            try:
                done.append(await work(one))
            except Superseded as error:
                superseded = error
        if superseded is not None:
            raise superseded
        return done

    async def _whole(self, work: Coroutine[object, object, T]) -> T:
        """Run *work* to its end: a caller that gives up loses only the answer."""
        task = asyncio.ensure_future(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await to_its_end(task)


def _nothing_done(turn: Turn) -> TurnReport:
    return TurnReport(room_id=turn.room.id, admitted=0, passed_over=0, ended=0)


def _as_recorded(replica: Replica, place: PlaceView) -> PlaceView:
    """Return *place* with no longer a wait than is recorded: after a loss of the store nobody enters for that long."""
    told_ms = max(replica.told_ms, GAP_MS)
    return place if place.poll_after_ms <= told_ms else place._replace(poll_after_ms=told_ms)


def _only(line: Line) -> Callable[[RoomId], Line]:
    """Return what finds the line of a batch, all of which is of one room."""
    return lambda _: line


def _by_room(refs: Iterable[PlaceRef]) -> Iterable[tuple[RoomId, list[int]]]:
    numbers: dict[RoomId, list[int]] = {}
    for ref in refs:
        numbers.setdefault(ref.room_id, []).append(ref.number)
    return numbers.items()
