"""
The sale against a model that goes through a list: the pure decision, and the same over its database.

Whatever is asked in whatever batches, whatever fails or stands still: both
give the same answers, and everybody has the same money at the end.
"""

from abc import abstractmethod
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar
from unittest import mock

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import text

from stagedoor.adapters.sql.clock_stop import SqlClockStop
from stagedoor.checkout.commands import PlaceHold, SaleCommand
from stagedoor.checkout.deciding import credit, desk
from stagedoor.checkout.deciding.desk import Desk
from stagedoor.checkout.outcomes import (
    CloseReceipt,
    HoldReceipt,
    OrderReceipt,
    Outcome,
    ReleaseReceipt,
    Settled,
    WalletReceipt,
)
from stagedoor.holds.model import Hold, HoldState
from stagedoor.kernel.clock import Instant, ManualClock, Outage, ServiceClock
from stagedoor.kernel.errors import Fault
from stagedoor.kernel.idempotency import IdempotencyKey
from tests.builders.sale import (
    BALANCE,
    NOON,
    OPERA,
    PRICE,
    SEATS,
    a_place,
    charge,
    leave,
    pay,
    release,
    reserve,
    untouched_rows,
)
from tests.builders.store import House, before_the_sale
from tests.property.sale_model import CREDIT_MOST_MS, Answer, ModelSale
from tests.simulation.disk import Commit, Disk
from tests.simulation.virtual_time import VirtualLoop
from tests.unit.checkout.till import Till

T = TypeVar("T")

BUYERS = range(1, 6)
ALL_SEATS = SEATS[OPERA]

A_KEY = st.one_of(st.none(), st.sampled_from("abc"))
A_BUYER = st.sampled_from(BUYERS)
SOME_SEATS = st.lists(st.sampled_from(ALL_SEATS), min_size=1, max_size=5, unique=True)
REQUESTS = st.lists(
    st.one_of(
        st.tuples(st.just("reserve"), A_BUYER, SOME_SEATS, A_KEY),
        st.tuples(st.just("reserve"), A_BUYER, SOME_SEATS, A_KEY),
        st.tuples(st.just("pay"), st.integers(0, 7), A_BUYER, A_KEY),
        st.tuples(st.just("pay"), st.integers(0, 7), st.none(), A_KEY),
        st.tuples(st.just("release"), st.integers(0, 7), st.none(), A_KEY),
        st.tuples(st.just("charge"), A_BUYER, st.sampled_from([1, 50_000, 10_000_000]), A_KEY),
        st.tuples(st.just("leave"), A_BUYER, st.none(), st.none()),
    ),
    min_size=1,
    max_size=4,
)
STEPS_MS = st.sampled_from([1, 1_000, 59_999, 60_000, 200_000, 299_999, 300_000])


class SaleMachine(RuleBasedStateMachine):
    """A few buyers and ten seats."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock(NOON)
        self.model = ModelSale(seats=ALL_SEATS, price=PRICE, money=dict.fromkeys(BUYERS, int(BALANCE)))
        self.alive_at = NOON
        self.holds: list[tuple[int, int]] = []
        self.visits = dict.fromkeys(BUYERS, 0)
        self.last_id = 1_000

    @abstractmethod
    def batch(self, commands: Sequence[SaleCommand]) -> Sequence[Outcome]:
        """Settle *commands* in one batch."""

    @abstractmethod
    def sweep(self) -> None:
        """Mark what is over."""

    @abstractmethod
    def give_sign(self) -> None:
        """Note that the service lives now."""

    @abstractmethod
    def crash_and_restart(self) -> None:
        """Lose everything but what is durable, and give back the time since the last sign of life."""

    @abstractmethod
    def money(self) -> dict[int, int]:
        """Return what each of the buyers has."""

    @rule(requests=REQUESTS)
    def ask(self, requests: list[tuple[str, Any, Any, str | None]]) -> None:
        commands = [self.command(*request) for request in requests]
        outcomes = self.batch(commands)
        self.compare(commands, outcomes)

    @rule(by_ms=STEPS_MS)
    def wait_a_while(self, by_ms: int) -> None:
        self.wait(by_ms)

    def wait(self, by_ms: int) -> None:
        """Let time pass in which the service lives."""
        self.clock.advance(by_ms)
        self.give_sign()
        self.alive_at = self.clock.now()

    @rule(data=st.data(), by_ms=st.sampled_from([-1, 0, 0, 1]))
    def wait_for_a_deadline(self, data: st.DataObject, by_ms: int) -> None:
        now = self.clock.now()
        deadlines = [hold.ends_at for hold in self.model.holds if hold.runs(now)]
        after_ms = data.draw(st.sampled_from(deadlines)) + by_ms - now if deadlines else 0
        if after_ms > 0:
            self.wait(after_ms)

    @rule(by_ms=st.sampled_from([1, 500, 1_999]))
    def wait_for_the_next_sign(self, by_ms: int) -> None:
        if self.clock.now() + by_ms - self.alive_at < 2_000:
            self.clock.advance(by_ms)

    @rule()
    def tidy(self) -> None:
        self.sweep()
        self.model.sweep(self.clock.now())

    @rule(outage_ms=st.sampled_from([1, 2_000, 90_000, 300_000, 2_000_000]))
    def restart(self, outage_ms: int) -> None:
        now = self.clock.advance(outage_ms)
        self.crash_and_restart()
        self.model.give_back(self.alive_at, now)
        self.alive_at = now

    @invariant()
    def all_have_the_same_money(self) -> None:
        assert self.money() == self.model.money
        assert sum(self.model.money.values()) + self.model.taken_in == len(BUYERS) * BALANCE + self.model.charged
        assert min(self.model.money.values()) >= 0

    def compare(self, commands: Sequence[SaleCommand], outcomes: Sequence[Outcome]) -> None:
        """Ask the model the same."""
        now = self.clock.now()
        for command, outcome in zip(commands, outcomes, strict=True):
            expected = self.model.one(command, now)
            assert answer_of(outcome) == expected, command
            if expected[0] == "held" and isinstance(command, PlaceHold):
                self.holds.append((int(command.buyer_id), command.hold_id))
        for buyer in BUYERS:
            if a_place(buyer * 1_000 + self.visits[buyer]) in self.model.closed:
                self.visits[buyer] += 1

    def command(self, kind: str, first: Any, second: Any, key: str | None) -> SaleCommand:  # noqa: ANN401 -- as drawn
        """Make the request; a key belongs to what is asked, but for the numbers that the edge makes up."""
        self.last_id += 1
        named = None if key is None else IdempotencyKey(value=key, fingerprint=f"{kind} {first} {second}")
        if kind == "reserve":
            place = a_place(first * 1_000 + self.visits[first])
            return reserve(first, *second, hold_id=self.last_id, place=place, performance_id=OPERA, key=named)
        if kind == "charge":
            return charge(first, second, key=named)
        if kind == "leave":
            return leave(first, a_place(first * 1_000 + self.visits[first]))
        buyer, hold_id = self.holds[-1 - first] if first < len(self.holds) else (1, 1)
        named = None if key is None else IdempotencyKey(value=key, fingerprint=f"{kind} {hold_id}")
        make = pay if kind == "pay" else release
        return make(second or buyer, hold_id=hold_id, key=named)


class PureMachine(SaleMachine):
    """The decision alone."""

    def __init__(self) -> None:
        super().__init__()
        self.till = Till(untouched_rows(members=max(BUYERS)))

    def batch(self, commands: Sequence[SaleCommand]) -> Sequence[Outcome]:
        self.till.now = self.clock.now()
        return self.till.batch(*commands)

    def sweep(self) -> None:
        self.till.now = self.clock.now()
        self.till.tidy()

    def give_sign(self) -> None:
        pass

    def crash_and_restart(self) -> None:
        rows = self.till.rows
        now = self.clock.now()
        holds = [
            hold
            for hold in rows.holds.values()
            if hold.state is HoldState.OPEN
            and hold.expires_at > self.alive_at
            and not any(
                other.buyer_id == hold.buyer_id and other.placed_at >= hold.expires_at for other in rows.holds.values()
            )
        ]
        claimants = {seat_id: claim.hold_id for seat_id, claim in rows.claims.items()}
        outage = Outage(self.alive_at, now, min(now - self.alive_at, CREDIT_MOST_MS))
        extensions = credit.extend(holds, claimants, outage, sum_max_ms=CREDIT_MOST_MS)
        moved = {after.id: after for _, after in extensions}
        claims = {
            seat_id: replace(claim, held_until=moved[claim.hold_id].expires_at) if claim.hold_id in moved else claim
            for seat_id, claim in rows.claims.items()
        }
        self.till.rows = replace(rows, holds={**rows.holds, **moved}, claims=claims, now=now)

    def money(self) -> dict[int, int]:
        return {int(buyer): int(balance) for buyer, balance in self.till.rows.balances.items()}


class StoredMachine(SaleMachine):
    """The same over its database, whose commits may fail or lose their answers."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.loop = VirtualLoop(0.0)
        self.path = Path(self.folder.name) / "sale.db"
        self.path.write_bytes(before_the_sale())
        self.start()

    def start(self) -> None:
        self.disk = Disk(self.path)
        self.disk.attach(self.loop)
        self.house = House(self.disk.file, self.clock)
        clock_stop = SqlClockStop(self.disk.file, self.clock, ServiceClock(self.clock), credit_max_ms=CREDIT_MOST_MS)
        self.do(clock_stop.beat())

    def teardown(self) -> None:
        self.do(self.house.check())
        self.disk.close()
        self.loop.close()
        self.folder.cleanup()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @rule(requests=REQUESTS, how=st.sampled_from([Commit.FAILS, Commit.LOSES_ITS_ANSWER, Commit.LOSES_SIGHT]))
    def ask_while_commits_fail(self, requests: list[tuple[str, Any, Any, str | None]], how: Commit) -> None:
        commands = [self.command(*request) for request in requests]
        self.disk.commits.append(how)
        try:
            self.compare(commands, self.batch(commands))
        except Fault:
            if how is Commit.LOSES_SIGHT:
                # It has happened, though nobody heard of it: the same requests with the same ids tell what it came to.
                for command in commands:
                    self.model.one(command, self.clock.now())
        finally:
            self.disk.commits.clear()
            self.disk.locked = 0

    def batch(self, commands: Sequence[SaleCommand]) -> Sequence[Outcome]:
        return self.do(self.house.batch(*commands))

    def sweep(self) -> None:
        self.do(self.house.tidy())

    def give_sign(self) -> None:
        with self.disk.file.write_engine.connect() as connection, connection.begin():
            connection.execute(text("UPDATE clock_stop SET alive_at = :now"), {"now": self.clock.now()})

    def crash_and_restart(self) -> None:
        self.disk.close()
        self.start()

    def money(self) -> dict[int, int]:
        with self.disk.file.write_engine.connect() as connection, connection.begin():
            rows = connection.execute(
                text("SELECT buyer_id, balance_won FROM wallet WHERE buyer_id <= :last"), {"last": max(BUYERS)}
            ).all()
        return {row.buyer_id: row.balance_won for row in rows}


def answer_of(outcome: Outcome) -> Answer:
    """Say in the model's words what was answered."""
    if not isinstance(outcome, Settled):
        return (type(outcome).__name__,)
    match outcome.receipt:
        case HoldReceipt() as held:
            return ("held", held.hold_id, held.expires_at)
        case OrderReceipt() as order:
            return ("paid", order.hold_id, order.amount_won, order.place_over)
        case ReleaseReceipt() as released:
            return ("released", released.hold_id)
        case CloseReceipt() as closed:
            return ("closed", frozenset(closed.released))
        case WalletReceipt() as wallet:
            return ("charged", wallet.balance_won)


PureMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
StoredMachine.TestCase.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)
TestDecision = PureMachine.TestCase
TestSaleInItsDatabase = StoredMachine.TestCase


def paid_at_the_deadline(hold: Hold, now: Instant) -> bool:
    """Take the last instant for a part of the hold."""
    return hold.state is HoldState.OPEN and now <= hold.expires_at


def on_the_sweeper(hold: Hold, _now: Instant) -> bool:
    """Take a hold for open until it is marked."""
    return hold.state is HoldState.OPEN


MUTANTS: Mapping[str, Callable[[], AbstractContextManager[object]]] = {
    "the deadline itself is in time": lambda: mock.patch.object(Hold, "is_open_at", paid_at_the_deadline),
    "a hold is open until it is marked": lambda: mock.patch.object(Hold, "is_open_at", on_the_sweeper),
    "a used-up place is not closed": lambda: mock.patch.object(Desk, "close_place"),
    "keys are forgotten": lambda: mock.patch.object(desk, "scope_of", return_value=None),
    "no time is given back": lambda: mock.patch.object(credit, "extend", return_value=[]),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_control_a_decision_without_a_guard_is_found_out(mutant: str) -> None:
    once = settings(max_examples=300, stateful_step_count=30, deadline=None, derandomize=True, database=None)

    with MUTANTS[mutant](), pytest.raises(AssertionError):
        run_state_machine_as_test(PureMachine, settings=settings(once, phases=[Phase.generate]))
