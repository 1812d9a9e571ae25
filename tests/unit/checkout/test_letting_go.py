"""Seats come back: released, left behind, or expired."""

import pytest

from stagedoor.checkout.commands import SaleCommand
from stagedoor.checkout.events import PlaceClosed
from stagedoor.checkout.outcomes import CloseReceipt, ReleaseReceipt, Settled
from stagedoor.checkout.rejections import AlreadyPaid
from stagedoor.holds.events import HoldExpired, HoldReleased
from stagedoor.holds.model import HoldState
from stagedoor.holds.rejections import HoldIsOver, UnknownHold
from stagedoor.kernel.clock import later
from stagedoor.kernel.ids import HoldId, SeatId
from stagedoor.waiting_room.rejections import UnknownBuyer
from tests.builders.sale import (
    ANN,
    BOB,
    DEADLINE,
    NOBODY,
    NOON,
    a_place,
    kinds,
    leave,
    pay,
    receipt_of,
    release,
    reserve,
)
from tests.unit.checkout.till import Till


class TestRelease:
    def test_the_seats_are_free_and_it_is_told(self) -> None:
        till = Till()
        till.one(reserve(ANN, 1, 2))

        receipt = receipt_of(till.one(release(ANN)))

        assert receipt == ReleaseReceipt(hold_id=HoldId(1001), released_at=NOON)
        assert not till.rows.claims
        assert till.rows.holds[HoldId(1001)].state is HoldState.RELEASED
        assert [type(event) for event in till.last.events] == [HoldReleased]

    def test_in_one_batch_the_next_one_gets_the_seat(self) -> None:
        till = Till()
        till.one(reserve(ANN, 1))

        outcomes = till.batch(reserve(BOB, 1), release(ANN), reserve(BOB, 1))

        assert kinds(outcomes) == ["SeatsTaken", "Settled", "Settled"]
        assert till.rows.claims[SeatId(1)].hold_id == 1002

    def test_what_is_over_stays_over(self) -> None:
        till = Till()
        till.batch(reserve(ANN, 1), release(ANN))

        assert isinstance(till.one(release(ANN)), HoldIsOver)

    def test_an_expired_hold_takes_nothing_from_who_has_the_seat_now(self) -> None:
        till = Till()
        till.one(reserve(ANN, 1))
        till.now = DEADLINE

        outcomes = till.batch(reserve(BOB, 1), release(ANN))

        assert kinds(outcomes) == ["Settled", "HoldIsOver"]
        assert till.rows.claims[SeatId(1)].hold_id == 1002

    def test_what_is_paid_is_not_let_go(self) -> None:
        till = Till()
        till.batch(reserve(ANN, 1), pay(ANN))

        assert isinstance(till.one(release(ANN)), AlreadyPaid)

    @pytest.mark.parametrize(
        ("command", "refusal"),
        [
            (release(NOBODY, hold_id=1001), UnknownBuyer),
            (release(ANN, hold_id=404), UnknownHold),
            (release(BOB, hold_id=1001), UnknownHold),
        ],
    )
    def test_another_buyers_hold_is_as_unknown_as_none(self, command: SaleCommand, refusal: type[Exception]) -> None:
        till = Till()
        till.one(reserve(ANN, 1))

        assert type(till.one(command)) is refusal


class TestLeaving:
    def test_every_open_hold_of_the_place_is_let_go(self) -> None:
        till = Till()
        till.batch(
            reserve(ANN, 1, hold_id=1), reserve(ANN, 2, hold_id=2), reserve(ANN, 3, hold_id=3, place=a_place(77))
        )

        receipt = receipt_of(till.one(leave(ANN)))

        assert receipt == CloseReceipt(place=a_place(1), released=(HoldId(1), HoldId(2)))
        assert set(till.rows.claims) == {3}
        assert [type(event) for event in till.last.events] == [HoldReleased, HoldReleased, PlaceClosed]

    def test_what_is_paid_stays_paid(self) -> None:
        till = Till()
        till.batch(reserve(ANN, 1, hold_id=1), reserve(ANN, 2, hold_id=2), pay(ANN, hold_id=1))

        receipt = receipt_of(till.one(leave(ANN)))

        assert receipt == CloseReceipt(place=a_place(1), released=(HoldId(2),))
        assert set(till.rows.claims) == {1}

    def test_whichever_of_paying_and_leaving_comes_first_wins(self) -> None:
        paid_first, left_first = Till(), Till()
        paid_first.one(reserve(ANN, 1))
        left_first.one(reserve(ANN, 1))

        assert kinds(paid_first.batch(pay(ANN), leave(ANN))) == ["Settled", "Settled"]
        assert kinds(left_first.batch(leave(ANN), pay(ANN))) == ["Settled", "HoldIsOver"]
        assert paid_first.rows.holds[HoldId(1001)].state is HoldState.PAID
        assert left_first.rows.holds[HoldId(1001)].state is HoldState.RELEASED

    def test_leaving_twice_changes_nothing_more(self) -> None:
        till = Till()
        till.batch(reserve(ANN, 1), leave(ANN))

        again = till.one(leave(ANN))

        assert receipt_of(again) == CloseReceipt(place=a_place(1), released=())
        assert till.last.is_empty

    def test_leaving_with_nothing_held_closes_the_place_all_the_same(self) -> None:
        till = Till()

        outcomes = till.batch(leave(ANN), reserve(ANN, 1))

        assert kinds(outcomes) == ["Settled", "PlaceIsOver"]

    def test_a_stranger_has_no_place(self) -> None:
        assert isinstance(Till().one(leave(NOBODY)), UnknownBuyer)


class TestExpiry:
    def test_it_is_written_down_with_the_instant_it_happened(self) -> None:
        till = Till()
        till.one(reserve(ANN, 1))
        till.now = later(DEADLINE, 9_000)

        writes = till.tidy()

        assert till.rows.holds[HoldId(1001)].state is HoldState.EXPIRED
        assert till.rows.holds[HoldId(1001)].ended_at == DEADLINE
        assert not till.rows.claims
        assert [(type(event), event.occurred_at) for event in writes.events] == [(HoldExpired, later(DEADLINE, 9_000))]

    def test_a_seat_that_somebody_else_has_taken_is_left_to_her(self) -> None:
        till = Till()
        till.one(reserve(ANN, 1, 2))
        till.now = DEADLINE
        till.one(reserve(BOB, 2))

        till.tidy()

        assert {seat_id: claim.hold_id for seat_id, claim in till.rows.claims.items()} == {2: 1002}

    def test_what_is_not_overdue_is_our_own_mistake(self) -> None:
        till = Till()
        till.one(reserve(ANN, 1))
        till.now = DEADLINE
        till.tidy()

        assert till.tidy().is_empty
        assert isinstance(till.one(reserve(BOB, 1)), Settled)
