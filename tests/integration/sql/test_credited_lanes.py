"""Whoever writes first after a gap gives it back before: nobody judges by time that does not count."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeVar

import pytest

from stagedoor.adapters.embedded.sqlite_file import SqliteFile
from stagedoor.adapters.sql.clock_stop import SqlClockStop, last_sign_of_life
from stagedoor.adapters.sql.credited_lanes import CreditedLanes
from stagedoor.adapters.sql.lanes import Lanes, Step, WriteTransaction
from stagedoor.kernel.clock import GAP_MS, MINUTE_MS, SECOND_MS, ManualClock, Outage, ServiceClock, later
from stagedoor.kernel.errors import Fault
from stagedoor.kernel.lease import OnlyProcess
from stagedoor.workers.pulse import LATE_MS, Pulse
from tests.builders.sale import ANN, BOB, DEADLINE, kinds, pay, reserve
from tests.builders.store import House

T = TypeVar("T")


class Evening:
    """The sale over credited lanes, with a clock of its own; the machine's is moved by hand."""

    def __init__(self, file: SqliteFile, machine: ManualClock) -> None:
        self.machine = machine
        self.is_out_of_use = False
        self.clock = ServiceClock(machine)
        self.given_back: list[Outage] = []
        self.beats = SqlClockStop(
            file,
            machine,
            self.clock,
            credit_max_ms=30 * MINUTE_MS,
            given_back=self.given_back.append,
            out_of_use=lambda: self.is_out_of_use,
        )
        self.transactions = 0
        self.lanes = CreditedLanes(CountedLanes(file, self), self.beats)
        self.house = House(self.lanes, self.clock)


class CountedLanes(Lanes):
    """A file that counts how often it was written to."""

    def __init__(self, file: SqliteFile, evening: Evening) -> None:
        self._file = file
        self._evening = evening

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[WriteTransaction]:
        async with self._file.writing() as transaction:
            self._evening.transactions += 1
            yield transaction

    async def reading(self, step: Step[T]) -> T:
        return await self._file.reading(step)


def out_of_reach(_file: SqliteFile) -> AbstractAsyncContextManager[WriteTransaction]:
    raise Fault("gone")


@pytest.fixture
async def evening(sold_from: SqliteFile, clock: ManualClock) -> Evening:
    evening = Evening(sold_from, clock)
    await evening.beats.beat()
    return evening


async def test_a_sale_behind_a_gap_gives_it_back_before_it_decides(evening: Evening) -> None:
    await evening.house.one(reserve(ANN, 1))
    began_at = evening.machine.now()
    evening.machine.advance(10 * MINUTE_MS)

    outcomes = [await evening.house.one(reserve(BOB, 1)), await evening.house.one(pay(ANN))]

    assert kinds(outcomes) == ["SeatsTaken", "Settled"]
    assert evening.given_back == [Outage(began_at, evening.machine.now(), 10 * MINUTE_MS)]
    await evening.house.check()


async def test_the_sweeper_sweeps_nothing_that_a_gap_made_look_overdue(evening: Evening) -> None:
    await evening.house.one(reserve(ANN, 1))
    evening.machine.advance(10 * MINUTE_MS)

    assert await evening.house.tidy() == 0
    evening.machine.advance(4 * MINUTE_MS)
    await evening.beats.beat()

    [hold] = await evening.house.records.holds_of(ANN, limit=1)
    assert hold.extended_ms == 14 * MINUTE_MS


async def test_a_reader_judges_by_the_last_moment_of_service(evening: Evening) -> None:
    await evening.house.one(reserve(ANN, 1))
    stood_at = evening.clock.now()
    evening.machine.advance(10 * MINUTE_MS)

    claims = await evening.house.seating.claims(reserve(ANN, 1).performance_id, at=evening.clock.now())

    assert evening.clock.now() == stood_at
    assert claims.next_hold_ends_at == DEADLINE


async def test_without_a_gap_a_sale_is_one_transaction(evening: Evening) -> None:
    evening.machine.advance(GAP_MS - 1)
    before = evening.transactions

    await evening.house.one(reserve(ANN, 1))

    assert (evening.transactions - before, evening.given_back) == (1, [])


async def test_many_who_were_waiting_give_it_back_once(evening: Evening) -> None:
    await evening.house.one(reserve(ANN, 1))
    evening.machine.advance(20 * SECOND_MS)

    await evening.house.at_once(*(reserve(buyer, 1) for buyer in range(2, 12)))

    [hold] = await evening.house.records.holds_of(ANN, limit=1)
    assert hold.expires_at == later(DEADLINE, 20 * SECOND_MS)
    assert len(evening.given_back) == 1


class TestOutOfUse:
    """The database works, and yet nobody can buy: a breaker before the sale is open."""

    async def test_no_sign_of_life_is_given_and_all_of_it_is_given_back_however_short(self, evening: Evening) -> None:
        await evening.house.one(reserve(ANN, 1))
        evening.is_out_of_use = True
        beats = [await evening.beats.beat()]
        evening.machine.advance(500)
        beats.append(await evening.beats.beat())

        evening.is_out_of_use = False
        beats.append(await evening.beats.beat())

        [hold] = await evening.house.records.holds_of(ANN, limit=1)
        assert beats == [0, 0, 500]
        assert hold.expires_at == later(DEADLINE, 500)

    async def test_a_deadline_that_would_pass_in_the_first_moments_does_not(self, evening: Evening) -> None:
        await evening.house.one(reserve(ANN, 1))
        evening.machine.advance(5 * MINUTE_MS - 1)
        await evening.beats.beat()
        evening.is_out_of_use = True
        evening.beats.look()
        evening.machine.advance(47 * SECOND_MS)

        tidied = await evening.house.tidy()
        evening.is_out_of_use = False
        await evening.beats.beat()

        assert tidied == 0
        assert kinds([await evening.house.one(pay(ANN))]) == ["Settled"]

    async def test_who_writes_meanwhile_goes_by_the_time_at_which_it_began(self, evening: Evening) -> None:
        evening.is_out_of_use = True
        began_at = evening.machine.now()
        evening.beats.look()
        evening.machine.advance(20 * SECOND_MS)

        await evening.house.one(reserve(BOB, 2))
        evening.machine.advance(20 * SECOND_MS)
        given_back_meanwhile = list(evening.given_back)
        evening.is_out_of_use = False
        await evening.house.one(reserve(ANN, 1))

        [his] = await evening.house.records.holds_of(BOB, limit=1)
        assert given_back_meanwhile == []
        assert evening.given_back == [Outage(began_at, evening.machine.now(), 40 * SECOND_MS)]
        assert (his.placed_at, his.expires_at) == (began_at, later(DEADLINE, 40 * SECOND_MS))
        await evening.house.check()

    async def test_no_more_than_the_maximum_is_given_back(self, evening: Evening) -> None:
        await evening.house.one(reserve(ANN, 1))
        evening.is_out_of_use = True
        evening.beats.look()
        evening.machine.advance(40 * MINUTE_MS)

        evening.is_out_of_use = False

        assert await evening.beats.beat() == 30 * MINUTE_MS
        assert kinds([await evening.house.one(pay(ANN))]) == ["HoldIsOver"]

    async def test_it_goes_on_telling_whether_the_database_can_be_written_to(
        self, evening: Evening, sold_from: SqliteFile, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pulse = Pulse(evening.beats.beat, evening.machine, leads=OnlyProcess())
        await pulse.beat()
        evening.is_out_of_use = True
        evening.machine.advance(LATE_MS)
        await pulse.beat()
        told = [pulse.ready()]
        evening.machine.advance(LATE_MS)
        with monkeypatch.context() as gone:
            gone.setattr(SqliteFile, "writing", out_of_reach)
            with pytest.raises(Fault):
                await pulse.beat()
        told.append(pulse.ready())

        assert told == [{"database": "ok"}, {"database": "not written to for 3 s"}]
        assert await sold_from.reading(last_sign_of_life) == evening.clock.now()

    async def test_a_process_that_starts_out_of_use_gives_back_what_was_before_it(
        self, evening: Evening, sold_from: SqliteFile
    ) -> None:
        await evening.house.one(reserve(ANN, 1))
        evening.machine.advance(10 * SECOND_MS)
        second = Evening(sold_from, evening.machine)
        second.is_out_of_use = True

        beats = [await second.beats.beat(), await second.beats.beat()]
        second.machine.advance(10 * SECOND_MS)
        second.is_out_of_use = False

        assert [*beats, await second.beats.beat()] == [10 * SECOND_MS, 0, 10 * SECOND_MS]


async def test_control_lanes_that_credit_nothing_sell_the_seat_to_somebody_else(
    evening: Evening, sold_from: SqliteFile
) -> None:
    await evening.house.one(reserve(ANN, 1))
    evening.machine.advance(10 * MINUTE_MS)

    unguarded = House(sold_from, evening.machine)

    assert kinds([await unguarded.one(reserve(BOB, 1)), await unguarded.one(pay(ANN))]) == ["Settled", "HoldIsOver"]
