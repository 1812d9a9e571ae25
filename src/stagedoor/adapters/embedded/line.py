"""
The waiting line in one process, journaled to the database before anything is seen of it.

One mutation at a time: plan on the memory as it is, commit, apply. Looks never
wait, but for one case: a place that the mutation under way is about to admit
or end has no answer until that is durable. Places that are used up end
together, in a commit before the next mutation.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import structlog

from stagedoor.adapters.embedded.line_commits import LineCommits
from stagedoor.adapters.embedded.line_journal import JournalEntry
from stagedoor.adapters.embedded.line_keys import (
    forget_keys,
    has_keys_from_before,
    named_by_keys,
    read_keys,
)
from stagedoor.adapters.embedded.line_restore import read_lines
from stagedoor.adapters.line_batches import EndBatch, JoinBatch
from stagedoor.adapters.line_keys import KeyRing, KeyScope
from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.kernel.clock import Clock, Instant, Outage, later
from stagedoor.kernel.errors import Fault, Rejection
from stagedoor.kernel.idempotency import KEY_KEPT_MS
from stagedoor.kernel.ids import PlaceRef, RoomId
from stagedoor.waiting_room.ending import EndingPlan
from stagedoor.waiting_room.line import Line
from stagedoor.waiting_room.line_state import LineState
from stagedoor.waiting_room.model import EndCause, LineView, PlaceView, SignedPlace
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
from stagedoor.waiting_room.restoring import take_up
from stagedoor.waiting_room.room import RoomPolicy
from stagedoor.waiting_room.showing import show_used_up

log = structlog.get_logger(__name__)

T = TypeVar("T")


class EmbeddedLine(WaitingLine, LineLeftovers):
    """
    Every room's line. `restore` before anything else.

    A mutation that its caller gave up goes on to its end; `idle` waits for it.
    """

    def __init__(self, *, lanes: Lanes, clock: Clock, rooms: Rooms, keys_kept_ms: int = KEY_KEPT_MS) -> None:
        """Journal through *lanes*; *rooms* says under which policy a place stands right now."""
        self._lanes = lanes
        self._keys_kept_ms = keys_kept_ms
        self._clock = clock
        self._rooms = rooms
        self._lines: dict[RoomId, Line] = {}
        self._outages: list[Outage] = []
        self._forget_from: dict[RoomId, int] = {}
        self._used_up: set[PlaceRef] = set()
        self._not_ended: set[PlaceRef] = set()
        self._commits = LineCommits(lanes, self._apply, self._give_back)

    async def restore(self, *, at: Instant) -> None:
        """Take up every line from the journal; each living buyer counts as seen at *at*. Raises `Fault`."""
        await self._commits.alone(lambda: self._restore(at))

    def give_back(self, outage: Outage) -> None:
        """
        Leave *outage* out of every deadline and every absence.

        To be called once the journal has been credited with it (`credit_passes`),
        before control is given up. What was planned before is planned again.
        """
        self._outages.append(outage)
        self._commits.give_back(outage)

    async def idle(self) -> None:
        """Return when no mutation is under way: to be called before the database is closed."""
        await self._commits.idle()

    async def join(self, joins: Sequence[Join]) -> Sequence[Joined | Rejection]:
        """Give each buyer her living place, or a new one at the back."""
        return await self._alone(lambda: self._join(joins))

    def is_settled(self, ref: PlaceRef, *, entering: bool = False) -> bool:  # noqa: ARG002 -- nobody else admits
        """Say whether no commit is to come or under way that decides the place, other than what it is shown as."""
        return ref in self._used_up or not (self._commits.is_deciding(ref) or ref in self._not_ended)

    async def settled(
        self,
        ref: PlaceRef,
        *,
        signed: SignedPlace | None = None,  # noqa: ARG002 -- the journal is not lost apart from the sale
        entering: bool = False,  # noqa: ARG002
    ) -> None:
        """Return once no commit is to come or under way that decides the place; a used up one is over already."""
        if ref in self._used_up:
            return
        if ref in self._not_ended:
            # Shown as it stands in memory, she would be let in to buy once more.
            await self._commits.alone(lambda: self._end_paid((ref,)))
        await self._commits.decided(ref)

    def look_at_once(self, ref: PlaceRef, *, telling: bool = False) -> PlaceView | None:
        """Return the place as it is now, and take the look as a sign of its buyer's presence."""
        line, room = self._lines.get(ref.room_id), self._rooms.get(ref.room_id)
        if line is None or room is None:
            return None
        place = line.look(ref, room, self._clock.now(), telling=telling)
        return show_used_up(place) if ref in self._used_up else place

    def notice(self, ref: PlaceRef) -> bool:
        """Take a sign of the presence of the place's buyer; False if the place is not known, or was revoked."""
        line = self._lines.get(ref.room_id)
        return line is not None and line.notice(ref.number, self._clock.now())

    async def turn(self, turns: Sequence[Turn]) -> Sequence[TurnReport]:
        """Let time act on each room: end passes, pass over the absent, admit."""
        return await self._alone(lambda: self._turn(turns))

    async def end(self, endings: Sequence[EndPlace]) -> Sequence[PlaceEnded | Rejection]:
        """End each place, unless it is over already."""
        return await self._alone(lambda: self._end(endings))

    def mark_used_up(self, ref: PlaceRef) -> None:
        """End the place before the next mutation."""
        self._used_up.add(ref)

    async def use_up(self, refs: Sequence[PlaceRef]) -> None:
        """End each place because its buyer has paid; what is over or not known is passed by."""
        await self._commits.alone(lambda: self._end_used_up(refs))

    async def note_holds(self, notes: Sequence[HoldNote]) -> None:
        """
        Remember until when each place's buyer holds seats.

        Takes effect before control is given up, so that nothing comes between
        a look and the note that follows it.
        """
        now = self._clock.now()
        for note in notes:
            line = self._lines.get(note.ref.room_id)
            if line is not None:
                line.note_hold(note.ref.number, note.hold_id, self._as_it_is_now(note), now)

    def view(self, room_id: RoomId) -> LineView:
        """Return the room's line as everybody may see it."""
        return self._line(room_id).view()

    async def forget(self, *, ended_before: Instant, keys_before: Instant, limit: int) -> int:
        """
        Forget some of the places over before *ended_before*, and some of the keys stored before *keys_before*.

        Keys are kept for 24 hours at least. Raises `Fault`.
        """
        return await self._alone(lambda: self._forget(ended_before, keys_before, limit))

    async def _alone(self, work: Callable[[], Awaitable[T]]) -> T:
        async def after_the_used_up() -> T:
            if self._used_up:
                await self._end_used_up()
            return await work()

        return await self._commits.alone(after_the_used_up)

    async def _restore(self, at: Instant) -> None:
        stored = await self._lanes.reading(lambda connection: read_lines(connection, at))
        for line in stored:
            room = self._rooms.get(line.room_id)
            self._lines[line.room_id] = take_up(line, RoomPolicy() if room is None else room.policy, at=at)

    async def _join(self, joins: Sequence[Join]) -> Sequence[Joined | Rejection]:
        keys = await self._read_keys(JoinBatch.scopes(joins))
        now = self._clock.now()
        batch = JoinBatch(self._line, keys, now)
        decided = [batch.decide(join) for join in joins]
        await self._commits.commit(JournalEntry(at=now, changes=batch.changes(), keys=keys.fresh))
        return [batch.outcome(join, decision) for join, decision in zip(joins, decided, strict=True)]

    async def _end(self, endings: Sequence[EndPlace]) -> Sequence[PlaceEnded | Rejection]:
        keys = await self._read_keys(EndBatch.scopes(endings, self._line))
        now = self._clock.now()
        batch = EndBatch(self._line, self._rooms, keys, now)
        decided = [batch.decide(ending) for ending in endings]
        entry = JournalEntry(at=now, changes=batch.changes(), keys=keys.fresh, audited=batch.audited)
        await self._commits.commit(entry)
        return [batch.outcome(decision) for decision in decided]

    async def _end_used_up(self, more: Sequence[PlaceRef] = ()) -> None:
        """End what is marked and *more*. Raises whatever keeps one of *more* from ending; a marked one is set aside."""
        marked = tuple(self._used_up)
        try:
            await self._end_paid((*marked, *more))
        except Fault:
            raise
        except Exception:  # noqa: BLE001 -- a defect at one place; whose it is shows below
            for ref in marked:
                await self._end_marked(ref)
            await self._end_paid(more)

    async def _end_marked(self, ref: PlaceRef) -> None:
        """End the place, or set it aside: everybody else's mutations come after it."""
        try:
            await self._end_paid((ref,))
        except Fault:
            raise
        except Exception:
            log.exception("line.place_not_ended", room=ref.room_id, number=ref.number)
            self._used_up.discard(ref)
            self._not_ended.add(ref)

    async def _end_paid(self, refs: Sequence[PlaceRef]) -> None:
        now = self._clock.now()
        plans: dict[RoomId, EndingPlan] = {}
        for ref in refs:
            line = self._lines.get(ref.room_id)
            if line is None:
                continue
            plan = plans.get(ref.room_id)
            if plan is None:
                plan = plans[ref.room_id] = line.plan_ends(now)
            plan.end(ref.number, EndCause.PAID)
        changes = {room_id: plan.change() for room_id, plan in plans.items()}
        await self._commits.commit(JournalEntry(at=now, changes=changes))
        # Only now: what could not be made durable is tried again with the next mutation.
        self._used_up.difference_update(refs)
        self._not_ended.difference_update(refs)

    async def _turn(self, turns: Sequence[Turn]) -> Sequence[TurnReport]:
        # Read once, and only now: whatever was waited for before, nobody is admitted before her time.
        now = self._clock.now()
        changes = {}
        for turn in turns:
            room = turn.room
            assert room.id not in changes
            line = self._line(room.id)
            line.elapse(room, seats_free=turn.seats_free, now=now)
            changes[room.id] = line.plan_turn(room, seats_free=turn.seats_free, now=now)
        await self._commits.commit(JournalEntry(at=now, changes=changes))
        return [
            TurnReport(
                room_id=room_id,
                admitted=len(change.admitted),
                passed_over=len(change.passed_over) + len(change.not_taken),
                ended=len(change.ended),
            )
            for room_id, change in changes.items()
        ]

    async def _forget(self, ended_before: Instant, keys_before: Instant, limit: int) -> int:
        now = self._clock.now()
        assert keys_before <= now - self._keys_kept_ms
        long_over: dict[RoomId, Sequence[int]] = {}
        for room_id, line in self._lines.items():
            found = line.find_long_over(
                from_number=self._forget_from.get(room_id, 0), ended_before=ended_before, limit=limit
            )
            self._forget_from[room_id] = found.next_number
            long_over[room_id] = found.numbers
        places = [(room_id, number) for room_id, numbers in long_over.items() for number in numbers]
        if places:
            named = await self._lanes.reading(lambda connection: named_by_keys(connection, places, keys_before))
            changes = {
                room_id: self._lines[room_id].plan_forgetting(
                    [number for number in numbers if (room_id, number) not in named],
                    ended_before=ended_before,
                    now=now,
                )
                for room_id, numbers in long_over.items()
            }
            await self._commits.commit(JournalEntry(at=now, changes=changes))
            places = [place for place in places if place not in named]
        return len(places) + await self._forget_keys(keys_before, limit)

    async def _forget_keys(self, keys_before: Instant, limit: int) -> int:
        if not await self._lanes.reading(lambda connection: has_keys_from_before(connection, keys_before)):
            return 0
        async with self._lanes.writing() as transaction:
            keys = await transaction.run(lambda connection: forget_keys(connection, keys_before, limit=limit))
            # Deleting them again later is as good.
            await transaction.commit(proof=lambda _: True)
        return keys

    async def _read_keys(self, scopes: Sequence[KeyScope]) -> KeyRing:
        if not scopes:
            return KeyRing()
        now = self._clock.now()
        return await self._lanes.reading(lambda connection: read_keys(connection, scopes, now, self._keys_kept_ms))

    def _apply(self, entry: JournalEntry) -> None:
        for room_id, change in entry.changes.items():
            self._line(room_id).apply(change)

    def _as_it_is_now(self, note: HoldNote) -> Instant | None:
        # A note that was on its way over an outage says what was so before it.
        if note.until is None or note.known_at is None:
            return note.until
        return later(note.until, sum(outage.credit_since(note.known_at) for outage in self._outages))

    def _give_back(self, outage: Outage) -> None:
        for room_id, line in self._lines.items():
            line.give_back(self._rooms.get(room_id), outage)

    def _line(self, room_id: RoomId) -> Line:
        line = self._lines.get(room_id)
        if line is None:
            line = self._lines[room_id] = Line(LineState(room_id))
        return line
