"""Work that goes on without its caller: a defect of it is told, once, unless somebody hears of it."""

import asyncio
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from stagedoor.kernel.errors import Fault, Rejection
from stagedoor.observability.unheard import to_its_end

Lines = list[MutableMapping[str, Any]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    with capture_logs() as lines:
        yield lines


class Work:
    """Ends when it is let to, with *ending*."""

    def __init__(self, ending: BaseException | None) -> None:
        self.may_end = asyncio.Event()
        self._ending = ending
        self.task = asyncio.ensure_future(self._go_on())

    async def _go_on(self) -> str:
        await self.may_end.wait()
        if self._ending is not None:
            raise self._ending
        return "done"

    async def end(self) -> None:
        self.may_end.set()
        await asyncio.wait({self.task})
        await asyncio.sleep(0)


async def left_by(work: Work, callers: int) -> None:
    """Let so many wait for *work*, and cut them off."""
    waiting = [asyncio.ensure_future(to_its_end(work.task)) for _ in range(callers)]
    await asyncio.sleep(0)
    for caller in waiting:
        caller.cancel()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in ended] == [asyncio.CancelledError] * callers


@pytest.mark.parametrize("callers", [1, 3])
async def test_a_defect_whose_callers_have_gone_is_told_once(callers: int, lines: Lines) -> None:
    bug = KeyError("a bug")
    work = Work(bug)
    await left_by(work, callers)
    assert not lines

    await work.end()

    assert lines == [
        {"event": "work.failed_unheard", "log_level": "error", "cause": "'a bug'", "exc_info": bug},
    ]


async def test_a_caller_who_is_cut_off_just_as_it_has_ended_has_not_heard_either(lines: Lines) -> None:
    work = Work(KeyError("a bug"))
    caller = asyncio.ensure_future(to_its_end(work.task))
    await asyncio.sleep(0)
    work.may_end.set()
    # In the very round in which she would have heard.
    work.task.add_done_callback(lambda _: caller.cancel())

    with pytest.raises(asyncio.CancelledError):
        await caller
    await asyncio.sleep(0)

    assert [line["event"] for line in lines] == ["work.failed_unheard"]


@pytest.mark.parametrize("ending", [None, Fault("away"), Rejection("no"), asyncio.CancelledError()])
async def test_no_bug_is_told_where_there_is_none(ending: BaseException | None, lines: Lines) -> None:
    work = Work(ending)
    await left_by(work, 1)

    await work.end()

    assert not lines


async def test_what_is_heard_is_not_told(lines: Lines) -> None:
    work = Work(KeyError("a bug"))
    work.may_end.set()

    with pytest.raises(KeyError):
        await to_its_end(work.task)

    assert not lines
