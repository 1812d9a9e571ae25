"""Time in which nobody could serve is given back, exactly, to each holder, once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from stagedoor.adapters.embedded.sqlite_file import SqliteFile
from stagedoor.adapters.sql import clock_stop
from stagedoor.adapters.sql.clock_stop import CreditLine, GivenBack, SqlClockStop
from stagedoor.adapters.sql.lanes import Lanes, Step, WriteTransaction
from stagedoor.holds.events import HoldExtended
from stagedoor.holds.model import ExtensionCause
from stagedoor.kernel.clock import GAP_MS, MINUTE_MS, SECOND_MS, Clock, ManualClock, Outage, ServiceClock, later
from stagedoor.kernel.errors import Fault
from tests.builders.sale import ANN, BOB, DEADLINE, NOON, kinds, pay, release, reserve
from tests.builders.store import House

T = TypeVar("T")

CREDIT_MAX_MS = 30 * MINUTE_MS


def a_clock_stop(
    lanes: Lanes, clock: Clock, *, credit_line: CreditLine | None = None, given_back: GivenBack | None = None
) -> SqlClockStop:
    """Return the clock stop of a process that has just started."""
    return SqlClockStop(
        lanes,
        clock,
        ServiceClock(clock),
        credit_max_ms=CREDIT_MAX_MS,
        credit_line=credit_line or (lambda _connection, _outage: None),
        given_back=given_back or (lambda _outage: None),
    )


@pytest.fixture
def clock_stop_(sold_from: SqliteFile, clock: ManualClock) -> SqlClockStop:
    return a_clock_stop(sold_from, clock)


async def outages(file: SqliteFile) -> list[tuple[int, int, int, int]]:
    def read(connection: Connection) -> list[tuple[int, int, int, int]]:
        rows = connection.execute(
            text("SELECT began_at, ended_at, credited_ms, holds_extended FROM outage ORDER BY id")
        )
        return [(began_at, ended_at, credited_ms, extended) for began_at, ended_at, credited_ms, extended in rows]

    return await file.reading(read)


async def test_at_the_first_start_there_is_nothing_to_give_back(
    clock_stop_: SqlClockStop, house: House, clock: ManualClock
) -> None:
    await house.one(reserve(ANN, 1))
    clock.advance(10_000)

    assert await clock_stop_.beat() == 0

    [hold] = await house.records.holds_of(ANN, limit=1)
    assert hold.expires_at == DEADLINE


async def test_an_open_hold_is_moved_later_by_the_gap(
    clock_stop_: SqlClockStop, house: House, clock: ManualClock, sold_from: SqliteFile
) -> None:
    await house.one(reserve(ANN, 1, 2))
    clock.advance(10 * SECOND_MS)
    await clock_stop_.beat()
    clock.advance(4 * MINUTE_MS)

    assert await clock_stop_.beat() == 4 * MINUTE_MS

    [hold] = await house.records.holds_of(ANN, limit=1)
    assert hold.expires_at == later(DEADLINE, 4 * MINUTE_MS)
    assert (hold.extended_ms, hold.extension_cause) == (4 * MINUTE_MS, ExtensionCause.OUTAGE)
    assert await outages(sold_from) == [(later(NOON, 10_000), clock.now(), 4 * MINUTE_MS, 1)]
    await house.check()


async def test_she_can_pay_until_the_new_deadline_and_nobody_else_has_the_seat(
    clock_stop_: SqlClockStop, house: House, clock: ManualClock
) -> None:
    await house.one(reserve(ANN, 1))
    await clock_stop_.beat()
    clock.advance(10 * MINUTE_MS)
    await clock_stop_.beat()

    clock.advance(5 * MINUTE_MS - 1)

    assert kinds([await house.one(reserve(BOB, 1)), await house.one(pay(ANN))]) == ["SeatsTaken", "Settled"]
    await house.check()


async def test_it_is_told(clock_stop_: SqlClockStop, house: House, clock: ManualClock) -> None:
    await house.one(reserve(ANN, 1, 2))
    await clock_stop_.beat()
    clock.advance(MINUTE_MS)
    await clock_stop_.beat()

    [_, told] = await house.outbox.waiting(limit=10, at=clock.now())
    assert isinstance(told.event, HoldExtended)
    assert (told.event.expires_at, told.event.extended_ms) == (later(DEADLINE, MINUTE_MS), MINUTE_MS)
    assert (told.event.seat_ids, told.event.cause) == ((1, 2), "outage")


async def test_doing_it_again_gives_nothing_again(
    clock_stop_: SqlClockStop, house: House, clock: ManualClock, sold_from: SqliteFile
) -> None:
    await house.one(reserve(ANN, 1))
    await clock_stop_.beat()
    clock.advance(MINUTE_MS)

    assert [await clock_stop_.beat(), await clock_stop_.beat()] == [MINUTE_MS, 0]

    [hold] = await house.records.holds_of(ANN, limit=1)
    assert hold.expires_at == later(DEADLINE, MINUTE_MS)
    assert len(await outages(sold_from)) == 1


async def test_two_outages_add_up(clock_stop_: SqlClockStop, house: House, clock: ManualClock) -> None:
    await house.one(reserve(ANN, 1))
    for _ in range(2):
        await clock_stop_.beat()
        clock.advance(MINUTE_MS)
        await clock_stop_.beat()

    [hold] = await house.records.holds_of(ANN, limit=1)
    assert (hold.expires_at, hold.extended_ms) == (later(DEADLINE, 2 * MINUTE_MS), 2 * MINUTE_MS)
    await house.check()


async def test_a_crash_in_the_middle_gives_nothing_and_the_next_start_gives_it_all(
    clock_stop_: SqlClockStop, house: House, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.one(reserve(ANN, 1))
    await clock_stop_.beat()
    clock.advance(MINUTE_MS)

    def crashes(*_arguments: object, **_named: object) -> None:
        raise OperationalError("INSERT", None, Exception("the power went"))

    monkeypatch.setattr(clock_stop, "store_events", crashes)
    with pytest.raises(Fault):
        await clock_stop_.beat()
    monkeypatch.undo()
    [untouched] = await house.records.holds_of(ANN, limit=1)

    assert untouched.expires_at == DEADLINE
    clock.advance(1_000)
    assert await clock_stop_.beat() == MINUTE_MS + 1_000


async def test_no_more_than_the_maximum_is_given_back(
    clock_stop_: SqlClockStop, house: House, clock: ManualClock
) -> None:
    await house.one(reserve(ANN, 1))
    await clock_stop_.beat()

    clock.advance(120 * MINUTE_MS)
    assert await clock_stop_.beat() == CREDIT_MAX_MS

    assert kinds([await house.one(pay(ANN))]) == ["HoldIsOver"]


async def test_ten_outages_give_a_hold_no_more_than_the_maximum_whoever_serves(
    house: House, clock: ManualClock, sold_from: SqliteFile
) -> None:
    await house.one(reserve(ANN, 1))
    for nth in range(10):
        if nth == 5:
            await house.one(reserve(BOB, 2))
        # Another process each time: what a hold has had already is known to the database alone.
        last = a_clock_stop(sold_from, clock)
        await last.beat()
        clock.advance(4 * MINUTE_MS)
        assert await last.beat() == 4 * MINUTE_MS

    [anns], [bobs] = [await house.records.holds_of(buyer, limit=1) for buyer in (ANN, BOB)]
    assert (anns.expires_at, anns.extended_ms) == (later(DEADLINE, CREDIT_MAX_MS), CREDIT_MAX_MS)
    assert (bobs.expires_at, bobs.extended_ms) == (later(bobs.placed_at, 25 * MINUTE_MS), 20 * MINUTE_MS)
    assert kinds([await house.one(pay(ANN)), await house.one(pay(BOB))]) == ["HoldIsOver", "Settled"]
    await house.check()


@pytest.mark.parametrize(("gap_ms", "given_ms"), [(GAP_MS - 1, 0), (GAP_MS, GAP_MS)])
async def test_while_the_process_lives_a_short_gap_is_ignored(
    clock_stop_: SqlClockStop, house: House, clock: ManualClock, gap_ms: int, given_ms: int
) -> None:
    await house.one(reserve(ANN, 1))
    await clock_stop_.beat()
    clock.advance(gap_ms)

    assert await clock_stop_.beat() == given_ms
    assert await clock_stop_.beat() == 0

    [hold] = await house.records.holds_of(ANN, limit=1)
    assert hold.expires_at == later(DEADLINE, given_ms)
    await house.check()


class TestTheLastMomentsBeforeTheStop:
    """The pulse is a little older than the stop: some things happened in between."""

    async def test_a_hold_placed_after_the_pulse_gets_the_time_since_it_was_placed(
        self, clock_stop_: SqlClockStop, house: House, clock: ManualClock
    ) -> None:
        await clock_stop_.beat()
        clock.advance(400)
        await house.one(reserve(ANN, 1))
        clock.advance(MINUTE_MS)
        await clock_stop_.beat()

        [hold] = await house.records.holds_of(ANN, limit=1)
        assert hold.expires_at - clock.now() == 5 * MINUTE_MS

    async def test_a_hold_whose_seat_went_to_somebody_else_stays_over(
        self, clock_stop_: SqlClockStop, house: House, clock: ManualClock
    ) -> None:
        await house.one(reserve(ANN, 1))
        clock.advance(5 * MINUTE_MS - 100)
        await clock_stop_.beat()
        clock.advance(200)
        await house.one(reserve(BOB, 1))

        clock.advance(MINUTE_MS)
        await clock_stop_.beat()

        [hers], [his] = [await house.records.holds_of(buyer_id, limit=1) for buyer_id in (ANN, BOB)]
        assert hers.expires_at == DEADLINE
        assert his.expires_at == later(NOON, 11 * MINUTE_MS + 100)
        await house.check()

    async def test_what_was_over_before_the_pulse_stays_over(
        self, clock_stop_: SqlClockStop, house: House, clock: ManualClock
    ) -> None:
        await house.batch(reserve(ANN, 1), reserve(BOB, 2), release(BOB), reserve(3, 3), pay(3))
        clock.advance(5 * MINUTE_MS)
        await clock_stop_.beat()

        clock.advance(MINUTE_MS)
        await clock_stop_.beat()

        assert await house.records.open_holds(at=NOON) == await house.records.holds_of(ANN, limit=1)
        assert await house.records.open_holds(at=DEADLINE) == []


async def test_a_clock_that_was_set_back_gives_nothing(sold_from: SqliteFile, clock: ManualClock) -> None:
    ahead = ManualClock(later(NOON, 1_000))
    await a_clock_stop(sold_from, ahead).beat()

    assert await a_clock_stop(sold_from, clock).beat() == 0
    clock.advance(500)
    assert await a_clock_stop(sold_from, clock).beat() == 500


async def test_the_line_is_credited_in_the_same_transaction(sold_from: SqliteFile, clock: ManualClock) -> None:
    told: list[tuple[bool, Outage]] = []
    stop = a_clock_stop(
        sold_from, clock, credit_line=lambda connection, outage: told.append((connection.in_transaction(), outage))
    )
    await stop.beat()
    clock.advance(MINUTE_MS)
    await stop.beat()
    await stop.beat()

    assert told == [(True, Outage(NOON, clock.now(), MINUTE_MS))]


async def test_memory_is_told_once_also_of_an_outage_whose_commit_had_no_answer(
    sold_from: SqliteFile, clock: ManualClock
) -> None:
    told: list[Outage] = []
    lanes = ForgetfulLanes(sold_from)
    stop = a_clock_stop(lanes, clock, given_back=told.append)
    await stop.beat()
    began_at = clock.now()
    ended_at = clock.advance(MINUTE_MS)
    lanes.answers = False
    with pytest.raises(Fault):
        await stop.beat()
    lanes.answers = True
    heard_before = list(told)

    given = [await stop.beat(), await stop.beat()]

    assert (heard_before, given) == ([], [MINUTE_MS, 0])
    assert told == [Outage(began_at, ended_at, MINUTE_MS)]
    assert await outages(sold_from) == [(began_at, ended_at, MINUTE_MS, 0)]


async def test_whoever_was_served_as_somebody_without_it_does_not_get_the_old_hold_back(
    clock_stop_: SqlClockStop, house: House, clock: ManualClock
) -> None:
    """She may hold four: one that ended after the last sign of life, and four since, would be five."""
    await house.one(reserve(ANN, 1))
    clock.advance(5 * MINUTE_MS - 100)
    await clock_stop_.beat()
    clock.advance(200)
    assert kinds([await house.one(reserve(ANN, 2, 3, 4, 5, hold_id=99))]) == ["Settled"]
    clock.advance(MINUTE_MS)

    await clock_stop_.beat()

    newer, older = await house.records.holds_of(ANN, limit=2)
    assert (older.expires_at, newer.extended_ms) == (DEADLINE, MINUTE_MS)
    await house.check()


class ForgetfulLanes(Lanes):
    """A file that, when told to, commits and does not say so."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        self.answers = True

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[WriteTransaction]:
        async with self._file.writing() as transaction:
            yield transaction if self.answers else ForgottenTransaction(transaction)

    async def reading(self, step: Step[T]) -> T:
        return await self._file.reading(step)


class ForgottenTransaction(WriteTransaction):
    """A transaction that is committed, and nobody can say so."""

    def __init__(self, transaction: WriteTransaction) -> None:
        self._transaction = transaction

    async def run(self, step: Step[T]) -> T:
        return await self._transaction.run(step)

    async def commit(self, *, proof: Step[bool]) -> None:
        await self._transaction.commit(proof=proof)
        raise Fault("the answer to the commit was lost")
