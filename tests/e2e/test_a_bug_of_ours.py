"""Something fails that nobody foresaw: the caller learns a request's id and nothing else, and the rest goes on."""

from tests.e2e.harness.evening import Evenings
from tests.e2e.harness.programme import a_room, a_show

ROOM = a_room("bugs", a_show(seats=1))


async def test_it_is_told_as_ours_and_found_in_the_log(evenings: Evenings) -> None:
    with evenings(ROOM, mutant="defective") as evening:
        async with evening.client() as client:
            fan = evening.fan(client, ROOM.id)
            await fan.enter()
            failed = await client.ask("GET", "/user/amount", token=fan.token)
            goes_on = await fan.charge(1_000)
        evening.check()
        log = evening.server.log.read_text()

    told = failed.document["exception"]
    assert failed.verdict == (500, "500")
    assert told.keys() == {"code", "message", "requestId"}
    assert "secret" not in failed.raw.decode()
    assert "ZeroDivisionError" not in failed.raw.decode()
    assert goes_on.ok
    assert told["requestId"] in log
    assert "ZeroDivisionError" in log
