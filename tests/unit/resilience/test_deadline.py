"""The deadline that travels beside a request: who has it, which of several counts, and what missing it means."""

import asyncio

import pytest

from stagedoor.kernel.errors import CallersDeadlineMissed, DeadlineMissed, TooLate, TurnedAway
from stagedoor.resilience.breaker import FAULTS_FAIL, Verdict
from stagedoor.resilience.deadline import Deadline, current, due, latest, regardless


def test_it_is_exclusive() -> None:
    deadline = Deadline(10.0)

    assert not deadline.is_over(9.999)
    assert deadline.is_over(10.0)


def test_what_comes_too_late_is_not_begun() -> None:
    Deadline(10.0).begin(9.999)

    with pytest.raises(TooLate):
        Deadline(10.0).begin(10.0)


def test_to_miss_ours_is_a_failure_of_what_was_waited_for() -> None:
    missed = Deadline(10.0).missed()

    assert isinstance(missed, DeadlineMissed)
    assert FAULTS_FAIL(missed) is Verdict.FAILURE


def test_to_miss_a_callers_own_says_nothing() -> None:
    missed = Deadline(10.0, is_callers=True).missed()

    assert isinstance(missed, CallersDeadlineMissed | TurnedAway)
    assert FAULTS_FAIL(missed) is Verdict.NONE


async def test_what_is_done_inside_and_every_task_begun_inside_has_it() -> None:
    async def asked() -> Deadline | None:
        return current()

    with due(Deadline(1.0)):
        task = asyncio.ensure_future(asked())
        assert await asked() == Deadline(1.0)
        with due(None):
            assert await asked() is None
        assert current() == Deadline(1.0)

    assert current() is None
    assert await task == Deadline(1.0)


async def test_what_has_to_be_done_has_as_much_time_as_it_takes() -> None:
    async def asked(_: int) -> Deadline | None:
        return current()

    with due(Deadline(1.0)):
        assert await regardless(asked)(1) is None
        assert current() == Deadline(1.0)


@pytest.mark.parametrize(
    ("deadlines", "of_all"),
    [
        ([], None),
        ([Deadline(1.0)], Deadline(1.0)),
        ([Deadline(1.0), Deadline(3.0), Deadline(2.0, is_callers=True)], Deadline(3.0)),
        ([Deadline(1.0), Deadline(3.0, is_callers=True)], Deadline(3.0, is_callers=True)),
        ([Deadline(1.0), None], None),
    ],
)
def test_several_wait_as_long_as_the_last_of_them(deadlines: list[Deadline | None], of_all: Deadline | None) -> None:
    assert latest(deadlines) == of_all
