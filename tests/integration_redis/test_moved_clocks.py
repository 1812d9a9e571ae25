"""However wrong Redis's clock is, nobody's deadline moves; and processes whose clocks are a little apart agree."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from stagedoor.adapters.clock import SystemClock
from stagedoor.adapters.redis import client
from stagedoor.adapters.redis.client import Reply
from stagedoor.adapters.redis.log_entries import GaveBack
from stagedoor.kernel.clock import SECOND_MS, Clock, Instant, later
from stagedoor.waiting_room.model import PlaceState
from tests.builders.line import a_ref, a_room
from tests.integration_redis.lines import Process, Sleeping, Town, a_town
from tests.integration_redis.moved_redis import MOVED_MS, MovedScript, now_of

SESSION_MS = 600_000
IDLE_MS = 30_000
APART_MS = 400
FAR_MS = (600_000, -600_000)


class Moved(Clock):
    """The machine's clock, known as badly as it may be: *by_ms* off."""

    def __init__(self, by_ms: int) -> None:
        self._clock = SystemClock()
        self.by_ms = by_ms

    def now(self) -> Instant:
        """Return the present instant, moved."""
        return later(self._clock.now(), self.by_ms)


@pytest.fixture
async def town(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Town]:
    monkeypatch.setattr(client, "Script", MovedScript)
    room = a_room(max_active=1, session_max_ms=SESSION_MS, idle_timeout_ms=IDLE_MS)
    async with a_town(redis_url, tmp_path, room) as town:
        yield town


class Told:
    """Notes what the store says the time is."""

    def __init__(self, process: Process) -> None:
        self.said: list[int] = []
        self._run = process.client.run
        process.client.run = self._noted  # type: ignore[method-assign]

    async def _noted(
        self, script: str, keys: Sequence[bytes], arguments: Sequence[bytes | str | int], *, server: str
    ) -> Reply:
        reply = await self._run(script, keys, arguments, server=server)
        if script == "catch_up":
            self.said.append(now_of(reply))
        return reply


async def move(process: Process, by_ms: int) -> None:
    await process.ask("SET", MOVED_MS, by_ms)


async def left_ms(process: Process, number: int) -> tuple[int, int]:
    """Return for how long her pass still runs, in all and while she is not heard of."""
    place = await process.look(number)
    now = SystemClock().now()
    assert place.state is PlaceState.ADMITTED
    assert place.session_ends_at is not None
    assert place.idle_ends_at is not None
    return place.session_ends_at - now, place.idle_ends_at - now


@pytest.mark.parametrize("by_ms", FAR_MS)
async def test_passes_end_when_they_would_anyhow(town: Town, by_ms: int) -> None:
    process = town.start()
    await move(process, by_ms)
    told = Told(process)
    await process.join(7)

    await process.turn()

    session_ms, idle_ms = await left_ms(process, 1)
    assert SESSION_MS - 10_000 < session_ms <= SESSION_MS
    assert IDLE_MS - 10_000 < idle_ms <= IDLE_MS
    # And it was as wrong as that.
    assert abs(told.said[-1] - SystemClock().now() - by_ms) < 10_000


@pytest.mark.parametrize("by_ms", FAR_MS)
async def test_a_jump_is_no_outage_and_ends_nothing(town: Town, by_ms: int) -> None:
    process = town.start()
    await process.join(7, 8)
    await process.turn()
    before, _ = await left_ms(process, 1)

    for moved_ms in (by_ms, 0):
        await move(process, moved_ms)
        for _ in range(3):
            await process.turn()
            await process.line.refresh()

    after, _ = await left_ms(process, 1)
    assert before - 30_000 < after <= before
    assert await process.state(2) is PlaceState.WAITING
    assert not [entry for entry in await town.log() if isinstance(entry, GaveBack)]


@pytest.mark.parametrize("by_ms", FAR_MS)
async def test_after_a_jump_people_are_let_in_at_once(town: Town, by_ms: int) -> None:
    process = town.start()
    await process.join(7, 8)
    await process.turn()

    await move(process, by_ms)
    await process.line.use_up([(await process.look(1)).ref])
    await process.turn()

    assert await process.state(2) is PlaceState.ADMITTED


async def test_a_leader_whose_clock_is_behind_lets_nobody_in_before_the_end_that_made_room(town: Town) -> None:
    ahead, behind = town.start(clock=Moved(APART_MS)), town.start(clock=Moved(-APART_MS))
    await behind.turn()
    # One entry by a clock that was wrong is not gone by, and keeps nobody from going by the others.
    wrong = town.start(clock=Moved(FAR_MS[0]))
    await wrong.join(5)
    await behind.line.use_up([a_ref(1)])
    await behind.join(7, 8)
    await behind.turn()
    await ahead.line.use_up([(await ahead.look(2)).ref])

    await behind.turn()

    first, second = await town.passes()
    assert first.ended_at is not None
    assert second.admitted_at >= first.ended_at


async def alive_at(process: Process) -> int:
    return int(await process.ask("HGET", "stagedoor:{main}:head", "alive_at"))


async def test_signs_of_life_by_clocks_that_are_apart_are_no_outage(town: Town) -> None:
    ahead, behind = (town.start(clock=Moved(by_ms)) for by_ms in (APART_MS, -APART_MS))

    for _ in range(5):
        await ahead.turn()
        seen = await alive_at(ahead)
        await behind.turn()
        assert await alive_at(behind) == seen

    assert not [entry for entry in await town.log() if isinstance(entry, GaveBack)]


async def test_a_sign_that_comes_late_takes_none_back_and_is_no_outage(town: Town) -> None:
    """Its process stood still when it had looked at the clock."""
    clock = Moved(0)
    sleeper, other = town.start(), town.start(clock=clock)
    await sleeper.turn()
    await other.turn()
    asleep = Sleeping(sleeper, "catch_up")
    late = asyncio.create_task(sleeper.line.refresh())
    await asleep.reached.wait()
    for second in range(1, 6):
        clock.by_ms = second * SECOND_MS
        await move(other, clock.by_ms)
        await other.turn()
    seen = await alive_at(other)

    asleep.wake()
    await late

    assert await alive_at(other) == seen
    await other.turn()
    assert not [entry for entry in await town.log() if isinstance(entry, GaveBack)]


async def test_a_sign_by_a_clock_that_was_set_right_is_taken_back(town: Town) -> None:
    clock = Moved(600_000)
    wrong, right = town.start(clock=clock), town.start()
    await wrong.turn()

    await right.turn()

    alive_at = int(await right.ask("HGET", "stagedoor:{main}:head", "alive_at"))
    assert abs(alive_at - SystemClock().now()) < 10_000
