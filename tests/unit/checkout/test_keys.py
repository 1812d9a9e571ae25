"""Idempotency keys: the first answer again, whatever has happened since."""

from dataclasses import replace

import pytest

from stagedoor.checkout.commands import KeyedCommand, SaleCommand
from stagedoor.checkout.outcomes import Settled
from stagedoor.holds.rejections import SeatsTaken, UnknownHold
from stagedoor.kernel.clock import later
from stagedoor.kernel.idempotency import KEYS_PER_BUYER_MAX, KeyReused, TooManyKeys
from stagedoor.kernel.ids import HoldId
from stagedoor.waiting_room.model import Standing
from tests.builders.sale import (
    ANN,
    BOB,
    DEADLINE,
    NOON,
    a_key,
    charge,
    kinds,
    pay,
    release,
    reserve,
)
from tests.unit.checkout.till import Till

KEYED: list[tuple[list[SaleCommand], KeyedCommand]] = [
    ([], reserve(ANN, 1, key=a_key())),
    ([reserve(ANN, 1)], release(ANN, key=a_key())),
    ([reserve(ANN, 1)], pay(ANN, key=a_key())),
    ([], charge(ANN, key=a_key())),
    ([], charge(ANN, by_shop="key:till", key=a_key())),
]


@pytest.mark.parametrize(("before", "command"), KEYED)
@pytest.mark.parametrize("together", [True, False])
def test_the_same_again_is_answered_as_the_first_time(
    before: list[SaleCommand], command: KeyedCommand, *, together: bool
) -> None:
    till = Till()
    for earlier in before:
        till.one(earlier)

    first, second = till.batch(command, command) if together else (till.one(command), till.one(command))

    assert isinstance(first, Settled)
    assert second == replace(first, replayed=True)
    assert together or till.last.is_empty


@pytest.mark.parametrize(("before", "command"), KEYED)
def test_the_same_key_with_another_body_is_refused(before: list[SaleCommand], command: KeyedCommand) -> None:
    till = Till()
    till.batch(*before, command)

    other = replace(command, key=a_key(fingerprint="another body"))

    assert isinstance(till.one(other), KeyReused)


def test_fifty_charges_with_one_key_are_one_charge() -> None:
    till = Till()

    outcomes = till.batch(*(charge(ANN, 10_000, key=a_key()) for _ in range(50)))

    assert [outcome.replayed for outcome in outcomes if isinstance(outcome, Settled)] == [False] + [True] * 49
    assert till.rows.balances[ANN] == 310_000
    assert len(till.last.transfers) == 1


def test_a_key_is_known_within_its_buyer_and_call_only() -> None:
    till = Till()

    outcomes = till.batch(
        reserve(ANN, 1, key=a_key()),
        pay(ANN, key=a_key()),
        charge(ANN, key=a_key()),
        charge(ANN, by_shop="key:till", key=a_key()),
        charge(BOB, key=a_key()),
    )

    assert outcomes == [replace(outcome, replayed=False) for outcome in outcomes if isinstance(outcome, Settled)]


def test_a_replay_looks_neither_at_the_place_nor_at_the_hold() -> None:
    till = Till()
    command = reserve(ANN, 1, key=a_key())
    till.one(command)
    till.now = later(DEADLINE, 1)
    till.one(reserve(BOB, 1))

    again = till.one(replace(command, standing=Standing.OVER))

    assert isinstance(again, Settled)
    assert again.replayed


def test_what_is_unknown_comes_before_a_replay() -> None:
    till = Till()
    command = pay(ANN, key=a_key())
    till.batch(reserve(ANN, 1), command)

    assert isinstance(till.one(replace(command, hold_id=HoldId(404))), UnknownHold)


def test_a_replay_comes_before_already_paid() -> None:
    till = Till()
    till.batch(reserve(ANN, 1), pay(ANN, key=a_key()))

    assert kinds(till.batch(pay(ANN, key=a_key()), pay(ANN))) == ["Settled", "AlreadyPaid"]


def test_a_refusal_stores_no_key() -> None:
    till = Till()
    till.one(reserve(BOB, 1))

    refused = till.one(reserve(ANN, 1, key=a_key()))
    till.now = DEADLINE
    taken_up = till.one(reserve(ANN, 1, key=a_key()))

    assert isinstance(refused, SeatsTaken)
    assert isinstance(taken_up, Settled)
    assert not taken_up.replayed


def test_asking_again_under_a_new_key_stores_that_key_too() -> None:
    till = Till()
    till.one(reserve(ANN, 1, key=a_key("first")))
    till.now = later(NOON, 1_000)

    second = till.one(reserve(ANN, 1, hold_id=7, key=a_key("second")))
    replayed = till.one(reserve(ANN, 1, hold_id=8, key=a_key("second")))

    assert isinstance(second, Settled)
    assert replayed == replace(second, replayed=True)


def test_a_buyer_keeps_so_many_keys_and_no_more() -> None:
    till = Till()
    for number in range(KEYS_PER_BUYER_MAX):
        till.one(charge(ANN, 1, key=a_key(str(number))))

    assert isinstance(till.one(charge(ANN, 1, key=a_key("one more"))), TooManyKeys)
    assert (
        kinds(till.batch(charge(ANN, 1, key=a_key("7")), charge(ANN, 1), charge(BOB, 1, key=a_key("his"))))
        == ["Settled"] * 3
    )
