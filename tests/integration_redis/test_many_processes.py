"""Several processes, one line: one place a buyer, one admitter at a time, and a sleeper that wakes to a refusal."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stagedoor.adapters.redis import client as client_module
from stagedoor.kernel.errors import Fault
from stagedoor.kernel.idempotency import IdempotencyKey
from stagedoor.kernel.ids import BuyerId, HoldId
from stagedoor.waiting_room.model import EndCause, PlaceState
from stagedoor.waiting_room.ports import EndPlace, HoldNote, Join, Joined
from tests.builders.line import a_ref, a_room
from tests.contract.line_record import overlaps, unfair
from tests.integration_redis.lines import Process, Sleeping, Town, a_town, until

CROWD = 300
KEY = IdempotencyKey(value="k-1", fingerprint="body")


@pytest.fixture
async def town(redis_url: str, tmp_path: Path) -> AsyncIterator[Town]:
    async with a_town(redis_url, tmp_path, a_room(max_active=5)) as town:
        yield town


async def test_a_buyer_has_one_place_wherever_she_asks(town: Town) -> None:
    processes = [town.start() for _ in range(4)]
    buyers = [1 + i % CROWD for i in range(4 * CROWD)]
    random.Random(7).shuffle(buyers)

    numbers = await asyncio.gather(*(processes[i % 4].join(buyer) for i, buyer in enumerate(buyers)))

    by_buyer: dict[int, set[int]] = {}
    for buyer, [number] in zip(buyers, numbers, strict=True):
        by_buyer.setdefault(buyer, set()).add(number)
    assert {len(found) for found in by_buyer.values()} == {1}
    assert sorted(number for [number] in by_buyer.values()) == list(range(1, CROWD + 1))


async def test_a_key_is_answered_once_whichever_process_is_asked(town: Town) -> None:
    one, other = town.start(), town.start()
    join = Join(room=one.room, buyer_id=BuyerId(7), key=KEY)

    [[first], [second]] = await asyncio.gather(one.line.join([join]), other.line.join([join]))

    assert isinstance(first, Joined)
    assert isinstance(second, Joined)
    assert first.place.ref == second.place.ref
    assert sorted([first.replayed, second.replayed]) == [False, True]


async def test_a_pass_is_honoured_by_a_process_that_has_not_heard_of_it_yet(town: Town) -> None:
    one, other = town.start(), town.start()
    await one.turn()
    await one.join(7)
    await other.line.refresh()
    await one.turn()

    place = await other.line.look(a_ref(1))

    assert place is not None
    assert place.state is PlaceState.ADMITTED


async def test_nobody_is_told_at_the_door_that_she_waits_by_a_process_that_cannot_know(town: Town) -> None:
    one, other = town.start(), town.start()
    await one.turn()
    await one.join(7)
    await other.line.refresh()
    await one.turn()
    other.refusal = Fault("the breaker is open", retry_after_ms=7_000)

    # As a poll it may be told, since a poll says that it is old; a refusal says nothing of the kind.
    assert await other.state(1) is PlaceState.WAITING
    with pytest.raises(Fault):
        await other.line.look(a_ref(1))

    other.refusal = None
    place = await other.line.look(a_ref(1))
    assert place is not None
    assert place.state is PlaceState.ADMITTED


IDLE_MS = 1_500


async def is_kept(leader: Process, other: Process, number: int) -> bool | None:
    """
    Say whether looks at *other* alone keep the pass *number*, for longer than it lasts without.

    None where it ended as it has to: the machine stood still between a look and the turn after it.
    """
    loop = asyncio.get_running_loop()
    for _ in range(20):
        looked_at = loop.time()
        assert await other.state(number) is PlaceState.ADMITTED
        await asyncio.sleep(0.1)
        if (await leader.turn()).ended:
            return None if loop.time() - looked_at >= IDLE_MS / 1_000 else False
    return True


async def are_signs_told(town: Town, leader: Process, other: Process) -> bool:
    """Say whether the one who decides hears of looks at *other*, by the first pass that can show it."""
    town.rooms.set(a_room(max_active=1, idle_timeout_ms=IDLE_MS))
    for buyer in range(1, 10):
        assert await leader.join(buyer) == [buyer]
        await leader.turn()
        await leader.look(buyer)
        if (kept := await is_kept(leader, other, buyer)) is not None:
            return kept
    raise AssertionError("the machine stood still each time")


async def test_a_sign_in_one_process_keeps_the_pass_that_another_would_end(town: Town) -> None:
    # Near its end every look is told before it is answered, so that nobody has to be quick here.
    assert await are_signs_told(town, town.start(), town.start())


async def test_control_where_a_look_is_not_told_before_it_is_answered_the_pass_ends(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def tells_nobody(*_: object, **__: object) -> None:
        pass

    leader, other = town.start(), town.start()
    monkeypatch.setattr(other.line._line(other.room), "_tell", tells_nobody)  # noqa: SLF001 -- there is no other way to it

    assert not await are_signs_told(town, leader, other)


async def test_a_note_of_a_hold_comes_before_the_end_that_was_planned_without_it(town: Town) -> None:
    town.rooms.set(a_room(max_active=1, idle_timeout_ms=200))
    leader, other = town.start(), town.start()
    await leader.join(7)
    await leader.turn()
    await leader.look(1)
    await other.line.refresh()
    await asyncio.sleep(0.3)
    sleeper = Sleeping(leader)
    turn = asyncio.create_task(leader.turn())
    await sleeper.reached.wait()

    until_at = (await other.look(1)).session_ends_at
    await other.line.note_holds([HoldNote(ref=a_ref(1), hold_id=HoldId(5), until=until_at)])
    sleeper.wake()

    assert (await turn).ended == 0
    assert await other.state(1) is PlaceState.ADMITTED


async def test_another_leads_within_two_seconds_of_a_leader_s_death(town: Town) -> None:
    leader, other = town.start(), town.start()
    await leader.join(7)
    await leader.turn()
    await leader.join(8)
    loop = asyncio.get_running_loop()
    died_at = loop.time()

    async def is_taken_over() -> bool:
        return (await other.turn()).admitted == 1

    await until(is_taken_over)

    # The lease is 1.2 s long; a machine that is much slower than that only makes the wait longer than it need be.
    assert loop.time() - died_at > 0.5
    assert await other.ask("PTTL", "stagedoor:{main}:lease") <= 1_200


async def test_an_orderly_stop_hands_the_room_over_at_once(town: Town) -> None:
    leader, other = town.start(), town.start()
    await leader.join(7)
    await leader.turn()
    await leader.join(8)

    await leader.line.hand_over()

    assert (await other.turn()).admitted == 1


async def a_sleeper_wakes(town: Town) -> None:
    """
    The leader sleeps with a plan in its hand, while another leads and the line goes on; then it wakes.

    The plan is to end two silent passes and to let the next two in. The other
    has done that, and these two have bought and gone, and two more are inside.
    """
    town.rooms.set(a_room(max_active=2, idle_timeout_ms=300))
    leader, other = town.start(), town.start()
    await leader.join(1, 2, 3, 4, 5, 6)
    await leader.turn()
    for number in (1, 2):
        await leader.look(number)
    await leader.line.refresh()
    await other.line.refresh()
    await asyncio.sleep(0.4)
    sleeper = Sleeping(leader)
    turn = asyncio.create_task(leader.turn())
    await sleeper.reached.wait()
    await town.leave_lease()
    assert (await other.turn()).admitted == 2
    await other.line.use_up([a_ref(3), a_ref(4)])
    assert (await other.turn()).admitted == 2
    sleeper.wake()
    await asyncio.gather(turn, return_exceptions=True)


async def test_a_sleeper_that_believes_it_leads_is_refused(town: Town) -> None:
    await a_sleeper_wakes(town)

    assert unfair(await town.passes()) == []


async def test_control_without_the_fence_too_many_are_inside(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    class Unfenced(client_module.Script):
        def __init__(self, name: str) -> None:
            super().__init__(name)
            fenced = self.text
            self.text = fenced.replace("redis.call('GET', LEASE) ~= ARGV[6]", "false")
            self.text = self.text.replace("(redis.call('HGET', HEAD, 'binding') or '0') ~= ARGV[7]", "false")
            assert name != "turn" or self.text.count("false") == fenced.count("false") + 2
            self.digest = client_module.digest_of(self.text)

    monkeypatch.setattr(client_module, "Script", Unfenced)

    await a_sleeper_wakes(town)

    assert overlaps(await town.passes()) != []


async def visit(town: Town, number: int, turns: random.Random) -> None:
    """One buyer: polls at whichever process comes next, goes in, pays or leaves or falls silent."""
    while True:
        process = turns.choice(town.processes)
        place = await process.line.look(a_ref(number), telling=True)
        assert place is not None
        if not place.state.is_live:
            return
        if place.state is PlaceState.ADMITTED:
            process = turns.choice(town.processes)
            if number % 3 == 0:
                await process.line.use_up([a_ref(number)])
            else:
                await process.line.end([EndPlace(ref=a_ref(number), cause=EndCause.LEFT)])
            return
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("processes", [2, 4])
async def test_a_crowd_spread_over_processes_is_treated_fairly(town: Town, processes: int) -> None:
    """Polls go anywhere, one process reads a second late, and now and then the leader loses its lease."""
    rate = 400.0
    town.rooms.set(a_room(max_active=20, rate=rate))
    servers = [town.start() for _ in range(processes)]
    late = servers[-1]
    turns = random.Random(11)
    await asyncio.gather(*(servers[i % processes].join(1 + i) for i in range(CROWD)))
    over = asyncio.Event()

    async def serve(process: Process) -> None:
        ticks = 0
        while not over.is_set():
            ticks += 1
            if process is not late or ticks % 10 == 0:
                await process.line.refresh()
                await process.turn()
            await asyncio.sleep(0.1)

    async def depose() -> None:
        while not over.is_set():
            await asyncio.sleep(0.4)
            await town.leave_lease()

    work = [asyncio.create_task(serve(process)) for process in servers] + [asyncio.create_task(depose())]
    async with asyncio.timeout(120):
        await asyncio.gather(*(visit(town, number, turns) for number in range(1, CROWD + 1)))
    over.set()
    await asyncio.gather(*work)

    passes = await town.passes()
    assert sorted(one.number for one in passes) == list(range(1, CROWD + 1))
    assert unfair(passes, rate=rate) == []


async def test_a_process_that_starts_late_knows_the_line_and_goes_on(town: Town) -> None:
    one = town.start()
    await one.join(*range(1, 2_001))
    await one.turn()
    await one.line.end([EndPlace(ref=a_ref(1_000), cause=EndCause.LEFT)])

    late = town.start()
    await late.line.refresh()

    assert late.line.view(late.room.id) == one.line.view(one.room.id)
    assert (await late.look(1_500)).position == (await one.look(1_500)).position == 1_494
    assert await late.join(1_500, 2_001) == [1_500, 2_001]


async def test_while_the_store_is_out_of_reach_nobody_joins_and_everybody_is_told_what_was_last_known(
    town: Town,
) -> None:
    process = town.start()
    await process.join(1, 2, 3, 4, 5, 6, 7)
    await process.turn()
    await process.look(1)
    await process.line.refresh()
    before = await process.look(7)

    process.refusal = Fault("the breaker is open", retry_after_ms=7_000)

    with pytest.raises(Fault) as refused:
        await process.turn()
    assert refused.value.retry_after_ms == 7_000
    with pytest.raises(Fault):
        await process.join(8)
    with pytest.raises(Fault):
        await process.turn()
    assert process.line.is_stale()
    assert (await process.look(7)).position == before.position
    assert (await process.line.look(a_ref(1))) is not None
    with pytest.raises(Fault):
        await process.line.note_holds([HoldNote(ref=a_ref(1), hold_id=HoldId(5), until=before.token_expires_at)])
    assert (await process.look(1)).holds_until == before.token_expires_at

    process.refusal = None
    assert await process.join(8) == [8]
    assert not process.line.is_stale()
