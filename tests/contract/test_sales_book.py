"""The sale's store: what is decided is written, whole and durable, and what is not committed has not happened."""

from collections.abc import Mapping, Sequence

import pytest
from sqlalchemy import Connection, text

from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.checkout.commands import SaleCommand
from stagedoor.checkout.decide import decide
from stagedoor.checkout.outcomes import HoldReceipt, Outcome, Settled
from stagedoor.checkout.ports import SaleWork
from stagedoor.checkout.rows import SaleRows
from stagedoor.holds.model import HoldPolicy, HoldState
from stagedoor.kernel.clock import ManualClock
from stagedoor.seating.model import SeatState
from tests.builders.sale import (
    ANN,
    BALANCE,
    BOB,
    DEADLINE,
    GALA,
    NOBODY,
    NOON,
    OPERA,
    PLAY,
    VIP_ROOM,
    NumberedEvents,
    a_hold,
    a_key,
    a_place,
    charge,
    kinds,
    leave,
    pay,
    receipt_of,
    release,
    reserve,
)
from tests.builders.store import House
from tests.unit.checkout.till import Till


async def seat_states(house: House) -> Mapping[int, SeatState]:
    claims = await house.seating.claims(PLAY, at=house.clock.now())
    return {int(seat_id): state for seat_id, state in claims.states.items()}


async def test_a_hold_comes_back_as_it_was_placed(house: House) -> None:
    await house.one(reserve(ANN, 3, 1, hold_id=7))

    assert await house.records.holds_of(ANN, limit=10) == [a_hold(ANN, 1, 3, hold_id=7)]
    assert await seat_states(house) == {1: SeatState.HELD, 3: SeatState.HELD}
    await house.check()


async def test_an_order_comes_back_with_its_hold_and_its_money(house: House) -> None:
    await house.one(reserve(ANN, 1, 2))
    receipt = receipt_of(await house.one(pay(ANN, order_id=55)))

    [(order, hold)] = await house.records.orders_of(ANN, limit=10)
    assert (order.id, order.amount_won, order.paid_at) == (55, 100_000, NOON)
    assert (hold.state, hold.ended_at) == (HoldState.PAID, NOON)
    assert hold.seat_ids == {1, 2}
    assert receipt.order_id == 55  # type: ignore[union-attr]
    assert await house.wallets.balance(ANN) == BALANCE - 100_000
    assert await seat_states(house) == {1: SeatState.SOLD, 2: SeatState.SOLD}
    await house.check()


async def test_a_whole_evening_in_one_batch(house: House) -> None:
    outcomes = await house.batch(
        reserve(ANN, 1, 2, hold_id=1),
        pay(ANN, hold_id=1),
        reserve(BOB, 3, hold_id=2),
        release(BOB, hold_id=2),
        reserve(3, 3, hold_id=3),
        charge(4),
        reserve(5, 4, hold_id=5),
        leave(5),
        reserve(6, 5, hold_id=6, key=a_key()),
        reserve(7, 5, hold_id=8),
    )

    assert kinds(outcomes) == ["Settled"] * 9 + ["SeatsTaken"]
    assert await seat_states(house) == {1: SeatState.SOLD, 2: SeatState.SOLD, 3: SeatState.HELD, 5: SeatState.HELD}
    assert await house.events() == [
        "HoldPlaced",
        "OrderPaid",
        "HoldPlaced",
        "HoldReleased",
        "HoldPlaced",
        "HoldPlaced",
        "HoldReleased",
        "PlaceClosed",
        "HoldPlaced",
    ]
    await house.check()


async def test_one_batch_and_many_come_to_the_same(house: House) -> None:
    commands: list[SaleCommand] = [
        reserve(ANN, 1, 2),
        reserve(BOB, 2, 3),
        reserve(ANN, 1, 2, hold_id=9),
        pay(BOB),
        pay(ANN),
        pay(ANN),
        reserve(ANN, 4, hold_id=9),
        reserve(BOB, 3, 5, key=a_key()),
        reserve(BOB, 3, 5, key=a_key()),
        reserve(BOB, 3, 5, key=a_key(fingerprint="another")),
        release(BOB, hold_id=1002),
        pay(BOB),
        reserve(BOB, 3, hold_id=11),
        charge(BOB, 5, key=a_key()),
        charge(BOB, 5, key=a_key()),
        leave(3),
        reserve(3, 6),
        reserve(NOBODY, 7),
        reserve(4, 61, performance_id=GALA),
    ]

    one_by_one = [await house.one(command) for command in commands]

    assert kinds(one_by_one) == kinds(Till().batch(*commands))
    assert kinds(one_by_one) == [
        "Settled",
        "SeatsTaken",
        "Settled",
        "UnknownHold",
        "Settled",
        "AlreadyPaid",
        "PlaceIsOver",
        "Settled",
        "Settled",
        "KeyReused",
        "Settled",
        "HoldIsOver",
        "SeatsTaken",
        "Settled",
        "Settled",
        "Settled",
        "PlaceIsOver",
        "UnknownBuyer",
        "UnknownPerformance",
    ]
    await house.check()


class TestWhatIsLoaded:
    """`SaleRows` keeps its promises about what is in it."""

    async def rows(self, house: House, commands: Sequence[SaleCommand]) -> SaleRows:
        async def body(work: SaleWork) -> SaleRows:
            return await work.load(commands, HoldPolicy())

        return await house.book.unit_of_work(body)

    async def load(self, house: House, commands: Sequence[SaleCommand]) -> dict[str, set[int]]:
        rows = await self.rows(house, commands)
        return {"holds": set(rows.holds), "claims": set(rows.claims), "balances": set(rows.balances)}

    async def test_another_buyers_named_hold_and_her_own_long_over(self, house: House, clock: ManualClock) -> None:
        await house.batch(reserve(ANN, 1, hold_id=1), reserve(BOB, 2, hold_id=2), release(BOB, hold_id=2))
        clock.advance(3_600_000)

        loaded = await self.load(house, [pay(BOB, hold_id=1), pay(BOB, hold_id=2)])

        assert loaded["holds"] == {1, 2}

    async def test_what_she_let_go_within_the_minute_and_not_before(self, house: House, clock: ManualClock) -> None:
        await house.batch(reserve(ANN, 1, hold_id=1), release(ANN, hold_id=1))
        clock.advance(1)
        await house.batch(reserve(ANN, 2, hold_id=2), release(ANN, hold_id=2))
        clock.advance(59_999)

        assert (await self.load(house, [reserve(ANN, 3)]))["holds"] == {2}

    async def test_strangers_are_missing_and_seats_of_named_holds_are_there(self, house: House) -> None:
        await house.one(reserve(ANN, 1, 2, hold_id=1))

        loaded = await self.load(house, [release(ANN, hold_id=1), charge(NOBODY)])

        assert loaded == {"holds": {1}, "claims": {1, 2}, "balances": {ANN}}

    async def test_how_many_are_unsold(self, house: House) -> None:
        await house.batch(reserve(ANN, 51, 52, performance_id=OPERA), pay(ANN))
        await house.one(reserve(BOB, 53, performance_id=OPERA))
        commands = [reserve(3, 53, performance_id=OPERA)]

        rows = await self.rows(house, commands)

        assert rows.unsold == {OPERA: 8}

    async def test_with_more_held_than_the_batch_could_sell_they_are_not_all_counted(self, house: House) -> None:
        await house.batch(*(reserve(number, number) for number in range(1, 31)))

        rows = await self.rows(house, [reserve(50, 30)])

        assert 1 < rows.unsold[PLAY] < 50


class TestTransactions:
    async def test_what_is_not_committed_has_not_happened(self, house: House) -> None:
        commands = [reserve(ANN, 1)]

        async def body(work: SaleWork) -> Sequence[Outcome]:
            rows = await work.load(commands, HoldPolicy())
            outcomes, writes = decide(rows, commands, HoldPolicy(), NumberedEvents())
            await work.write(writes)
            return outcomes

        outcomes = await house.book.unit_of_work(body)

        assert kinds(outcomes) == ["Settled"]
        assert await seat_states(house) == {}
        assert await house.events() == []
        assert not house.changed

    async def test_a_batch_of_refusals_commits_nothing_and_tells_nobody(self, house: House) -> None:
        await house.batch(pay(ANN), reserve(NOBODY, 1))

        assert (house.changed, house.wakes) == ([], 0)

    async def test_after_a_commit_it_is_said_which_performances_changed(self, house: House) -> None:
        await house.batch(reserve(ANN, 1), reserve(BOB, 51, performance_id=OPERA))
        await house.one(release(ANN))
        await house.one(charge(ANN))

        assert house.changed == [{PLAY, OPERA}, {PLAY}]
        assert house.wakes == 2

    async def test_an_unreadable_past_is_a_replay(self, house: House, clock: ManualClock) -> None:
        first = await house.one(reserve(ANN, 1, key=a_key()))
        clock.advance(10_000)

        again = await house.one(reserve(ANN, 1, hold_id=9, key=a_key()))

        assert isinstance(again, Settled)
        assert again.replayed
        assert again.receipt == receipt_of(first)
        assert isinstance(again.receipt, HoldReceipt)
        assert again.receipt.answered_at == NOON


class TestTidying:
    async def test_the_oldest_first_and_no_more_than_asked(self, house: House, clock: ManualClock) -> None:
        for number in (1, 2, 3):
            await house.one(reserve(number, number))
            clock.advance(1_000)
        clock.advance(600_000)

        assert [await house.tidy(2), await house.tidy(2), await house.tidy(2)] == [2, 1, 0]

        [hold] = await house.records.holds_of(ANN, limit=1)
        assert (hold.state, hold.ended_at) == (HoldState.EXPIRED, DEADLINE)
        assert (await house.events())[3:] == ["HoldExpired"] * 3
        await house.check()

    async def test_nothing_before_the_deadline(self, house: House, clock: ManualClock) -> None:
        await house.one(reserve(ANN, 1))
        clock.advance(DEADLINE - NOON - 1)

        assert await house.tidy() == 0

    async def test_the_seat_was_free_all_along_and_is_left_to_who_took_it(
        self, house: House, clock: ManualClock
    ) -> None:
        await house.one(reserve(ANN, 1, 2))
        clock.advance(DEADLINE - NOON)
        await house.one(reserve(BOB, 2))

        assert await house.tidy() == 1

        assert await seat_states(house) == {2: SeatState.HELD}
        await house.check()


async def test_the_shops_credit_is_on_record(house: House, lanes: Lanes) -> None:
    await house.one(charge(ANN, 5_000, by_shop="key:till"))

    def read(connection: Connection) -> list[tuple[str, str, str]]:
        rows = connection.execute(text("SELECT actor, action, subject FROM audit"))
        return [(actor, action, subject) for actor, action, subject in rows]

    assert await lanes.reading(read) == [("key:till", "wallet.credit", "wallet:1")]
    await house.check()


async def test_keys_older_than_a_day_do_not_count(house: House, clock: ManualClock) -> None:
    await house.batch(*(charge(ANN, 1, key=a_key(str(number))) for number in range(100)))
    assert kinds([await house.one(charge(ANN, 1, key=a_key("one more")))]) == ["TooManyKeys"]

    clock.advance(24 * 3_600_000)

    assert kinds([await house.one(charge(ANN, 1, key=a_key("one more")))]) == ["Settled"]


@pytest.mark.parametrize(
    ("command", "outcome"),
    [
        (reserve(ANN, 1), "PlaceIsOver"),
        (reserve(ANN, 61, performance_id=GALA, place=a_place(1, VIP_ROOM)), "Settled"),
    ],
)
async def test_a_number_is_closed_in_its_room_only(house: House, command: SaleCommand, outcome: str) -> None:
    await house.batch(leave(ANN, a_place(1)), leave(ANN, a_place(2, VIP_ROOM)))

    assert kinds([await house.one(command)]) == [outcome]


async def test_an_empty_batch_is_nothing_to_do(house: House) -> None:
    assert await house.batch() == []
