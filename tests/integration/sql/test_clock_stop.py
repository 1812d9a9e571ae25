"""Time in which nobody could serve is given back, exactly, to each holder, once."""

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from stagedoor.adapters.embedded.sqlite_file import SqliteFile
from stagedoor.adapters.sql import clock_stop
from stagedoor.adapters.sql.clock_stop import SqlClockStop
from stagedoor.holds.events import HoldExtended
from stagedoor.holds.model import ExtensionCause
from stagedoor.kernel.clock import MINUTE_MS, SECOND_MS, Instant, ManualClock, later
from stagedoor.kernel.errors import Fault
from tests.builders.sale import ANN, BOB, DEADLINE, NOON, kinds, pay, release, reserve
from tests.builders.store import House

CREDIT_MAX_MS = 30 * MINUTE_MS


@pytest.fixture
def clock_stop_(sold_from: SqliteFile) -> SqlClockStop:
    return SqlClockStop(sold_from)


async def credit(stop: SqlClockStop, now: Instant, *, ignore_below_ms: int = 0) -> int:
    return await stop.credit_outage(now=now, credit_max_ms=CREDIT_MAX_MS, ignore_below_ms=ignore_below_ms)


async def outages(file: SqliteFile) -> list[tuple[int, int, int, int]]:
    def read(connection: Connection) -> list[tuple[int, int, int, int]]:
        rows = connection.execute(
            text("SELECT began_at, ended_at, credited_ms, holds_extended FROM outage ORDER BY id")
        )
        return [(began_at, ended_at, credited_ms, extended) for began_at, ended_at, credited_ms, extended in rows]

    return await file.reading(read)


async def test_at_the_first_start_there_is_nothing_to_give_back(clock_stop_: SqlClockStop, house: House) -> None:
    await house.one(reserve(ANN, 1))

    assert await credit(clock_stop_, later(NOON, 10_000)) == 0

    [hold] = await house.records.holds_of(ANN, limit=1)
    assert hold.expires_at == DEADLINE


async def test_an_open_hold_is_moved_later_by_the_gap(
    clock_stop_: SqlClockStop, house: House, clock: ManualClock, sold_from: SqliteFile
) -> None:
    await house.one(reserve(ANN, 1, 2))
    await clock_stop_.alive(clock.advance(10 * SECOND_MS))
    clock.advance(4 * MINUTE_MS)

    assert await credit(clock_stop_, clock.now()) == 4 * MINUTE_MS

    [hold] = await house.records.holds_of(ANN, limit=1)
    assert hold.expires_at == later(DEADLINE, 4 * MINUTE_MS)
    assert (hold.extended_ms, hold.extension_cause) == (4 * MINUTE_MS, ExtensionCause.OUTAGE)
    assert await outages(sold_from) == [(later(NOON, 10_000), clock.now(), 4 * MINUTE_MS, 1)]
    await house.check()


async def test_she_can_pay_until_the_new_deadline_and_nobody_else_has_the_seat(
    clock_stop_: SqlClockStop, house: House, clock: ManualClock
) -> None:
    await house.one(reserve(ANN, 1))
    await clock_stop_.alive(clock.now())
    await credit(clock_stop_, clock.advance(10 * MINUTE_MS))

    clock.advance(5 * MINUTE_MS - 1)

    assert kinds([await house.one(reserve(BOB, 1)), await house.one(pay(ANN))]) == ["SeatsTaken", "Settled"]
    await house.check()


async def test_it_is_told(clock_stop_: SqlClockStop, house: House, clock: ManualClock) -> None:
    await house.one(reserve(ANN, 1, 2))
    await clock_stop_.alive(clock.now())
    await credit(clock_stop_, clock.advance(MINUTE_MS))

    [_, told] = await house.outbox.waiting(limit=10, at=clock.now())
    assert isinstance(told.event, HoldExtended)
    assert (told.event.expires_at, told.event.extended_ms) == (later(DEADLINE, MINUTE_MS), MINUTE_MS)
    assert (told.event.seat_ids, told.event.cause) == ((1, 2), "outage")


async def test_doing_it_again_gives_nothing_again(
    clock_stop_: SqlClockStop, house: House, clock: ManualClock, sold_from: SqliteFile
) -> None:
    await house.one(reserve(ANN, 1))
    await clock_stop_.alive(clock.now())
    now = clock.advance(MINUTE_MS)

    assert [await credit(clock_stop_, now), await credit(clock_stop_, now)] == [MINUTE_MS, 0]

    [hold] = await house.records.holds_of(ANN, limit=1)
    assert hold.expires_at == later(DEADLINE, MINUTE_MS)
    assert len(await outages(sold_from)) == 1


async def test_two_outages_add_up(clock_stop_: SqlClockStop, house: House, clock: ManualClock) -> None:
    await house.one(reserve(ANN, 1))
    for _ in range(2):
        await clock_stop_.alive(clock.now())
        await credit(clock_stop_, clock.advance(MINUTE_MS))

    [hold] = await house.records.holds_of(ANN, limit=1)
    assert (hold.expires_at, hold.extended_ms) == (later(DEADLINE, 2 * MINUTE_MS), 2 * MINUTE_MS)
    await house.check()


async def test_a_crash_in_the_middle_gives_nothing_and_the_next_start_gives_it_all(
    clock_stop_: SqlClockStop, house: House, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.one(reserve(ANN, 1))
    await clock_stop_.alive(clock.now())
    now = clock.advance(MINUTE_MS)

    def crashes(*_arguments: object) -> None:
        raise OperationalError("INSERT", None, Exception("the power went"))

    monkeypatch.setattr(clock_stop, "store_events", crashes)
    with pytest.raises(Fault):
        await credit(clock_stop_, now)
    monkeypatch.undo()
    [untouched] = await house.records.holds_of(ANN, limit=1)

    assert untouched.expires_at == DEADLINE
    assert await credit(clock_stop_, later(now, 1_000)) == MINUTE_MS + 1_000


async def test_no_more_than_the_maximum_is_given_back(
    clock_stop_: SqlClockStop, house: House, clock: ManualClock
) -> None:
    await house.one(reserve(ANN, 1))
    await clock_stop_.alive(clock.now())

    assert await credit(clock_stop_, clock.advance(120 * MINUTE_MS)) == CREDIT_MAX_MS

    assert kinds([await house.one(pay(ANN))]) == ["HoldIsOver"]


@pytest.mark.parametrize(("gap_ms", "given_ms"), [(499, 0), (500, 500)])
async def test_a_short_gap_can_be_ignored(
    clock_stop_: SqlClockStop, house: House, clock: ManualClock, gap_ms: int, given_ms: int
) -> None:
    await house.one(reserve(ANN, 1))
    await clock_stop_.alive(clock.now())

    assert await credit(clock_stop_, clock.advance(gap_ms), ignore_below_ms=500) == given_ms
    assert await credit(clock_stop_, clock.now()) == 0


class TestTheLastMomentsBeforeTheStop:
    """The pulse is a little older than the stop: some things happened in between."""

    async def test_a_hold_placed_after_the_pulse_gets_the_time_since_it_was_placed(
        self, clock_stop_: SqlClockStop, house: House, clock: ManualClock
    ) -> None:
        await clock_stop_.alive(clock.now())
        clock.advance(400)
        await house.one(reserve(ANN, 1))
        await credit(clock_stop_, clock.advance(MINUTE_MS))

        [hold] = await house.records.holds_of(ANN, limit=1)
        assert hold.expires_at - clock.now() == 5 * MINUTE_MS

    async def test_a_hold_whose_seat_went_to_somebody_else_stays_over(
        self, clock_stop_: SqlClockStop, house: House, clock: ManualClock
    ) -> None:
        await house.one(reserve(ANN, 1))
        clock.advance(5 * MINUTE_MS - 100)
        await clock_stop_.alive(clock.now())
        clock.advance(200)
        await house.one(reserve(BOB, 1))

        await credit(clock_stop_, clock.advance(MINUTE_MS))

        [hers], [his] = [await house.records.holds_of(buyer_id, limit=1) for buyer_id in (ANN, BOB)]
        assert hers.expires_at == DEADLINE
        assert his.expires_at == later(NOON, 11 * MINUTE_MS + 100)
        await house.check()

    async def test_what_was_over_before_the_pulse_stays_over(
        self, clock_stop_: SqlClockStop, house: House, clock: ManualClock
    ) -> None:
        await house.batch(reserve(ANN, 1), reserve(BOB, 2), release(BOB), reserve(3, 3), pay(3))
        await clock_stop_.alive(clock.advance(5 * MINUTE_MS))

        await credit(clock_stop_, clock.advance(MINUTE_MS))

        assert await house.records.open_holds(at=NOON) == await house.records.holds_of(ANN, limit=1)
        assert await house.records.open_holds(at=DEADLINE) == []


async def test_a_pulse_never_goes_back(clock_stop_: SqlClockStop) -> None:
    await clock_stop_.alive(later(NOON, 1_000))
    await clock_stop_.alive(NOON)

    assert await credit(clock_stop_, later(NOON, 1_500)) == 500


async def test_a_clock_that_was_set_back_gives_nothing(clock_stop_: SqlClockStop) -> None:
    await clock_stop_.alive(later(NOON, 1_000))

    assert await credit(clock_stop_, NOON) == 0
    assert await credit(clock_stop_, later(NOON, 500)) == 500


async def test_the_line_is_credited_in_the_same_transaction(sold_from: SqliteFile, clock: ManualClock) -> None:
    told: list[tuple[bool, int]] = []
    stop = SqlClockStop(
        sold_from, credit_line=lambda connection, outage_ms: told.append((connection.in_transaction(), outage_ms))
    )
    await credit(stop, clock.now())
    await credit(stop, clock.advance(MINUTE_MS))
    await credit(stop, clock.now())

    assert told == [(True, MINUTE_MS)]
