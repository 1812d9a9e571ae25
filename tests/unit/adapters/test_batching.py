"""The batcher: order, sharing, and what a poisoned or abandoned command may harm."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from stagedoor.adapters.batching import GATHERING_ROUNDS, Batcher, Late
from stagedoor.kernel.errors import DeadlineMissed, Fault, Overloaded, TooLate
from stagedoor.observability.until import until
from stagedoor.resilience.deadline import Deadline, current, due
from tests.builders.deadlines import hers, ours


class Doubling:
    """Doubles numbers a batch at a time, behind a gate that the test opens."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.raises: Callable[[Sequence[int]], Exception | None] = lambda _: None

    async def __call__(self, numbers: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(numbers))
        await self.gate.wait()
        if error := self.raises(numbers):
            raise error
        return [2 * number for number in numbers]


@asynccontextmanager
async def running(
    handler: Doubling,
    *,
    batch_max: int = 10,
    waiting_max: int = 100,
    late: Late = lambda: None,
) -> AsyncIterator[Batcher[int, int]]:
    batcher = Batcher(handler, batch_max=batch_max, waiting_max=waiting_max, late=late)
    async with asyncio.TaskGroup() as group:
        group.create_task(batcher.run())
        try:
            yield batcher
        finally:
            handler.gate.set()
            batcher.close()


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_what_arrives_during_a_batch_becomes_the_next_one() -> None:
    handler = Doubling()
    async with running(handler) as batcher:
        asked = [asyncio.ensure_future(batcher(number)) for number in (1, 2, 3)]
        await turns()
        asked += [asyncio.ensure_future(batcher(number)) for number in (4, 5)]
        await turns()
        handler.gate.set()

        assert await asyncio.gather(*asked) == [2, 4, 6, 8, 10]

    assert handler.batches == [[1, 2, 3], [4, 5]]


async def test_a_batch_is_bounded() -> None:
    handler = Doubling()
    handler.gate.set()
    async with running(handler, batch_max=2) as batcher:
        await asyncio.gather(*(batcher(number) for number in range(5)))

    assert handler.batches == [[0, 1], [2, 3], [4]]


async def test_a_full_line_refuses_and_takes_again_later() -> None:
    handler = Doubling()
    async with running(handler, batch_max=1, waiting_max=2) as batcher:
        asked = [asyncio.ensure_future(batcher(1))]
        await turns()
        asked += [asyncio.ensure_future(batcher(number)) for number in (2, 3)]
        await turns()
        with pytest.raises(Overloaded):
            await batcher(4)
        handler.gate.set()
        await asyncio.gather(*asked)

        assert await batcher(5) == 10


async def test_a_poisoned_command_harms_only_itself() -> None:
    handler = Doubling()
    handler.gate.set()
    handler.raises = lambda numbers: ValueError("thirteen") if 13 in numbers else None
    async with running(handler) as batcher:
        answers = await asyncio.gather(*(batcher(number) for number in (1, 13, 2)), return_exceptions=True)

    assert answers[0] == 2
    assert isinstance(answers[1], ValueError)
    assert answers[2] == 4


async def test_a_bug_of_a_batch_whose_commands_pass_alone_is_told_in_the_log() -> None:
    handler = Doubling()
    handler.gate.set()
    bug = ValueError("more than one")
    handler.raises = lambda numbers: bug if len(numbers) > 1 else None
    with capture_logs() as lines:
        async with running(handler) as batcher:
            answers = await asyncio.gather(*(batcher(number) for number in (1, 2, 3)))

    assert answers == [2, 4, 6]
    assert [(line["event"], line["exc_info"]) for line in lines] == [("work.failed_unheard", bug)]


async def test_a_bug_of_one_whose_caller_has_gone_is_told_in_the_log() -> None:
    handler = Doubling()
    handler.raises = lambda numbers: ValueError("thirteen") if 13 in numbers else None
    with capture_logs() as lines:
        async with running(handler, batch_max=1) as batcher:
            gone, patient = (asyncio.ensure_future(batcher(13)) for _ in range(2))
            await turns()
            gone.cancel()
            handler.gate.set()
            with pytest.raises(ValueError, match="thirteen"):
                await patient

    assert [line["event"] for line in lines] == ["work.failed_unheard"]


async def test_a_fault_is_told_to_all_and_the_batch_is_not_tried_again() -> None:
    handler = Doubling()
    handler.gate.set()
    handler.raises = lambda _: Fault("the disk is gone")
    async with running(handler) as batcher:
        answers = await asyncio.gather(*(batcher(number) for number in (1, 2, 3)), return_exceptions=True)

    assert [type(answer) for answer in answers] == [Fault, Fault, Fault]
    assert handler.batches == [[1, 2, 3]]


async def test_a_fault_among_the_outcomes_is_raised_to_its_own_caller_alone() -> None:
    async def handle(numbers: Sequence[int]) -> Sequence[int | Fault]:
        return [Fault("not found out") if number == 2 else number for number in numbers]

    batcher = Batcher[int, int](handle, batch_max=10, waiting_max=10)
    answers = [batcher(number) for number in (1, 2, 3)]
    gone = batcher(2)
    gone.cancel()
    batcher.close()
    await batcher.run()

    assert [answer.exception() or answer.result() for answer in (answers[0], answers[2])] == [1, 3]
    with pytest.raises(Fault, match="not found out"):
        answers[1].result()


async def test_a_caller_that_gives_up_loses_only_the_answer() -> None:
    handler = Doubling()
    async with running(handler) as batcher:
        first, second = asyncio.ensure_future(batcher(1)), asyncio.ensure_future(batcher(2))
        await turns()
        first.cancel()
        handler.gate.set()

        assert await second == 4

    assert first.cancelled()
    assert handler.batches == [[1, 2]]


async def test_closing_answers_what_waits_and_takes_no_more() -> None:
    handler = Doubling()
    async with running(handler) as batcher:
        asked = asyncio.ensure_future(batcher(1))
        await turns()
        batcher.close()
        with pytest.raises(Overloaded):
            await batcher(2)
        handler.gate.set()

        assert await asked == 2


async def ask_later(batcher: Batcher[int, int], number: int, *, after_turns: int) -> int:
    await turns(after_turns)
    return await batcher(number)


async def test_what_is_on_its_way_is_taken_along() -> None:
    handler = Doubling()
    handler.gate.set()
    async with running(handler) as batcher:
        await asyncio.gather(*(ask_later(batcher, number, after_turns=2 * number) for number in range(5)))

    assert handler.batches == [[0, 1, 2, 3, 4]]


async def test_nobody_waits_for_what_is_not_on_its_way() -> None:
    handler = Doubling()
    handler.gate.set()
    async with running(handler) as batcher:
        await asyncio.gather(ask_later(batcher, 1, after_turns=0), ask_later(batcher, 2, after_turns=20))

    assert handler.batches == [[1], [2]]


async def test_what_keeps_coming_holds_nobody_up() -> None:
    handler = Doubling()
    handler.gate.set()
    coming = 3 * GATHERING_ROUNDS
    async with running(handler, batch_max=1_000, waiting_max=1_000) as batcher:
        await asyncio.gather(*(ask_later(batcher, number, after_turns=number) for number in range(coming)))

    assert GATHERING_ROUNDS <= len(handler.batches[0]) < 2 * GATHERING_ROUNDS
    assert [number for batch in handler.batches for number in batch] == list(range(coming))


async def test_who_is_too_late_is_left_out_and_nothing_of_her_happens() -> None:
    handler, late = Doubling(), list[int]()
    async with running(handler, late=lambda: late.append(1)) as batcher:
        first = asyncio.ensure_future(batcher(1))
        await turns()
        with due(ours(0.0)):
            too_late = asyncio.ensure_future(batcher(2))
        with due(ours(3_600)):
            in_time = asyncio.ensure_future(batcher(3))
        await turns()
        handler.gate.set()

        with pytest.raises(TooLate):
            await too_late
        assert [await first, await in_time] == [2, 6]

    assert handler.batches == [[1], [3]]
    assert len(late) == 1


async def test_a_batch_of_whom_all_are_too_late_is_no_batch() -> None:
    handler = Doubling()
    async with running(handler) as batcher:
        with due(ours(0.0)), pytest.raises(TooLate):
            await batcher(1)

        handler.gate.set()
        assert await batcher(2) == 4

    assert handler.batches == [[2]]


async def test_who_went_before_she_was_left_out_is_not_missed() -> None:
    handler, late = Doubling(), list[int]()
    async with running(handler, late=lambda: late.append(1)) as batcher:
        first = asyncio.ensure_future(batcher(1))
        await turns()
        with due(ours(0.0)):
            gone = asyncio.ensure_future(batcher(2))
        await turns()
        gone.cancel()
        handler.gate.set()
        await first

    assert handler.batches == [[1]]
    assert len(late) == 1


async def test_a_batch_is_done_in_the_time_of_whoever_waits_longest() -> None:
    seen: list[Deadline | None] = []

    async def note(numbers: Sequence[int]) -> Sequence[int]:
        seen.append(current())
        return numbers

    batcher = Batcher(note, batch_max=10, waiting_max=100)
    longest = ours(7_200)
    async with asyncio.TaskGroup() as group:
        asked = []
        for deadline in (ours(3_600), longest, hers(1_800)):
            with due(deadline):
                asked.append(asyncio.ensure_future(batcher(1)))
        await turns()
        group.create_task(batcher.run())
        await asyncio.gather(*asked)
        assert await batcher(2) == 2
        batcher.close()

    assert seen == [longest, None]


async def test_a_stop_in_the_round_of_a_batchs_deadline_is_one() -> None:
    is_in_hand = asyncio.Event()

    async def wait_in_time(_: Sequence[int]) -> Sequence[int]:
        is_in_hand.set()
        async with until(current()):
            await asyncio.Event().wait()
        return []

    batcher = Batcher[int, int](wait_in_time, batch_max=1, waiting_max=1)
    handling = asyncio.ensure_future(batcher.run())
    with due(ours(0.01)):
        answer = batcher(1)
    await is_in_hand.wait()
    handling.get_loop().call_later(0.01, handling.cancel)
    time.sleep(0.03)  # noqa: ASYNC251 -- both come in one round

    with pytest.raises(DeadlineMissed):
        await answer
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(1.0):
            await handling
