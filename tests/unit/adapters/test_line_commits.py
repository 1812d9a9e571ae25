"""The embedded line's mutations, one at a time: what becomes of one whose caller has gone."""

import asyncio

import pytest
from structlog.testing import capture_logs

from stagedoor.adapters.embedded.line_commits import LineCommits
from tests.unit.adapters.test_bounded_lanes import HeldLanes


async def test_a_bug_of_a_mutation_that_nobody_waits_for_is_told_in_the_log() -> None:
    commits = LineCommits(HeldLanes(), apply=lambda _: None, give_back=lambda _: None)
    may_end = asyncio.Event()

    async def work() -> None:
        await may_end.wait()
        raise KeyError("a bug")

    gone = asyncio.ensure_future(commits.alone(work))
    await asyncio.sleep(0)
    with capture_logs() as lines:
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        may_end.set()
        await commits.idle()
        await asyncio.sleep(0)

    assert [line["event"] for line in lines] == ["work.failed_unheard"]
