"""A step that many share: one that breaks lets down those who waited for it, and nobody who comes later."""

import asyncio

import pytest
from structlog.testing import capture_logs

from stagedoor.adapters.redis.shared import Shared
from stagedoor.kernel.errors import Fault


class Steps:
    """Ends each time as it is told to."""

    def __init__(self, *endings: Exception | None) -> None:
        self._endings = list(endings)
        self.taken = 0

    async def __call__(self) -> None:
        self.taken += 1
        await asyncio.sleep(0)
        ending = self._endings.pop(0)
        if ending is not None:
            raise ending


@pytest.mark.parametrize("ending", [Fault("out of reach"), RuntimeError("a bug")], ids=["fault", "bug"])
async def test_after_a_step_that_failed_the_next_one_is_taken(ending: Exception) -> None:
    steps = Steps(ending, None)
    shared = Shared(steps)
    first = asyncio.create_task(shared())
    await asyncio.sleep(0)
    behind = asyncio.create_task(shared())

    with pytest.raises(type(ending)):
        await first
    await behind

    assert steps.taken == 2


async def test_a_bug_is_told_once_and_not_for_ever() -> None:
    steps = Steps(RuntimeError("a bug"), None, None)
    shared = Shared(steps)
    with pytest.raises(RuntimeError):
        await shared()

    await shared()
    await shared()

    assert steps.taken == 3


async def test_a_bug_of_a_step_that_nobody_waits_for_is_told_in_the_log() -> None:
    shared = Shared(Steps(RuntimeError("a bug"), None))
    gone = asyncio.create_task(shared())
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    with capture_logs() as lines:
        gone.cancel()
        await shared()

    assert [line["event"] for line in lines] == ["work.failed_unheard"]
