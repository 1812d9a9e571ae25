"""The outbox: in order for each subject, at least once, by two outlets, and what cannot be sent holds up nothing."""

import pytest
from sqlalchemy import Connection, text

from stagedoor.adapters.sql.leases import SqlLeases
from stagedoor.adapters.sql.outbox import SqlOutbox
from stagedoor.adapters.sql.outbox_rows import store_events
from stagedoor.checkout.events import PlaceClosed
from stagedoor.holds.events import HoldExpired, HoldExtended
from stagedoor.kernel.clock import Instant, later
from stagedoor.kernel.events import DomainEvent
from stagedoor.kernel.ids import MAIN_ROOM, EventId, HoldId, QueueNumber
from stagedoor.kernel.lease import Fence, LeaseLost
from stagedoor.outbox.model import ATTEMPTS_MAX, OutboxState, Outlet, retry_after_ms
from tests.builders.events import SEAT_IDS, paid, placed, released
from tests.builders.events import store as stored
from tests.builders.sale import ANN, DEADLINE, NOON, PLAY
from tests.builders.store import House

ONLY = Fence(0)
LEASE = "relay"


@pytest.fixture(params=Outlet)
def outlet(request: pytest.FixtureRequest) -> Outlet:
    return Outlet(request.param)


@pytest.fixture
def outbox(house: House, outlet: Outlet) -> SqlOutbox:
    """Each way out of the outbox, with nobody else at work."""
    return SqlOutbox(house.lanes, outlet, lease=None)


async def store(house: House, *events: DomainEvent) -> None:
    await stored(house.lanes, *events)


async def alter(house: House, statement: str) -> None:
    async with house.lanes.writing() as transaction:
        await transaction.run(lambda connection: connection.execute(text(statement)).rowcount)
        await transaction.commit(proof=lambda _: False)


async def waiting(outbox: SqlOutbox, *, at: Instant = NOON, limit: int = 100) -> list[str]:
    return [record.event_id for record in await outbox.waiting(limit=limit, at=at)]


async def test_every_event_comes_back_as_it_was(house: House, outbox: SqlOutbox) -> None:
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
        paid("e", order_id=1 - 1_000),
    ]

    await store(house, *events)

    records = await outbox.waiting(limit=10, at=NOON)
    assert [record.event for record in records] == events
    assert [record.subject_id for record in records] == [1] * 5
    assert [record.sequence for record in records] == sorted(record.sequence for record in records)


async def test_the_oldest_first_and_no_more_than_asked(house: House, outbox: SqlOutbox) -> None:
    await store(house, *(placed(f"e{number}", hold_id=number) for number in range(1, 6)))

    assert await waiting(outbox, limit=3) == ["e1", "e2", "e3"]


async def test_what_was_published_waits_no_more(house: House, outbox: SqlOutbox) -> None:
    await store(house, placed("a"), placed("b", hold_id=2))

    await outbox.published([EventId("a")], at=NOON, fence=ONLY)
    await outbox.published([EventId("a"), EventId("nobody's")], at=NOON, fence=ONLY)

    assert await waiting(outbox) == ["b"]


async def test_nothing_published_is_nothing_to_do(outbox: SqlOutbox) -> None:
    await outbox.published([], at=NOON, fence=ONLY)
    await outbox.failed([], at=NOON, cause="none", fence=ONLY)

    assert await waiting(outbox) == []


class TestFailing:
    async def test_it_is_due_again_later_and_longer_each_time(self, house: House, outbox: SqlOutbox) -> None:
        await store(house, placed("a"))
        now = NOON
        for attempts in (1, 2, 3):
            await outbox.failed([EventId("a")], at=now, cause="refused", fence=ONLY)
            due = later(now, retry_after_ms(attempts))
            assert await waiting(outbox, at=later(due, -1)) == []
            [record] = await outbox.waiting(limit=1, at=due)
            assert record.attempts == attempts
            now = due

    async def test_what_follows_of_its_subject_waits_behind_it_and_nothing_else(
        self, house: House, outbox: SqlOutbox
    ) -> None:
        await store(house, placed("a"), placed("other", hold_id=2), released("b"))

        await outbox.failed([EventId("a")], at=NOON, cause="refused", fence=ONLY)

        assert await waiting(outbox) == ["other"]
        assert await waiting(outbox, at=later(NOON, retry_after_ms(1))) == ["a", "other", "b"]

    async def test_what_came_after_is_not_overtaken_by_its_follower(self, house: House, outbox: SqlOutbox) -> None:
        await store(house, placed("a"))
        await outbox.failed([EventId("a")], at=NOON, cause="refused", fence=ONLY)
        await store(house, released("b"))

        assert await waiting(outbox, at=later(NOON, 10)) == []

    async def test_many_that_fail_take_nobodys_turn(self, house: House, outbox: SqlOutbox) -> None:
        await store(house, *(placed(f"bad{number}", hold_id=number) for number in range(1, 11)))
        await store(house, *(released(f"after{number}", hold_id=number) for number in range(1, 11)))
        await store(house, placed("good", hold_id=99))

        await outbox.failed([EventId(f"bad{number}") for number in range(1, 11)], at=NOON, cause="refused", fence=ONLY)

        assert await waiting(outbox, limit=1) == ["good"]

    async def test_it_is_parked_in_the_end_and_lets_the_others_by(self, house: House, outbox: SqlOutbox) -> None:
        await store(house, placed("a"), released("b"))
        now = NOON
        for attempts in range(1, ATTEMPTS_MAX + 1):
            await outbox.failed([EventId("a")], at=now, cause="refused " * 100, fence=ONLY)
            now = later(now, retry_after_ms(attempts))

        assert await waiting(outbox) == ["b"]
        assert await waiting(outbox, at=later(now, 10**9)) == ["b"]

    @pytest.mark.parametrize("sent", [True, False])
    async def test_what_no_longer_waits_cannot_fail(self, house: House, outbox: SqlOutbox, *, sent: bool) -> None:
        await store(house, placed("a"))
        if sent:
            await outbox.published([EventId("a")], at=NOON, fence=ONLY)

        await outbox.failed([EventId("a"), EventId("nobody's")], at=NOON, cause="refused", fence=ONLY)

        assert await waiting(outbox, at=later(NOON, 10**9)) == ([] if sent else ["a"])

    async def test_what_is_parked_is_shown_and_can_be_sent_again(self, house: House, outbox: SqlOutbox) -> None:
        await store(house, placed("a"), placed("b", hold_id=2))
        for _ in range(ATTEMPTS_MAX):
            await outbox.failed([EventId("a")], at=NOON, cause="too large", fence=ONLY)

        [parked] = await outbox.parked(limit=10)
        assert (parked.event_id, parked.name, parked.subject_id) == ("a", "HoldPlaced", 1)
        assert (parked.attempts, parked.failure) == (ATTEMPTS_MAX, "too large")
        assert (await outbox.backlog())[OutboxState.PARKED] == 1

        ids = [EventId("a"), EventId("b"), EventId("nobody's")]
        assert await outbox.send_again(ids, at=NOON) == ["a"]
        assert await outbox.send_again([], at=NOON) == []
        assert await waiting(outbox) == ["a", "b"]
        assert await outbox.parked(limit=10) == []

    async def test_no_more_parked_ones_are_shown_than_asked(self, house: House, outbox: SqlOutbox) -> None:
        ids = [EventId(f"e{number}") for number in range(5)]
        await store(house, *(placed(each, hold_id=number) for number, each in enumerate(ids)))
        for _ in range(ATTEMPTS_MAX):
            await outbox.failed(ids, at=NOON, cause="too large", fence=ONLY)

        assert [each.event_id for each in await outbox.parked(limit=3)] == ids[:3]


class TestReading:
    async def test_what_a_newer_version_has_stored_is_handed_over_unread(self, house: House, outbox: SqlOutbox) -> None:
        await store(house, placed("new"), placed("good", hold_id=2), placed("damaged", hold_id=3))
        await alter(house, "UPDATE outbox SET type = 'HoldBlessed' WHERE event_id = 'new'")
        await alter(house, "UPDATE outbox SET payload = '{}' WHERE event_id = 'damaged'")

        records = await outbox.waiting(limit=10, at=NOON)

        assert [(record.event_id, record.event is None) for record in records] == [
            ("new", True),
            ("good", False),
            ("damaged", True),
        ]


class TestOutlets:
    async def test_neither_waits_for_the_other(self, house: House, outlet: Outlet) -> None:
        one = SqlOutbox(house.lanes, outlet, lease=None)
        other = SqlOutbox(house.lanes, next(each for each in Outlet if each is not outlet), lease=None)
        await store(house, placed("a"), placed("b", hold_id=2))

        await one.failed([EventId("a")], at=NOON, cause="refused", fence=ONLY)
        await one.published([EventId("b")], at=NOON, fence=ONLY)

        assert await waiting(one) == []
        assert await waiting(other) == ["a", "b"]
        assert [(await each.backlog())[OutboxState.WAITING] for each in (one, other)] == [1, 2]

    async def test_what_is_not_public_waits_for_the_line_alone(self, house: House) -> None:
        line, broker = (SqlOutbox(house.lanes, outlet, lease=None) for outlet in Outlet)
        closed = PlaceClosed(
            event_id=EventId("c"),
            occurred_at=NOON,
            buyer_id=ANN,
            room_id=MAIN_ROOM,
            place_number=QueueNumber(7),
        )
        await store(house, closed)

        [record] = await line.waiting(limit=10, at=NOON)
        assert (record.event, record.subject_id) == (closed, 7)
        assert await waiting(broker) == []

    async def test_without_a_broker_nothing_waits_for_one(self, house: House) -> None:
        def write(connection: Connection) -> None:
            store_events(connection, [placed("a")], for_broker=False)

        async with house.lanes.writing() as transaction:
            await transaction.run(write)
            await transaction.commit(proof=lambda _: False)

        assert await waiting(SqlOutbox(house.lanes, Outlet.BROKER, lease=None)) == []

    async def test_an_event_is_kept_until_it_has_left_by_both(self, house: House) -> None:
        line, broker = (SqlOutbox(house.lanes, outlet, lease=None) for outlet in Outlet)
        await store(house, placed("a"), placed("b", hold_id=2), placed("c", hold_id=3))
        await line.failed([EventId("c")], at=NOON, cause="refused", fence=ONLY)
        await line.published([EventId("a"), EventId("b"), EventId("c")], at=NOON, fence=ONLY)
        await broker.published([EventId("b")], at=NOON, fence=ONLY)

        assert await house.old_events.forget(published_before=later(NOON, 1), limit=10) == 1
        assert await house.old_events.forget(published_before=later(NOON, 1), limit=10) == 0
        assert await waiting(broker) == ["a", "c"]

        await broker.published([EventId("a"), EventId("c")], at=NOON, fence=ONLY)
        assert await house.old_events.forget(published_before=later(NOON, 1), limit=10) == 2


class TestForgetting:
    @pytest.fixture
    async def ids(self, house: House) -> list[EventId]:
        """Twelve events that the line has had, and the broker but for the first nine."""
        line, broker = (SqlOutbox(house.lanes, outlet, lease=None) for outlet in Outlet)
        ids = [EventId(f"e{number}") for number in range(1, 13)]
        await store(house, *(placed(each, hold_id=number) for number, each in enumerate(ids)))
        await line.published(ids, at=NOON, fence=ONLY)
        await broker.published(ids[9:], at=NOON, fence=ONLY)
        return ids

    @pytest.mark.usefixtures("ids")
    async def test_what_the_broker_waits_for_keeps_nothing_that_lies_behind_it(self, house: House) -> None:
        forgotten = [await house.old_events.forget(published_before=later(NOON, 1), limit=3) for _ in range(3)]

        assert forgotten == [3, 0, 0]

    @pytest.mark.usefixtures("ids")
    async def test_nor_does_more_of_it_than_one_call_looks_through(self, house: House) -> None:
        forgotten = [await house.old_events.forget(published_before=later(NOON, 1), limit=2) for _ in range(4)]

        assert forgotten == [0, 2, 1, 0]

    async def test_what_was_passed_over_is_forgotten_once_the_broker_has_it(
        self, house: House, ids: list[EventId]
    ) -> None:
        for _ in range(4):
            await house.old_events.forget(published_before=later(NOON, 1), limit=2)
        await SqlOutbox(house.lanes, Outlet.BROKER, lease=None).published(ids[:9], at=NOON, fence=ONLY)

        forgotten = [await house.old_events.forget(published_before=later(NOON, 1), limit=2) for _ in range(7)]

        assert sum(forgotten) == 9

    async def test_nor_does_what_was_sent_twice_and_waits_for_the_broker(self, house: House) -> None:
        line, broker = (SqlOutbox(house.lanes, outlet, lease=None) for outlet in Outlet)
        ids = [EventId(f"e{number}") for number in range(1, 5)]
        await store(house, *(placed(each, hold_id=number) for number, each in enumerate(ids)))
        await line.failed(ids, at=NOON, cause="refused", fence=ONLY)
        await line.published(ids, at=NOON, fence=ONLY)
        await broker.published(ids[3:], at=NOON, fence=ONLY)

        forgotten = [await house.old_events.forget(published_before=later(NOON, 1), limit=2) for _ in range(2)]

        assert forgotten == [1, 0]

    @pytest.mark.usefixtures("ids")
    async def test_what_is_not_old_yet_is_kept(self, house: House) -> None:
        forgotten = [await house.old_events.forget(published_before=NOON, limit=2) for _ in range(3)]

        assert forgotten == [0, 0, 0]


class TestFence:
    async def test_who_has_slept_writes_nothing(self, house: House, outlet: Outlet) -> None:
        outbox, leases = SqlOutbox(house.lanes, outlet, lease=LEASE), SqlLeases(house.lanes)
        sleeper = await leases.take(LEASE, await leases.look(LEASE), holder="sleeper")
        assert sleeper is not None
        await store(house, placed("a"))
        await outbox.failed([EventId("a")], at=NOON, cause="refused", fence=sleeper)
        leader = await leases.take(LEASE, await leases.look(LEASE), holder="leader")
        assert leader is not None

        with pytest.raises(LeaseLost):
            await outbox.failed([EventId("a")], at=NOON, cause="refused", fence=sleeper)
        with pytest.raises(LeaseLost):
            await outbox.published([EventId("a")], at=NOON, fence=sleeper)

        [record] = await outbox.waiting(limit=1, at=later(NOON, retry_after_ms(1)))
        assert record.attempts == 1
        await outbox.published([EventId("a")], at=NOON, fence=leader)
        assert await waiting(outbox, at=later(NOON, retry_after_ms(1))) == []

    async def test_who_never_held_it_writes_nothing(self, house: House, outlet: Outlet) -> None:
        outbox = SqlOutbox(house.lanes, outlet, lease=LEASE)
        await store(house, placed("a"))

        with pytest.raises(LeaseLost):
            await outbox.published([EventId("a")], at=NOON, fence=Fence(1))
