"""Events, with everything said that a test does not care about."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from sqlalchemy import Connection

from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.adapters.sql.outbox_rows import store_events
from stagedoor.checkout.events import OrderPaid
from stagedoor.holds.events import HoldPlaced, HoldReleased
from stagedoor.kernel.events import DomainEvent
from stagedoor.kernel.ids import MAIN_ROOM, EventId, HoldId, OrderId, QueueNumber, SeatId
from stagedoor.kernel.money import Won
from tests.builders.sale import ANN, DEADLINE, NOON, PLAY

SEAT_IDS = (SeatId(1), SeatId(2))


@dataclass(frozen=True, slots=True, kw_only=True)
class SomethingHappened(DomainEvent):
    """An event that nobody here has anything to do with."""

    name: ClassVar[str] = "SomethingHappened"

    @property
    def subject_id(self) -> int:
        """One for all of them."""
        return 1


def something(event_id: str) -> SomethingHappened:
    return SomethingHappened(event_id=EventId(event_id), occurred_at=NOON)


def placed(event_id: str, *, hold_id: int = 1) -> HoldPlaced:
    return HoldPlaced(
        event_id=EventId(event_id),
        occurred_at=NOON,
        hold_id=HoldId(hold_id),
        buyer_id=ANN,
        room_id=MAIN_ROOM,
        place_number=QueueNumber(1),
        performance_id=PLAY,
        seat_ids=SEAT_IDS,
        expires_at=DEADLINE,
    )


def released(event_id: str, *, hold_id: int = 1) -> HoldReleased:
    return HoldReleased(
        event_id=EventId(event_id),
        occurred_at=NOON,
        hold_id=HoldId(hold_id),
        buyer_id=ANN,
        room_id=MAIN_ROOM,
        place_number=QueueNumber(1),
        performance_id=PLAY,
        seat_ids=SEAT_IDS,
    )


def paid(event_id: str, *, order_id: int = 9, seat_ids: Sequence[SeatId] = SEAT_IDS) -> OrderPaid:
    return OrderPaid(
        event_id=EventId(event_id),
        occurred_at=NOON,
        order_id=OrderId(order_id),
        hold_id=HoldId(order_id + 1_000),
        buyer_id=ANN,
        room_id=MAIN_ROOM,
        place_number=QueueNumber(1),
        performance_id=PLAY,
        seat_ids=tuple(seat_ids),
        amount_won=Won(100_000),
        place_over=True,
    )


async def store(lanes: Lanes, *events: DomainEvent) -> None:
    """Write *events* as the sale does, for both outlets."""

    def write(connection: Connection) -> None:
        store_events(connection, events, for_broker=True)

    async with lanes.writing() as transaction:
        await transaction.run(write)
        await transaction.commit(proof=lambda _: False)
