"""The operator changes a room while it is full: the server goes by it at once, and throws nobody out."""

from tests.e2e.harness.answers import Answer
from tests.e2e.harness.evening import Evening
from tests.e2e.harness.fan import let_in, waits
from tests.e2e.harness.programme import a_room, a_show
from tests.e2e.harness.until import always, until

ROOM = a_room("live", a_show(seats=9), max_active=1)
ROOMS = (ROOM,)
LOOKS = 20


def is_inside(answer: Answer) -> bool:
    """Whether the answer says that she is in."""
    return bool(answer.data["status"] == "PROGRESS")


async def test_a_wider_door_a_narrower_one_a_pause_and_the_end(evening: Evening) -> None:
    async with evening.client() as client:
        first, second, third, late = evening.fans(4, client, ROOM.id)
        await let_in([first])
        await second.join()
        await third.join()
        await always(second.check, waits, looks=LOOKS)

        evening.cli("room", "set", ROOM.id, "--max-active", "2")
        await second.admitted()
        evening.cli("room", "set", ROOM.id, "--max-active", "0")
        for fan in (first, second):
            await always(fan.check, is_inside, looks=LOOKS // 2)
        await first.leave()
        await always(third.check, waits, looks=LOOKS)

        evening.cli("room", "pause", ROOM.id)
        evening.cli("room", "set", ROOM.id, "--max-active", "5")
        await always(third.check, waits, looks=LOOKS)
        paused = await third.check()
        evening.cli("room", "open", ROOM.id)
        await third.admitted()

        evening.cli("room", "close", ROOM.id)
        status = f"/queue/status?room={ROOM.id}"
        await until(lambda: client.ask("GET", status), lambda answer: answer.data["roomState"] == "CLOSED")
        refused = await late.join()

    assert paused.data["roomState"] == "PAUSED"
    assert refused.verdict == (409, "008")
