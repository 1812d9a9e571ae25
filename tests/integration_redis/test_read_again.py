"""Who leads asks the store at each turn; who follows, no sooner than it is time to read again."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from stagedoor.adapters.redis.client import Reply
from stagedoor.adapters.redis.line_clock import LineClock
from stagedoor.kernel.clock import Outage, later
from stagedoor.waiting_room.model import PlaceState
from tests.builders.line import a_ref, a_room
from tests.integration_redis.lines import Process, Town, a_town

READ_AGAIN_MS = 60_000
"""Longer than any of these tests takes, so that nothing is read again unless it has to be."""


@pytest.fixture
async def town(redis_url: str, tmp_path: Path) -> AsyncIterator[Town]:
    async with a_town(redis_url, tmp_path, a_room(max_active=5)) as town:
        yield town


class Asked:
    """Counts how often the store is asked for what is new."""

    def __init__(self, process: Process) -> None:
        self.count = 0
        self._run = process.client.run
        process.client.run = self._counted  # type: ignore[method-assign]

    async def _counted(
        self, script: str, keys: Sequence[bytes], arguments: Sequence[bytes | str | int], *, server: str
    ) -> Reply:
        self.count += script == "catch_up"
        return await self._run(script, keys, arguments, server=server)


async def who_follows_one_that_waits(town: Town) -> Process:
    """Return a process that has read what the leader's did: somebody waits."""
    leader, follower = town.start(), town.start(read_again_ms=READ_AGAIN_MS)
    await leader.turn()
    await leader.join(7)
    await follower.line.refresh()
    return follower


@contextmanager
def later_by(ms: int, process: Process, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let it be *ms* later to the process."""
    own = process.line._clock.own  # noqa: SLF001 -- nobody waits here
    now = own.now

    with monkeypatch.context() as patched:
        patched.setattr(own, "now", lambda: later(now(), ms))
        yield


async def test_who_leads_reads_at_each_turn_and_not_once_more_to_refresh(town: Town) -> None:
    leader = town.start(read_again_ms=READ_AGAIN_MS)
    await leader.turn()
    asked = Asked(leader)

    for _ in range(3):
        await leader.turn()
    await leader.line.refresh()

    assert asked.count == 3


async def test_who_follows_reads_once_for_its_turns_and_its_refreshes(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader, follower = town.start(), town.start(read_again_ms=READ_AGAIN_MS)
    await leader.turn()
    await follower.line.refresh()
    asked = Asked(follower)

    for _ in range(3):
        await follower.turn()
        await follower.line.refresh()
    meanwhile = asked.count
    with later_by(READ_AGAIN_MS, follower, monkeypatch):
        await follower.turn()
        await follower.turn()

    assert (meanwhile, asked.count) == (0, 1)


async def test_who_follows_leads_once_it_reads_that_nobody_does(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    follower = await who_follows_one_that_waits(town)
    await town.leave_lease()

    early = await follower.turn()
    with later_by(READ_AGAIN_MS, follower, monkeypatch):
        late = await follower.turn()

    assert (early.admitted, late.admitted) == (0, 1)
    assert await follower.state(1) is PlaceState.ADMITTED


async def test_who_follows_reads_on_while_a_clock_that_was_set_back_stands(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader, follower = town.start(), town.start(read_again_ms=READ_AGAIN_MS)
    await leader.turn()
    await follower.line.refresh()
    asked = Asked(follower)
    stands_at = follower.line._clock.now()  # noqa: SLF001 -- the line's time
    monkeypatch.setattr(LineClock, "now", lambda _: stands_at)

    with later_by(READ_AGAIN_MS, follower, monkeypatch):
        await follower.turn()

    assert asked.count == 1


async def test_an_outage_that_is_owed_is_told_before_any_time_passes(town: Town) -> None:
    follower = await who_follows_one_that_waits(town)
    now = follower.line.look_at_once(a_ref(1), telling=True)
    assert now is not None
    asked = Asked(follower)
    ended_at = follower.line._clock.now()  # noqa: SLF001 -- the line's time

    follower.line.give_back(Outage(later(ended_at, -5_000), ended_at, 5_000))
    await follower.turn()
    await follower.turn()

    assert asked.count == 1
