import asyncio

import pytest

from stagedoor.http.rejections import StillRunning
from stagedoor.http.under_way import UnderWay
from stagedoor.kernel.errors import DeadlineMissed
from stagedoor.kernel.idempotency import IdempotencyKey
from stagedoor.kernel.ids import BuyerId

ALICE = BuyerId(1)
KEY = IdempotencyKey(value="k", fingerprint="f")


class Work:
    """Something that takes until it is released."""

    def __init__(self) -> None:
        self.may_end = asyncio.Event()
        self.ended = 0

    async def __call__(self) -> str:
        await self.may_end.wait()
        self.ended += 1
        return "done"


async def test_the_answer_is_the_works() -> None:
    work = Work()
    work.may_end.set()

    assert await UnderWay().settle(work(), buyer_id=ALICE, call="pay", key=None) == "done"


async def test_at_the_deadline_the_caller_goes_and_the_work_stays() -> None:
    work, under_way = Work(), UnderWay(deadline_ms=1)

    with pytest.raises(DeadlineMissed):
        await under_way.settle(work(), buyer_id=ALICE, call="pay", key=KEY)
    work.may_end.set()
    await under_way.drain()

    assert work.ended == 1


async def test_a_repeated_call_is_told_that_the_first_still_runs() -> None:
    first, second, under_way = Work(), Work(), UnderWay(deadline_ms=1)
    with pytest.raises(DeadlineMissed):
        await under_way.settle(first(), buyer_id=ALICE, call="pay", key=KEY)

    with pytest.raises(StillRunning):
        await under_way.settle(second(), buyer_id=ALICE, call="pay", key=KEY)

    for work in (first, second):
        work.may_end.set()
    await under_way.drain()


@pytest.mark.parametrize(("buyer_id", "call"), [(BuyerId(2), "pay"), (ALICE, "charge")])
async def test_a_key_is_one_buyers_for_one_call(buyer_id: BuyerId, call: str) -> None:
    first, second, under_way = Work(), Work(), UnderWay(deadline_ms=1)
    with pytest.raises(DeadlineMissed):
        await under_way.settle(first(), buyer_id=ALICE, call="pay", key=KEY)

    with pytest.raises(DeadlineMissed):
        await under_way.settle(second(), buyer_id=buyer_id, call=call, key=KEY)

    for work in (first, second):
        work.may_end.set()
    await under_way.drain()


async def test_once_the_first_has_ended_the_key_is_free_again(monkeypatch: pytest.MonkeyPatch) -> None:
    work, under_way, loop = Work(), UnderWay(deadline_ms=1), asyncio.get_running_loop()
    work.may_end.set()
    stopped_s = loop.time()
    with monkeypatch.context() as time_stands_still:
        time_stands_still.setattr(loop, "time", lambda: stopped_s)
        await under_way.settle(work(), buyer_id=ALICE, call="pay", key=KEY)
    late = Work()

    with pytest.raises(DeadlineMissed):
        await under_way.settle(late(), buyer_id=ALICE, call="pay", key=KEY)

    late.may_end.set()
    await under_way.drain()


async def test_a_caller_who_is_cut_off_leaves_the_work_whole() -> None:
    work, under_way = Work(), UnderWay()
    caller = asyncio.ensure_future(under_way.settle(work(), buyer_id=ALICE, call="leave", key=None))
    await asyncio.sleep(0)

    caller.cancel()
    work.may_end.set()
    await under_way.drain()

    assert work.ended == 1


async def test_a_timeout_inside_the_work_is_its_own() -> None:
    async def slow() -> None:
        raise TimeoutError("inside")

    with pytest.raises(TimeoutError, match="inside"):
        await UnderWay().settle(slow(), buyer_id=ALICE, call="pay", key=None)
