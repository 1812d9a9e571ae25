"""What is left in each room, kept in memory and read again only where a sale or a deadline has changed it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select

from stagedoor.adapters.sql.claim_counts import NOTHING_CLAIMED, ClaimCounts, count_claims
from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.adapters.sql.seat_figures import NO_SEATS, SeatFigures, count_seats
from stagedoor.adapters.sql.tables import performance
from stagedoor.kernel.clock import FOREVER, SECOND_MS, Clock, Instant, later
from stagedoor.kernel.ids import PerformanceId, RoomId
from stagedoor.kernel.sale_state import SaleState, mildest
from stagedoor.seating.switch import ALL_OPEN, SaleSwitches
from stagedoor.waiting_room.ports import RoomSupply, Supply

PROGRAMME_MS = SECOND_MS
"""How old the list of performances may be; a sale does not change it."""

PLENTY = 4_000
"""So many free seats are plenty. Are all sold before they are counted again, somebody is let in who finds none."""

PLENTY_MS = SECOND_MS // 2
"""
How old the counts of a performance may be that has plenty left.

To count takes the longer the more is sold, and at each turn of admission, ten times a second, it would be done again.
"""

_PERFORMANCES = select(performance.c.id, performance.c.room_id, performance.c.ends_at)


def _no_switches() -> SaleSwitches:
    return ALL_OPEN


@dataclass(frozen=True, slots=True)
class _Read:
    rooms: Mapping[PerformanceId, tuple[RoomId, Instant]]
    seats: Mapping[PerformanceId, SeatFigures]
    claims: Mapping[PerformanceId, ClaimCounts]


class SqlSupply(Supply):
    """
    The rooms' supply, as of the last `refresh`.

    `touch` says that claims have changed (of the performances named, or of
    any); the next `refresh` reads them again, and those in which a hold has
    ended since. Where plenty is left that can wait for half a second.
    """

    def __init__(self, lanes: Lanes, clock: Clock, switches: Callable[[], SaleSwitches] = _no_switches) -> None:
        """
        Read through *lanes*; nothing is left of anything before the first `refresh`.

        *switches* says what is stopped.
        """
        self._lanes = lanes
        self._clock = clock
        self._switches = switches
        self._rooms: Mapping[PerformanceId, tuple[RoomId, Instant]] = {}
        self._seats: dict[PerformanceId, SeatFigures] = {}
        self._claims: dict[PerformanceId, ClaimCounts] = {}
        self._counted_at: dict[PerformanceId, Instant] = {}
        self._touched: set[PerformanceId] = set()
        self._programme_read_at: Instant | None = None
        self._summed: dict[RoomId, tuple[RoomSupply, Instant, SaleSwitches]] = {}

    def touch(self, performance_ids: Iterable[PerformanceId] | None = None) -> None:
        """Have the claims of *performance_ids* (None: of all) read again by the next `refresh`."""
        self._touched.update(self._rooms if performance_ids is None else performance_ids)

    async def refresh(self) -> None:
        """Read what is out of date; nothing, if nothing is. Raises `Fault`, and may simply be called again."""
        now = self._clock.now()
        if not self._is_out_of_date(now):
            return
        # Whatever is touched while the read is under way is read again by the next one.
        touched = self._to_count(now)
        self._touched -= touched
        known_seats, known_claims = frozenset(self._seats), frozenset(self._claims)

        def read(connection: Connection) -> _Read:
            rooms = {
                PerformanceId(id_): (RoomId(room_id), Instant(ends_at))
                for id_, room_id, ends_at in connection.execute(_PERFORMANCES).all()
            }
            stale = (rooms.keys() - known_claims) | (touched & rooms.keys())
            return _Read(
                rooms, count_seats(connection, rooms.keys() - known_seats), count_claims(connection, stale, now)
            )

        try:
            found = await self._lanes.reading(read)
        except BaseException:
            self._touched |= touched
            raise
        self._rooms = found.rooms
        self._seats.update(found.seats)
        self._claims.update(found.claims)
        self._counted_at.update(dict.fromkeys(found.claims, now))
        self._programme_read_at = now
        self._summed = {}

    def of(self, room_id: RoomId) -> RoomSupply:
        """Return the room's supply."""
        now, switches = self._clock.now(), self._switches()
        found = self._summed.get(room_id)
        if found is None or now >= found[1] or switches is not found[2]:
            found = self._summed[room_id] = (*self._sum(room_id, now, switches), switches)
        return found[0]

    def _sum(self, room_id: RoomId, now: Instant, switches: SaleSwitches) -> tuple[RoomSupply, Instant]:
        """Return the room's supply, and until when it is that if nothing is read: a performance that ends leaves it."""
        free = held = 0
        with_seats: list[SaleState] = []
        without: list[SaleState] = []
        until = FOREVER
        ends: list[Instant] = []
        for id_, (performance_room_id, ends_at) in self._rooms.items():
            if performance_room_id != room_id or ends_at <= now or id_ not in self._seats:
                continue
            until = min(until, ends_at)
            claimed, free_here = self._claims.get(id_, NOTHING_CLAIMED), self._free(id_)
            (with_seats if free_here > 0 else without).append(switches.state_of(id_))
            free += free_here
            held += claimed.held
            if claimed.next_hold_ends_at is not None:
                ends.append(claimed.next_hold_ends_at)
        sale = mildest(with_seats or without, default=switches.everywhere)
        return RoomSupply(free=free, held=held, next_hold_ends_at=min(ends, default=None), sale=sale), until

    def _is_out_of_date(self, now: Instant) -> bool:
        if self._programme_read_at is None or now >= later(self._programme_read_at, PROGRAMME_MS):
            return True
        return bool(self._to_count(now))

    def _to_count(self, now: Instant) -> set[PerformanceId]:
        return {id_ for id_ in self._touched | self._ended_by(now) if not self._can_wait(id_, now)}

    def _can_wait(self, id_: PerformanceId, now: Instant) -> bool:
        counted_at = self._counted_at.get(id_)
        return counted_at is not None and now < later(counted_at, PLENTY_MS) and self._free(id_) >= PLENTY

    def _free(self, id_: PerformanceId) -> int:
        claimed = self._claims.get(id_, NOTHING_CLAIMED)
        return self._seats.get(id_, NO_SEATS).count - claimed.held - claimed.sold - claimed.blocked

    def _ended_by(self, now: Instant) -> set[PerformanceId]:
        return {
            id_
            for id_, claimed in self._claims.items()
            if claimed.next_hold_ends_at is not None and claimed.next_hold_ends_at <= now
        }
