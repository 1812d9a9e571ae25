"""The stored stop switches: what is turned is read, by whom it was turned is written, and only of what there is."""

import asyncio

import pytest

from stagedoor.adapters.sql.audit import SqlAuditTrail
from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.adapters.sql.sale_switches import SqlSwitchBook, SqlSwitchDesk
from stagedoor.kernel.clock import ManualClock
from stagedoor.kernel.ids import PerformanceId
from stagedoor.kernel.sale_state import SaleState
from stagedoor.seating.rejections import UnknownPerformance
from stagedoor.seating.switch import ALL_OPEN, SaleSwitches
from tests.builders.sale import NOON, OPERA, PLAY

OPEN, FINISH, STOPPED = SaleState


@pytest.fixture
def desk(lanes: Lanes) -> SqlSwitchDesk:
    return SqlSwitchDesk(lanes, ManualClock(NOON))


async def test_before_anybody_turns_one_all_say_open(lanes: Lanes) -> None:
    assert await SqlSwitchBook(lanes).all() == ALL_OPEN


async def test_each_is_turned_by_itself_and_back(lanes: Lanes, desk: SqlSwitchDesk) -> None:
    book, told = SqlSwitchBook(lanes), []

    for state, performance_id in ((FINISH, None), (STOPPED, PLAY), (FINISH, PLAY), (OPEN, None), (OPEN, PLAY)):
        await desk.turn(state, performance_id, actor="key:ann")
        told.append(await book.all())

    assert told == [
        SaleSwitches(everywhere=FINISH),
        SaleSwitches(everywhere=FINISH, of_performance={PLAY: STOPPED}),
        SaleSwitches(everywhere=FINISH, of_performance={PLAY: FINISH}),
        SaleSwitches(of_performance={PLAY: FINISH}),
        ALL_OPEN,
    ]


async def test_who_turned_it_is_written_with_it(lanes: Lanes, desk: SqlSwitchDesk) -> None:
    await desk.turn(STOPPED, None, actor="key:ann")
    await desk.turn(FINISH, OPERA, actor="cli:bob")
    await desk.turn(FINISH, OPERA, actor="cli:bob")

    entries = [record.entry for record in await SqlAuditTrail(lanes).newest(limit=9)]

    assert [(entry.actor, entry.action, entry.subject, entry.detail) for entry in reversed(entries)] == [
        ("key:ann", "sale.switch", "sale", {"from": "open", "to": "stopped"}),
        ("cli:bob", "sale.switch", f"performance:{OPERA}", {"from": "open", "to": "holds-only-finish"}),
        ("cli:bob", "sale.switch", f"performance:{OPERA}", {"from": "holds-only-finish", "to": "holds-only-finish"}),
    ]


async def test_of_a_performance_that_is_not_there_nothing_is_turned(lanes: Lanes, desk: SqlSwitchDesk) -> None:
    with pytest.raises(UnknownPerformance):
        await desk.turn(STOPPED, PerformanceId(999_999), actor="key:ann")

    assert await SqlSwitchBook(lanes).all() == ALL_OPEN
    assert await SqlAuditTrail(lanes).newest(limit=1) == []


async def test_many_hands_at_once_leave_one_position(lanes: Lanes, desk: SqlSwitchDesk) -> None:
    await asyncio.gather(*(desk.turn(state, PLAY, actor="key:ann") for state in (FINISH, STOPPED) * 4))

    found = await SqlSwitchBook(lanes).all()
    newest = (await SqlAuditTrail(lanes).newest(limit=1))[0].entry

    assert found.of_performance[PLAY].value == newest.detail["to"]
    assert len(await SqlAuditTrail(lanes).newest(limit=99)) == 8
