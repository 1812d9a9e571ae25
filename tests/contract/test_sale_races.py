"""
What may race for seats and money, and who wins.

Each race comes with its negative controls: with the guard removed, the same
checker fails. The rules are the first guard, the predicates repeated in the
writes the second, the keys of the tables the third.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from stagedoor.adapters.sql import sale_writes
from stagedoor.adapters.sql.bulk import Row
from stagedoor.adapters.sql.dialect import CLAIM_SEATS
from stagedoor.checkout.commands import KeyedCommand, PayForHold, PlaceHold
from stagedoor.checkout.deciding import pay as paying
from stagedoor.checkout.deciding import place as placing
from stagedoor.checkout.deciding.desk import Desk
from stagedoor.checkout.outcomes import HoldReceipt, Outcome, Settled
from stagedoor.holds.model import Hold, HoldState
from stagedoor.kernel.clock import FOREVER, Instant, ManualClock
from stagedoor.kernel.errors import Rejection
from stagedoor.kernel.ids import SeatId
from tests.builders.sale import ANN, BALANCE, BOB, DEADLINE, NOON, PLAY, a_key, charge, kinds, pay, reserve
from tests.builders.store import House


def no_seat_twice(outcomes: Sequence[Outcome]) -> None:
    """Check that no two of the holds that were answered keep the same seat."""
    kept = Counter(
        seat_id
        for outcome in outcomes
        if isinstance(outcome, Settled) and isinstance(outcome.receipt, HoldReceipt)
        for seat_id in outcome.receipt.seat_ids
    )
    assert [seat_id for seat_id, times in kept.items() if times > 1] == []


@pytest.fixture
def every_seat_looks_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the rule that a claimed seat is taken."""

    def no(_desk: Desk, _seat_id: SeatId) -> bool:
        return False

    monkeypatch.setattr(Desk, "is_claimed", no)


@pytest.fixture
def claims_are_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the predicate of the claiming write: every claim is over by then."""
    claim_seats = CLAIM_SEATS

    def blind(connection: Connection, rows: Sequence[Row], *, now: Instant) -> int:  # noqa: ARG001 -- that is the hole
        return claim_seats(connection, rows, now=FOREVER)

    monkeypatch.setattr(sale_writes, "CLAIM_SEATS", blind)


class TestManyForOneSeat:
    CLAIMS = tuple(reserve(number, 1) for number in range(1, 201))

    @pytest.mark.parametrize("batch", [1, 7, 200])
    async def test_one_of_200_gets_it(self, house: House, batch: int) -> None:
        outcomes = await house.at_once(*self.CLAIMS, batch=batch)

        no_seat_twice(outcomes)
        assert Counter(kinds(outcomes)) == {"Settled": 1, "SeatsTaken": 199}
        await house.check()

    async def test_in_one_batch_it_is_the_first_who_asked(self, house: House) -> None:
        assert kinds(await house.batch(*self.CLAIMS))[0] == "Settled"

    @pytest.mark.usefixtures("every_seat_looks_free")
    async def test_control_without_the_rule_the_write_refuses(self, house: House) -> None:
        await house.one(self.CLAIMS[0])

        with pytest.raises(AssertionError, match="1 rows were decided on, 0 were written"):
            await house.one(self.CLAIMS[1])

        await house.check()

    @pytest.mark.usefixtures("every_seat_looks_free", "claims_are_overwritten")
    async def test_control_without_rule_and_predicate_the_check_fails(self, house: House) -> None:
        outcomes = await house.at_once(*self.CLAIMS[:3])

        with pytest.raises(AssertionError):
            no_seat_twice(outcomes)
        assert await house.violated() == {"hold-has-its-claims"}

    @pytest.mark.usefixtures("every_seat_looks_free", "claims_are_overwritten")
    async def test_control_even_so_no_seat_is_sold_twice(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        await house.at_once(reserve(ANN, 1), reserve(BOB, 1))
        await house.one(pay(BOB))
        # Now the last one goes too: the predicate of the selling write.
        monkeypatch.setattr(sale_writes, "_SELL", lambda _connection, seat_ids, **_others: len(seat_ids))

        with pytest.raises(IntegrityError, match="sold_seat"):
            await house.one(pay(ANN))

        assert "seat-sold-once" not in await house.violated()


class TestOverlappingGroups:
    GROUPS = tuple(
        reserve(number, *range(first, first + 4)) for number, first in enumerate([1, 3, 5, 2, 4, 6, 9, 8, 7, 10] * 4, 1)
    )

    @pytest.mark.parametrize("batch", [1, 5, 40])
    async def test_all_or_none(self, house: House, batch: int) -> None:
        outcomes = await house.at_once(*self.GROUPS, batch=batch)

        no_seat_twice(outcomes)
        whole = {
            outcome.receipt.seat_ids: command.seat_ids
            for command, outcome in zip(self.GROUPS, outcomes, strict=True)
            if isinstance(outcome, Settled) and isinstance(outcome.receipt, HoldReceipt)
        }
        assert list(whole) == list(whole.values())
        claims = await house.seating.claims(PLAY, at=NOON)
        assert claims.states.keys() == {seat_id for group in whole for seat_id in group}
        await house.check()

    async def test_in_one_batch_they_are_served_in_turn(self, house: House) -> None:
        await house.batch(*self.GROUPS)

        claims = await house.seating.claims(PLAY, at=NOON)
        assert claims.states.keys() == set(range(1, 13))

    @pytest.mark.usefixtures("every_seat_looks_free", "claims_are_overwritten")
    async def test_control(self, house: House) -> None:
        outcomes = await house.at_once(*self.GROUPS[:4])

        with pytest.raises(AssertionError):
            no_seat_twice(outcomes)


class TestPayAgainstExpiry:
    """At any instant exactly one is true: she can pay, or the seat can be claimed."""

    async def race(self, house: House, clock: ManualClock, at: Instant, *, paying_first: bool, batch: int) -> set[str]:
        await house.one(reserve(ANN, 1))
        clock.advance(at - NOON)
        rivals = [pay(ANN), reserve(BOB, 1)]
        outcomes = await house.at_once(*(rivals if paying_first else reversed(rivals)), batch=batch)
        by_rival = dict(
            zip(["she pays", "he claims"] if paying_first else ["he claims", "she pays"], outcomes, strict=True)
        )
        return {rival for rival, outcome in by_rival.items() if isinstance(outcome, Settled)}

    @pytest.mark.parametrize("paying_first", [True, False])
    @pytest.mark.parametrize("batch", [1, 2])
    @pytest.mark.parametrize(("before_ms", "winner"), [(1, "she pays"), (0, "he claims")])
    async def test_the_deadline_decides(  # noqa: PLR0913 -- every way the two can meet
        self, house: House, clock: ManualClock, before_ms: int, winner: str, *, paying_first: bool, batch: int
    ) -> None:
        winners = await self.race(house, clock, Instant(DEADLINE - before_ms), paying_first=paying_first, batch=batch)

        assert winners == {winner}
        await house.check()

    async def test_control_with_a_deadline_that_is_inclusive_the_write_refuses(
        self, house: House, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def is_open_at(hold: Hold, now: Instant) -> bool:
            return hold.state is HoldState.OPEN and now <= hold.expires_at

        monkeypatch.setattr(Hold, "is_open_at", is_open_at)

        with pytest.raises(AssertionError, match="rows were decided on"):
            await self.race(house, clock, DEADLINE, paying_first=True, batch=1)

    async def test_control_without_the_predicates_the_check_fails(
        self, house: House, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def is_open_at(hold: Hold, now: Instant) -> bool:
            return hold.state is HoldState.OPEN and now <= hold.expires_at

        monkeypatch.setattr(Hold, "is_open_at", is_open_at)
        monkeypatch.setattr(sale_writes, "_expect", lambda _decided, _written: None)

        winners = await self.race(house, clock, DEADLINE, paying_first=True, batch=1)

        assert winners == {"she pays", "he claims"}
        assert "paid-in-time" in await house.violated()


class TestPayingTwice:
    @pytest.mark.parametrize("batch", [1, 2, 20])
    async def test_of_twenty_payments_one_is_taken(self, house: House, batch: int) -> None:
        await house.one(reserve(ANN, 1))

        outcomes = await house.at_once(*(pay(ANN) for _ in range(20)), batch=batch)

        assert Counter(kinds(outcomes)) == {"Settled": 1, "AlreadyPaid": 19}
        assert await house.wallets.balance(ANN) == BALANCE - 50_000
        assert len(await house.records.orders_of(ANN, limit=10)) == 1
        await house.check()

    @pytest.mark.parametrize("together", [True, False])
    async def test_control_without_the_rule_the_hold_is_unique_among_orders(
        self, house: House, monkeypatch: pytest.MonkeyPatch, *, together: bool
    ) -> None:
        def not_refused(_desk: Desk, _hold: Hold) -> Rejection | None:
            return None

        monkeypatch.setattr(paying, "_refused", not_refused)
        monkeypatch.setattr(sale_writes, "_expect", lambda _decided, _written: None)
        await house.one(reserve(ANN, 1))

        with pytest.raises(IntegrityError, match=r"purchase[._]hold_id"):
            await house.at_once(pay(ANN), pay(ANN), batch=2 if together else 1)

    async def test_control_without_the_rule_the_write_refuses(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def not_refused(_desk: Desk, _hold: Hold) -> Rejection | None:
            return None

        monkeypatch.setattr(paying, "_refused", not_refused)
        await house.batch(reserve(ANN, 1), pay(ANN))

        with pytest.raises(AssertionError, match="rows were decided on"):
            await house.one(pay(ANN))

        assert await house.wallets.balance(ANN) == BALANCE - 50_000


class TestOneKeyManyTimes:
    CHARGES = tuple(charge(ANN, 10_000, key=a_key()) for _ in range(50))

    @pytest.mark.parametrize("batch", [1, 7, 50])
    async def test_fifty_at_once_are_one_charge(self, house: House, batch: int) -> None:
        outcomes = await house.at_once(*self.CHARGES, batch=batch)

        settled = [outcome for outcome in outcomes if isinstance(outcome, Settled)]
        assert Counter(outcome.replayed for outcome in settled) == {False: 1, True: 49}
        assert len({outcome.receipt for outcome in settled}) == 1
        assert await house.wallets.balance(ANN) == BALANCE + 10_000
        await house.check()

    @pytest.fixture
    def no_key_is_known(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def unknown(_desk: Desk, _command: KeyedCommand) -> Outcome | None:
            return None

        monkeypatch.setattr(Desk, "known_answer", unknown)

    @pytest.mark.usefixtures("no_key_is_known")
    @pytest.mark.parametrize("batch", [1, 50])
    async def test_control_without_the_rule_the_key_is_unique(self, house: House, batch: int) -> None:
        with pytest.raises(IntegrityError, match="idempotency_key"):
            await house.at_once(*self.CHARGES, batch=batch)

    @pytest.mark.usefixtures("no_key_is_known")
    async def test_control_without_any_guard_she_is_charged_fifty_times(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sale_writes, "_store_keys", lambda _connection, _keys, _now: None)

        await house.at_once(*self.CHARGES, batch=7)

        assert await house.wallets.balance(ANN) == BALANCE + 500_000


class TestTheLimitAtOnce:
    """Held and bought seats count together, however fast she asks."""

    TRIES = tuple(reserve(ANN, 2 * number - 1, 2 * number, hold_id=number) for number in range(1, 11))

    @pytest.mark.parametrize("batch", [1, 3, 10])
    async def test_four_seats_and_no_more(self, house: House, batch: int) -> None:
        outcomes = await house.at_once(*self.TRIES, batch=batch)

        assert Counter(kinds(outcomes)) == {"Settled": 2, "TooManySeats": 8}
        await house.check()

    async def test_control_without_the_rule_the_check_fails(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def not_refused(_desk: Desk, _command: PlaceHold) -> Rejection | None:
            return None

        monkeypatch.setattr(placing, "_seats_refused", not_refused)

        await house.at_once(*self.TRIES[:3])

        assert await house.violated() == {"seats-per-buyer"}


class TestTheSameRequestAtOnce:
    """A buyer who clicks twice has one hold, with a key and without."""

    @pytest.mark.parametrize("key", [None, a_key()])
    @pytest.mark.parametrize("batch", [1, 10])
    async def test_one_hold(self, house: House, key: None, batch: int) -> None:
        clicks: Iterator[PlaceHold] = (reserve(ANN, 1, 2, hold_id=number, key=key) for number in range(1, 11))

        outcomes = await house.at_once(*clicks, batch=batch)

        receipts = {outcome.receipt for outcome in outcomes if isinstance(outcome, Settled)}
        assert len(receipts) == 1
        assert len(await house.records.holds_of(ANN, limit=10)) == 1
        await house.check()


async def test_a_seller_and_a_crowd(house: House) -> None:
    """A thousand tries for fifty seats: every seat is sold, none twice, and everybody else is refused."""
    tries = [
        reserve(number, 1 + (number * 7 + turn) % 50, hold_id=number * 10 + turn)
        for turn in range(5)
        for number in range(1, 201)
    ]
    holds = await house.at_once(*tries, batch=16)
    payments: list[PayForHold] = [
        pay(outcome.receipt.buyer_id, hold_id=outcome.receipt.hold_id)
        for outcome in holds
        if isinstance(outcome, Settled) and isinstance(outcome.receipt, HoldReceipt)
    ]
    no_seat_twice(holds)
    paid = await house.at_once(*payments, batch=16)

    assert Counter(kinds(paid)) == {"Settled": 50}
    [left] = [left for id_, left in (await house.seating.availability(at=NOON)).items() if id_ == PLAY]
    assert (left.free, left.held, left.sold) == (0, 0, 50)
    assert kinds([await house.one(reserve(200, 1, hold_id=1))]) == ["SoldOut"]
    await house.check()


class TestOneIdDrawnTwice:
    """Ids are drawn by chance; where two holds get the same, the first has hers and the second has nothing."""

    PAIR = (reserve(ANN, 1, hold_id=7), reserve(BOB, 2, hold_id=7))

    async def test_a_batch_of_them_does_nothing_so_that_each_is_tried_alone(self, house: House) -> None:
        with pytest.raises(AssertionError, match="one id"):
            await house.batch(*self.PAIR)

        assert await house.records.holds_of(ANN, limit=10) == []
        await house.check()

    async def test_alone_the_second_is_refused_by_the_table(self, house: House) -> None:
        first, second = self.PAIR
        assert kinds([await house.one(first)]) == ["Settled"]

        with pytest.raises((IntegrityError, AssertionError)):
            await house.one(second)

        assert await house.records.holds_of(BOB, limit=10) == []
        await house.check()
