"""The clock that deadlines are judged by stands still while the service does."""

import pytest

from stagedoor.kernel.clock import GAP_MS, ManualClock, Outage, ServiceClock, later
from tests.builders.line import NOON


def started() -> tuple[ManualClock, ServiceClock]:
    machine = ManualClock(NOON)
    clock = ServiceClock(machine)
    clock.alive(NOON)
    return machine, clock


def test_before_the_first_sign_of_life_it_is_the_machines_clock() -> None:
    machine = ManualClock(NOON)
    clock = ServiceClock(machine)

    assert clock.now() == NOON
    assert clock.now() == NOON
    assert (later(clock.now(), 0), machine.advance(10 * GAP_MS)) == (NOON, clock.now())
    assert not clock.stands


def test_it_runs_up_to_the_gap() -> None:
    machine, clock = started()
    machine.advance(GAP_MS - 1)

    assert (clock.stands, clock.now()) == (False, machine.now())


def test_from_the_gap_on_it_stands_where_it_stood() -> None:
    machine, clock = started()
    machine.advance(300)
    assert clock.now() == later(NOON, 300)
    machine.advance(GAP_MS - 300)

    assert (clock.stands, clock.now()) == (True, later(NOON, 300))


def test_nobody_having_looked_it_stands_at_the_last_sign_of_life() -> None:
    machine, clock = started()
    clock.alive(machine.advance(100))
    machine.advance(GAP_MS)

    assert clock.now() == later(NOON, 100)


def test_it_goes_on_with_the_next_sign_of_life_and_never_back() -> None:
    machine, clock = started()
    machine.advance(5 * GAP_MS)
    stood_at = clock.now()
    clock.alive(machine.now())

    assert (stood_at, clock.now(), clock.stands) == (NOON, machine.now(), False)


def test_told_to_stop_it_stands_at_once_until_the_next_sign_of_life() -> None:
    machine, clock = started()
    machine.advance(300)
    clock.stop()
    machine.advance(500)
    clock.stop()
    stood_at, stood, was_stopped = clock.now(), clock.stands, clock.is_stopped

    clock.alive(machine.now())

    assert (stood_at, stood, was_stopped) == (later(NOON, 300), True, True)
    assert (clock.now(), clock.stands, clock.is_stopped) == (later(NOON, 800), False, False)


@pytest.mark.parametrize(
    ("began_before_the_end_ms", "given_ms"), [(9_000, 5_000), (5_000, 5_000), (1, 1), (0, 0), (-1, 0)]
)
def test_what_began_in_an_outage_gets_back_what_it_lost_of_it(began_before_the_end_ms: int, given_ms: int) -> None:
    outage = Outage(NOON, later(NOON, 9_000), 5_000)

    assert outage.credit_since(later(outage.ended_at, -began_before_the_end_ms)) == given_ms
