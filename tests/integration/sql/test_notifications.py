"""The log of what buyers were told: once an event, however often it comes."""

from sqlalchemy import Connection, text

from stagedoor.adapters.embedded.sqlite_file import SqliteFile
from stagedoor.adapters.sql.notifications import SqlNotifications
from stagedoor.checkout.events import OrderPaid
from stagedoor.kernel.ids import MAIN_ROOM, EventId, HoldId, OrderId, QueueNumber, SeatId
from stagedoor.kernel.money import Won
from tests.builders.sale import ANN, NOON, PLAY


def paid(event_id: str, *seat_ids: int) -> OrderPaid:
    return OrderPaid(
        event_id=EventId(event_id),
        occurred_at=NOON,
        order_id=OrderId(55),
        hold_id=HoldId(1),
        buyer_id=ANN,
        room_id=MAIN_ROOM,
        place_number=QueueNumber(1),
        performance_id=PLAY,
        seat_ids=tuple(SeatId(seat_id) for seat_id in seat_ids),
        amount_won=Won(150_000),
        place_over=True,
    )


async def log(file: SqliteFile) -> list[tuple[str, int, str]]:
    def read(connection: Connection) -> list[tuple[str, int, str]]:
        rows = connection.execute(text("SELECT event_id, buyer_id, text FROM notification ORDER BY event_id"))
        return [(event_id, buyer_id, words) for event_id, buyer_id, words in rows]

    return await file.reading(read)


async def test_each_event_is_noted_once(sold_from: SqliteFile) -> None:
    notifications = SqlNotifications(sold_from)

    await notifications.note([paid("a", 1), paid("a", 1)], at=NOON)
    await notifications.note([paid("a", 1), paid("b", 1, 2)], at=NOON)
    await notifications.note([], at=NOON)

    assert await log(sold_from) == [
        ("a", ANN, "Order 55 is paid: 1 seat, 150,000 won."),
        ("b", ANN, "Order 55 is paid: 2 seats, 150,000 won."),
    ]
