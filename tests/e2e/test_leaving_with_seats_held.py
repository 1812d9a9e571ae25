"""Whoever leaves lets her seats go: free at once for everybody, for her only after a minute."""

from tests.e2e.harness.checkers import HOLD_OVER, PLACE_OVER, TAKEN, refused_after_it_was_free
from tests.e2e.harness.evening import Evening, House
from tests.e2e.harness.fan import let_in
from tests.e2e.harness.programme import a_room, a_show
from tests.e2e.harness.until import until

ROOM = a_room("leaving", a_show(seats=4))
ROOMS = (ROOM,)
BROKEN = "seats_kept_on_leaving"


async def leave_and_let_another_try(evening: House) -> list[str]:
    """Hold a seat, leave, let somebody else ask for it at once; return what is wrong."""
    show = evening.show(ROOM.id)
    async with evening.client() as client:
        leaver, next_one = evening.fans(2, client, ROOM.id)
        await let_in([leaver, next_one])
        await leaver.reserve(show.schedule_id, show.seat_ids[0])

        left = await leaver.leave()
        assert left.ok, str(left)
        await next_one.reserve(show.schedule_id, show.seat_ids[0])
    return refused_after_it_was_free(client.record, show.seat_ids[0], left.answered_at)


async def test_her_seats_are_free_at_once_for_others(evening: House) -> None:
    assert await leave_and_let_another_try(evening) == []


async def test_control_a_server_that_keeps_the_seats_is_found_out(broken: House) -> None:
    assert await leave_and_let_another_try(broken) != []


async def test_they_are_closed_to_her_for_a_minute(evening: House) -> None:
    show = evening.show(ROOM.id)
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        await fan.enter()
        await fan.reserve(show.schedule_id, show.seat_ids[1])
        await fan.leave()
        await fan.enter()

        by_leaving = await fan.reserve(show.schedule_id, show.seat_ids[1])
        other = await fan.reserve(show.schedule_id, show.seat_ids[2])
        await fan.release(other.data["reservationId"])
        by_release = await fan.reserve(show.schedule_id, show.seat_ids[2])
        with_another = await fan.reserve(show.schedule_id, show.seat_ids[2], show.seat_ids[3])

    assert other.ok
    assert (by_leaving.verdict, by_release.verdict, with_another.verdict) == (TAKEN, TAKEN, TAKEN)


async def test_the_place_and_the_hold_are_over(evening: Evening) -> None:
    show = evening.show(ROOM.id)
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        await fan.enter()
        held = await fan.reserve(show.schedule_id, show.seat_ids[3])
        await fan.leave()

        stands = await fan.check()
        listed = await fan.schedule()
        paid = await fan.pay(held.data["reservationId"])
        again = await fan.leave()

    assert (stands.data["status"], stands.data["queuePosition"]) == ("EXPIRED", 0)
    assert listed.verdict == PLACE_OVER
    assert paid.verdict == HOLD_OVER
    assert again.ok


async def test_leaving_while_waiting_makes_room_for_those_behind(evening: Evening) -> None:
    async with evening.client() as client:
        evening.cli("room", "pause", ROOM.id)
        status = f"/queue/status?room={ROOM.id}"
        await until(lambda: client.ask("GET", status), lambda answer: answer.data["roomState"] == "PAUSED")
        first, second, third = evening.fans(3, client, ROOM.id)
        for fan in (first, second, third):
            await fan.join()
        before = [(await fan.check()).data["queuePosition"] for fan in (first, second, third)]

        await first.leave()
        after = [(await fan.check()).data["queuePosition"] for fan in (second, third)]
        evening.cli("room", "open", ROOM.id)
        inside = await third.admitted()

    assert before == [1, 2, 3]
    assert after == [1, 2]
    assert inside.data["status"] == "PROGRESS"
