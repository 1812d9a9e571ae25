"""
A power cut at the instant of an answer loses nothing of it: what it tells has been synced before it is sent.

A killed process loses nothing that it has written, because the kernel has it;
so a kill cannot show this. Here the server's system calls are watched. From
them follows how much of the write-ahead log the disk had been made to keep when
each answer was sent; a database with that much of its log, and no more, has to
hold what the answer told.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copyfile
from typing import Protocol

import pytest

from tests.durability.trace import Seen, read
from tests.e2e.harness.client import Client
from tests.e2e.harness.evening import Evening, make_members
from tests.e2e.harness.fan import Fan
from tests.e2e.harness.programme import Staged, a_room, a_show
from tests.e2e.harness.until import until

HERE = Path(__file__).parent
ROOM = a_room("watched", a_show(seats=3))
CHARGED = 12_345


class Watched(Protocol):
    """Opens an evening whose system calls go to a file `trace` beside its data."""

    def __call__(self, *program: str) -> AbstractContextManager[Evening]:
        """Serve it with *program*, arguments of Python."""
        ...


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    members = tmp_path_factory.mktemp("members") / "members.db"
    make_members(members)

    @contextmanager
    def open_evening(*program: str) -> Iterator[Evening]:
        folder = tmp_path_factory.mktemp("watched")
        traced = (str(HERE / "traced.py"), str(folder / "trace"), *program)
        with Evening.on(folder / "stagedoor.db", (ROOM,), members=members, program=traced) as evening:
            yield evening

    return open_evening


@dataclass(frozen=True, slots=True)
class Promise:
    """Answer number *answer*, and the query that finds what it told."""

    answer: int
    query: str
    values: tuple[int, ...]


@dataclass(slots=True)
class Story:
    """What buyers were told, one request at a time."""

    client: Client
    told: dict[str, Promise] = field(default_factory=dict)

    def note(self, what: str, query: str, *values: int) -> None:
        """Say that the last answer told what *query* finds."""
        self.told[what] = Promise(len(self.client.record) - 1, query, values)


async def tell(evening: Evening) -> Story:
    """Let two buyers do everything that is answered with a promise."""
    async with evening.client() as client:
        story = Story(client)
        buyer, other = evening.fans(2, client, ROOM.id)
        await come_in(story, buyer, whose="her")
        await buyer.charge(CHARGED)
        query = "SELECT 1 FROM transfer WHERE buyer_id = ? AND amount_won = ?"
        story.note("charge", query, buyer.buyer_id, CHARGED)
        let_go, _ = [await hold(story, buyer, evening.show(ROOM.id), which) for which in (0, 1)]
        await buyer.release(let_go)
        story.note("release", "SELECT 1 FROM hold WHERE id = ? AND ended_at IS NOT NULL", let_go)
        paid = await hold(story, buyer, evening.show(ROOM.id), 2)
        await buyer.pay(paid)
        story.note("payment", "SELECT 1 FROM purchase WHERE hold_id = ?", paid)
        await come_in(story, other, whose="the other's")
        await other.leave()
        story.note("leave", "SELECT 1 FROM place WHERE buyer_id = ? AND ended_at IS NOT NULL", other.buyer_id)
    assert [str(answer) for answer in client.record if not answer.ok] == []
    return story


async def come_in(story: Story, fan: Fan, *, whose: str) -> None:
    """Join and poll until inside; both are promises."""
    await fan.join()
    story.note(f"{whose} place", "SELECT 1 FROM place WHERE buyer_id = ?", fan.buyer_id)
    await fan.admitted()
    query = "SELECT 1 FROM admission_pass JOIN place USING (room_id, number) WHERE buyer_id = ?"
    story.note(f"{whose} admission", query, fan.buyer_id)


async def hold(story: Story, fan: Fan, show: Staged, which: int) -> int:
    """Reserve one seat of the show; return the reservation's id."""
    held = await fan.reserve(show.schedule_id, show.seat_ids[which])
    reservation_id: int = held.data["reservationId"]
    story.note(f"hold of seat {which}", "SELECT 1 FROM hold WHERE id = ?", reservation_id)
    return reservation_id


def survives(evening: Evening, log: bytes, promise: Promise) -> bool:
    """Tell whether *promise* is kept by the database if the disk has *log*, and no more, of its log."""
    database = evening.database.with_name("after.db")
    copyfile(evening.database, database)
    database.with_name("after.db-shm").unlink(missing_ok=True)
    database.with_name("after.db-wal").write_bytes(log)
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(promise.query, promise.values).fetchone() is not None


async def lost(evening: Evening, story: Story) -> tuple[Seen, list[str]]:
    """Kill the server; return what was seen, and what it had told that a power cut at that instant would have lost."""
    log = evening.database.with_name("stagedoor.db-wal")

    async def look() -> Seen:
        return read(evening.database.with_name("trace").read_text().splitlines(), log=str(log))

    # Who watches writes down that an answer was sent when it has been.
    await until(look, lambda seen: len(seen.synced) >= len(story.client.record))
    evening.server.kill()
    seen = await look()
    assert len(seen.synced) == len(story.client.record)
    assert not seen.begun_again, "the log was copied back, so its length says nothing any more"
    whole = log.read_bytes()
    assert all(survives(evening, whole, promise) for promise in story.told.values())
    return seen, [
        what
        for what, promise in story.told.items()
        if not survives(evening, whole[: seen.synced[promise.answer]], promise)
    ]


async def test_what_is_told_was_synced_before(watched: Watched) -> None:
    with watched("-m", "stagedoor") as evening:
        story = await tell(evening)
        seen, wrong = await lost(evening, story)

    assert wrong == []
    assert all(seen.new_name_is_synced)


async def test_control_a_database_that_never_syncs_is_found_out(watched: Watched) -> None:
    with watched(str(HERE / "mutants" / "never_syncs.py")) as evening:
        story = await tell(evening)
        _, wrong = await lost(evening, story)

    assert wrong == [*story.told]


async def test_control_a_server_that_answers_before_it_commits_is_found_out(watched: Watched) -> None:
    mutant = HERE.parent / "e2e" / "mutants" / "answers_before_commit.py"
    with watched(str(mutant)) as evening:
        assert evening.server.port
        evening.database.with_name("answer-first").touch()
        story = await tell(evening)
        evening.database.with_name("answer-first").unlink()
        async with evening.client() as client:
            # One more transaction commits what all before it have kept back.
            await evening.fan(client, ROOM.id).join()
        story.client.record += client.record
        _, wrong = await lost(evening, story)

    assert wrong == [*story.told]
