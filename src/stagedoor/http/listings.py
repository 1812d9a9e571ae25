"""The lists that crowds read: their bytes are made once for each state of what they show, by whoever asks first."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from stagedoor.http.answer import Cache, success_around
from stagedoor.http.kept import Kept
from stagedoor.http.rendered import Rendered
from stagedoor.http.seat_bytes import SeatBytes
from stagedoor.http.times import local_date, local_time, rfc3339
from stagedoor.http.wire import ConcertItem, ScheduleItem
from stagedoor.kernel.clock import FOREVER, SECOND_MS, Clock, Instant, later
from stagedoor.kernel.ids import PerformanceId, RoomId
from stagedoor.seating.model import Claims, Performance
from stagedoor.seating.ports import SeatingPlan
from stagedoor.seating.rejections import UnknownPerformance

PROGRAMME_GOOD_MS = SECOND_MS
"""The programme is written by other processes (`stagedoor seed`), which tell us nothing: so it is read again."""

CountCache = Callable[[str, bool], None]
"""Counts one list given from the cache of that name: a hit, or made anew for whoever asked."""


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

    def __init__(self, performance: Performance, seating: SeatingPlan, clock: Clock) -> None:
        self.performance = performance
        self._seating = seating
        self._clock = clock
        self._seats: SeatBytes | None = None
        self._shown: dict[bool, tuple[Claims, Rendered]] = {}
        self.claims = Kept(self._read, clock, good_until=lambda claims: claims.next_hold_ends_at or FOREVER)

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
    has told of. Every method raises `Fault` if a list must be read and cannot
    be: an outage is never an empty list.
    """

    def __init__(self, seating: SeatingPlan, clock: Clock, *, count: CountCache) -> None:
        """Read from *seating*, nothing yet."""
        self._seating = seating
        self._clock = clock
        self._count = count
        self._programme = Kept(
            self._read_programme, clock, good_until=lambda found: later(found.read_at, PROGRAMME_GOOD_MS)
        )
        self._availability = Kept(self._read_availability, clock, good_until=lambda _: FOREVER)
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

    async def schedule(self, room_id: RoomId, *, everything: bool) -> Rendered:
        """Return what is still to come in the room, ordered by start; *everything*: the sold-out ones too."""
        return self._schedule(await self._programme.get(), await self._availability.get(), room_id, everything)

    def schedule_at_once(self, room_id: RoomId, *, everything: bool) -> Rendered | None:
        """Return the `schedule`, None where it has to be read."""
        programme, facts = self._programme.at_once(), self._availability.at_once()
        return None if programme is None or facts is None else self._schedule(programme, facts, room_id, everything)

    def _schedule(
        self,
        programme: _Programme,
        facts: Mapping[PerformanceId, bool],
        room_id: RoomId,
        everything: bool,  # noqa: FBT001 -- as the callers have it
    ) -> Rendered:
        now = self._clock.now()
        shown = self._shown.get((room_id, everything))
        hit = shown is not None and shown.is_of(programme.performances, facts, now)
        if shown is None or not hit:
            shown = _schedule(room_id, programme, facts, now, everything=everything)
            self._shown[room_id, everything] = shown
        self._count("schedule", hit)
        return shown.rendered

    async def seats(self, performance: Performance, *, everything: bool) -> Rendered:
        """Return the performance's free seats, or *everything*, ordered by position."""
        seat_list = self._seat_list(performance)
        return self._seats(seat_list, await seat_list.claims.get(), everything=everything)

    def seats_at_once(self, performance: Performance, *, everything: bool) -> Rendered | None:
        """Return the `seats`, None where they have to be read."""
        seat_list = self._seat_list(performance)
        claims = seat_list.claims.at_once()
        return None if claims is None else self._seats(seat_list, claims, everything=everything)

    def _seat_list(self, performance: Performance) -> _SeatList:
        seat_list = self._seat_lists.get(performance.id)
        if seat_list is None or (seat_list.performance is not performance and seat_list.performance != performance):
            seat_list = self._seat_lists[performance.id] = _SeatList(performance, self._seating, self._clock)
        return seat_list

    def _seats(self, seat_list: _SeatList, claims: Claims, *, everything: bool) -> Rendered:
        rendered, hit = seat_list.rendered(claims, everything=everything)
        self._count("seats", hit)
        return rendered

    async def performance(self, room_id: RoomId, performance_id: PerformanceId) -> Performance:
        """Return the performance. Raises `UnknownPerformance` if it is over, of another room, or nowhere."""
        return self._performance(await self._programme.get(), room_id, performance_id)

    def performance_at_once(self, room_id: RoomId, performance_id: PerformanceId) -> Performance | None:
        """Return the `performance`, None where the programme has to be read."""
        programme = self._programme.at_once()
        return None if programme is None else self._performance(programme, room_id, performance_id)

    def _performance(self, programme: _Programme, room_id: RoomId, performance_id: PerformanceId) -> Performance:
        found = programme.by_id.get(performance_id)
        if found is None or found.room_id != room_id or found.ends_at <= self._clock.now():
            raise UnknownPerformance
        return found

    async def concerts(self) -> Rendered:
        """Return everything that is still to come, in all rooms, ordered by start."""
        programme = await self._programme.get()
        now = self._clock.now()
        shown = self._shown.get(None)
        hit = shown is not None and shown.is_of(programme.performances, None, now)
        if shown is None or not hit:
            shown = self._shown[None] = _concerts(programme, now)
        self._count("concerts", hit)
        return shown.rendered

    async def time_zone_of(self, performance_id: PerformanceId) -> str | None:
        """Return where the performance is, None if it is nowhere. A venue does not move, so an old answer is good."""
        last = self._programme.last
        if last is None or performance_id not in last.by_id:
            last = await self._programme.get()
        found = last.by_id.get(performance_id)
        return None if found is None else found.time_zone

    async def _read_programme(self) -> _Programme:
        read_at = self._clock.now()
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
