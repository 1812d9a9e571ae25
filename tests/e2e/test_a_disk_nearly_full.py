"""Little room is left: nobody joins or reserves any more, what was begun is finished, and the log says it once."""

from tests.e2e.harness.client import Client
from tests.e2e.harness.evening import Evening, Evenings
from tests.e2e.harness.programme import a_room, a_show
from tests.e2e.harness.until import until

ROOM = a_room("little", a_show(seats=9), max_active=2, idle_timeout_ms=600_000, away_after_ms=600_000)
PLENTY, ENOUGH, LITTLE = 5_000_000_000, 499_000_000, 399_000_000
SEEN_TO_BE_ENOUGH = b"stagedoor_disk_free_bytes 4.99e+08"


def leave(evening: Evening, free: int) -> None:
    """Let the disk have so much room."""
    written = evening.database.with_name("free.new")
    written.write_text(str(free))
    written.replace(evening.database.with_name("free"))


async def readiness(client: Client) -> str:
    answer = await client.ask("GET", "//readyz")
    parts = answer.data["parts"] if answer.ok else answer.document["exception"]["parts"]
    return str(parts["disk"])


async def test_what_was_begun_is_finished_and_nothing_new_is_begun(evenings: Evenings) -> None:
    settings = {"DISK_RESERVE_PERCENT": "4", "DISK_RESERVE_MIB": "1024", "LOG_LEVEL": "info"}
    with evenings(ROOM, mutant="disk_of_a_file", **settings) as evening:
        leave(evening, PLENTY)
        show = evening.show(ROOM.id)
        async with evening.client() as client:
            inside, other, waiting, newcomer = evening.fans(4, client, ROOM.id)
            for fan in (inside, other):
                await fan.enter()
            await waiting.join()
            held = await inside.reserve(show.schedule_id, show.seat_ids[0])

            leave(evening, LITTLE)
            said = await until(lambda: readiness(client), lambda part: part != "ok")
            joined, reserved = await newcomer.join(), await other.reserve(show.schedule_id, show.seat_ids[1])
            charged, paid = await inside.charge(1_000), await inside.pay(held.data["reservationId"])
            left = await other.leave()

            leave(evening, ENOUGH)
            await until(lambda: client.ask("GET", "//metrics"), lambda answer: SEEN_TO_BE_ENOUGH in answer.raw)
            still, stands = await newcomer.join(), await waiting.check()
            leave(evening, PLENTY)
            await until(lambda: readiness(client), lambda part: part == "ok")
            rejoined, admitted = await newcomer.join(), await waiting.admitted()
        log = evening.server.log.read_text()
        evening.check()

    assert said == "399 MB left, 400 MB are the reserve"
    assert [answer.status for answer in (joined, reserved, still)] == [503] * 3
    assert joined.headers["retry-after"] == "10"
    assert [answer.ok for answer in (held, charged, paid, left, stands)] == [True] * 5
    # Both slots are free by then, and nobody is let in to find that she cannot reserve.
    assert stands.data["status"] == "WAITING"
    assert rejoined.ok
    assert admitted.data["status"] == "PROGRESS"
    assert (log.count("disk.low"), log.count("disk.recovered")) == (1, 1)
