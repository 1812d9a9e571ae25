"""Paying: everything of it or nothing, once, in time, and whatever the line says."""

from dataclasses import replace

import pytest

from stagedoor.checkout.commands import SaleCommand
from stagedoor.checkout.events import OrderPaid
from stagedoor.checkout.outcomes import OrderReceipt, Outcome, Settled
from stagedoor.checkout.rejections import AlreadyPaid
from stagedoor.holds.model import HoldState
from stagedoor.holds.rejections import HoldIsOver, UnknownHold
from stagedoor.kernel.clock import FOREVER, later
from stagedoor.kernel.ids import HoldId, OrderId, SeatId
from stagedoor.kernel.money import Won
from stagedoor.seating.model import ClaimState
from stagedoor.waiting_room.rejections import UnknownBuyer
from stagedoor.wallet.model import BOX_OFFICE, TransferKind
from stagedoor.wallet.rejections import BalanceTooSmall
from tests.builders.sale import (
    ANN,
    BALANCE,
    BOB,
    DEADLINE,
    NOBODY,
    NOON,
    a_place,
    charge,
    kinds,
    pay,
    receipt_of,
    release,
    reserve,
    untouched_rows,
)
from tests.unit.checkout.till import Till


def place_over(outcome: Outcome) -> bool:
    receipt = receipt_of(outcome)
    assert isinstance(receipt, OrderReceipt)
    return receipt.place_over


def test_the_hold_becomes_an_order() -> None:
    till = Till()
    till.one(reserve(ANN, 1, 2))

    receipt = receipt_of(till.one(pay(ANN, order_id=55)))

    assert receipt == OrderReceipt(
        order_id=OrderId(55),
        hold_id=HoldId(1001),
        place=till.rows.holds[HoldId(1001)].place,
        amount_won=Won(100_000),
        paid_at=NOON,
        place_over=True,
    )
    assert till.rows.holds[HoldId(1001)].state is HoldState.PAID
    assert {(claim.state, claim.held_until) for claim in till.rows.claims.values()} == {(ClaimState.SOLD, FOREVER)}


def test_the_money_goes_to_the_box_office() -> None:
    till = Till()
    till.one(reserve(ANN, 1))

    till.one(pay(ANN, order_id=55))

    [posted] = till.last.transfers
    assert (posted.kind, posted.debit, posted.credit) == (TransferKind.PAYMENT, "wallet:1", BOX_OFFICE)
    assert (posted.amount_won, posted.cause_id) == (50_000, 55)
    assert till.rows.balances[ANN] == BALANCE - 50_000


def test_it_is_told_with_everything_the_line_and_the_buyer_must_know() -> None:
    till = Till()
    till.one(reserve(ANN, 2, 1))

    till.one(pay(ANN, order_id=55))

    [event] = till.last.events
    assert isinstance(event, OrderPaid)
    assert (event.order_id, event.hold_id, event.buyer_id, event.place_number) == (55, 1001, ANN, 1)
    assert (event.seat_ids, event.amount_won, event.place_over) == ((1, 2), 100_000, True)


@pytest.mark.parametrize(("before_deadline_ms", "outcome"), [(1, Settled), (0, HoldIsOver), (-1, HoldIsOver)])
def test_the_deadline_is_exclusive(before_deadline_ms: int, outcome: type) -> None:
    till = Till()
    till.one(reserve(ANN, 1))

    till.now = later(DEADLINE, -before_deadline_ms)

    assert isinstance(till.one(pay(ANN)), outcome)


@pytest.mark.parametrize("together", [True, False])
def test_it_happens_once(*, together: bool) -> None:
    till = Till()
    till.one(reserve(ANN, 1))

    outcomes = till.batch(pay(ANN), pay(ANN)) if together else [till.one(pay(ANN)), till.one(pay(ANN))]

    assert kinds(outcomes) == ["Settled", "AlreadyPaid"]
    assert till.rows.balances[ANN] == BALANCE - 50_000


def test_a_balance_too_small_leaves_the_hold() -> None:
    till = Till(untouched_rows(balance_won=49_999))
    till.one(reserve(ANN, 1))

    outcome = till.one(pay(ANN))

    assert isinstance(outcome, BalanceTooSmall)
    assert till.last.is_empty
    assert kinds(till.batch(charge(ANN, 1), pay(ANN))) == ["Settled", "Settled"]
    assert till.rows.balances[ANN] == 0


def test_one_wallet_twice_in_a_batch_is_spent_in_order() -> None:
    till = Till(untouched_rows(balance_won=70_000))
    till.batch(reserve(ANN, 1, hold_id=1), reserve(ANN, 2, hold_id=2))

    outcomes = till.batch(pay(ANN, hold_id=1), pay(ANN, hold_id=2), charge(ANN, 30_000), pay(ANN, hold_id=2))

    assert kinds(outcomes) == ["Settled", "BalanceTooSmall", "Settled", "Settled"]
    assert till.rows.balances[ANN] == 0
    assert till.last.balances_before[ANN] == 70_000


class TestThePlaceIsUsedUp:
    def test_by_the_last_open_hold_of_it(self) -> None:
        till = Till()
        till.batch(reserve(ANN, 1, hold_id=1), reserve(ANN, 2, hold_id=2))

        first, second = till.one(pay(ANN, hold_id=1)), till.one(pay(ANN, hold_id=2))

        assert [place_over(outcome) for outcome in (first, second)] == [False, True]
        assert till.rows.closed_places == {a_place(1)}

    def test_an_expired_hold_is_not_open(self) -> None:
        till = Till()
        till.one(reserve(ANN, 1, hold_id=1))
        till.now = later(NOON, 1_000)
        till.one(reserve(ANN, 2, hold_id=2))
        till.now = DEADLINE

        till.one(pay(ANN, hold_id=2))

        assert till.rows.closed_places == {a_place(1)}

    def test_a_hold_of_another_place_plays_no_part(self) -> None:
        till = Till()
        till.batch(reserve(ANN, 1, hold_id=1), reserve(ANN, 2, hold_id=2, place=a_place(77)))

        till.one(pay(ANN, hold_id=1))

        assert till.rows.closed_places == {a_place(1)}


@pytest.mark.parametrize(
    ("command", "refusal"),
    [
        (pay(NOBODY, hold_id=1001), UnknownBuyer),
        (pay(ANN, hold_id=404), UnknownHold),
        (pay(BOB, hold_id=1001), UnknownHold),
    ],
)
def test_another_buyers_hold_is_as_unknown_as_none(command: SaleCommand, refusal: type[Exception]) -> None:
    till = Till()
    till.one(reserve(ANN, 1))

    assert type(till.one(command)) is refusal


def test_over_comes_before_the_balance() -> None:
    till = Till(untouched_rows(balance_won=0))
    till.batch(reserve(ANN, 1), release(ANN))

    assert isinstance(till.one(pay(ANN)), HoldIsOver)


def test_paid_comes_before_over() -> None:
    till = Till()
    till.batch(reserve(ANN, 1), pay(ANN))
    till.now = later(DEADLINE, 1)

    assert isinstance(till.one(pay(ANN)), AlreadyPaid)


def test_a_deadline_moved_later_is_the_deadline() -> None:
    till = Till()
    till.one(reserve(ANN, 1))
    moved = later(DEADLINE, 60_000)
    hold = replace(till.rows.holds[HoldId(1001)], expires_at=moved)
    claim = replace(till.rows.claims[SeatId(1)], held_until=moved)
    till.rows = replace(till.rows, holds={hold.id: hold}, claims={claim.seat_id: claim}, now=later(moved, -1))

    assert isinstance(till.one(pay(ANN)), Settled)
