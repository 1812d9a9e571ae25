"""Checkpoints of a line that several processes lead in turn: each cuts the log, and none cuts off what is needed."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import select

from stagedoor.adapters.redis.client import Reply, StoreLost
from stagedoor.adapters.sql.tables import admission_pass
from stagedoor.kernel.clock import MINUTE_MS
from stagedoor.kernel.ids import MAIN_ROOM
from tests.builders.line import a_ref, a_room
from tests.integration_redis.lines import Process, Sleeping, Town, a_town, until


@pytest.fixture
async def town(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Town]:
    # Nobody takes the lead because the machine is slow.
    monkeypatch.setattr("stagedoor.adapters.redis.line_store.LEASE_MS", MINUTE_MS)
    # One at every turn that changes something.
    monkeypatch.setattr("stagedoor.adapters.redis.leading.CHECKPOINT_EVERY", 1)
    monkeypatch.setattr("stagedoor.adapters.redis.line_store.LOG_KEPT", 0)
    async with a_town(redis_url, tmp_path, a_room(max_active=2)) as town:
        yield town


class StoppedAtHead:
    """Holds a process up before it learns which checkpoint there is."""

    def __init__(self, process: Process) -> None:
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()
        self._command = process.client.command
        process.client.command = self._late  # type: ignore[method-assign]

    async def _late(self, *command: bytes | str | int, server: str) -> Reply:
        if command[0] == "HMGET" and "checkpoint" in command:
            self.reached.set()
            await self.go_on.wait()
        return await self._command(*command, server=server)


async def cut_at(process: Process) -> int:
    """Return how many entries are not in the log any more."""
    position = int(await process.ask("HGET", "stagedoor:{main}:head", "position"))
    length: int = await process.ask("XLEN", "stagedoor:{main}:log")
    return position - length


async def test_whoever_leads_next_cuts_the_log_as_well(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    processes = [town.start(), town.start()]
    await processes[0].join(*range(1, 10))
    await processes[1].line.refresh()
    cuts = [0]

    for number in range(1, 5):
        await town.leave_lease()
        leader, other = processes[number % 2], processes[1 - number % 2]
        monkeypatch.setattr("stagedoor.adapters.redis.leading.CHECKPOINT_EVERY", 1_000)
        await leader.turn()
        await leader.line.use_up([a_ref(number)])
        await leader.turn()
        # Read before it is cut, so that nobody has to open the line again.
        await other.line.refresh()
        monkeypatch.setattr("stagedoor.adapters.redis.leading.CHECKPOINT_EVERY", 1)
        await leader.turn()
        cuts.append(await cut_at(leader))

    assert cuts == sorted(set(cuts))
    late = town.start()
    await late.line.refresh()
    assert late.line.view(MAIN_ROOM) == processes[0].line.view(MAIN_ROOM)


@pytest.mark.parametrize("known", [True, False], ids=["who was there", "who has just come"])
async def test_whoever_read_nothing_while_the_log_was_cut_answers_all_the_same(town: Town, *, known: bool) -> None:
    """A process that starts has a lot to do, and somebody who was let in elsewhere is at it before it has read on."""
    leader, sleeper = town.start(), town.start()
    await leader.join(*range(1, 10))
    await leader.line.refresh()
    await sleeper.line.refresh()
    has_read = int(await leader.ask("HGET", "stagedoor:{main}:head", "position"))
    newest = 9
    while await cut_at(leader) <= has_read:
        newest, ends = await leader.join(newest + 1, newest + 2)
        await leader.line.use_up([a_ref(ends)])
        await leader.turn()

    ref = a_ref(1 if known else newest)
    await sleeper.line.settled(ref, entering=True)

    assert sleeper.line.look_at_once(ref, telling=True) == leader.line.look_at_once(ref, telling=True)


async def test_whoever_is_a_little_behind_reads_on_and_loads_nothing_anew(
    town: Town, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = 4
    monkeypatch.setattr("stagedoor.adapters.redis.line_store.LOG_KEPT", kept)
    leader, follower = town.start(), town.start()
    await leader.line.refresh()
    newest, cut = 0, 0
    while cut == 0:
        await follower.line.refresh()
        newest, ends = await leader.join(newest + 1, newest + 2)
        await leader.line.use_up([a_ref(ends)])
        await leader.turn()
        cut = await cut_at(leader)
    await follower.line.refresh()

    assert cut == int(await leader.ask("HGET", "stagedoor:{main}:head", "position")) - kept
    assert await follower.state(newest) == await leader.state(newest)
    assert "line.opened_anew" not in capsys.readouterr().out


async def test_a_leader_of_before_does_not_put_less_in_the_place_of_a_newer_checkpoint(town: Town) -> None:
    """The log was cut where the newer one goes on, so that nobody could begin with the older one."""
    old, new = town.start(), town.start()
    await old.join(*range(1, 10))
    await old.line.refresh()
    await new.line.refresh()
    stopped = StoppedAtHead(old)
    turn = asyncio.create_task(old.turn())
    await stopped.reached.wait()
    await town.leave_lease()
    await new.line.use_up([a_ref(1)])
    assert (await new.turn()).admitted == 1
    newer = await new.ask("HGET", "stagedoor:{main}:head", "checkpoint")

    stopped.go_on.set()
    await turn

    assert await new.ask("HGET", "stagedoor:{main}:head", "checkpoint") == newer


async def test_who_leads_no_more_does_not_cut_off_what_nobody_has_recorded(town: Town) -> None:
    """It learns of it between its turn and the record of that, which the next leader has not read yet."""
    old, new = town.start(), town.start()
    await old.join(1, 2, 3)
    await old.line.refresh()
    sleeper = Sleeping(old)
    turn = asyncio.create_task(old.turn())
    await sleeper.reached.wait()
    recording = old.line._line(old.room).recording  # noqa: SLF001 -- as a record does that is not done with another
    async with recording:
        sleeper.wake()
        await until(lambda: _is_in_the_log(town, passes=2))
        await new.ask("SET", "stagedoor:{main}:lease", "somebody:99")
        await old.line.refresh()
    await turn

    await town.leave_lease()
    await new.line.refresh()

    assert await recorded(town) == [1, 2]


async def _is_in_the_log(town: Town, *, passes: int) -> bool:
    return len(await town.passes()) == passes


async def recorded(town: Town) -> list[int]:
    """Return whose passes are on record."""
    numbers = select(admission_pass.c.number).order_by(admission_pass.c.number)
    return list(await town.file.reading(lambda connection: connection.scalars(numbers).all()))


async def pieces(process: Process) -> list[bytes]:
    """Return the keys that the checkpoint in use is in."""
    stored: bytes = await process.ask("HGET", "stagedoor:{main}:head", "pieces")
    return stored.splitlines()


async def test_a_checkpoint_whose_pieces_have_gone_is_not_put_in_the_place_of_another(town: Town) -> None:
    """They go by themselves after a while, by the store's clock, and that may jump."""
    leader = town.start()
    await leader.join(*range(1, 10))
    await leader.turn()
    before = await pieces(leader)
    run = leader.client.run

    async def late(script: str, keys: Sequence[bytes], arguments: Sequence[bytes | str | int], *, server: str) -> Reply:
        if script == "seal":
            for piece in await leader.ask("KEYS", "stagedoor:{main}:checkpoint:*"):
                if piece not in before:
                    await leader.ask("DEL", piece)
        return await run(script, keys, arguments, server=server)

    leader.client.run = late  # type: ignore[method-assign]
    await leader.line.use_up([a_ref(1)])
    await leader.turn()

    assert await pieces(leader) == before
    newcomer = town.start()
    await newcomer.line.refresh()
    assert newcomer.line.view(MAIN_ROOM) == leader.line.view(MAIN_ROOM)


async def test_a_store_that_has_lost_a_piece_has_lost_the_line_which_begins_anew(town: Town) -> None:
    leader = town.start()
    numbers = await leader.join(*range(1, 10))
    await leader.turn()
    for piece in await pieces(leader):
        await leader.ask("DEL", piece)

    newcomer = town.start()
    with pytest.raises(StoreLost, match="a part of the line"):
        await newcomer.join(77)
    [number] = await newcomer.join(77)

    assert number > max(numbers)
