"""A store that comes back with less than it had: no number twice, nobody inside twice, the old order for the rest."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, Table, delete, select

from scripts.services import Redis
from stagedoor.adapters.sql.tables import admission_pass, line_mark, line_reserve
from stagedoor.adapters.sql.tables import place as place_table
from stagedoor.waiting_room.model import EndCause, PlaceState, PlaceView
from stagedoor.waiting_room.ports import EndPlace
from tests.builders.line import a_ref, a_room
from tests.contract.line_record import out_of_order, twice_inside
from tests.engines.fixtures import held
from tests.integration_redis.lines import Process, Town, a_town, lose, refreshed, until

TOLD_MS = 1_500
"""What the record says that somebody was told at most; the real one is half a minute, which no test waits for."""


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    """A Redis that can be killed, and keeps nothing."""
    yield from held(Redis())


@pytest.fixture
async def town(redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Town]:
    redis.start()
    redis.empty()
    monkeypatch.setattr("stagedoor.adapters.redis.room_line.longest_told_ms", lambda **_: TOLD_MS)
    async with a_town(redis.url, tmp_path, a_room(max_active=2)) as town:
        yield town


async def an_evening(process: Process) -> dict[int, PlaceView]:
    """Let eight join, two in, one pay and one leave, two more in, and one of the rest leave; return the places."""
    await process.join(*range(11, 19))
    await process.turn()
    places = {number: await process.look(number) for number in range(1, 9)}
    await process.line.use_up([a_ref(1)])
    await process.line.end([EndPlace(ref=a_ref(2), cause=EndCause.LEFT)])
    await process.turn()
    await process.line.end([EndPlace(ref=a_ref(6), cause=EndCause.LEFT)])
    for number in (3, 4):
        await process.look(number)
    await process.line.refresh()
    return places


def _delete_all(connection: Connection, *, table: Table) -> None:
    connection.execute(delete(table))


@pytest.mark.parametrize("survives", [True, False], ids=["a process that knew it", "nobody"])
async def test_after_a_loss_everybody_stands_as_she_stood(redis: Redis, town: Town, *, survives: bool) -> None:
    process = town.start()
    places = await an_evening(process)
    await lose(redis)
    process = process if survives else town.start()

    await refreshed(process)
    back = {number: await process.come_back(place) for number, place in places.items()}

    states = {number: place.state for number, place in back.items() if place is not None}
    assert states == {
        1: PlaceState.DONE,
        2: PlaceState.EXPIRED,
        3: PlaceState.ADMITTED,
        4: PlaceState.ADMITTED,
        5: PlaceState.WAITING,
        6: PlaceState.EXPIRED,
        7: PlaceState.WAITING,
        8: PlaceState.WAITING,
    }


@pytest.mark.parametrize("survives", [True, False], ids=["a process that knew it", "nobody"])
async def test_after_a_loss_the_old_order_holds_and_nobody_enters_twice(
    redis: Redis, town: Town, *, survives: bool
) -> None:
    process = town.start()
    places = await an_evening(process)
    await lose(redis)
    process = process if survives else town.start()
    await refreshed(process)

    # Newcomers, and then the old ones from the back.
    new = await process.join(91, 92)
    for number in reversed(places):
        await process.come_back(places[number])
    for number in (3, 4):
        await process.line.use_up([a_ref(number)])
    assert (await process.turn()).admitted == 0
    admitted: list[int] = []

    async def all_are_in() -> bool:
        await process.turn()
        for number in (*places, *new):
            place = await process.line.look(a_ref(number), telling=True)
            if place is not None and place.state is PlaceState.ADMITTED:
                admitted.append(number)
                await process.line.use_up([a_ref(number)])
        return len(admitted) == 5

    await until(all_are_in)

    assert admitted == [5, 7, 8, *new]
    assert min(new) > 1_000
    passes = await town.passes()
    assert out_of_order(passes) == twice_inside(passes) == []
    assert {one.number for one in passes}.isdisjoint({1, 2, 3, 4, 6})


async def test_control_a_record_that_forgets_lets_somebody_in_twice(redis: Redis, town: Town) -> None:
    """Without what was recorded, whoever comes back is as good as new."""
    process = town.start()
    places = await an_evening(process)
    async with town.file.writing() as transaction:
        for table in (place_table, admission_pass, line_mark):
            await transaction.run(partial(_delete_all, table=table))
        await transaction.commit(proof=lambda _: False)
    await lose(redis)
    process = town.start()
    await refreshed(process)

    place = await process.come_back(places[2])

    assert place is not None
    assert place.state is PlaceState.WAITING


async def test_a_number_of_the_lost_moment_is_not_handed_out_again(redis: Redis, town: Town) -> None:
    """A failover: the new server has the log but for its end, which a buyer's token still knows."""
    process = town.start()
    await process.join(1, 2, 3)
    last = await process.look(3)
    await process.ask("XDEL", "stagedoor:{main}:log", "1-0")

    other = town.start()
    await lose(redis)
    await refreshed(other)
    [new] = await other.join(9)
    back = await other.come_back(last)

    assert new > 1_000
    assert back is not None
    assert (back.ref.number, back.state) == (3, PlaceState.WAITING)


async def test_a_buyer_who_asked_anew_in_the_meantime_gets_her_old_place_back(redis: Redis, town: Town) -> None:
    process = town.start()
    await process.join(7)
    old = await process.look(1)
    await lose(redis)
    process = town.start()
    await refreshed(process)
    [new] = await process.join(7)

    back = await process.come_back(old)

    assert back is not None
    assert back.state is PlaceState.WAITING
    assert await process.state(new) is PlaceState.EXPIRED
    assert await process.join(7) == [1]


async def test_two_processes_begin_one_new_epoch(redis: Redis, town: Town) -> None:
    one, other = town.start(), town.start()
    await one.join(1, 2)
    await other.line.refresh()
    await lose(redis)

    await asyncio.gather(refreshed(one), refreshed(other))
    numbers = {*await one.join(3), *await other.join(4)}

    assert len(numbers) == 2
    assert await one.join(1, 2) == await other.join(1, 2) == [1, 2]
    epochs = await town.file.reading(lambda connection: connection.scalars(select(line_reserve.c.epoch)).all())
    assert epochs == [2]


async def test_a_pass_lasts_over_a_loss_as_long_as_it_was_to_last(redis: Redis, town: Town) -> None:
    process = town.start()
    await process.join(1)
    await process.turn()
    before = await process.look(1)
    await process.line.refresh()
    await lose(redis)

    assert process.line.look_at_once(a_ref(1)) is not None
    await refreshed(process)
    after = await process.look(1)

    assert after.state is PlaceState.ADMITTED
    assert after.session_ends_at is not None
    assert before.session_ends_at is not None
    assert after.session_ends_at >= before.session_ends_at


async def told_on_record(town: Town) -> int:
    [told_ms] = await town.file.reading(lambda connection: connection.scalars(select(line_reserve.c.told_ms)).all())
    return int(told_ms)


async def test_limits_changed_live_are_on_record_before_anybody_is_told_to_wait_longer(
    redis: Redis, tmp_path: Path
) -> None:
    """With fewer polls a second everybody is told to wait longer: after a loss nobody enters before they are back."""
    redis.start()
    redis.empty()
    async with a_town(redis.url, tmp_path, a_room(max_active=0)) as town:
        process, other = town.start(), town.start()
        await process.join(*range(1, 501))
        await process.line.refresh()
        await other.line.refresh()
        before_ms = await told_on_record(town)
        town.rooms.set(a_room(max_active=0, polls_per_second=1))

        at_once = [await each.look(500) for each in (process, other)]
        assert max(place.poll_after_ms for place in at_once) <= before_ms == await told_on_record(town)
        await other.line.refresh()
        later_on = await other.look(500)

        assert before_ms < later_on.poll_after_ms <= await told_on_record(town)
        assert (await process.look(500)).poll_after_ms <= before_ms
        # A newcomer's first answer is one as well.
        await process.line.refresh()
        assert before_ms < (await process.look(500)).poll_after_ms <= await told_on_record(town)
