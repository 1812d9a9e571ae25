"""A seat belongs to one schedule: named with another it is unknown."""

from tests.e2e.harness.checkers import UNKNOWN, unexpected
from tests.e2e.harness.evening import Evening
from tests.e2e.harness.programme import a_room, a_show

ROOM = a_room("two-nights", a_show(seats=3), a_show(seats=3, in_days=31))
ROOMS = (ROOM,)


async def test_it_is_unknown_and_stays_free(evening: Evening) -> None:
    first, second = evening.show(ROOM.id, 0), evening.show(ROOM.id, 1)
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        await fan.enter()

        wrong = [
            await fan.reserve(first.schedule_id, second.seat_ids[0]),
            await fan.reserve(first.schedule_id, first.seat_ids[0], second.seat_ids[1]),
            await fan.reserve(first.schedule_id, 9_999_999),
            await fan.reserve(9_999, first.seat_ids[0]),
        ]
        free = await fan.seats(first.schedule_id)
        right = await fan.reserve(first.schedule_id, first.seat_ids[0])

    assert unexpected(wrong, UNKNOWN) == []
    assert [row["seatId"] for row in free.rows] == list(first.seat_ids)
    assert right.ok
