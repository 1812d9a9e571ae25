"""The record in SQL of what the log says: every pass once and with its end, whoever leads while it is written."""

import asyncio
import contextlib

import pytest
from sqlalchemy import insert, select

from stagedoor.adapters.sql.tables import admission_pass, closed_place
from stagedoor.kernel.clock import MINUTE_MS
from stagedoor.kernel.errors import Fault
from stagedoor.kernel.ids import MAIN_ROOM, RoomId
from stagedoor.waiting_room.line_record import Superseded
from tests.builders.line import a_ref
from tests.integration_redis.lines import Process, Sleeping, Stopped, Town, until

LONG_ENOUGH_S = 0.3
"""For a turn to write what it should not; a machine on which that is too short sees nothing wrong."""


async def recorded(town: Town) -> list[tuple[int, bool]]:
    """Return every pass on record: its number, and whether it has ended."""
    passes = admission_pass.c
    rows = await town.file.reading(
        lambda connection: connection.execute(select(passes.number, passes.ended_at).order_by(passes.sequence)).all()
    )
    return [(row.number, row.ended_at is not None) for row in rows]


async def closes(town: Town, number: int) -> None:
    """Let the sale close a place, as a payment does."""
    async with town.file.writing() as transaction:
        row = {"room_id": MAIN_ROOM, "place_number": number, "closed_at": 1}
        await transaction.run(lambda connection: connection.execute(insert(closed_place), row))
        await transaction.commit(proof=lambda _: False)


async def refreshed(process: Process) -> None:
    """Read on until that works."""

    async def works() -> bool:
        with contextlib.suppress(Fault):
            await process.line.refresh()
            return True
        return False

    await until(works)


async def test_what_an_old_leader_writes_meanwhile_is_not_recorded_twice(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new one knows all of the log, and has looked how far the record was before the old one wrote a part of it."""
    old, new = town.start(), town.start()
    await old.join(1, 2, 3)
    old_writes, new_writes = Stopped(old, monkeypatch, "write"), Stopped(new, monkeypatch, "write")
    turn = asyncio.create_task(old.turn())
    await old_writes.reached.wait()
    await new.line.use_up([a_ref(1)])
    await town.leave_lease()
    taking_over = asyncio.create_task(new.line.refresh())
    await new_writes.reached.wait()

    old_writes.go_on.set()
    await turn
    new_writes.go_on.set()
    await taking_over

    assert await recorded(town) == [(1, True), (2, False)]


async def test_what_a_dead_leader_has_not_recorded_is_not_left_out_by_one_that_leads_again(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on recording what it hears, and does not know yet that somebody else has led in between."""
    process, dead = town.start(), town.start()
    await process.join(1, 2, 3)
    await process.turn()
    await town.leave_lease()
    await dead.turn()
    await dead.line.use_up([a_ref(1)])
    await town.leave_lease()
    begins = Stopped(process, monkeypatch, "reserve")
    leading_again = asyncio.create_task(process.line.refresh())
    await begins.reached.wait()

    await process.line.use_up([a_ref(2)])
    turn = asyncio.create_task(process.turn())
    await asyncio.sleep(LONG_ENOUGH_S)
    begins.go_on.set()
    await asyncio.gather(leading_again, turn)
    await process.line.refresh()

    assert [one for one in await recorded(town) if one[0] in {1, 2}] == [(1, True), (2, True)]


async def test_who_paid_while_a_lost_line_was_put_together_is_through_on_record(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new line has it from the sale, and nobody tells of it any more."""
    process = town.start()
    await process.join(1, 2, 3)
    await process.turn()
    reads = Stopped(process, monkeypatch, "read")
    await process.ask("FLUSHALL")
    begins = asyncio.create_task(refreshed(process))
    await reads.reached.wait()

    await closes(town, 1)
    reads.go_on.set()
    await begins
    await process.line.use_up([a_ref(1)])
    await process.line.refresh()

    assert await recorded(town) == [(1, True), (2, False)]


async def test_who_was_let_in_just_before_a_loss_is_on_record(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    leader, other = town.start(), town.start()
    await leader.join(1, 2, 3)
    writes = Stopped(leader, monkeypatch, "write")
    turn = asyncio.create_task(leader.turn())
    await writes.reached.wait()
    await other.line.refresh()
    await leader.ask("FLUSHALL")
    await refreshed(other)

    writes.go_on.set()
    with pytest.raises(Superseded):
        await turn
    await other.line.use_up([a_ref(1)])
    await other.line.refresh()

    assert await recorded(town) == [(1, True), (2, False)]


async def test_a_turn_that_was_planned_before_a_loss_is_not_taken_after_it(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who plans it opens the line anew while she waits for the record, and holds a lease of the same name again."""
    monkeypatch.setattr("stagedoor.adapters.redis.line_store.LEASE_MS", MINUTE_MS)
    process = town.start()
    await process.join(1, 2, 3)
    await process.line.refresh()
    answered, go_on = asyncio.Event(), asyncio.Event()
    record = process.line._record  # noqa: SLF001 -- as a database does whose answer takes its time
    confirm = record.confirm

    async def late(room_id: RoomId, *, epoch: int) -> None:
        await confirm(room_id, epoch=epoch)
        if not answered.is_set():
            answered.set()
            await go_on.wait()

    monkeypatch.setattr(record, "confirm", late)
    turn = asyncio.create_task(process.turn())
    await answered.wait()
    await process.ask("FLUSHALL")
    await refreshed(process)

    go_on.set()

    assert (await turn).admitted == 0
    assert await town.passes() == []


async def test_who_is_inside_is_on_record_whichever_process_put_the_lost_line_together(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both begin; the one that comes first knows less, and the line goes on from what the other one knows."""
    other, leader = town.start(), town.start()
    await leader.join(1, 2, 3)
    await leader.turn()
    await other.line.use_up([a_ref(1)])
    writes = Stopped(leader, monkeypatch, "write")
    turn = asyncio.create_task(leader.turn())
    await writes.reached.wait()
    assert [one.number for one in await town.passes()] == [1, 2, 3]
    opens = Sleeping(other, "open")
    await leader.ask("FLUSHALL")
    begins = asyncio.create_task(refreshed(other))
    await opens.reached.wait()
    writes.go_on.set()
    with pytest.raises(Superseded):
        await turn

    await refreshed(leader)
    opens.wake()
    await begins
    await refreshed(leader)

    assert await recorded(town) == [(1, True), (2, False), (3, False)]
