"""A buyer has at most a hundred keys, for whatever call and however many calls arrive at once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection, text

from stagedoor.adapters.embedded import line_journal
from stagedoor.adapters.embedded.line import EmbeddedLine
from stagedoor.adapters.embedded.line_keys import write_keys
from stagedoor.adapters.embedded.sqlite_file import SqliteFile
from stagedoor.adapters.line_keys import KeyScope, StoredKey
from stagedoor.adapters.sql.lanes import Lanes, Step, WriteTransaction
from stagedoor.kernel.clock import Instant, ManualClock
from stagedoor.kernel.errors import Rejection
from stagedoor.kernel.idempotency import KEYS_PER_BUYER_MAX, IdempotencyKey
from stagedoor.kernel.ids import MAIN_ROOM
from stagedoor.waiting_room.ports import Join, Joined
from stagedoor.waiting_room.room import Room, RoomState
from stagedoor.waiting_room.rooms import ReadRooms
from tests.builders.line import a_room
from tests.builders.sale import ANN, BOB, NOON, charge
from tests.builders.store import House, open_sqlite

T = TypeVar("T")


class OneRoom:
    """A book with one open room."""

    async def all(self) -> Sequence[Room]:
        return [a_room(MAIN_ROOM, state=RoomState.OPEN)]


class GatedLanes(Lanes):
    """Lanes in which a writer can be made to wait."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        self.may_write = asyncio.Event()
        self.may_write.set()
        self.waiting = asyncio.Event()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[WriteTransaction]:
        self.waiting.set()
        await self.may_write.wait()
        async with self._file.writing() as transaction:
            yield transaction

    async def reading(self, step: Step[T]) -> T:
        return await self._file.reading(step)


class Shop:
    """Line and sale over one file."""

    def __init__(self, file: SqliteFile, rooms: ReadRooms) -> None:
        clock = ManualClock(NOON)
        self._file = file
        self._room = a_room(MAIN_ROOM)
        self.lanes = GatedLanes(file)
        self.line = EmbeddedLine(lanes=self.lanes, clock=clock, rooms=rooms)
        self.house = House(file, clock)

    async def join(self, *keys: str) -> Sequence[Joined | Rejection]:
        """Join in one batch."""
        return await self.line.join([Join(room=self._room, buyer_id=ANN, key=a_key(key)) for key in keys])

    async def charge(self, *keys: str) -> Sequence[object]:
        """Charge one by one, each in a batch of its own."""
        return await self.house.at_once(*(charge(ANN, 1, key=a_key(key)) for key in keys))

    async def stored(self) -> int:
        def count(connection: Connection) -> int:
            tables = ("idempotency_key", "line_key")
            found = [connection.scalar(text(f"SELECT COUNT(*) FROM {table}")) for table in tables]  # noqa: S608 -- our own
            return sum(int(rows or 0) for rows in found)

        return await self._file.reading(count)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with open_sqlite(tmp_path) as file:
        rooms = ReadRooms(OneRoom())
        await rooms.refresh()
        yield Shop(file, rooms)


def a_key(value: str) -> IdempotencyKey:
    return IdempotencyKey(value=value, fingerprint="body")


def kinds(outcomes: Sequence[object]) -> list[str]:
    return [type(outcome).__name__ for outcome in outcomes]


def names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}-{number}" for number in range(count)]


async def test_the_keys_of_both_count_together(shop: Shop) -> None:
    await shop.charge(*names("charge", 60))
    await shop.join(*names("join", 39))

    last = [*await shop.charge("the hundredth"), *await shop.charge("one more"), *await shop.join("another one")]

    assert kinds(last) == ["Settled", "TooManyKeys", "TooManyKeys"]
    assert await shop.stored() == KEYS_PER_BUYER_MAX


async def test_a_known_key_is_answered_all_the_same_and_others_are_not_concerned(shop: Shop) -> None:
    await shop.charge(*names("charge", 50))
    await shop.join(*names("join", 50))

    again = [*await shop.charge("charge-7"), *await shop.join("join-7")]
    another = await shop.house.one(charge(BOB, 1, key=a_key("his first")))

    assert kinds([*again, another]) == ["Settled", "Joined", "Settled"]


async def test_in_parallel_it_is_a_hundred_to_the_key(shop: Shop) -> None:
    joins = [shop.join(*names(f"join-{batch}", 3)) for batch in range(30)]
    charges = [shop.charge(*names(f"charge-{batch}", 3)) for batch in range(30)]

    outcomes = await asyncio.gather(*(calls for pair in zip(joins, charges, strict=True) for calls in pair))

    told = kinds([outcome for some in outcomes for outcome in some])
    assert (told.count("Settled") + told.count("Joined"), told.count("TooManyKeys")) == (KEYS_PER_BUYER_MAX, 80)
    assert await shop.stored() == KEYS_PER_BUYER_MAX


async def overtaken(shop: Shop) -> list[str]:
    """Let a join read that there is room for one key, and the sale store it before the join can write its own."""
    await shop.charge(*names("charge", KEYS_PER_BUYER_MAX - 1))
    shop.lanes.may_write.clear()
    joining = asyncio.create_task(shop.join("a hundredth"))
    await shop.lanes.waiting.wait()
    await shop.charge("the hundredth")
    shop.lanes.may_write.set()
    return kinds(await joining)


async def test_a_join_that_the_sale_has_overtaken_is_decided_again(shop: Shop) -> None:
    assert await overtaken(shop) == ["TooManyKeys"]
    assert await shop.stored() == KEYS_PER_BUYER_MAX


async def test_control_a_line_that_does_not_count_again_stores_one_too_many(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_counting(connection: Connection, keys: dict[KeyScope, StoredKey], at: Instant) -> bool:
        write_keys(connection, keys, at)
        return True

    monkeypatch.setattr(line_journal, "write_keys", without_counting)

    assert await overtaken(shop) == ["Joined"]
    assert await shop.stored() == KEYS_PER_BUYER_MAX + 1
