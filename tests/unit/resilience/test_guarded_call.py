import asyncio

import pytest

from stagedoor.resilience.breaker import ON_SALE, CallNotPermitted, State, Verdict
from tests.unit.resilience.breakers import SLOW_NS, Bench, DatabaseGone, SoldOut, a_half_open_breaker, an_open_breaker


def test_a_block_that_ends_is_a_success() -> None:
    bench = Bench()

    with bench.breaker.call():
        pass
    now = bench.breaker.snapshot()

    assert (now.buffered_calls, now.failed_calls, now.slow_calls) == (1, 0, 0)


def test_a_fault_is_a_failure_and_goes_on() -> None:
    bench = Bench()

    with pytest.raises(DatabaseGone, match=r"^gone$"), bench.breaker.call():
        raise DatabaseGone("gone")

    assert bench.breaker.snapshot().failed_calls == 1


def test_the_block_is_timed() -> None:
    bench = Bench()

    with bench.breaker.call():
        bench.clock.advance(ns=SLOW_NS)
    with bench.breaker.call():
        bench.clock.advance(ns=SLOW_NS - 1)
    now = bench.breaker.snapshot()

    assert (now.buffered_calls, now.slow_calls) == (2, 1)


def test_a_slow_fault_is_slow_too() -> None:
    bench = Bench()

    def give_up_at_last() -> None:
        with bench.breaker.call():
            bench.clock.advance(ns=SLOW_NS)
            raise DatabaseGone("at last")

    with pytest.raises(DatabaseGone):
        give_up_at_last()

    assert bench.breaker.snapshot().slow_failed_calls == 1


def test_open_the_block_is_not_entered() -> None:
    bench = an_open_breaker()
    entered = False

    with pytest.raises(CallNotPermitted), bench.breaker.call():
        entered = True

    assert not entered
    assert bench.breaker.snapshot().failed_calls == 4


@pytest.mark.parametrize("error", [SoldOut(), AttributeError("our bug"), KeyboardInterrupt(), asyncio.CancelledError()])
def test_what_says_nothing_gives_the_permit_back(error: BaseException) -> None:
    bench = a_half_open_breaker()

    for _ in range(10):
        with pytest.raises(type(error)), bench.breaker.call():
            raise error

    assert bench.state is State.HALF_OPEN
    assert bench.breaker.snapshot().buffered_calls == 0
    assert bench.admitted_of(10) == 4


def test_a_cancellation_is_no_failure_whatever_the_classification() -> None:
    bench = Bench(classify=lambda _: Verdict.FAILURE)

    with pytest.raises(asyncio.CancelledError), bench.breaker.call():
        raise asyncio.CancelledError

    assert bench.breaker.snapshot().buffered_calls == 0


def test_ten_sold_outs_in_half_open_neither_close_it_nor_open_it() -> None:
    bench = a_half_open_breaker(ON_SALE)

    for _ in range(10):
        with pytest.raises(SoldOut), bench.breaker.call():
            raise SoldOut

    assert bench.state is State.HALF_OPEN
    assert bench.admitted_of(30) == 10


async def test_ten_cancelled_trial_calls_leave_room_for_ten_more() -> None:
    bench = a_half_open_breaker(ON_SALE)
    hung = asyncio.Event()

    async def trial() -> None:
        with bench.breaker.call():
            await hung.wait()

    tasks = [asyncio.create_task(trial()) for _ in range(10)]
    await asyncio.sleep(0)
    assert bench.breaker.try_acquire() is None
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for _ in range(10):
        with bench.breaker.call():
            pass

    assert bench.state is State.CLOSED


async def test_a_slow_answer_from_before_the_outage_cannot_close_it() -> None:
    bench = Bench()
    answer = asyncio.Event()

    async def slow_call() -> None:
        with bench.breaker.call():
            await answer.wait()

    early = [asyncio.create_task(slow_call()) for _ in range(4)]
    await asyncio.sleep(0)
    bench.fail(4)
    bench.clock.advance(ms=5_001)
    with bench.breaker.call():
        answer.set()
        await asyncio.gather(*early)

    assert bench.state is State.HALF_OPEN
    assert bench.breaker.snapshot().buffered_calls == 1


def test_a_block_that_asked_nobody_says_nothing() -> None:
    bench = Bench()

    with bench.breaker.call() as call:
        call.say_nothing()

    assert bench.breaker.snapshot().buffered_calls == 0


def test_a_block_that_asked_nobody_gives_its_trial_back() -> None:
    bench = a_half_open_breaker()

    for _ in range(ON_SALE.permitted_number_of_calls_in_half_open_state + 1):
        with bench.breaker.call() as call:
            call.say_nothing()

    assert bench.breaker.state is State.HALF_OPEN


def test_a_block_that_fails_fails_whatever_it_says() -> None:
    bench = Bench()

    def fail() -> None:
        with bench.breaker.call() as call:
            call.say_nothing()
            raise DatabaseGone("gone")

    with pytest.raises(DatabaseGone):
        fail()

    assert bench.breaker.snapshot().failed_calls == 1
