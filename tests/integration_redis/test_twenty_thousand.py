"""Twenty thousand buyers over two and four processes, one of which reads late: the record alone says how it was."""

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stagedoor.adapters.redis import leading
from stagedoor.waiting_room.model import PlaceState
from tests.builders.line import a_ref, a_room
from tests.contract.line_record import out_of_order, unfair
from tests.integration_redis.lines import Process, Town, a_town, until

BUYERS = 20_000
AT_ONCE = 250
INSIDE = 500
RATE = 20_000.0
LATE_BY_TURNS = 10
LEASE_LOST_EVERY_TURNS = 7


@pytest.fixture
async def town(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Town]:
    # The whole log is the record here, so nothing is cut off it.
    monkeypatch.setattr(leading, "CHECKPOINT_EVERY", 100 * BUYERS)
    async with a_town(redis_url, tmp_path, a_room(max_active=INSIDE, rate=RATE)) as town:
        yield town


@pytest.mark.parametrize("processes", [2, 4])
async def test_twenty_thousand_enter_in_order(town: Town, processes: int) -> None:
    """Buyers join, poll and pay wherever they come to; the lead is lost now and then."""
    servers = [town.start() for _ in range(processes)]
    dice = random.Random(processes)
    for start in range(1, BUYERS + 1, AT_ONCE):
        await dice.choice(servers).join(*range(start, start + AT_ONCE))
    paid: set[int] = set()
    turns = 0

    async def have_all_paid() -> bool:
        nonlocal turns
        turns += 1
        for process in servers:
            if process is not servers[-1] or turns % LATE_BY_TURNS == 0:
                await process.line.refresh()
                await process.turn()
        if turns % LEASE_LOST_EVERY_TURNS == 0:
            await town.leave_lease()
        served = max(process.line.view(process.room.id).serving_number for process in servers)
        for number in dice.sample(range(1, BUYERS + 1), AT_ONCE):
            await dice.choice(servers).look(number)
        inside = [n for n in range(max(1, served - 2 * INSIDE), served + 1) if n not in paid]
        paying = [number for number in inside if await is_inside(dice.choice(servers), number)]
        await dice.choice(servers).line.use_up([a_ref(number) for number in paying])
        paid.update(paying)
        return len(paid) == BUYERS

    await until(have_all_paid)

    passes = await town.passes()
    assert [one.number for one in passes] == list(range(1, BUYERS + 1))
    assert out_of_order(passes) == []
    # What is inside at once overlaps with its neighbours only, and the checker compares each with each.
    for start in range(0, BUYERS, 2 * INSIDE):
        assert unfair(passes[start : start + 4 * INSIDE], rate=RATE) == []


async def is_inside(process: Process, number: int) -> bool:
    place = await process.line.look(a_ref(number), telling=True)
    return place is not None and place.state is PlaceState.ADMITTED
