"""Several rooms on one Redis that comes back without its last second: each of them begins a new epoch."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest
from sqlalchemy import select

from scripts.services import Redis
from stagedoor.adapters.sql.tables import admission_pass, line_reserve
from stagedoor.kernel.ids import BuyerId, PlaceRef, RoomId
from stagedoor.waiting_room.model import PlaceState, PlaceView, SignedPlace
from stagedoor.waiting_room.ports import Join, Joined, Turn
from tests.builders.line import a_ref, a_room
from tests.engines.fixtures import held
from tests.integration_redis.lines import Process, Town, a_town, lose, refreshed, until

ROOMS = [RoomId("arena"), RoomId("club"), RoomId("theatre")]
TOLD_MS = 1_500


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    """A Redis that comes back with what it had when it was last saved."""
    yield from held(Redis())


@pytest.fixture
async def town(redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Town]:
    redis.start()
    redis.empty()
    monkeypatch.setattr("stagedoor.adapters.redis.room_line.longest_told_ms", lambda **_: TOLD_MS)
    async with a_town(redis.url, tmp_path, *(a_room(room_id, max_active=2) for room_id in ROOMS)) as town:
        yield town


async def join(process: Process, room_id: RoomId, *buyers: int) -> list[PlaceView]:
    room = process.rooms.get(room_id)
    assert room is not None
    joined = await process.line.join([Join(room=room, buyer_id=BuyerId(buyer)) for buyer in buyers])
    return [one.place for one in joined if isinstance(one, Joined)]


async def take_turns(process: Process) -> None:
    await process.line.turn([Turn(room=room, seats_free=True) for room in process.rooms.all()])


async def look_in(process: Process, ref: PlaceRef) -> PlaceState:
    place = await process.line.look(ref, telling=True)
    assert place is not None
    return place.state


async def an_evening(redis: Redis, process: Process) -> Mapping[RoomId, list[PlaceView]]:
    """In each room two are let in, and saved; then these two buy, the next two are let in, and two more join."""
    places = {}
    for room_id in ROOMS:
        places[room_id] = await join(process, room_id, *range(11, 17))
    await take_turns(process)
    assert redis.ask("SAVE") == "+OK"
    for room_id in ROOMS:
        await process.line.use_up([a_ref(1, room_id), a_ref(2, room_id)])
        places[room_id] += await join(process, room_id, 17, 18)
    await take_turns(process)
    for room_id in ROOMS:
        for number in (3, 4):
            assert await look_in(process, a_ref(number, room_id)) is PlaceState.ADMITTED
    await process.line.refresh()
    return places


@pytest.mark.parametrize("processes", [1, 2])
async def test_every_room_begins_anew_and_nothing_is_given_twice(redis: Redis, town: Town, processes: int) -> None:
    one, *others = [town.start() for _ in range(processes)]
    places = await an_evening(redis, one)
    for other in others:
        await other.line.refresh()
    await lose(redis)

    for process in town.processes:
        await refreshed(process)
    last = town.processes[-1]
    new = {room_id: [int(place.ref.number) for place in await join(last, room_id, 91, 92)] for room_id in ROOMS}
    for known in places.values():
        for place in known:
            await last.line.settled(place.ref, signed=SignedPlace(place.ref, place.buyer_id, place.token_expires_at))
    admitted = {room_id: list[int]() for room_id in ROOMS}

    async def all_were_in() -> bool:
        await take_turns(one)
        for room_id, inside in admitted.items():
            for number in (*range(1, 9), *new[room_id]):
                if await look_in(last, a_ref(number, room_id)) is PlaceState.ADMITTED:
                    inside.append(number)
                    await last.line.use_up([a_ref(number, room_id)])
        return all(len(inside) == 8 for inside in admitted.values())

    await until(all_were_in)

    epochs = await town.file.reading(lambda c: c.execute(select(line_reserve.c.room_id, line_reserve.c.epoch)).all())
    assert {room_id: epoch for room_id, epoch in epochs} == dict.fromkeys(ROOMS, 2)  # noqa: C416 -- rows to pairs
    assert admitted == {room_id: [3, 4, 5, 6, 7, 8, *new[room_id]] for room_id in ROOMS}
    assert all(min(numbers) > 1_000 for numbers in new.values())
    await one.line.refresh()
    passes = await town.file.reading(
        lambda c: c.execute(select(admission_pass.c.room_id, admission_pass.c.number)).all()
    )
    assert max(Counter(passes).values()) == 1
    assert len(passes) == len(ROOMS) * 10
