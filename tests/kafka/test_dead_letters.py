"""What cannot be acted on ends among the dead letters, holds up nobody, and is tried again when one says so."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from stagedoor.adapters.embedded.sqlite_file import SqliteFile
from stagedoor.adapters.kafka.access import KafkaAccess
from stagedoor.adapters.kafka.dead_letters import ATTEMPTS, CAUSE, DEAD, KEY, ORIGIN, DeadLetter, DeadLetters
from stagedoor.adapters.kafka.publisher import KafkaPublisher
from stagedoor.adapters.kafka.stream import KafkaStream
from stagedoor.adapters.kafka.wire import ORDERS, message
from stagedoor.adapters.sql.notifications import SqlNotifications
from stagedoor.checkout.events import OrderPaid
from stagedoor.checkout.notifications import NotifyOfPaidOrders
from stagedoor.cli import application
from stagedoor.kernel.clock import Instant, ManualClock
from stagedoor.kernel.errors import Fault
from stagedoor.workers.consume import ATTEMPTS_MAX, ConsumeEvents
from tests.builders.events import paid
from tests.builders.sale import NOON
from tests.e2e.harness.until import until
from tests.kafka.house import LOOKS, EventsHouse
from tests.kafka.processes import settings_for
from tests.kafka.topics import records_on, send

Dead = Callable[..., Awaitable[str]]

GOOD = [f"good{number}" for number in range(1, 31)]

REFUSED = """
CREATE TRIGGER refuses BEFORE INSERT ON notification WHEN NEW.event_id LIKE 'bad%'
BEGIN SELECT RAISE(ABORT, 'nobody may be told of this'); END
"""


@pytest.fixture
async def publisher(kafka_bootstrap: str) -> AsyncIterator[KafkaPublisher]:
    opened = KafkaPublisher(KafkaAccess(bootstrap=(kafka_bootstrap,)))
    yield opened
    await opened.close()


class Log(SqlNotifications):
    """The log of notifications, whose database is *down* for so many attempts."""

    down = 0

    async def note(self, paid: Sequence[OrderPaid], *, at: Instant) -> None:
        if self.down:
            self.down -= 1
            raise Fault("the database is down")
        await super().note(paid, at=at)


@pytest.fixture(autouse=True)
async def log(file: SqliteFile, kafka_bootstrap: str) -> AsyncIterator[Log]:
    """What `stagedoor consume notifications` writes, while it runs."""
    stream, written = KafkaStream(KafkaAccess(bootstrap=(kafka_bootstrap,))), Log(file)
    notify = NotifyOfPaidOrders(log=written, clock=ManualClock(NOON))
    consume = ConsumeEvents(stream=stream, subscriber=notify, chance=lambda: 0.0)
    # What it logs would be among what the command prints: here they are one process.
    with capture_logs():
        running = asyncio.create_task(consume.run())
        yield written
        consume.stop()
        await running
    await stream.close()


@pytest.fixture
def dead(file: SqliteFile, kafka_bootstrap: str) -> Dead:
    """`stagedoor events dead` with some more words; returns what it printed."""
    told = settings_for(file.path, kafka_bootstrap)
    unset = {name: None for name in os.environ if name.startswith("STAGEDOOR_") and name not in told}

    async def run(*words: str, code: int = 0) -> str:
        # A command runs a loop of its own.
        words = ("events", "dead", *words)
        done = await asyncio.to_thread(CliRunner().invoke, application(), words, env={**told, **unset})
        assert done.exit_code == code, done.output
        return done.output

    return run


async def ids_in(listed: Awaitable[str]) -> list[str]:
    """Return the ids in what `list` has printed."""
    return [line.split()[0] for line in (await listed).splitlines()[1:]]


async def letters(bootstrap: str, count: int) -> None:
    """Wait until so many messages lie among the dead letters: letters, and words that one is gone."""
    await until(lambda: records_on(bootstrap, DEAD), lambda found: len(found) == count, looks=LOOKS)


async def test_they_fill_and_are_tried_again(
    house: EventsHouse, publisher: KafkaPublisher, kafka_bootstrap: str, dead: Dead
) -> None:
    await house.run(REFUSED)
    await publisher.publish([paid(each, order_id=number) for number, each in enumerate(GOOD)])
    await publisher.publish([paid("bad1", order_id=5), paid("behind", order_id=5), paid("bad2", order_id=6)])

    await house.told_of("behind", *GOOD)
    await letters(kafka_bootstrap, 2)
    listed = await dead("list")
    assert sorted(line.split()[0] for line in listed.splitlines()) == ["bad1", "bad2", "id"]
    assert "OrderPaid" in listed
    assert "nobody may be told of this" in listed

    # Still refused: the first letters, the words that those are gone, and the next ones.
    assert await dead("retry", "--all") == "2 are tried again.\n"
    await letters(kafka_bootstrap, 6)
    assert sorted(await ids_in(dead("list"))) == ["bad1", "bad2"]

    await house.run("DROP TRIGGER refuses")
    assert await dead("retry", "bad1") == "1 is tried again.\n"
    await house.told_of("bad1", "behind", *GOOD)
    assert await ids_in(dead("list")) == ["bad2"]
    await dead("retry", "--all")
    await house.told_of("bad1", "bad2", "behind", *GOOD)
    assert await dead("list") == "Nothing was set aside.\n"


async def test_what_is_no_event_is_set_aside_at_once_and_can_be_thrown_away(
    house: EventsHouse, publisher: KafkaPublisher, kafka_bootstrap: str, dead: Dead
) -> None:
    await publisher.publish([paid("good", order_id=1)])
    await send(kafka_bootstrap, ORDERS, b"\xff\xfe no JSON")
    await send(kafka_bootstrap, ORDERS, b'{"id":"v9","type":"OrderPaid","version":9,"occurredAt":"x","data":{}}')
    await publisher.publish([paid("behind", order_id=1)])
    await house.told_of("behind", "good")
    await letters(kafka_bootstrap, 2)

    ids = await ids_in(dead("list"))
    assert max(ids) == "v9"
    assert min(ids).startswith(f"{ORDERS}/")
    assert 'no "v8" among them' in await dead("discard", "v8", code=1)
    assert await dead("discard", "v9") == "1 is gone.\n"
    assert await dead("discard", "--all") == "1 is gone.\n"
    assert await dead("list") == "Nothing was set aside.\n"
    assert "say which" in (await dead("retry", code=2)).lower()


async def test_in_an_outage_of_the_database_all_comes_again_until_it_is_over(
    house: EventsHouse, publisher: KafkaPublisher, kafka_bootstrap: str, log: Log
) -> None:
    log.down = ATTEMPTS_MAX + 1
    await publisher.publish([paid(each, order_id=number) for number, each in enumerate(GOOD)])

    await house.told_of(*GOOD)
    assert log.down == 0
    assert await records_on(kafka_bootstrap, DEAD) == []


async def test_what_is_parked_in_the_outbox_is_shown_and_sent_again_without_any_letter(
    house: EventsHouse, dead: Dead
) -> None:
    await house.store(paid("parked", order_id=1), paid("not", order_id=2))
    await house.run("UPDATE outbox SET state = 3, attempts = 10, failure = 'a bug' WHERE event_id = 'parked'")

    [listed] = (await dead("list")).splitlines()[1:]
    assert listed.split() == ["parked", "OrderPaid", "outbox,", "to", "the", "line", "10", "-", "a", "bug"]
    assert 'no "parked" among them' in await dead("discard", "parked", code=1)
    assert await dead("retry", "--all") == "1 is tried again.\n"
    assert await dead("list") == "Nothing was set aside.\n"
    assert await house.untold() == 2


class Slow(DeadLetters):
    """Its word that letters are gone comes after *count* messages lie among them."""

    count = 0

    async def discard(self, gone: Sequence[DeadLetter]) -> None:
        await letters(self._access.bootstrap[0], self.count)
        await super().discard(gone)


async def test_a_letter_that_fails_again_before_the_first_one_is_gone_is_not_lost_with_it(
    house: EventsHouse, publisher: KafkaPublisher, kafka_bootstrap: str, dead: Dead
) -> None:
    await house.run(REFUSED)
    await publisher.publish([paid("bad1", order_id=1)])
    await letters(kafka_bootstrap, 1)
    post = Slow(KafkaAccess(bootstrap=(kafka_bootstrap,)))
    post.count = 2

    await post.retry(await post.all())
    await post.close()

    assert await ids_in(dead("list")) == ["bad1"]
    await house.run("DROP TRIGGER refuses")
    await dead("retry", "--all")
    await house.told_of("bad1")
    assert await dead("list") == "Nothing was set aside.\n"


async def test_each_message_about_one_event_has_a_letter_of_its_own(kafka_bootstrap: str, dead: Dead) -> None:
    unreadable = b'{"id":"v9","type":"OrderPaid","version":9,"occurredAt":"x","data":{}}'
    for number in range(3):
        await send(kafka_bootstrap, ORDERS, unreadable, key=str(number).encode())
    await letters(kafka_bootstrap, 3)
    assert await ids_in(dead("list")) == ["v9"] * 3

    # The letters, the words that they are gone, and one for each that is set aside again.
    # What its consumer says meanwhile may stand before it.
    assert (await dead("retry", "v9")).endswith("3 are tried again.\n")
    await letters(kafka_bootstrap, 9)
    assert await ids_in(dead("list")) == ["v9"] * 3
    assert len({record.key for record in await records_on(kafka_bootstrap, DEAD)}) == 6
    assert await dead("discard", "v9") == "3 are gone.\n"
    assert await dead("list") == "Nothing was set aside.\n"


async def test_a_letter_under_its_event_s_id_as_they_were_before_is_shown_tried_again_and_gone(
    house: EventsHouse, kafka_bootstrap: str, dead: Dead
) -> None:
    event = message(paid("old", order_id=1))
    assert event.value is not None
    ours = ((ORIGIN, b"stagedoor.orders/0/5"), (KEY, event.key), (CAUSE, b"a bug"), (ATTEMPTS, b"10"))
    await send(kafka_bootstrap, DEAD, event.value, key=b"old", headers=(*event.headers, *ours))

    assert (await dead("list")).splitlines()[1].split()[:2] == ["old", "OrderPaid"]
    assert await dead("retry", "old") == "1 is tried again.\n"

    await house.told_of("old")
    assert await dead("list") == "Nothing was set aside.\n"
