"""A pass of one room sees and buys what that room sells; the rest of the house does not exist for it."""

from tests.e2e.harness.checkers import UNKNOWN, unexpected
from tests.e2e.harness.evening import Evening
from tests.e2e.harness.programme import a_room, a_show

HERE = a_room("here", a_show(seats=3))
THERE = a_room("there", a_show(seats=3))
ROOMS = (HERE, THERE)


async def test_the_other_rooms_shows_are_unknown(evening: Evening) -> None:
    here, there = evening.show(HERE.id), evening.show(THERE.id)
    async with evening.client() as client:
        fan = evening.fan(client, HERE.id)
        await fan.enter()

        listed = await fan.schedule()
        refused = [await fan.seats(there.schedule_id), await fan.reserve(there.schedule_id, there.seat_ids[0])]
        granted = await fan.reserve(here.schedule_id, here.seat_ids[0])

    assert [row["scheduleId"] for row in listed.rows] == [here.schedule_id]
    assert unexpected(refused, UNKNOWN) == []
    assert granted.ok


async def test_a_buyer_has_one_place_in_each_room(evening: Evening) -> None:
    async with evening.client() as client:
        fan = evening.fan(client, HERE.id)
        here = [await fan.join(), await fan.join()]
        fan.room_id = THERE.id
        there = [await fan.join(), await fan.join()]

    assert here[0].data["queueToken"] == here[1].data["queueToken"]
    assert there[0].data["queueToken"] == there[1].data["queueToken"]
    assert here[0].data["queueToken"] != there[0].data["queueToken"]


async def test_a_room_is_never_made_by_asking(evening: Evening) -> None:
    async with evening.client() as client:
        fan = evening.fan(client, "nowhere")

        answers = [await fan.join(), await client.ask("GET", "/queue/status?room=nowhere")]

    assert unexpected(answers, UNKNOWN) == []
