"""Lanes with an end to waiting: who waits how long before them, and what becomes of a transaction nobody waits for."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from stagedoor.adapters.bounded_lanes import BoundedLanes, Visitor
from stagedoor.adapters.sql.lanes import Lanes, Step, WriteTransaction
from stagedoor.kernel.errors import CallersDeadlineMissed, DeadlineMissed, Fault, TooLate
from stagedoor.resilience.bulkhead import Bulkhead, BulkheadFull
from stagedoor.resilience.deadline import due
from tests.builders.deadlines import hers, ours

READ: Step[str] = lambda _: "read"  # noqa: E731 -- a step is a function
NEVER = None


class HeldLanes(Lanes):
    """Lanes that let nothing through before they are let go; they know how many are in."""

    def __init__(self) -> None:
        self.may_go = asyncio.Event()
        self.inside = 0
        self.began = 0
        self.fails = False
        self.bug: Exception | None = None

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[WriteTransaction]:
        await self._pass()
        yield NEVER  # type: ignore[misc]  # nobody here writes

    async def reading(self, step: Step[str]) -> str:  # type: ignore[override]  # these read texts alone
        await self._pass()
        if self.fails:
            raise Fault("the disk")
        if self.bug is not None:
            raise self.bug
        return "read"

    async def _pass(self) -> None:
        self.began += 1
        self.inside += 1
        try:
            await self.may_go.wait()
        finally:
            self.inside -= 1


class Bounded:
    """Bounded lanes over held ones."""

    def __init__(self, *, at_once: int = 1, waiting_max: int = 10) -> None:
        self.held = HeldLanes()
        self.reads = Bulkhead[Visitor]("reads", at_once=at_once, waiting_max=waiting_max)
        self.writes = Bulkhead[Visitor]("writes", at_once=at_once, waiting_max=waiting_max)
        self.lanes = BoundedLanes(self.held, writes=self.writes, reads=self.reads)

    async def read(self) -> str:
        return await self.lanes.reading(READ)

    async def write(self) -> str:
        async with self.lanes.writing():
            return "written"

    @property
    def places_taken(self) -> tuple[int, int, int, int]:
        return (self.reads.inside, self.reads.waiting, self.writes.inside, self.writes.waiting)


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


Do = Callable[[Bounded], Awaitable[str]]
both = pytest.mark.parametrize("do", [Bounded.read, Bounded.write], ids=["read", "write"])


@both
async def test_so_many_are_in_at_once_and_the_others_come_after_them(do: Do) -> None:
    bounded = Bounded(at_once=2)
    asked = [asyncio.ensure_future(do(bounded)) for _ in range(5)]
    await turns()

    assert bounded.held.inside == 2
    bounded.held.may_go.set()
    assert len(await asyncio.gather(*asked)) == 5
    await turns()
    assert bounded.places_taken == (0, 0, 0, 0)


@both
async def test_beyond_those_who_may_wait_nobody_does(do: Do) -> None:
    bounded = Bounded(waiting_max=1)
    asked = [asyncio.ensure_future(do(bounded)) for _ in range(2)]
    await turns()

    with pytest.raises(BulkheadFull):
        await do(bounded)

    bounded.held.may_go.set()
    await asyncio.gather(*asked)


@both
async def test_what_comes_too_late_is_not_begun(do: Do) -> None:
    bounded = Bounded()
    bounded.held.may_go.set()

    with due(ours(0.0)), pytest.raises(TooLate):
        await do(bounded)

    assert bounded.held.began == 0
    assert bounded.places_taken == (0, 0, 0, 0)


@both
@pytest.mark.parametrize(("whose", "told"), [("ours", DeadlineMissed), ("hers", CallersDeadlineMissed)])
async def test_who_waits_for_her_turn_waits_until_her_deadline(do: Do, whose: str, told: type[Fault]) -> None:
    bounded = Bounded()
    first = asyncio.ensure_future(do(bounded))
    await turns()

    with due(hers(0.1) if whose == "hers" else ours(0.1)), pytest.raises(told):
        await do(bounded)

    assert bounded.held.began == 1
    bounded.held.may_go.set()
    await first
    await turns()
    assert bounded.places_taken == (0, 0, 0, 0)


@both
async def test_who_is_let_in_just_as_she_gives_up_keeps_no_place(do: Do) -> None:
    bounded = Bounded()
    for bulkhead in (bounded.reads, bounded.writes):
        bulkhead.enter(asyncio.get_running_loop().create_future())
    waiting = asyncio.ensure_future(do(bounded))
    await turns()

    for bulkhead in (bounded.reads, bounded.writes):
        if (visitor := bulkhead.leave()) is not None:
            visitor.set_result(None)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert bounded.held.began == 0
    assert bounded.places_taken == (0, 0, 0, 0)


async def test_a_bug_of_a_read_that_nobody_waits_for_is_told_in_the_log() -> None:
    bounded = Bounded()
    bounded.held.bug = KeyError("a bug")

    with capture_logs() as lines:
        with due(ours(0.1)), pytest.raises(DeadlineMissed):
            await bounded.read()
        bounded.held.may_go.set()
        await turns()

    assert [line["event"] for line in lines] == ["work.failed_unheard"]


async def test_a_read_keeps_its_place_until_it_has_really_ended() -> None:
    bounded = Bounded()

    with due(ours(0.1)), pytest.raises(DeadlineMissed):
        await bounded.read()
    assert bounded.places_taken == (1, 0, 0, 0)

    bounded.held.may_go.set()
    await turns()
    assert bounded.places_taken == (0, 0, 0, 0)


async def test_a_read_that_fails_after_everybody_has_gone_is_nobodys_error() -> None:
    bounded = Bounded()
    bounded.held.fails = True
    with due(ours(0.1)), pytest.raises(DeadlineMissed):
        await bounded.read()

    bounded.held.may_go.set()
    await turns()

    assert bounded.places_taken == (0, 0, 0, 0)


async def test_a_transaction_that_got_its_lock_too_late_is_not_begun() -> None:
    bounded = Bounded()
    entered = []

    async def write() -> None:
        with due(ours(0.05)):
            async with bounded.lanes.writing():
                entered.append(True)

    writing = asyncio.ensure_future(write())
    await asyncio.sleep(0.06)  # no longer than its deadline matters
    bounded.held.may_go.set()

    with pytest.raises(DeadlineMissed):
        await writing
    assert entered == []
    assert bounded.places_taken == (0, 0, 0, 0)


@both
async def test_who_is_cut_off_while_she_waits_takes_nobodys_place(do: Do) -> None:
    bounded = Bounded()
    first, second, third = [asyncio.ensure_future(do(bounded)) for _ in range(3)]
    await turns()

    second.cancel()
    await turns()
    bounded.held.may_go.set()

    assert len(await asyncio.gather(first, third)) == 2
    await turns()
    assert bounded.places_taken == (0, 0, 0, 0)


@both
async def test_who_is_cut_off_just_as_she_is_let_in_hands_her_place_on(do: Do) -> None:
    bounded = Bounded()
    first, second, third = [asyncio.ensure_future(do(bounded)) for _ in range(3)]
    await turns()
    bounded.held.may_go.set()
    # In the very turn in which the first one leaves.
    first.add_done_callback(lambda _: second.cancel())

    assert len(await asyncio.gather(first, third)) == 2
    await asyncio.wait([second])
    await turns()
    assert bounded.places_taken == (0, 0, 0, 0)
