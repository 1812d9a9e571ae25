import asyncio

import pytest

from stagedoor.kernel.errors import DeadlineMissed, Fault, Overloaded, Rejection, TurnedAway
from stagedoor.resilience.breaker import FAULTS_FAIL, ByClass, CallNotPermitted, State, Verdict
from stagedoor.resilience.reserve import NearlyFull
from tests.unit.resilience.breakers import FAST_NS, Bench, DatabaseGone, SoldOut, a_half_open_breaker


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (Fault("gone"), Verdict.FAILURE),
        (DatabaseGone("gone"), Verdict.FAILURE),
        (DeadlineMissed("late"), Verdict.FAILURE),
        (Rejection(), Verdict.NONE),
        (SoldOut(), Verdict.NONE),
        (TurnedAway("not even asked"), Verdict.NONE),
        (Overloaded("a full line"), Verdict.NONE),
        (NearlyFull("the reserve"), Verdict.NONE),
        (CallNotPermitted("further in", State.OPEN, retry_after_ms=1), Verdict.NONE),
        (KeyError("our bug"), Verdict.NONE),
        (ExceptionGroup("", [KeyError(), ExceptionGroup("", [DatabaseGone("gone")])]), Verdict.FAILURE),
        (ExceptionGroup("", [SoldOut(), KeyError()]), Verdict.NONE),
    ],
)
def test_a_fault_fails_and_nothing_else_says_anything(error: Exception, verdict: Verdict) -> None:
    assert FAULTS_FAIL(error) is verdict


def test_ignoring_wins() -> None:
    judge = ByClass(recorded=(Exception,), ignored=(LookupError,))

    assert judge(KeyError()) is Verdict.NONE
    assert judge(ValueError()) is Verdict.FAILURE


def test_what_is_in_no_list_may_be_a_success() -> None:
    judge = ByClass(recorded=(OSError,), ignored=(), otherwise=Verdict.SUCCESS)

    assert judge(ValueError()) is Verdict.SUCCESS
    assert judge(ConnectionResetError()) is Verdict.FAILURE


@pytest.mark.parametrize("wrong", [asyncio.CancelledError, BaseException, "java.lang.Exception", KeyError()])
@pytest.mark.parametrize("field", ["recorded", "ignored"])
def test_only_exception_classes_may_be_listed(field: str, wrong: object) -> None:
    with pytest.raises(ValueError, match=f"^{field} must hold subclasses of Exception, not "):
        ByClass(**{field: (wrong,)})  # type: ignore[arg-type]


def test_an_error_judged_a_success_counts_as_one() -> None:
    bench = Bench(classify=ByClass(otherwise=Verdict.SUCCESS))

    bench.breaker.record_error(bench.breaker.acquire(), FAST_NS, KeyError())
    now = bench.breaker.snapshot()

    assert (now.buffered_calls, now.failed_calls) == (1, 0)


def test_a_classification_that_raises_gives_the_permit_back() -> None:
    def broken(error: Exception) -> Verdict:
        raise ZeroDivisionError from error

    bench = Bench(classify=broken)
    bench.breaker.transition_to(State.OPEN)
    bench.breaker.transition_to(State.HALF_OPEN)

    with pytest.raises(ZeroDivisionError):
        bench.breaker.record_error(bench.breaker.acquire(), FAST_NS, KeyError())

    assert bench.admitted_of(10) == 4


def test_defects_neither_close_nor_open_a_trial() -> None:
    bench = a_half_open_breaker()

    for _ in range(10):
        bench.breaker.record_error(bench.breaker.acquire(), FAST_NS, AttributeError("confirmBooking"))

    assert bench.state is State.HALF_OPEN
    assert bench.admitted_of(10) == 4
