"""A server whose Kafka is not there sells as ever, tells the line at once, and sends everything once Kafka has come."""

from pathlib import Path

from scripts.services import Kafka
from stagedoor.adapters.embedded.sqlite_file import SqliteFile
from stagedoor.adapters.kafka.wire import HOLDS, ORDERS
from tests.e2e.harness.evening import Evening, make_members
from tests.e2e.harness.programme import a_room, a_show
from tests.e2e.harness.until import until
from tests.kafka.house import LOOKS, EventsHouse
from tests.kafka.topics import events_on

ROOM = a_room("no-broker", a_show(seats=10))
PAID = 5


async def test_it_sells_and_all_of_it_is_told_later(tmp_path: Path, own_kafka: Kafka) -> None:
    members = tmp_path / "members.db"
    make_members(members)
    own_kafka.kill()
    settings = {"KAFKA_BOOTSTRAP": own_kafka.bootstrap}
    with Evening.on(tmp_path / "stagedoor.db", [ROOM], members=members, settings=settings) as evening:
        show = evening.show(ROOM.id)
        async with evening.client() as client:
            for fan, seat_id in zip(evening.fans(PAID, client, ROOM.id), show.seat_ids, strict=False):
                await fan.enter()
                held = await fan.reserve(show.schedule_id, seat_id)
                paid = await fan.pay(held.data["reservationId"])
                assert (paid.ok, paid.data["queueStatus"]) == (True, "DONE")
        file = SqliteFile(evening.database)
        house = EventsHouse(file)
        # The line has heard of all of it, and Kafka of nothing.
        await until(house.untold, lambda untold: untold == 0, looks=LOOKS)
        assert (await house.waiting(), await house.failed()) == (2 * PAID, 0)

        own_kafka.start()
        await house.everything_sent()
        assert evening.server.stop() == 0
        evening.check()
        await file.close()

    assert len(await events_on(own_kafka.bootstrap, ORDERS)) == PAID
    assert len(await events_on(own_kafka.bootstrap, HOLDS)) == PAID
