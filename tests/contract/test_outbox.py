"""The outbox: in order for each subject, at least once, and what cannot be sent holds up nothing."""

import pytest
from sqlalchemy import Connection

from stagedoor.adapters.sql.outbox_rows import store_events
from stagedoor.checkout.events import OrderPaid, PlaceClosed
from stagedoor.holds.events import HoldExpired, HoldExtended, HoldPlaced, HoldReleased
from stagedoor.kernel.clock import Instant, later
from stagedoor.kernel.events import DomainEvent
from stagedoor.kernel.ids import MAIN_ROOM, EventId, HoldId, OrderId, QueueNumber, SeatId
from stagedoor.kernel.money import Won
from stagedoor.outbox.model import ATTEMPTS_MAX, retry_after_ms
from tests.builders.sale import ANN, DEADLINE, NOON, PLAY
from tests.builders.store import House

SEAT_IDS = (SeatId(1), SeatId(2))


def placed(event_id: str, *, hold_id: int = 1) -> HoldPlaced:
    return HoldPlaced(
        event_id=EventId(event_id),
        occurred_at=NOON,
        hold_id=HoldId(hold_id),
        buyer_id=ANN,
        room_id=MAIN_ROOM,
        place_number=QueueNumber(1),
        performance_id=PLAY,
        seat_ids=SEAT_IDS,
        expires_at=DEADLINE,
    )


def released(event_id: str, *, hold_id: int = 1) -> HoldReleased:
    return HoldReleased(
        event_id=EventId(event_id),
        occurred_at=NOON,
        hold_id=HoldId(hold_id),
        buyer_id=ANN,
        room_id=MAIN_ROOM,
        place_number=QueueNumber(1),
        performance_id=PLAY,
        seat_ids=SEAT_IDS,
    )


async def store(house: House, *events: DomainEvent) -> None:
    def write(connection: Connection) -> None:
        store_events(connection, events)

    async with house.lanes.writing() as transaction:
        await transaction.run(write)
        await transaction.commit(proof=lambda _: False)


async def waiting(house: House, *, at: Instant = NOON, limit: int = 100) -> list[str]:
    return [record.event.event_id for record in await house.outbox.waiting(limit=limit, at=at)]


async def test_every_event_comes_back_as_it_was(house: House) -> None:
    events = [
        placed("a"),
        released("b"),
        HoldExpired(
            event_id=EventId("c"),
            occurred_at=NOON,
            hold_id=HoldId(1),
            buyer_id=ANN,
            room_id=MAIN_ROOM,
            place_number=QueueNumber(1),
            performance_id=PLAY,
            seat_ids=SEAT_IDS,
            expires_at=DEADLINE,
        ),
        HoldExtended(
            event_id=EventId("d"),
            occurred_at=NOON,
            hold_id=HoldId(1),
            buyer_id=ANN,
            room_id=MAIN_ROOM,
            place_number=QueueNumber(1),
            performance_id=PLAY,
            seat_ids=SEAT_IDS,
            expires_at=DEADLINE,
            extended_ms=5,
            cause="outage",
        ),
        OrderPaid(
            event_id=EventId("e"),
            occurred_at=NOON,
            order_id=OrderId(9),
            hold_id=HoldId(1),
            buyer_id=ANN,
            room_id=MAIN_ROOM,
            place_number=QueueNumber(1),
            performance_id=PLAY,
            seat_ids=SEAT_IDS,
            amount_won=Won(100_000),
            place_over=True,
        ),
        PlaceClosed(
            event_id=EventId("f"),
            occurred_at=NOON,
            buyer_id=ANN,
            room_id=MAIN_ROOM,
            place_number=QueueNumber(1),
        ),
    ]

    await store(house, *events)

    records = await house.outbox.waiting(limit=10, at=NOON)
    assert [record.event for record in records] == events
    assert [record.subject_id for record in records] == [1] * 6
    assert [record.sequence for record in records] == sorted(record.sequence for record in records)


async def test_the_oldest_first_and_no_more_than_asked(house: House) -> None:
    await store(house, *(placed(f"e{number}", hold_id=number) for number in range(1, 6)))

    assert await waiting(house, limit=3) == ["e1", "e2", "e3"]


async def test_what_was_published_waits_no_more(house: House) -> None:
    await store(house, placed("a"), placed("b", hold_id=2))

    await house.outbox.published([EventId("a")], at=NOON)
    await house.outbox.published([EventId("a"), EventId("nobody's")], at=NOON)

    assert await waiting(house) == ["b"]


async def test_nothing_published_is_nothing_to_do(house: House) -> None:
    await house.outbox.published([], at=NOON)
    await house.outbox.failed([], at=NOON, cause="none")

    assert await waiting(house) == []


class TestFailing:
    async def test_it_is_due_again_later_and_longer_each_time(self, house: House) -> None:
        await store(house, placed("a"))
        now = NOON
        for attempts in (1, 2, 3):
            await house.outbox.failed([EventId("a")], at=now, cause="refused")
            due = later(now, retry_after_ms(attempts))
            assert await waiting(house, at=later(due, -1)) == []
            [record] = await house.outbox.waiting(limit=1, at=due)
            assert record.attempts == attempts
            now = due

    async def test_what_follows_of_its_subject_waits_behind_it_and_nothing_else(self, house: House) -> None:
        await store(house, placed("a"), placed("other", hold_id=2), released("b"))

        await house.outbox.failed([EventId("a")], at=NOON, cause="refused")

        assert await waiting(house) == ["other"]
        assert await waiting(house, at=later(NOON, retry_after_ms(1))) == ["a", "other", "b"]

    async def test_what_came_after_is_not_overtaken_by_its_follower(self, house: House) -> None:
        await store(house, placed("a"))
        await house.outbox.failed([EventId("a")], at=NOON, cause="refused")
        await store(house, released("b"))

        assert await waiting(house, at=later(NOON, 10)) == []

    async def test_many_that_fail_take_nobodys_turn(self, house: House) -> None:
        await store(house, *(placed(f"bad{number}", hold_id=number) for number in range(1, 11)))
        await store(house, *(released(f"after{number}", hold_id=number) for number in range(1, 11)))
        await store(house, placed("good", hold_id=99))

        await house.outbox.failed([EventId(f"bad{number}") for number in range(1, 11)], at=NOON, cause="refused")

        assert await waiting(house, limit=1) == ["good"]

    async def test_it_is_parked_in_the_end_and_lets_the_others_by(self, house: House) -> None:
        await store(house, placed("a"), released("b"))
        now = NOON
        for attempts in range(1, ATTEMPTS_MAX + 1):
            await house.outbox.failed([EventId("a")], at=now, cause="refused " * 100)
            now = later(now, retry_after_ms(attempts))

        assert await waiting(house) == ["b"]
        assert await waiting(house, at=later(now, 10**9)) == ["b"]

    @pytest.mark.parametrize("sent", [True, False])
    async def test_what_no_longer_waits_cannot_fail(self, house: House, *, sent: bool) -> None:
        await store(house, placed("a"))
        if sent:
            await house.outbox.published([EventId("a")], at=NOON)

        await house.outbox.failed([EventId("a"), EventId("nobody's")], at=NOON, cause="refused")

        assert await waiting(house, at=later(NOON, 10**9)) == ([] if sent else ["a"])
