"""Members: who may join. Who is found is remembered with her neighbours, who is not is looked for again."""

from contextlib import AbstractAsyncContextManager
from typing import TypeVar

import pytest
from sqlalchemy import Connection

from stagedoor.adapters.sql import members as sql_members
from stagedoor.adapters.sql.lanes import Lanes, Step, WriteTransaction
from stagedoor.adapters.sql.members import STRETCH_BITS, SqlMembers
from stagedoor.adapters.sql.seeding import seed_members
from stagedoor.kernel.errors import Fault
from stagedoor.kernel.ids import BuyerId
from stagedoor.kernel.money import Won
from tests.builders.sale import ANN, BOB, NOBODY, NOON

T = TypeVar("T")

STRETCH = 1 << STRETCH_BITS
FIRST = 10 * STRETCH
LAST_ID = (1 << 53) - 1


class SpiedLanes(Lanes):
    """Lanes that keep how much each read has found, and let nobody read or write where that *may* not be."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self.rows: list[int] = []
        self.may_read = self.may_write = True

    def writing(self) -> AbstractAsyncContextManager[WriteTransaction]:
        if not self.may_write:
            raise Fault("away")
        return self._lanes.writing()

    async def reading(self, step: Step[T]) -> T:
        if not self.may_read:
            raise Fault("away")
        found = await self._lanes.reading(step)
        assert isinstance(found, set)
        self.rows.append(len(found))
        return found


def members_in(lanes: Lanes) -> SqlMembers:
    return SqlMembers(lanes, is_away=lambda: False)


async def made(lanes: Lanes, *buyer_ids: int) -> None:
    """Make them members."""

    def write(connection: Connection) -> None:
        for buyer_id in buyer_ids:
            seed_members(connection, ids=range(buyer_id, buyer_id + 1), balance_won=Won(0), now=NOON)

    async with lanes.writing() as transaction:
        await transaction.run(write)
        await transaction.commit(proof=lambda _: True)


def ids(*numbers: int) -> list[BuyerId]:
    return [BuyerId(number) for number in numbers]


async def test_each_is_known_or_not_in_the_order_asked(lanes: Lanes) -> None:
    members = members_in(lanes)

    assert await members.known([BOB, NOBODY, ANN, BOB]) == [True, False, True, True]
    assert await members.known([]) == []


async def test_neighbours_are_read_once(lanes: Lanes) -> None:
    await made(lanes, FIRST, FIRST + STRETCH - 1, FIRST + STRETCH, LAST_ID)
    spied = SpiedLanes(lanes)
    members = members_in(spied)

    assert await members.known(ids(FIRST + STRETCH, FIRST, LAST_ID)) == [True, True, True]
    assert await members.known(ids(LAST_ID, FIRST + STRETCH - 1)) == [True, True]
    assert spied.rows == [4]


async def test_who_is_none_is_looked_for_each_time_and_found_when_she_has_become_one(lanes: Lanes) -> None:
    await made(lanes, FIRST)
    members = members_in(lanes)
    asked = ids(FIRST + 1, FIRST, NOBODY)

    before = await members.known(asked)
    await made(lanes, FIRST + 1)

    assert before == [False, True, False]
    assert await members.known(asked) == [True, True, False]


async def test_whoever_asks_for_nobody_is_not_read_with_her_neighbours_again(lanes: Lanes) -> None:
    await made(lanes, *range(FIRST, FIRST + 100))
    spied = SpiedLanes(lanes)
    members = members_in(spied)
    nobody = ids(FIRST + STRETCH - 1)
    await members.known(nobody)
    spied.rows.clear()

    assert await members.known(nobody) == [False]
    assert spied.rows == [0]


async def test_what_is_remembered_is_bounded(lanes: Lanes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_members, "STRETCHES_MAX", 1)
    first, second, third = ids(*(FIRST + nth * STRETCH for nth in range(3)))
    await made(lanes, first, second, third)
    spied = SpiedLanes(lanes)
    members = members_in(spied)

    for asked in ([first], [second], [third], [third, second]):
        assert await members.known(asked) == [True] * len(asked)
    assert spied.rows == [1, 1, 1]
    assert await members.known([first]) == [True]
    assert spied.rows == [1, 1, 1, 1]


async def test_a_member_who_is_forgotten_for_others_asked_with_her_is_still_one(
    lanes: Lanes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_members, "STRETCHES_MAX", 1)
    first, second, third = ids(*(FIRST + nth * STRETCH for nth in range(3)))
    await made(lanes, first, second, third)
    spied = SpiedLanes(lanes)
    members = members_in(spied)
    await members.known([first])
    await members.known([second])

    assert await members.known([first, third]) == [True, True]
    assert spied.rows == [1, 1, 1]
    assert await members.known([first]) == [True]
    assert spied.rows == [1, 1, 1, 1], "she was not forgotten, so nothing was shown"


async def test_who_cannot_be_looked_for_keeps_nobody_out_who_is_remembered(lanes: Lanes) -> None:
    await made(lanes, FIRST)
    spied = SpiedLanes(lanes)
    members = members_in(spied)
    assert await members.known([ANN, NOBODY]) == [True, False]

    spied.may_read = False
    first, ann, nobody = await members.known(ids(FIRST, ANN, NOBODY))
    spied.may_read = True

    assert (type(first), ann, type(nobody)) == (Fault, True, Fault)
    assert await members.known(ids(FIRST, ANN, NOBODY)) == [True, True, False]


@pytest.mark.parametrize("buyer_id", [ANN, FIRST])
async def test_while_the_database_is_away_everybody_is_looked_for_where_writes_go(lanes: Lanes, buyer_id: int) -> None:
    is_away = False
    spied = SpiedLanes(lanes)
    members = SqlMembers(spied, is_away=lambda: is_away)
    before = await members.known(ids(buyer_id))

    is_away = True
    assert await members.known(ids(buyer_id)) == before == [buyer_id == ANN]
    spied.may_write = False
    assert [type(one) for one in await members.known(ids(buyer_id))] == [Fault]
    is_away = False
    assert await members.known(ids(buyer_id)) == before
