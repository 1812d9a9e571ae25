"""What goes on under each position of the stop switch, and what a stop takes nothing back of."""

import pytest

from stagedoor.checkout.outcomes import HoldReceipt, Outcome, Settled
from stagedoor.checkout.rejections import AlreadyPaid, SaleIsStopped
from stagedoor.holds.rejections import HoldIsOver
from stagedoor.kernel.sale_state import SaleState
from stagedoor.seating.switch import SaleSwitches
from stagedoor.waiting_room.rejections import PlaceIsOver
from tests.builders.sale import ANN, BOB, DEADLINE, OPERA, PLAY, a_key, charge, leave, pay, release, reserve
from tests.unit.checkout.till import Till

OPEN, FINISH, STOPPED = SaleState


def stopped(till: Till, state: SaleState, *, only_play: bool = False) -> None:
    """Turn the switch for everything, or that of the play alone."""
    till.switches = SaleSwitches(of_performance={PLAY: state}) if only_play else SaleSwitches(everywhere=state)


def kind(outcome: Outcome) -> type:
    return type(outcome)


@pytest.mark.parametrize(
    ("state", "held", "paid"),
    [(OPEN, Settled, Settled), (FINISH, SaleIsStopped, Settled), (STOPPED, SaleIsStopped, SaleIsStopped)],
)
@pytest.mark.parametrize("only_play", [False, True])
def test_what_goes_on(state: SaleState, held: type, paid: type, *, only_play: bool) -> None:
    till = Till()
    till.one(reserve(ANN, 1))

    stopped(till, state, only_play=only_play)

    assert kind(till.one(reserve(BOB, 2))) is held
    assert kind(till.one(pay(ANN))) is paid


@pytest.mark.parametrize("state", [FINISH, STOPPED])
def test_seats_can_be_let_go_places_left_and_wallets_charged(state: SaleState) -> None:
    till = Till()
    till.batch(reserve(ANN, 1), reserve(BOB, 2))

    stopped(till, state)

    assert kind(till.one(charge(ANN, 1_000))) is Settled
    assert kind(till.one(release(ANN))) is Settled
    assert kind(till.one(leave(BOB))) is Settled
    assert till.rows.claims == {}


def test_another_performance_goes_on() -> None:
    till = Till()

    stopped(till, STOPPED, only_play=True)

    assert kind(till.one(reserve(ANN, 51, performance_id=OPERA))) is Settled
    assert kind(till.one(pay(ANN))) is Settled


@pytest.mark.parametrize("state", [FINISH, STOPPED])
def test_whoever_has_held_or_paid_is_told_what_she_was_told(state: SaleState) -> None:
    till = Till()
    first = till.one(reserve(ANN, 1, key=a_key("h")))
    till.batch(reserve(BOB, 2), pay(BOB, key=a_key("p")))

    stopped(till, state)
    again, same_seat = till.one(reserve(ANN, 1, key=a_key("h"))), till.one(reserve(ANN, 1))
    repaid, paid_once_more = till.one(pay(BOB, key=a_key("p"))), till.one(pay(BOB))

    assert isinstance(first, Settled)
    assert again == Settled(receipt=first.receipt, replayed=True)
    assert isinstance(same_seat, Settled)
    assert isinstance(same_seat.receipt, HoldReceipt)
    assert kind(repaid) is Settled
    assert kind(paid_once_more) is AlreadyPaid


def test_what_is_over_is_said_before_what_is_stopped() -> None:
    till = Till()
    till.one(reserve(ANN, 1))
    till.one(leave(BOB))
    till.now = DEADLINE

    stopped(till, STOPPED)

    assert kind(till.one(pay(ANN))) is HoldIsOver
    assert kind(till.one(reserve(BOB, 2))) is PlaceIsOver


def test_a_hold_keeps_its_deadline_through_a_stop() -> None:
    till = Till()
    till.one(reserve(ANN, 1))

    stopped(till, STOPPED)
    till.one(pay(ANN))
    stopped(till, OPEN)

    [hold] = till.rows.holds.values()
    assert hold.expires_at == DEADLINE
    assert kind(till.one(pay(ANN))) is Settled
