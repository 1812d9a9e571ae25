"""Placing a hold: whose seats, at what price, until when, and in what order it is refused."""

from dataclasses import replace

import pytest

from stagedoor.checkout.commands import SaleCommand
from stagedoor.checkout.outcomes import HoldReceipt, Settled
from stagedoor.checkout.rows import Claim
from stagedoor.holds.events import HoldPlaced
from stagedoor.holds.model import HoldPolicy
from stagedoor.holds.rejections import SeatsTaken, SoldOut, TooManySeats
from stagedoor.kernel.clock import FOREVER, Instant, later
from stagedoor.kernel.ids import HoldId, PerformanceId, SeatId
from stagedoor.kernel.money import Won
from stagedoor.seating.model import ClaimState
from stagedoor.seating.rejections import UnknownPerformance, UnknownSeat
from stagedoor.waiting_room.model import Standing
from stagedoor.waiting_room.rejections import PlaceIsOver, StillWaiting, UnknownBuyer
from tests.builders.sale import (
    ANN,
    BOB,
    DEADLINE,
    GALA,
    NOBODY,
    NOON,
    OPERA,
    OVER,
    PLAY,
    PRICE,
    VIP_ROOM,
    a_place,
    kinds,
    leave,
    pay,
    receipt_of,
    release,
    reserve,
)
from tests.unit.checkout.till import Till

SOLD_CLAIM = Claim(seat_id=SeatId(1), performance_id=PLAY, hold_id=HoldId(7), state=ClaimState.SOLD, held_until=FOREVER)


def a_receipt(till: Till, *seat_ids: int) -> HoldReceipt:
    receipt = receipt_of(till.one(reserve(ANN, *seat_ids)))
    assert isinstance(receipt, HoldReceipt)
    return receipt


def test_seats_are_kept_for_five_minutes() -> None:
    till = Till()

    receipt = a_receipt(till, 3, 1)

    assert receipt == HoldReceipt(
        hold_id=HoldId(1001),
        buyer_id=ANN,
        performance_id=PLAY,
        seat_ids=(SeatId(1), SeatId(3)),
        amount_won=Won(100_000),
        placed_at=NOON,
        expires_at=DEADLINE,
        answered_at=NOON,
    )
    assert till.rows.claims[SeatId(1)].held_until == DEADLINE


def test_it_is_told() -> None:
    till = Till()

    till.one(reserve(ANN, 1))

    [event] = till.last.events
    assert isinstance(event, HoldPlaced)
    assert (event.hold_id, event.place_number, event.seat_ids, event.expires_at) == (1001, 1, (1,), DEADLINE)


def test_the_price_is_the_one_of_the_moment_of_the_hold() -> None:
    till = Till()
    till.one(reserve(ANN, 1))

    dearer = {**till.rows.seats, SeatId(1): replace(till.rows.seats[SeatId(1)], price_won=Won(99_000))}
    till.rows = replace(till.rows, seats=dearer)

    till.one(pay(ANN))
    assert [order.amount_won for order in till.last.orders] == [PRICE]


@pytest.mark.parametrize("taken", [(1,), (2, 1), (1, 2)])
def test_a_group_is_kept_whole_or_not_at_all(taken: tuple[int, ...]) -> None:
    till = Till()
    till.one(reserve(ANN, 1))

    outcome = till.one(reserve(BOB, *taken))

    assert isinstance(outcome, SeatsTaken)
    assert till.last.is_empty
    assert set(till.rows.claims) == {1}


def test_the_seat_is_free_again_at_the_deadline_and_not_before() -> None:
    till = Till()
    till.one(reserve(ANN, 1))

    till.now = later(DEADLINE, -1)
    assert isinstance(till.one(reserve(BOB, 1)), SeatsTaken)

    till.now = DEADLINE
    assert isinstance(till.one(reserve(BOB, 1)), Settled)
    assert till.rows.claims[SeatId(1)].hold_id == 1002


def test_asking_again_for_exactly_what_she_holds_gives_the_same_hold() -> None:
    till = Till()
    first = a_receipt(till, 1, 2)
    till.now = later(NOON, 60_000)

    again = receipt_of(till.one(reserve(ANN, 2, 1, hold_id=777)))

    assert again == replace(first, answered_at=later(NOON, 60_000))
    assert till.last.is_empty


def test_asking_again_needs_no_place_in_the_line() -> None:
    till = Till()
    first = a_receipt(till, 1)

    again = till.one(reserve(ANN, 1, hold_id=777, place=a_place(9), standing=Standing.WAITING))

    assert receipt_of(again) == first


def test_asking_for_part_of_what_she_holds_is_another_hold() -> None:
    till = Till()
    till.one(reserve(ANN, 1, 2))

    assert isinstance(till.one(reserve(ANN, 1, hold_id=777)), SeatsTaken)


class TestTheLimit:
    def test_held_and_bought_seats_count_over_all_places_she_had(self) -> None:
        till = Till()
        till.batch(reserve(ANN, 1, 2), pay(ANN))
        till.one(reserve(ANN, 3, hold_id=7, place=a_place(50)))

        too_many = till.one(reserve(ANN, 4, 5, hold_id=8, place=a_place(51)))
        just_enough = till.one(reserve(ANN, 4, hold_id=9, place=a_place(51)))

        assert isinstance(too_many, TooManySeats)
        assert too_many.seats_per_buyer == 4
        assert isinstance(just_enough, Settled)

    def test_what_was_let_go_does_not_count(self) -> None:
        till = Till()
        till.batch(reserve(ANN, 1, 2, 3, 4), release(ANN))

        assert isinstance(till.one(reserve(ANN, 5, 6, 7, 8, hold_id=7)), Settled)

    def test_what_expired_does_not_count_though_nobody_has_tidied(self) -> None:
        till = Till()
        till.one(reserve(ANN, 1, 2, 3, 4))
        till.now = DEADLINE

        assert isinstance(till.one(reserve(ANN, 5, 6, 7, 8, hold_id=7)), Settled)

    def test_each_performance_has_its_own(self) -> None:
        till = Till()
        till.one(reserve(ANN, 1, 2, 3, 4))

        assert isinstance(till.one(reserve(ANN, 51, 52, hold_id=7, performance_id=OPERA)), Settled)

    def test_it_comes_before_the_state_of_the_seats(self) -> None:
        till = Till(policy=HoldPolicy(seats_per_buyer=2))
        till.one(reserve(BOB, 3))

        assert isinstance(till.one(reserve(ANN, 1, 2, 3)), TooManySeats)


class TestClosedToHer:
    def test_a_released_seat_is_closed_to_her_for_a_minute_and_open_to_others(self) -> None:
        till = Till()
        till.batch(reserve(ANN, 1), release(ANN))
        till.now = later(NOON, 59_999)
        assert isinstance(till.one(reserve(ANN, 1, hold_id=7)), SeatsTaken)

        till.now = later(NOON, 60_000)
        assert isinstance(till.one(reserve(ANN, 1, hold_id=7)), Settled)

    def test_others_may_have_it_at_once(self) -> None:
        till = Till()
        till.batch(reserve(ANN, 1), release(ANN))

        assert isinstance(till.one(reserve(BOB, 1)), Settled)

    @pytest.mark.parametrize("tidied", [True, False])
    def test_an_expired_seat_is_closed_from_its_deadline_on(self, *, tidied: bool) -> None:
        till = Till()
        till.one(reserve(ANN, 1))
        till.now = later(DEADLINE, 30_000)
        if tidied:
            till.tidy()

        assert isinstance(till.one(reserve(ANN, 1, hold_id=7)), SeatsTaken)
        till.now = later(DEADLINE, 60_000)
        assert isinstance(till.one(reserve(ANN, 1, hold_id=7)), Settled)

    def test_it_is_not_sold_out_for_that(self) -> None:
        rows = Till().rows
        till = Till(replace(rows, unsold={**rows.unsold, PLAY: 1}))
        till.batch(reserve(ANN, 1), release(ANN))

        assert isinstance(till.one(reserve(ANN, 1, hold_id=7)), SeatsTaken)


class TestSoldOut:
    def test_while_a_hold_could_come_back_a_seat_is_only_taken(self) -> None:
        rows = Till().rows
        till = Till(replace(rows, unsold={**rows.unsold, PLAY: 1}))
        till.one(reserve(ANN, 1))

        assert isinstance(till.one(reserve(BOB, 1)), SeatsTaken)

    def test_once_the_last_seat_is_sold_it_is_sold_out(self) -> None:
        rows = Till().rows
        till = Till(replace(rows, unsold={**rows.unsold, PLAY: 1}))

        outcomes = till.batch(reserve(ANN, 1), pay(ANN), reserve(BOB, 1))

        assert kinds(outcomes) == ["Settled", "Settled", "SoldOut"]


class TestThePlace:
    @pytest.mark.parametrize("place_ended", ["left", "paid"])
    def test_nothing_is_held_under_a_place_that_the_sale_knows_to_be_over(self, place_ended: str) -> None:
        till = Till()
        till.one(reserve(ANN, 1))
        till.one(leave(ANN) if place_ended == "left" else pay(ANN))

        assert isinstance(till.one(reserve(ANN, 2, hold_id=7)), PlaceIsOver)

    def test_another_place_of_the_same_number_is_another_place(self) -> None:
        till = Till()
        till.one(leave(ANN, a_place(1, VIP_ROOM)))

        assert isinstance(till.one(reserve(ANN, 2)), Settled)

    def test_no_hold_from_the_end_of_the_session_on(self) -> None:
        till = Till()

        just_in_time = till.one(reserve(ANN, 1, session_ends_at=later(NOON, 1)))
        too_late = till.one(reserve(BOB, 2, session_ends_at=NOON))

        assert isinstance(just_in_time, Settled)
        assert isinstance(too_late, PlaceIsOver)


@pytest.mark.parametrize(
    ("command", "refusal"),
    [
        (reserve(NOBODY, 1), UnknownBuyer),
        (reserve(ANN, 1, performance_id=PerformanceId(404)), UnknownPerformance),
        (reserve(ANN, 61, performance_id=GALA), UnknownPerformance),
        (reserve(ANN, 71, performance_id=OVER), UnknownPerformance),
        (reserve(ANN, 4_040), UnknownSeat),
        (reserve(ANN, 1, 51), UnknownSeat),
        (reserve(ANN, 2, standing=Standing.OVER), PlaceIsOver),
        (reserve(ANN, 2, standing=Standing.WAITING), StillWaiting),
        # Whoever is refused for several reasons hears the first of them.
        (reserve(NOBODY, 4_040, performance_id=GALA, standing=Standing.OVER), UnknownBuyer),
        (reserve(ANN, 4_040, performance_id=GALA, standing=Standing.OVER), UnknownPerformance),
        (reserve(ANN, 4_040, standing=Standing.OVER), UnknownSeat),
        (reserve(ANN, 1, 2, 3, 4, 5, standing=Standing.OVER, session_ends_at=NOON), PlaceIsOver),
        (reserve(ANN, 1, 2, 3, 4, 5, standing=Standing.WAITING, session_ends_at=Instant(0)), PlaceIsOver),
        (reserve(ANN, 1, 2, 3, 4, 5, standing=Standing.WAITING), StillWaiting),
        (reserve(ANN, 1, 2, 3, 4, 5), TooManySeats),
        (reserve(ANN, 1), SoldOut),
    ],
)
def test_refusals_and_their_order(command: SaleCommand, refusal: type[Exception]) -> None:
    rows = Till().rows
    till = Till(replace(rows, claims={SeatId(1): SOLD_CLAIM}, unsold={**rows.unsold, PLAY: 0}))

    outcome = till.one(command)

    assert type(outcome) is refusal
    assert till.last.is_empty
