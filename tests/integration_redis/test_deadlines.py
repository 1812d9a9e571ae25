"""Whoever comes too late is not let into the line; what was begun for her, or is for everybody, goes to its end."""

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext

import pytest
from structlog.testing import capture_logs

from stagedoor.adapters.redis import line_store
from stagedoor.adapters.redis.client import Reply, StoreLost
from stagedoor.kernel.errors import TooLate
from stagedoor.kernel.idempotency import IdempotencyKey
from stagedoor.kernel.ids import BuyerId
from stagedoor.resilience.deadline import Deadline, due
from stagedoor.waiting_room.ports import Join, Joined
from tests.builders.line import a_ref
from tests.integration_redis.lines import Process, Town

PAST = Deadline(0.0)


@pytest.fixture
async def process(town: Town) -> Process:
    process = town.start()
    assert await process.join(1) == [1]
    return process


class SlowJoin:
    """Lets the deadline of whoever joins pass while the store writes her down, and may lose its answer."""

    def __init__(self, process: Process, *, loses_answer: bool) -> None:
        self._run = process.client.run
        self._loses_answer = loses_answer
        process.client.run = self._slow  # type: ignore[method-assign]

    async def _slow(
        self, script: str, keys: Sequence[bytes], arguments: Sequence[bytes | str | int], *, server: str
    ) -> Reply:
        reply = await self._run(script, keys, arguments, server=server)
        if script == "append":
            # Never left: from here on it is too late for all that is done for this caller.
            due(PAST).__enter__()
            if self._loses_answer:
                raise StoreLost("the answer was lost")
        return reply


def a_join(process: Process, buyer: int) -> Join:
    return Join(room=process.room, buyer_id=BuyerId(buyer), key=IdempotencyKey(value="k-1", fingerprint="body"))


async def test_who_comes_too_late_is_not_let_in_and_nobody_else_suffers_from_it(town: Town, process: Process) -> None:
    before = await town.log()

    with due(PAST), pytest.raises(TooLate):
        await process.join(7)

    assert await town.log() == before
    assert not process.line.is_stale()
    assert await process.join(8) == [2]


@pytest.mark.parametrize("loses_answer", [False, True], ids=["answered", "answer lost"])
async def test_who_was_let_in_when_it_became_too_late_has_her_place_and_her_key(
    town: Town, process: Process, *, loses_answer: bool
) -> None:
    SlowJoin(process, loses_answer=loses_answer)

    [joined] = await process.line.join([a_join(process, 7)])

    [again] = await town.start().line.join([a_join(process, 7)])
    assert isinstance(joined, Joined)
    assert isinstance(again, Joined)
    assert joined.place.ref == again.place.ref == a_ref(2)
    assert again.replayed


async def test_a_bug_of_what_was_begun_for_her_is_told_in_the_log_when_she_has_gone(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, may_end = asyncio.Event(), asyncio.Event()

    async def broken(*_: object, **__: object) -> Reply:
        reached.set()
        await may_end.wait()
        raise KeyError("a bug")

    monkeypatch.setattr(process.client, "run", broken)
    gone = asyncio.create_task(process.join(7))
    await reached.wait()
    with capture_logs() as lines:
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        may_end.set()
        await process.line.idle()
        await asyncio.sleep(0)

    assert [line["event"] for line in lines] == ["work.failed_unheard"]


@pytest.mark.parametrize("loses_answer", [False, True], ids=["answered", "answer lost"])
async def test_control_where_all_goes_by_the_deadline_she_is_told_that_nothing_has_happened(
    process: Process, monkeypatch: pytest.MonkeyPatch, *, loses_answer: bool
) -> None:
    monkeypatch.setattr(line_store, "due", lambda _: nullcontext())
    SlowJoin(process, loses_answer=loses_answer)

    with pytest.raises(TooLate):
        await process.line.join([a_join(process, 7)])

    assert process.line.view(process.room.id).last_number == (1 if loses_answer else 2)


async def test_the_line_is_opened_and_read_for_everybody_however_late_it_is_for_who_came_first(
    town: Town, process: Process
) -> None:
    other = town.start()
    with due(PAST), pytest.raises(TooLate):
        await other.join(7)
    assert other.line.view(other.room.id).last_number == 1

    assert await process.join(8) == [2]
    with due(PAST):
        await other.line.settled(a_ref(2), entering=True)
    assert other.line.view(other.room.id).last_number == 2
