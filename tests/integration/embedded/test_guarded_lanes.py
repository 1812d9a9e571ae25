"""The breakers before a SQLite file that somebody else keeps: fail fast, recover by itself, never for a business no."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from stagedoor.adapters.bounded_lanes import BoundedLanes, Visitor
from stagedoor.adapters.embedded import sqlite_file
from stagedoor.adapters.embedded.line_journal import Overtaken
from stagedoor.adapters.embedded.sqlite_file import SqliteFile
from stagedoor.adapters.guarding import GuardedLanes, StillPermittedLanes
from stagedoor.adapters.sql.lanes import DatabaseFault, RolledBack, asked_among_writes
from stagedoor.kernel.clock import Instant, ManualClock
from stagedoor.kernel.errors import Rejection
from stagedoor.resilience.breaker import BreakerSettings, CallNotPermitted, CircuitBreaker, State
from stagedoor.resilience.bulkhead import Bulkhead
from tests.builders.guards import a_breaker

WAIT_MS = 30_000
TRIALS = 2
QUICK = BreakerSettings(
    minimum_number_of_calls=3,
    sliding_window_size=6,
    wait_duration_in_open_state_ms=WAIT_MS,
    permitted_number_of_calls_in_half_open_state=TRIALS,
)


class Guarded:
    """A file with a table of facts, and the breakers before it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = ManualClock(Instant(0))
        self.file = SqliteFile(path)
        self.writes = self._breaker("database")
        self.reads = self._breaker("databaseReads")
        self.lanes = GuardedLanes(self.file, writes=self.writes, reads=self.reads)

    def _breaker(self, name: str) -> CircuitBreaker:
        return a_breaker(self.clock, QUICK, name)

    async def add(self, number: int) -> None:
        def write(connection: Connection) -> None:
            connection.execute(text("INSERT INTO fact VALUES (:id)"), {"id": number})

        async with self.lanes.writing() as transaction:
            await transaction.run(write)
            await transaction.commit(proof=lambda _: False)

    async def facts(self) -> list[int]:
        def read(connection: Connection) -> list[int]:
            return list(connection.execute(text("SELECT id FROM fact ORDER BY id")).scalars())

        return await self.lanes.reading(read)

    async def refuse(self) -> None:
        async with self.lanes.writing():
            raise Rejection

    @contextmanager
    def kept_by_somebody_else(self) -> Iterator[None]:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")

    async def open_by_a_lock(self) -> None:
        with self.kept_by_somebody_else():
            for number in range(QUICK.minimum_number_of_calls):
                with pytest.raises(DatabaseFault, match="locked"):
                    await self.add(number)


@pytest.fixture
async def guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Guarded]:
    monkeypatch.setattr(sqlite_file, "BUSY_TIMEOUT_MS", 1)
    house = Guarded(tmp_path / "facts.db")
    async with house.file.writing() as transaction:
        await transaction.run(lambda connection: connection.execute(text("CREATE TABLE fact (id INTEGER PRIMARY KEY)")))
        await transaction.commit(proof=lambda _: False)
    yield house
    await house.file.close()


async def test_a_locked_database_is_given_up_on_and_its_readers_are_not(guarded: Guarded) -> None:
    await guarded.open_by_a_lock()

    with pytest.raises(CallNotPermitted) as refused:
        await guarded.add(9)

    assert guarded.writes.state is State.OPEN
    assert WAIT_MS <= refused.value.retry_after_ms <= WAIT_MS + 1
    assert guarded.reads.state is State.CLOSED
    assert await guarded.facts() == []


async def test_while_it_is_given_up_on_it_is_left_alone(guarded: Guarded) -> None:
    await guarded.open_by_a_lock()
    # Whoever waits for the writer's thread behind this shows that nothing was handed to it in between.
    asked: list[str] = []

    async def turn() -> None:
        await guarded.file.in_writer(lambda: asked.append("the file itself"))

    refused = await asyncio.gather(*(guarded.add(number) for number in range(20)), turn(), return_exceptions=True)

    assert [type(answer) for answer in refused] == [CallNotPermitted] * 20 + [type(None)]
    assert asked == ["the file itself"]


@pytest.mark.parametrize("states", [[State.OPEN], [State.FORCED_OPEN], [State.OPEN, State.HALF_OPEN]], ids=str)
async def test_whoever_waited_for_her_turn_while_it_opened_does_not_get_there(
    guarded: Guarded, states: Sequence[State]
) -> None:
    writes, reads = (Bulkhead[Visitor](name, at_once=1, waiting_max=9) for name in ("writes", "reads"))
    bounded = BoundedLanes(StillPermittedLanes(guarded.file), writes=writes, reads=reads)
    lanes = GuardedLanes(bounded, writes=guarded.writes, reads=guarded.reads)

    async def write() -> None:
        async with lanes.writing():
            pass

    async with lanes.writing():
        waiting = [asyncio.ensure_future(write()) for _ in range(3)]
        while writes.waiting < len(waiting):  # noqa: ASYNC110 -- a bulkhead tells nobody
            await asyncio.sleep(0)
        for state in states:
            guarded.writes.transition_to(state)

    refused = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(answer) for answer in refused] == [CallNotPermitted] * 3
    assert (writes.inside, writes.waiting) == (0, 0)

    # Nor does one of them take the place of a call that it tries with.
    if guarded.writes.state is State.HALF_OPEN:
        await write()


async def test_it_recovers_by_itself(guarded: Guarded) -> None:
    await guarded.open_by_a_lock()
    guarded.clock.advance(WAIT_MS + 1)

    for number in range(TRIALS):
        await guarded.add(number)

    assert guarded.writes.state is State.CLOSED
    assert await guarded.facts() == list(range(TRIALS))


async def test_a_question_among_the_writes_is_not_kept_by_reads_and_does_not_say_that_writes_are_taken(
    guarded: Guarded,
) -> None:
    async def ask() -> int | None:
        return await asked_among_writes(guarded.lanes, lambda connection: connection.scalar(text("SELECT 7")))

    guarded.reads.transition_to(State.FORCED_OPEN)
    assert await ask() == 7
    assert guarded.writes.snapshot().buffered_calls == 0
    await guarded.open_by_a_lock()
    with pytest.raises(CallNotPermitted):
        await ask()

    guarded.clock.advance(WAIT_MS + 1)
    for _ in range(TRIALS):
        assert await ask() == 7
    assert guarded.writes.state is State.HALF_OPEN
    assert guarded.writes.snapshot().buffered_calls == 0


async def test_a_lock_that_outlasts_the_wait_opens_it_again(guarded: Guarded) -> None:
    await guarded.open_by_a_lock()
    guarded.clock.advance(WAIT_MS + 1)

    with guarded.kept_by_somebody_else():
        for number in range(TRIALS):
            with pytest.raises(DatabaseFault, match="locked"):
                await guarded.add(number)

    assert guarded.writes.state is State.OPEN


async def test_business_refusals_and_our_bugs_never_open_it(guarded: Guarded) -> None:
    for _ in range(QUICK.sliding_window_size * 2):
        with pytest.raises(Rejection):
            await guarded.refuse()
        with pytest.raises(IntegrityError):
            await asyncio.gather(guarded.add(1), guarded.add(1))

    assert guarded.writes.state is State.CLOSED
    assert guarded.writes.snapshot().failed_calls == 0


async def test_a_caller_who_is_cut_off_gives_her_trial_back(guarded: Guarded) -> None:
    await guarded.open_by_a_lock()
    guarded.clock.advance(WAIT_MS + 1)

    async with guarded.file.writing():
        waiting = [asyncio.ensure_future(guarded.add(number)) for number in range(TRIALS)]
        await asyncio.sleep(0)
        with pytest.raises(CallNotPermitted):
            await guarded.add(9)
        for caller in waiting:
            caller.cancel()
        await asyncio.wait(waiting)
    for number in range(TRIALS):
        await guarded.add(number)

    assert guarded.writes.state is State.CLOSED


async def test_a_mutation_of_the_line_that_was_overtaken_is_no_failure_of_the_database(guarded: Guarded) -> None:
    with pytest.raises(Overtaken):
        async with guarded.lanes.writing():
            raise Overtaken("an outage was given back meanwhile")

    now = guarded.writes.snapshot()
    assert (now.buffered_calls, now.failed_calls) == (0, 0)


async def test_who_was_undone_for_anothers_sake_shows_that_the_database_is_there(guarded: Guarded) -> None:
    async def be_undone() -> None:
        async with guarded.lanes.writing():
            raise RolledBack("deadlock found")

    for _ in range(QUICK.sliding_window_size):
        with pytest.raises(RolledBack):
            await be_undone()
    assert guarded.writes.state is State.CLOSED
    assert guarded.writes.snapshot().buffered_calls == 0

    # Nor does it count for the trials: each gives its permit back.
    await guarded.open_by_a_lock()
    guarded.clock.advance(WAIT_MS + 1)
    for _ in range(2 * TRIALS):
        with pytest.raises(RolledBack):
            await be_undone()
    for number in range(TRIALS):
        await guarded.add(number)
    assert guarded.writes.state is State.CLOSED
