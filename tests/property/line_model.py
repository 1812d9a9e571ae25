"""
A waiting line as plain as can be: a list of places, and every question answered by going through all of it.

No columns, no wheel, no blocks, no heaps. Who is away is asked of everybody at
every turn; a position is counted; the tokens of the rate are exact fractions.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil

from stagedoor.kernel.clock import Instant
from stagedoor.waiting_room.room import Room, RoomState

MOST_TOLD_MS = 30_000
"""What a buyer can have been told at most, in a line as short as these."""


@dataclass(slots=True)
class ModelPlace:
    """One place; *stands* is waiting, admitted, passed over or over."""

    number: int
    buyer: int
    seen_at: int
    stands: str = "waiting"
    counts: bool = True
    was_away: bool = False
    told_ms: int = 0
    is_back: bool = False
    admitted_at: int = 0
    session_ends_at: int = 0
    entry_ends_at: int = 0
    entered: bool = False
    entry_saved: bool = False
    holds: dict[int, int] = field(default_factory=dict)

    def is_away(self, room: Room, now: int) -> bool:
        """Whether she has not been heard of for too long."""
        return now - self.seen_at >= max(room.policy.away_after_ms, 3 * self.told_ms)

    def holds_seats(self, now: int) -> bool:
        """Whether any of her holds is open."""
        return any(now < until for until in self.holds.values())


@dataclass(slots=True)
class ModelLine:
    """All places, and the fractions of admissions saved up."""

    places: list[ModelPlace] = field(default_factory=list)
    rate: float | None = None
    saved_up: Fraction = Fraction(0)
    saved_at: int = 0
    last_admitted_at: int | None = None

    def living(self, buyer: int) -> ModelPlace | None:
        """Return the buyer's living place."""
        return next((place for place in self.places if place.buyer == buyer and place.stands != "over"), None)

    def join(self, buyer: int, now: int) -> ModelPlace:
        """Return her living place or a new one."""
        place = self.living(buyer)
        if place is None:
            place = ModelPlace(number=len(self.places) + 1, buyer=buyer, seen_at=now)
            self.places.append(place)
        return place

    def hear_of(self, place: ModelPlace, now: int) -> None:
        """Take note of a sign of hers."""
        if place.stands == "over":
            return
        place.seen_at = now
        if place.stands == "admitted":
            place.entered = True
        if place.stands == "passed over":
            place.is_back = True

    def end(self, place: ModelPlace) -> None:
        """It is over."""
        place.stands, place.counts = "over", False

    def position(self, place: ModelPlace) -> int:
        """Count who is ahead."""
        if place.stands == "waiting":
            return 1 + sum(ahead.counts for ahead in self.places[: place.number - 1])
        return 1 if place.stands == "passed over" else 0

    def inside(self) -> list[ModelPlace]:
        """Return who is admitted."""
        return [place for place in self.places if place.stands == "admitted"]

    def let_time_pass(self, room: Room, now: Instant) -> None:
        """Save admissions up, and note who is away: also in a turn that fails, whether she comes back or not."""
        self._save_up(room, now)
        for place in self.places:
            if place.stands == "waiting" and place.is_away(room, now):
                place.was_away = True

    def turn(self, room: Room, now: Instant, *, seats_free: bool) -> list[int]:
        """Let time act; return who was admitted, in order."""
        self.let_time_pass(room, now)
        for place in self.inside():
            self._end_if_due(place, room, now)
        for place in self.places:
            place.counts = place.counts and not place.was_away
        state = room.state_at(now)
        if state is RoomState.CLOSED:
            for place in self.places:
                if place.stands in {"waiting", "passed over"}:
                    self.end(place)
        admitted = self._admit(room, now) if state is RoomState.OPEN and seats_free else []
        for place in self.places:
            place.entry_saved = place.entered
        return admitted

    def stand_still(self, outage_ms: int) -> None:
        """Nothing has happened, and nothing has come nearer: every instant in it lies so much later."""
        for place in self.places:
            place.seen_at += outage_ms
            place.session_ends_at += outage_ms
            place.entry_ends_at += outage_ms
            for hold in place.holds:
                place.holds[hold] += outage_ms

    def restart(self, room: Room, now: int) -> None:
        """Forget what is not durable."""
        self.rate = None
        for place in self.places:
            if place.stands == "over":
                continue
            place.seen_at, place.told_ms, place.is_back, place.holds = now, MOST_TOLD_MS, False, {}
            place.entered, place.was_away = place.entry_saved, False
            place.entry_ends_at = now + max(room.policy.entry_window_ms, 3 * MOST_TOLD_MS)

    def _end_if_due(self, place: ModelPlace, room: Room, now: int) -> None:
        if place.holds_seats(now):
            return
        if now >= place.session_ends_at or (place.entered and now >= place.seen_at + room.policy.idle_timeout_ms):
            self.end(place)
        elif not place.entered and now >= place.entry_ends_at:
            place.stands, place.is_back = "passed over", False

    def _admit(self, room: Room, now: int) -> list[int]:
        limit = room.policy.max_active - len(self.inside())
        if room.policy.rate is not None:
            limit = min(limit, int(self.saved_up))
        admitted: list[int] = []
        back = [place for place in self.places if place.stands == "passed over" and place.is_back]
        line = [place for place in self.places if place.stands == "waiting"]
        for place in back + line:
            if len(admitted) >= limit:
                break
            if place.is_away(room, now):
                place.stands, place.counts, place.is_back = "passed over", False, False
                continue
            admitted.append(place.number)
            place.stands, place.counts, place.is_back = "admitted", False, False
            place.admitted_at, place.session_ends_at = now, now + room.policy.session_max_ms
            place.entry_ends_at = now + max(room.policy.entry_window_ms, 3 * place.told_ms)
            place.entered = place.entry_saved = False
            place.holds = {}
        if admitted:
            self.saved_up -= len(admitted)
            self.last_admitted_at = now
        return admitted

    def _save_up(self, room: Room, now: int) -> None:
        rate = room.policy.rate
        if rate is not None:
            if self.rate is not None:
                most = ceil(self.rate / 4)
                self.saved_up = min(Fraction(most), self.saved_up + Fraction(self.rate) * (now - self.saved_at) / 1_000)
            elif self.last_admitted_at is None:
                self.saved_up = Fraction(ceil(rate / 4))
            else:
                self.saved_up = Fraction(rate) * (now - self.last_admitted_at) / 1_000
            self.saved_up = min(self.saved_up, Fraction(ceil(rate / 4)))
            self.saved_at = now
        self.rate = rate
