"""Whoever is away when her turn comes is passed over; when she is back she enters next, before the line."""

from tests.e2e.harness.evening import Evening
from tests.e2e.harness.fan import Fan
from tests.e2e.harness.programme import a_room, a_show
from tests.e2e.harness.until import until

AWAY = a_room("away", a_show(seats=9), max_active=1, away_after_ms=1_000, state="PAUSED")
NO_SHOW = a_room("no-show", a_show(seats=9), max_active=1, entry_window_ms=1_000, away_after_ms=60_000)
ROOMS = (AWAY, NO_SHOW)


async def position(fan: Fan) -> int:
    """Return where she stands."""
    place: int = (await fan.check()).data["queuePosition"]
    return place


async def test_the_absent_stop_counting_and_come_back_to_the_front(evening: Evening) -> None:
    async with evening.client() as client:
        absent, second, third = evening.fans(3, client, AWAY.id)
        for fan in (absent, second, third):
            await fan.join()
        at_first = await position(second)

        await until(lambda: position(second), lambda place: place == 1)
        await until(lambda: position(third), lambda place: place == 2)
        evening.cli("room", "open", AWAY.id)
        await second.admitted()
        back = await absent.check()
        third_now = await third.check()
        await second.leave()
        await absent.admitted()
        still_waiting = await third.check()

    assert at_first == 2
    assert (back.data["status"], back.data["queuePosition"]) == ("WAITING", 1)
    assert third_now.data["queuePosition"] <= 2
    assert still_waiting.data["status"] == "WAITING"


async def test_an_entry_not_taken_up_makes_a_returner(evening: Evening) -> None:
    async with evening.client() as client:
        no_show, second, third = evening.fans(3, client, NO_SHOW.id)
        await no_show.join()
        await second.join()
        await third.join()
        token = no_show.token

        await second.admitted()
        back = await no_show.check()
        asked_again = await no_show.join()
        await second.leave()
        await no_show.admitted()
        still_waiting = await third.check()

    assert back.data["status"] == "WAITING"
    assert asked_again.data["queueToken"] == token
    assert still_waiting.data["status"] == "WAITING"
