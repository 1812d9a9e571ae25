"""The lists that crowds read: their bytes are made once for each state of what they show, by whoever asks first."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from stagedoor.http.answer import Cache, success_around
from stagedoor.http.kept import Fallback, Given, Kept
from stagedoor.http.rendered import Rendered, StaleCopy
from stagedoor.http.seat_bytes import SeatBytes
from stagedoor.http.times import local_date, local_time, rfc3339, whole_seconds
from stagedoor.http.wire import ConcertItem, ScheduleItem
from stagedoor.kernel.clock import FOREVER, SECOND_MS, Clock, Instant, later
from stagedoor.kernel.ids import PerformanceId, RoomId
from stagedoor.resilience.breaker import CircuitBreaker
from stagedoor.seating.model import Claims, Performance
from stagedoor.seating.ports import SeatingPlan
from stagedoor.seating.rejections import UnknownPerformance

PROGRAMME_GOOD_MS = SECOND_MS
"""The programme is written by other processes (`stagedoor seed`), which tell us nothing: so it is read again."""

CountCache = Callable[[str, str], None]
"""Counts one list given from the cache of that name: a `hit`, a `miss` (made anew for whoever asked), or `stale`."""

Listed = Rendered | StaleCopy
"""A list that answers requests, as it is or as it last was."""


_RESULTS = {True: "hit", False: "miss"}


@dataclass(frozen=True, slots=True)
class _Programme:
    read_at: Instant
    performances: Sequence[Performance]
    by_id: Mapping[PerformanceId, Performance]


@dataclass(slots=True)
class _Shown:
    """Rendered bytes with what they were rendered from; good as long as both sources are the same objects."""

    programme: object
    facts: object
    until: Instant
    rendered: Rendered

    def is_of(self, programme: object, facts: object, now: Instant) -> bool:
        """Whether it shows just these, and nothing in it has begun since."""
        return self.programme is programme and self.facts is facts and now < self.until


class _SeatList:
    """One performance's seats: the part that never changes, the claims, and both lists made of them."""

    def __init__(
        self,
        performance: Performance,
        seating: SeatingPlan,
        clock: Clock,
        fallback: Fallback,
        guard: CircuitBreaker,
    ) -> None:
        self.performance = performance
        self._seating = seating
        self._clock = clock
        self._seats: SeatBytes | None = None
        self._shown: dict[bool, tuple[Claims, Rendered]] = {}
        self.claims = Kept(
            self._read,
            clock,
            fallback,
            good_until=lambda claims: claims.next_hold_ends_at or FOREVER,
            guard=guard,
        )

    async def _read(self) -> Claims:
        if self._seats is None:
            self._seats = SeatBytes(await self._seating.seats(self.performance.id))
        return await self._seating.claims(self.performance.id, at=self._clock.now())

    def rendered(self, claims: Claims, *, everything: bool) -> tuple[Rendered, bool]:
        """Return the list's bytes, and whether they were there already."""
        shown = self._shown.get(everything)
        if shown is not None and shown[0] is claims:
            return shown[1], True
        assert self._seats is not None
        body = self._seats.all_of(claims) if everything else self._seats.free_of(claims)
        rendered = Rendered(success_around(body), cache=Cache.HER_IF_ASKED_AGAIN)
        self._shown[everything] = (claims, rendered)
        return rendered, False


class Listings:
    """
    Schedules, seats and the programme, ready to be sent.

    A list is at most `STALE_MS_MAX` older than the last commit that `changed`
    has told of. One that must be read and cannot be is given as it last was,
    and says so, as long as *fallback* allows. After that, and for one that was
    never read, every method raises `Fault`: an outage is never an empty list.
    """

    def __init__(
        self, seating: SeatingPlan, clock: Clock, fallback: Fallback, *, count: CountCache, guard: CircuitBreaker
    ) -> None:
        """Read from *seating*, nothing yet; *guard* counts whoever has to wait for that."""
        self._seating = seating
        self._clock = clock
        self._fallback = fallback
        self._guard = guard
        self._count = count
        self._programme = Kept(
            self._read_programme,
            # Who writes it writes on while the sale's time stands still.
            fallback.machine_clock,
            fallback,
            good_until=lambda found: later(found.read_at, PROGRAMME_GOOD_MS),
            guard=guard,
        )
        self._availability = Kept(self._read_availability, clock, fallback, good_until=lambda _: FOREVER, guard=guard)
        self._seat_lists: dict[PerformanceId, _SeatList] = {}
        self._shown: dict[tuple[RoomId, bool] | None, _Shown] = {}

    def changed(self, performance_ids: Collection[PerformanceId]) -> None:
        """Note a commit that changed what is claimed in these performances."""
        self._availability.changed()
        for performance_id in performance_ids:
            if (seat_list := self._seat_lists.get(performance_id)) is not None:
                seat_list.claims.changed()

    def changed_everywhere(self) -> None:
        """Note a commit that may have changed what is claimed in any performance."""
        self.changed(list(self._seat_lists))

    async def schedule(self, room_id: RoomId, *, everything: bool) -> Listed:
        """Return what is still to come in the room, ordered by start; *everything*: the sold-out ones too."""
        programme, facts = await self._programme.get(), await self._availability.get()
        rendered, hit = self._schedule(programme.value, facts.value, room_id, everything)
        return self._given("schedule", rendered, hit, programme, facts)

    def schedule_at_once(self, room_id: RoomId, *, everything: bool) -> Rendered | None:
        """Return the `schedule`, None where it has to be read."""
        programme, facts = self._programme.at_once(), self._availability.at_once()
        if programme is None or facts is None:
            return None
        rendered, hit = self._schedule(programme, facts, room_id, everything)
        self._count("schedule", _RESULTS[hit])
        return rendered

    def _schedule(
        self,
        programme: _Programme,
        facts: Mapping[PerformanceId, bool],
        room_id: RoomId,
        everything: bool,  # noqa: FBT001 -- as the callers have it
    ) -> tuple[Rendered, bool]:
        now = self._clock.now()
        shown = self._shown.get((room_id, everything))
        hit = shown is not None and shown.is_of(programme.performances, facts, now)
        if shown is None or not hit:
            shown = _schedule(room_id, programme, facts, now, everything=everything)
            self._shown[room_id, everything] = shown
        return shown.rendered, hit

    async def seats(self, room_id: RoomId, performance_id: PerformanceId, *, everything: bool) -> Listed:
        """Return the performance's free seats, or *everything*, ordered by position. Raises `UnknownPerformance`."""
        programme = await self._programme.get()
        seat_list = self._seat_list(self._performance(programme, room_id, performance_id))
        claims = await seat_list.claims.get()
        rendered, hit = seat_list.rendered(claims.value, everything=everything)
        return self._given("seats", rendered, hit, programme, claims)

    def seats_at_once(self, room_id: RoomId, performance_id: PerformanceId, *, everything: bool) -> Rendered | None:
        """Return the `seats`, None where they have to be read. Raises `UnknownPerformance`."""
        programme = self._programme.at_once()
        if programme is None:
            return None
        seat_list = self._seat_list(self._performance(Given(programme), room_id, performance_id))
        claims = seat_list.claims.at_once()
        if claims is None:
            return None
        rendered, hit = seat_list.rendered(claims, everything=everything)
        self._count("seats", _RESULTS[hit])
        return rendered

    def _seat_list(self, performance: Performance) -> _SeatList:
        seat_list = self._seat_lists.get(performance.id)
        if seat_list is None or (seat_list.performance is not performance and seat_list.performance != performance):
            seat_list = _SeatList(performance, self._seating, self._clock, self._fallback, self._guard)
            self._seat_lists[performance.id] = seat_list
        return seat_list

    async def look_for(self, room_id: RoomId, performance_id: PerformanceId) -> None:
        """Raise `UnknownPerformance` if the performance is over, of another room, or nowhere."""
        self._performance(await self._programme.get(), room_id, performance_id)

    def look_for_at_once(self, room_id: RoomId, performance_id: PerformanceId) -> bool:
        """`look_for` the performance; return False where the programme has to be read first."""
        programme = self._programme.at_once()
        if programme is None:
            return False
        self._performance(Given(programme), room_id, performance_id)
        return True

    def _performance(self, programme: Given[_Programme], room_id: RoomId, performance_id: PerformanceId) -> Performance:
        found = _found(programme, performance_id)
        if found is None or found.room_id != room_id or found.ends_at <= self._clock.now():
            raise UnknownPerformance
        return found

    async def concerts(self) -> Listed:
        """Return everything that is still to come, in all rooms, ordered by start."""
        programme = await self._programme.get()
        performances, now = programme.value.performances, self._clock.now()
        shown = self._shown.get(None)
        hit = shown is not None and shown.is_of(performances, None, now)
        if shown is None or not hit:
            shown = self._shown[None] = _concerts(programme.value, now)
        return self._given("concerts", shown.rendered, hit, programme)

    def _given(self, cache: str, rendered: Rendered, hit: bool, *sources: Given[Any]) -> Listed:  # noqa: FBT001 -- as it is counted
        """Return what was *rendered* from *sources*, marked where one of them could not be read again."""
        stale = [source.stale_ms for source in sources if source.fault is not None]
        self._count(cache, "stale" if stale else _RESULTS[hit])
        return rendered.aged(whole_seconds(max(stale))) if stale else rendered

    async def time_zone_of(self, performance_id: PerformanceId) -> str | None:
        """Return where the performance is, None if it is nowhere. A venue does not move, so an old answer is good."""
        last = self._programme.last
        found = None if last is None else last.by_id.get(performance_id)
        if found is None:
            found = _found(await self._programme.get(), performance_id)
        return None if found is None else found.time_zone

    async def _read_programme(self) -> _Programme:
        read_at = self._fallback.machine_clock.now()
        performances = tuple(await self._seating.performances())
        last = self._programme.last
        if last is not None and last.performances == performances:
            # The same objects again: what was rendered from them stays good.
            return _Programme(read_at, last.performances, last.by_id)
        self._availability.changed()
        return _Programme(read_at, performances, {performance.id: performance for performance in performances})

    async def _read_availability(self) -> Mapping[PerformanceId, bool]:
        """Return which performances are sold out. A hold that ends changes nothing of that, only a commit does."""
        found = await self._seating.availability(at=self._clock.now())
        sold_out = {performance_id: left.is_sold_out for performance_id, left in found.items()}
        last = self._availability.last
        return last if last == sold_out else sold_out


def _found(programme: Given[_Programme], performance_id: PerformanceId) -> Performance | None:
    """Return the performance. Raises the `Fault` of a programme that may be out of date: it may have come since."""
    found = programme.value.by_id.get(performance_id)
    if found is None and programme.fault is not None:
        raise programme.fault
    return found


def _schedule(
    room_id: RoomId,
    programme: _Programme,
    sold_out: Mapping[PerformanceId, bool],
    now: Instant,
    *,
    everything: bool,
) -> _Shown:
    coming = [found for found in programme.performances if found.room_id == room_id and found.starts_at > now]
    items = [
        _schedule_item(found, is_sold_out=sold_out.get(found.id, True))
        for found in coming
        if everything or not sold_out.get(found.id, True)
    ]
    return _Shown(programme.performances, sold_out, _next_start(coming), _rendered(items))


def _concerts(programme: _Programme, now: Instant) -> _Shown:
    coming = [found for found in programme.performances if found.starts_at > now]
    items = [_concert_item(found) for found in coming]
    return _Shown(programme.performances, None, _next_start(coming), _rendered(items))


def _rendered(items: Sequence[ScheduleItem | ConcertItem]) -> Rendered:
    return Rendered(success_around(msgspec.json.encode(items)), cache=Cache.HER_IF_ASKED_AGAIN)


def _next_start(coming: Sequence[Performance]) -> Instant:
    return min((found.starts_at for found in coming), default=FOREVER)


def _schedule_item(performance: Performance, *, is_sold_out: bool) -> ScheduleItem:
    zone = performance.time_zone
    return ScheduleItem(
        schedule_id=performance.id,
        concert_title=performance.title,
        open_date=local_date(performance.starts_at, zone),
        start_time=local_time(performance.starts_at, zone),
        end_time=local_time(performance.ends_at, zone),
        seat_status="SOLD_OUT" if is_sold_out else "AVAILABLE",
        venue=performance.venue,
        time_zone=zone,
        starts_at=rfc3339(performance.starts_at),
        ends_at=rfc3339(performance.ends_at),
    )


def _concert_item(performance: Performance) -> ConcertItem:
    zone = performance.time_zone
    return ConcertItem(
        schedule_id=performance.id,
        room=performance.room_id,
        concert_title=performance.title,
        venue=performance.venue,
        open_date=local_date(performance.starts_at, zone),
        start_time=local_time(performance.starts_at, zone),
        end_time=local_time(performance.ends_at, zone),
        time_zone=zone,
        starts_at=rfc3339(performance.starts_at),
        ends_at=rfc3339(performance.ends_at),
        seats=performance.seat_count,
        amount_from=performance.price_from_won,
        amount_to=performance.price_to_won,
    )
