"""Something fails that nobody foresaw: the caller learns a request's id and nothing else, and the rest goes on."""

from tests.e2e.harness.evening import Evening
from tests.e2e.harness.programme import a_room, a_show

ROOM = a_room("bugs", a_show(seats=1))
OWN_ROOMS = (ROOM,)
BROKEN = "defective"


async def test_it_is_told_as_ours_and_found_in_the_log(broken: Evening) -> None:
    async with broken.client() as client:
        fan = broken.fan(client, ROOM.id)
        await fan.enter()
        failed = await client.ask("GET", "/user/amount", token=fan.token)
        goes_on = await fan.charge(1_000)
    broken.check()
    log = broken.server.log.read_text()

    told = failed.document["exception"]
    assert failed.verdict == (500, "500")
    assert told.keys() == {"code", "message", "requestId"}
    assert "secret" not in failed.raw.decode()
    assert "ZeroDivisionError" not in failed.raw.decode()
    assert goes_on.ok
    assert told["requestId"] in log
    assert "ZeroDivisionError" in log
