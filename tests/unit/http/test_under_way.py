import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence

import pytest
from structlog.testing import capture_logs

from stagedoor.adapters.batching import Batcher
from stagedoor.http.rejections import StillRunning
from stagedoor.http.under_way import UnderWay
from stagedoor.kernel.errors import CallersDeadlineMissed, DeadlineMissed, Fault, Rejection
from stagedoor.kernel.idempotency import IdempotencyKey
from stagedoor.kernel.ids import BuyerId
from stagedoor.resilience.breaker import CallNotPermitted, CircuitBreaker, State
from stagedoor.resilience.deadline import Deadline, current, due
from stagedoor.waiting_room.rejections import UnknownPlace
from tests.builders.deadlines import by, hers
from tests.builders.work import Work

ALICE = BuyerId(1)
KEY = IdempotencyKey(value="k", fingerprint="f")


async def test_the_answer_is_the_works() -> None:
    work = Work()
    work.may_end.set()

    assert await UnderWay().settle(work, buyer_id=ALICE, call="pay", key=None) == "done"


async def test_at_the_deadline_the_caller_goes_and_the_work_stays() -> None:
    work, under_way = Work(), UnderWay(deadline_ms=1)

    with pytest.raises(DeadlineMissed):
        await under_way.settle(work, buyer_id=ALICE, call="pay", key=KEY)
    work.may_end.set()
    await under_way.drain()

    assert work.ended == 1


async def test_a_repeated_call_is_told_that_the_first_still_runs() -> None:
    first, second, under_way = Work(), Work(), UnderWay(deadline_ms=1)
    with pytest.raises(DeadlineMissed):
        await under_way.settle(first, buyer_id=ALICE, call="pay", key=KEY)

    with pytest.raises(StillRunning):
        await under_way.settle(second, buyer_id=ALICE, call="pay", key=KEY)

    for work in (first, second):
        work.may_end.set()
    await under_way.drain()


@pytest.mark.parametrize(("buyer_id", "call"), [(BuyerId(2), "pay"), (ALICE, "charge")])
async def test_a_key_is_one_buyers_for_one_call(buyer_id: BuyerId, call: str) -> None:
    first, second, under_way = Work(), Work(), UnderWay(deadline_ms=1)
    with pytest.raises(DeadlineMissed):
        await under_way.settle(first, buyer_id=ALICE, call="pay", key=KEY)

    with pytest.raises(DeadlineMissed):
        await under_way.settle(second, buyer_id=buyer_id, call=call, key=KEY)

    for work in (first, second):
        work.may_end.set()
    await under_way.drain()


async def test_once_the_first_has_ended_the_key_is_free_again(monkeypatch: pytest.MonkeyPatch) -> None:
    work, under_way, loop = Work(), UnderWay(deadline_ms=1), asyncio.get_running_loop()
    work.may_end.set()
    stopped_s = loop.time()
    with monkeypatch.context() as time_stands_still:
        time_stands_still.setattr(loop, "time", lambda: stopped_s)
        await under_way.settle(work, buyer_id=ALICE, call="pay", key=KEY)
    late = Work()

    with pytest.raises(DeadlineMissed):
        await under_way.settle(late, buyer_id=ALICE, call="pay", key=KEY)

    late.may_end.set()
    await under_way.drain()


async def test_a_caller_who_is_cut_off_leaves_the_work_whole() -> None:
    work, under_way = Work(), UnderWay()
    caller = asyncio.ensure_future(under_way.settle(work, buyer_id=ALICE, call="leave", key=None))
    await asyncio.sleep(0)

    caller.cancel()
    work.may_end.set()
    await under_way.drain()

    assert work.ended == 1


class Broken(Work):
    """Something that fails of a bug once it is released."""

    async def __call__(self) -> str:
        await super().__call__()
        raise KeyError("a bug")


async def test_a_bug_of_which_no_caller_hears_is_told_in_the_log() -> None:
    work, under_way = Broken(), UnderWay(deadline_ms=1)
    gone = asyncio.ensure_future(under_way.settle(work, buyer_id=ALICE, call="pay", key=KEY))
    with capture_logs() as lines:
        with pytest.raises(DeadlineMissed):
            await gone
        work.may_end.set()
        await under_way.drain()

    assert [line["event"] for line in lines] == ["work.failed_unheard"]


async def test_a_bug_of_which_the_caller_hears_is_told_by_whoever_answers_her() -> None:
    work = Broken()
    work.may_end.set()

    with capture_logs() as lines, pytest.raises(KeyError):
        await UnderWay().settle(work, buyer_id=ALICE, call="pay", key=KEY)

    assert not lines


async def test_a_timeout_inside_the_work_is_its_own() -> None:
    async def slow() -> None:
        raise TimeoutError("inside")

    with pytest.raises(TimeoutError, match="inside"):
        await UnderWay().settle(slow, buyer_id=ALICE, call="pay", key=None)


@pytest.mark.parametrize(
    ("error", "counted"), [(None, (1, 0)), (Fault("gone"), (1, 1)), (Rejection(), (0, 0)), (KeyError("bug"), (0, 0))]
)
async def test_the_guard_counts_how_it_went(
    guard: CircuitBreaker, error: Exception | None, counted: tuple[int, int]
) -> None:
    async def work() -> None:
        if error is not None:
            raise error

    with contextlib.suppress(Fault, Rejection, KeyError):
        await UnderWay().settle(work, buyer_id=ALICE, call="pay", key=None, guard=guard)

    now = guard.snapshot()
    assert (now.buffered_calls, now.failed_calls) == counted


async def test_a_missed_deadline_is_a_failure_whatever_becomes_of_the_work(guard: CircuitBreaker) -> None:
    work, under_way = Work(), UnderWay(deadline_ms=1)

    with pytest.raises(DeadlineMissed):
        await under_way.settle(work, buyer_id=ALICE, call="pay", key=None, guard=guard)
    work.may_end.set()
    await under_way.drain()

    assert work.ended == 1
    assert guard.snapshot().failed_calls == 1


async def test_a_deadline_that_is_told_too_late_is_still_a_missed_one(guard: CircuitBreaker) -> None:
    work, under_way, loop = Work(), UnderWay(deadline_ms=1), asyncio.get_running_loop()
    caller = asyncio.ensure_future(under_way.settle(work, buyer_id=ALICE, call="pay", key=None, guard=guard))
    await asyncio.sleep(0)
    loop.call_at(loop.time() + 0.002, caller.cancel)
    time.sleep(0.01)  # noqa: ASYNC251 -- the lag with which both come in one round of the loop

    with pytest.raises(DeadlineMissed):
        await caller
    work.may_end.set()
    await under_way.drain()

    assert guard.snapshot().failed_calls == 1


async def test_a_caller_who_hangs_up_says_nothing(guard: CircuitBreaker) -> None:
    work, under_way = Work(), UnderWay()
    caller = asyncio.ensure_future(under_way.settle(work, buyer_id=ALICE, call="pay", key=None, guard=guard))
    await asyncio.sleep(0)

    caller.cancel()
    await asyncio.wait([caller])
    work.may_end.set()
    await under_way.drain()

    assert work.ended == 1
    assert guard.snapshot().buffered_calls == 0


async def test_while_the_guard_is_open_nothing_is_begun(guard: CircuitBreaker) -> None:
    work, under_way = Work(), UnderWay()
    guard.transition_to(State.FORCED_OPEN)

    with pytest.raises(CallNotPermitted):
        await under_way.settle(work, buyer_id=ALICE, call="pay", key=None, guard=guard)
    await under_way.drain()

    assert work.ended == 0


async def test_who_comes_with_a_deadline_waits_no_longer_than_that() -> None:
    work, under_way = Work(), UnderWay(deadline_ms=3_600_000)

    with pytest.raises(CallersDeadlineMissed):
        await by(hers(0.001), under_way.settle(work, buyer_id=ALICE, call="pay", key=None))
    work.may_end.set()
    await under_way.drain()

    assert work.ended == 1


async def test_the_work_knows_how_long_she_waits() -> None:
    async def work() -> Deadline | None:
        return current()

    deadline = hers(3_600)
    with due(deadline):
        assert await UnderWay().settle(work, buyer_id=ALICE, call="pay", key=None) == deadline


async def test_a_callers_own_deadline_says_nothing_to_the_guard(guard: CircuitBreaker) -> None:
    work, under_way = Work(), UnderWay()

    with pytest.raises(CallersDeadlineMissed):
        await by(hers(0.001), under_way.settle(work, buyer_id=ALICE, call="pay", key=None, guard=guard))
    work.may_end.set()
    await under_way.drain()

    assert guard.snapshot().buffered_calls == 0


async def test_what_is_under_way_already_is_waited_for_and_its_refusal_raised() -> None:
    def begun(outcome: str | Rejection) -> Callable[[], asyncio.Future[str | Rejection]]:
        future: asyncio.Future[str | Rejection] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_result, outcome)
        return lambda: future

    assert await UnderWay().settle(begun("done"), buyer_id=ALICE, call="join", key=None) == "done"
    with pytest.raises(UnknownPlace):
        await UnderWay().settle(begun(UnknownPlace()), buyer_id=ALICE, call="join", key=None)


async def test_a_caller_who_is_cut_off_leaves_the_batch_that_she_is_in_whole() -> None:
    handled: list[int] = []

    async def handle(numbers: Sequence[int]) -> Sequence[str | Rejection]:
        handled.extend(numbers)
        return ["done" for _ in numbers]

    batcher = Batcher[int, str | Rejection](handle, batch_max=2, waiting_max=2)
    under_way = UnderWay()

    async def ask(number: int) -> str:
        return await under_way.settle(lambda: batcher(number), buyer_id=ALICE, call="join", key=None)

    gone, patient = (asyncio.ensure_future(ask(number)) for number in (1, 2))
    await asyncio.sleep(0)

    gone.cancel()
    batcher.close()
    await batcher.run()
    await asyncio.wait([gone, patient])

    assert handled == [1, 2]
    assert (gone.cancelled(), patient.result()) == (True, "done")


async def test_a_batch_that_ends_after_her_deadline_has_told_her_that(guard: CircuitBreaker) -> None:
    may_end = asyncio.Event()

    async def handle(numbers: Sequence[int]) -> Sequence[str | Rejection]:
        await may_end.wait()
        return ["done" for _ in numbers]

    batcher = Batcher[int, str | Rejection](handle, batch_max=1, waiting_max=1)
    running = asyncio.ensure_future(batcher.run())

    with pytest.raises(DeadlineMissed):
        await UnderWay(deadline_ms=1).settle(lambda: batcher(1), buyer_id=ALICE, call="join", key=None, guard=guard)
    may_end.set()
    batcher.close()
    await running

    assert guard.snapshot().failed_calls == 1


async def test_an_answer_of_the_round_in_which_she_is_cut_off_counts() -> None:
    answer: asyncio.Future[str | Rejection] = asyncio.get_running_loop().create_future()
    caller = asyncio.ensure_future(UnderWay().settle(lambda: answer, buyer_id=ALICE, call="join", key=None))
    await asyncio.sleep(0)

    answer.set_result("done")
    caller.cancel()

    assert await caller == "done"
