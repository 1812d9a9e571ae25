"""Members and performances made in bulk: each table is filled by one statement a batch."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Column, Connection, func, insert, select

from stagedoor.adapters.sql import tables
from stagedoor.adapters.sql.bulk import Bulk
from stagedoor.adapters.sql.dialect import MAKE_ROOM_ONCE
from stagedoor.adapters.sql.room_book import UNCHANGED_VERSION
from stagedoor.kernel.clock import Instant
from stagedoor.kernel.ids import WIRE_ID_BITS, WIRE_ID_MAX, BuyerId, PerformanceId, RoomId
from stagedoor.kernel.money import CHARGE_WON_MAX, Won
from stagedoor.waiting_room.room import RoomState
from stagedoor.wallet.model import FUNDING, TransferKind, wallet_account

BATCH_ROWS = 20_000
MAIN_ROOM_NAME = "Main room"

_MEMBERS = Bulk.insert(tables.member, "id", "created_at")
_WALLETS = Bulk.insert(tables.wallet, "buyer_id", "balance_won")
_TRANSFERS = Bulk.insert(tables.transfer, "id", "buyer_id", "kind", "debit", "credit", "amount_won", "posted_at")
_SEATS = Bulk.insert(
    tables.seat, "id", "performance_id", "position", "section", "row_name", "seat_number", "zone", "price_won"
)

Progress = Callable[[int], None]
"""Told how many more of the things asked for are done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A block of *rows* equal rows of *seats_per_row* seats, all in one *zone* at one price."""

    name: str
    rows: int
    seats_per_row: int
    zone: str
    price_won: Won

    def __post_init__(self) -> None:
        """Refuse a block without seats, and seats without a price; input was checked at the edge."""
        assert self.rows > 0
        assert self.seats_per_row > 0
        assert self.price_won > 0

    @property
    def seat_count(self) -> int:
        """How many seats it has."""
        return self.rows * self.seats_per_row


@dataclass(frozen=True, slots=True, kw_only=True)
class Hall:
    """A venue and its sections, from the best seats to the last."""

    venue: str
    sections: tuple[Section, ...]

    @property
    def seat_count(self) -> int:
        """How many seats it has."""
        return sum(section.seat_count for section in self.sections)


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformancePlan:
    """A performance to be made. *time_zone* is the venue's IANA name."""

    room_id: RoomId
    title: str
    hall: Hall
    starts_at: Instant
    ends_at: Instant
    time_zone: str


def has_members(connection: Connection) -> bool:
    """Tell whether anybody could buy anything."""
    return connection.execute(select(tables.member.c.id).limit(1)).first() is not None


def has_performances(connection: Connection) -> bool:
    """Tell whether anything is on."""
    return connection.execute(select(tables.performance.c.id).limit(1)).first() is not None


def batches(first: int, count: int) -> Iterator[range]:
    """Cut the ids from *first* on into pieces that one statement takes."""
    for start in range(first, first + count, BATCH_ROWS):
        yield range(start, min(start + BATCH_ROWS, first + count))


def seed_members(connection: Connection, ids: range, *, balance_won: Won, now: Instant) -> int:
    """
    Make the members with *ids*, each with a wallet that was charged once; return how many were made.

    Who is a member already is left alone, whatever her balance.
    """
    assert ids
    assert 0 <= balance_won <= CHARGE_WON_MAX
    member = tables.member.c.id
    known = set(connection.scalars(select(member).where(member.between(ids.start, ids.stop - 1))))
    made = [BuyerId(number) for number in ids if number not in known]
    if made:
        _MEMBERS(connection, [(buyer_id, now) for buyer_id in made])
        _WALLETS(connection, [(buyer_id, balance_won) for buyer_id in made])
        if balance_won:
            _TRANSFERS(connection, list(_charges(made, balance_won, now)))
    return len(made)


def _charges(buyer_ids: Sequence[BuyerId], amount_won: Won, now: Instant) -> Iterator[tuple[int | str, ...]]:
    # All bits are drawn: so many ids of one moment would meet. Sorted, they still fill an index from left to right.
    ids = sorted(secrets.randbits(WIRE_ID_BITS) or 1 for _ in buyer_ids)
    kind = int(TransferKind.CHARGE)
    for transfer_id, buyer_id in zip(ids, buyer_ids, strict=True):
        yield transfer_id, buyer_id, kind, FUNDING, wallet_account(buyer_id), amount_won, now


def has_room(connection: Connection, room_id: RoomId) -> bool:
    """Tell whether there is a room of that id."""
    return connection.execute(select(tables.room.c.id).where(tables.room.c.id == room_id)).first() is not None


def seed_room(connection: Connection, room_id: RoomId, *, name: str) -> bool:
    """Make an open room that follows the settings, unless there is one of that id; tell whether it was made."""
    if has_room(connection, room_id):
        return False
    MAKE_ROOM_ONCE(connection, [(room_id, name, RoomState.OPEN.value, UNCHANGED_VERSION)])
    return True


def seed_performance(
    connection: Connection, plan: PerformancePlan, *, progress: Progress = lambda _seats: None
) -> PerformanceId:
    """Make the performance with all its seats; its room has to be there. *progress* is told of seats."""
    # Only one at a time gives out numbers.
    connection.execute(select(tables.room.c.id).order_by(tables.room.c.id).with_for_update()).all()
    performance_id = PerformanceId(_next_id(connection, tables.performance.c.id))
    connection.execute(
        insert(tables.performance).values(
            id=performance_id,
            room_id=plan.room_id,
            title=plan.title,
            venue=plan.hall.venue,
            starts_at=plan.starts_at,
            ends_at=plan.ends_at,
            time_zone=plan.time_zone,
        )
    )
    seats = _seats(plan.hall, performance_id, _next_id(connection, tables.seat.c.id))
    while batch := list(islice(seats, BATCH_ROWS)):
        _SEATS(connection, batch)
        progress(len(batch))
    return performance_id


def _next_id(connection: Connection, column: "Column[int]") -> int:
    following = (connection.scalar(select(func.max(column))) or 0) + 1
    assert following <= WIRE_ID_MAX
    return following


def _seats(hall: Hall, performance_id: PerformanceId, first_id: int) -> Iterator[tuple[int | str, ...]]:
    position = 0
    for section in hall.sections:
        for row in range(1, section.rows + 1):
            for number in range(1, section.seats_per_row + 1):
                seat_id = first_id + position
                position += 1
                priced = section.zone, section.price_won
                yield seat_id, performance_id, position, section.name, str(row), number, *priced
