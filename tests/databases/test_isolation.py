"""
Two processes sell at once: whoever waited for a lock decides on what the other has committed.

The negative control is REPEATABLE READ, MariaDB's own default: there the one
who waited is told how it was when he began to wait.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence

import pytest
from sqlalchemy import Connection

from stagedoor.adapters.sql import sale_writes, server_lanes
from stagedoor.adapters.sql.sales_book import UNDONE_MAX
from stagedoor.adapters.sql.server_lanes import ServerLanes
from stagedoor.checkout.commands import SaleCommand
from stagedoor.checkout.decide import decide
from stagedoor.checkout.outcomes import Outcome
from stagedoor.checkout.ports import SaleWork
from stagedoor.checkout.rows import SaleRows, SaleWrites
from stagedoor.holds.model import HoldPolicy
from stagedoor.kernel.clock import MINUTE_MS, ManualClock, later
from stagedoor.kernel.errors import Fault
from tests.builders.sale import (
    ANN,
    BALANCE,
    BOB,
    DEADLINE,
    NOON,
    PLAY,
    NumberedEvents,
    charge,
    kinds,
    pay,
    release,
    reserve,
)
from tests.builders.store import House
from tests.databases.moments import SECONDS_MAX, be_undone, come_to, lock_wallet, until_somebody_waits


@pytest.fixture
async def other(database: str, lanes: ServerLanes, clock: ManualClock) -> AsyncIterator[House]:  # noqa: ARG001
    """Another process that sells from the same database."""
    opened = ServerLanes(database)
    yield House(opened, clock, seed=8)
    await opened.close()


async def decided_second(
    first: House, first_does: Sequence[SaleCommand], second: House, second_does: Sequence[SaleCommand]
) -> tuple[Sequence[Outcome], Sequence[Outcome]]:
    """Have *second* wait, in the middle of its reads, for a lock that *first* holds until it has committed."""

    async def body(work: SaleWork) -> tuple[Sequence[Outcome], "asyncio.Task[Sequence[Outcome]]"]:
        rows = await work.load(first_does, HoldPolicy())
        rival = asyncio.create_task(second.batch(*second_does))
        await until_somebody_waits(second.lanes)
        outcomes, writes = decide(rows, first_does, HoldPolicy(), NumberedEvents())
        await work.write(writes)
        await work.commit()
        return outcomes, rival

    outcomes, rival = await first.book.unit_of_work(body)
    return outcomes, await asyncio.wait_for(rival, SECONDS_MAX)


class TestOneSeat:
    async def test_who_waited_for_it_sees_that_it_is_taken(self, house: House, other: House) -> None:
        firsts, seconds = await decided_second(house, [reserve(ANN, 1)], other, [reserve(BOB, 1)])

        assert (kinds(firsts), kinds(seconds)) == (["Settled"], ["SeatsTaken"])
        await house.check()

    async def test_who_waited_for_it_sees_that_it_is_free_again(self, house: House, other: House) -> None:
        await house.batch(*self.THREE_HOLD)

        firsts, seconds = await decided_second(house, [release(ANN)], other, [reserve(50, 1)])

        assert (kinds(firsts), kinds(seconds)) == (["Settled"], ["Settled"])
        await house.check()

    async def test_control_at_repeatable_read_he_is_refused_a_free_seat(
        self, database: str, house: House, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await house.batch(*self.THREE_HOLD)
        monkeypatch.setattr(server_lanes, "WRITING_AT", "REPEATABLE READ")
        lanes = ServerLanes(database)

        firsts, seconds = await decided_second(house, [release(ANN)], House(lanes, clock, seed=9), [reserve(50, 1)])

        await lanes.close()
        assert (kinds(firsts), kinds(seconds)) == (["Settled"], ["SeatsTaken"])
        assert (await house.seating.claims(PLAY, at=NOON)).states.keys() == {2, 3}

    # Those around the fifty keep MariaDB from locking, at REPEATABLE READ, the gap that Ann's hold would move through.
    THREE_HOLD = (reserve(ANN, 1), reserve(49, 2), reserve(51, 3))


class TestOneBuyer:
    async def test_who_waited_for_her_wallet_sees_what_is_left_in_it(self, house: House, other: House) -> None:
        await house.one(reserve(ANN, 1, 2, 3, 4))

        firsts, seconds = await decided_second(house, [pay(ANN)], other, [charge(ANN, 10_000)])

        assert (kinds(firsts), kinds(seconds)) == (["Settled"], ["Settled"])
        assert await house.wallets.balance(ANN) == BALANCE - 4 * 50_000 + 10_000
        await house.check()

    async def test_two_processes_cannot_sell_her_more_than_one_may(self, house: House, other: House) -> None:
        firsts, seconds = await decided_second(
            house, [reserve(ANN, 1, 2, 3, hold_id=1)], other, [reserve(ANN, 4, 5, hold_id=2)]
        )

        assert (kinds(firsts), kinds(seconds)) == (["Settled"], ["TooManySeats"])
        await house.check()

    async def test_two_processes_cannot_take_her_payment_twice(self, house: House, other: House) -> None:
        await house.one(reserve(ANN, 1))

        firsts, seconds = await decided_second(house, [pay(ANN)], other, [pay(ANN)])

        assert (kinds(firsts), kinds(seconds)) == (["Settled"], ["AlreadyPaid"])
        await house.check()


async def test_two_who_tidy_up_at_once_end_each_hold_once(house: House, other: House, clock: ManualClock) -> None:
    await house.batch(*(reserve(number, number) for number in range(1, 41)))
    clock.advance(DEADLINE - NOON)

    ended = await asyncio.gather(*(one.tidy(40) for one in (house, other, house, other)))

    assert sum(ended) == 40
    assert Counter(await house.events())["HoldExpired"] == 40
    await house.check()


async def test_tidying_and_selling_lock_in_one_order(house: House, other: House, clock: ManualClock) -> None:
    """Each batch takes over the seats of holds that are being tidied away; whoever locked crosswise would be undone."""
    undone: list[BaseException] = []
    for turn in range(5):
        await house.batch(*(reserve(number, number, hold_id=1_000 * turn + number) for number in range(1, 31)))
        clock.advance(DEADLINE - NOON + MINUTE_MS)
        claims = [reserve(131 - number, number, hold_id=1_000 * turn + 500 + number) for number in range(1, 31)]
        ends = await asyncio.gather(
            other.tidy(30),
            *(one.batch(*claims[at::3]) for at, one in enumerate((house, other, house))),
            return_exceptions=True,
        )
        undone += [end for end in ends if isinstance(end, BaseException)]
        clock.advance(DEADLINE - NOON + MINUTE_MS)
        await house.tidy(200)

    assert undone == []
    await house.check()


async def test_a_batch_that_was_undone_is_decided_anew(
    house: House, other: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rival holds Bob's wallet and wants Ann's; the batch has Ann's and, for once, wants Bob's: one is undone."""
    rival_has_bob, batch_has_ann = asyncio.Event(), asyncio.Event()
    write = sale_writes.write
    writes: list[None] = []

    def crosswise(connection: Connection, decided: SaleWrites, *, for_broker: bool) -> None:
        writes.append(None)
        if len(writes) == 1:
            batch_has_ann.set()
            come_to(rival_has_bob)
            lock_wallet(connection, BOB)
        write(connection, decided, for_broker=for_broker)

    def rivals_step(connection: Connection) -> None:
        lock_wallet(connection, BOB)
        rival_has_bob.set()
        come_to(batch_has_ann)
        lock_wallet(connection, ANN)

    async def rival() -> None:
        async with other.lanes.writing() as transaction:
            await transaction.run(rivals_step)

    monkeypatch.setattr(sale_writes, "write", crosswise)

    outcomes, _ = await asyncio.gather(house.batch(reserve(ANN, 1), pay(ANN)), rival())

    assert kinds(outcomes) == ["Settled", "Settled"]
    assert await house.wallets.balance(ANN) == BALANCE - 50_000
    assert await house.events() == ["HoldPlaced", "OrderPaid"]
    await house.check()


async def test_a_batch_that_is_always_undone_is_a_fault(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[None] = []

    def undone(connection: Connection, _decided: SaleWrites, *, for_broker: bool) -> None:  # noqa: ARG001
        writes.append(None)
        be_undone(connection)

    monkeypatch.setattr(sale_writes, "write", undone)

    with pytest.raises(Fault):
        await house.one(reserve(ANN, 1))

    assert 1 <= len(writes) <= UNDONE_MAX
    assert await house.events() == []


async def test_what_is_loaded_is_read_after_the_wait(house: House, other: House, clock: ManualClock) -> None:
    """Time goes on while somebody waits for a lock: what was open when she asked may be over when she is served."""
    await house.one(reserve(ANN, 1))
    clock.advance(DEADLINE - NOON - 1)
    loaded: list[SaleRows] = []

    async def wait_for_her(work: SaleWork) -> None:
        loaded.append(await work.load([pay(ANN)], HoldPolicy()))

    async def body(work: SaleWork) -> "asyncio.Task[None]":
        await work.load([charge(ANN)], HoldPolicy())
        waiting = asyncio.create_task(other.book.unit_of_work(wait_for_her))
        await until_somebody_waits(other.lanes)
        clock.advance(1)
        return waiting

    await asyncio.wait_for(await house.book.unit_of_work(body), SECONDS_MAX)

    assert loaded[0].now == later(NOON, DEADLINE - NOON)
