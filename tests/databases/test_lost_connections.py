"""A connection that is lost costs its caller no more than her deadline, and never the truth about a commit."""

import asyncio
import contextlib
import gc
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from sqlalchemy import Connection, text

from stagedoor.adapters.sql import server_lanes
from stagedoor.adapters.sql.lanes import DatabaseFault
from stagedoor.adapters.sql.server_lanes import SERVING, TRIES_MAX, ServerLanes
from stagedoor.kernel.errors import DeadlineMissed, Fault, TooLate, TurnedAway
from stagedoor.resilience.deadline import Deadline, due
from stagedoor.resilience.retry import RetryBudget
from tests.builders.deadlines import hers
from tests.builders.sale import ANN, BALANCE
from tests.databases.moments import Once, lock_wallet, sleep
from tests.databases.test_server_lanes import balance, set_balance
from tests.faults.proxy import Proxy
from tests.faults.toxics import DOWN, UP, Piece, ResetPeer, Timeout, Toxic, Way

DEADLINE_MS = 1_500
HASTY = replace(SERVING, writers=2, readers=1, deadline_ms=DEADLINE_MS, statement_ms=1_400, lock_ms=1_400)
SAVED = 10
"""So many retries a budget begins with."""

PATIENT_S = 30.0
"""What even a machine that is busy with other things needs less than."""

ENDING_ALL = {
    "mariadb": "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()",
    "postgresql": "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
}


@pytest.fixture
async def spoilt(by_proxy: str, lanes: ServerLanes) -> AsyncIterator[ServerLanes]:  # noqa: ARG001 -- it fills the tables
    """Lanes whose connections can be spoilt."""
    opened = ServerLanes(by_proxy, HASTY)
    yield opened
    await opened.close()


async def end_all_sessions(lanes: ServerLanes) -> None:
    def end(connection: Connection) -> None:
        name = connection.dialect.name
        for (number,) in connection.execute(text(ENDING_ALL[name])).all():
            lanes.dialect.end_session(connection, number)

    async with lanes.writing() as transaction:
        await transaction.run(end)


async def test_connections_that_the_server_has_ended_are_replaced_unseen(
    lanes: ServerLanes, spoilt: ServerLanes
) -> None:
    await asyncio.gather(*(spoilt.reading(balance) for _ in range(3)), _charge(spoilt, 1), _charge(spoilt, 1))

    await end_all_sessions(lanes)

    assert await spoilt.reading(balance) == 1
    await _charge(spoilt, 2)
    assert await spoilt.reading(balance) == 2


@dataclass(frozen=True, eq=False, kw_only=True)
class Misspelling(Toxic):
    """The first *word* that comes by is one that no server knows; *met* holds what it was part of."""

    word: bytes
    met: list[bytes] = field(default_factory=list)

    async def let_through(self, piece: Piece, way: Way) -> AsyncIterator[Piece]:
        if self.word in piece.data and not self.met:
            self.met.append(piece.data)
            piece = replace(piece, data=piece.data.replace(self.word, self.word[:-1] + b"X"))
        yield piece


def is_rollback(piece: Piece) -> bool:
    return b"ROLLBACK" in piece.data


async def test_a_reading_whose_rollback_is_refused_has_its_answer_and_spoils_no_other(
    lanes: ServerLanes, proxy: Proxy, spoilt: ServerLanes
) -> None:
    await spoilt.reading(balance)
    with proxy.toxic(misspelling := Misspelling(stream=UP, word=b"ROLLBACK")):
        assert await spoilt.reading(balance) == BALANCE
    assert misspelling.met

    await _charge(lanes, 7)

    assert [await spoilt.reading(balance) for _ in range(3)] == [7, 7, 7]


async def test_a_commit_that_is_refused_is_none_and_spoils_no_other(
    lanes: ServerLanes, proxy: Proxy, spoilt: ServerLanes
) -> None:
    await _charge(spoilt, 1)
    with proxy.toxic(misspelling := Misspelling(stream=UP, word=b"COMMIT")), pytest.raises(DatabaseFault):
        await _charge(spoilt, 7)
    assert misspelling.met

    await _charge(spoilt, 9)

    assert await lanes.reading(balance) == 9


async def test_a_transaction_whose_beginning_is_refused_spoils_the_next_reading_at_most(
    proxy: Proxy, spoilt: ServerLanes
) -> None:
    await spoilt.reading(balance)
    with proxy.toxic(Misspelling(stream=UP, word=b"BEGIN")):
        for _ in range(2):
            with contextlib.suppress(DatabaseFault):
                await spoilt.reading(balance)

    assert [await spoilt.reading(balance) for _ in range(3)] == [BALANCE] * 3


async def test_a_reading_whose_rollback_is_not_answered_has_its_answer(
    lanes: ServerLanes, proxy: Proxy, spoilt: ServerLanes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_lanes, "UNDO_S", 0.01)
    await spoilt.reading(balance)
    with proxy.toxic(Timeout(stream=UP, only=is_rollback)):
        assert await spoilt.reading(balance) == BALANCE

    await _charge(lanes, 7)

    assert [await spoilt.reading(balance) for _ in range(3)] == [7, 7, 7]


async def test_whoever_is_cancelled_in_a_rollback_leaves_no_open_transaction(
    lanes: ServerLanes, proxy: Proxy, spoilt: ServerLanes
) -> None:
    await spoilt.reading(balance)
    arrived = asyncio.Event()

    def came(piece: Piece) -> bool:
        if is_rollback(piece):
            arrived.set()
        return is_rollback(piece)

    with proxy.toxic(Timeout(stream=UP, only=came)):
        reading = asyncio.create_task(spoilt.reading(balance))
        await arrived.wait()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading

    await _charge(lanes, 7)

    assert [await spoilt.reading(balance) for _ in range(3)] == [7, 7, 7]


async def test_a_server_that_is_away_is_a_fault_and_one_that_is_back_is_none(proxy: Proxy, spoilt: ServerLanes) -> None:
    await spoilt.reading(balance)
    proxy.down()
    for _ in range(3):
        with pytest.raises(Fault):
            await spoilt.reading(balance)
        with pytest.raises(Fault):
            await _charge(spoilt, 1)
    proxy.up()

    await _charge(spoilt, 2)
    assert await spoilt.reading(balance) == 2


@pytest.mark.parametrize("stream", [UP, DOWN])
async def test_a_hang_lasts_until_the_deadline_and_leaves_all_connections(
    proxy: Proxy, spoilt: ServerLanes, stream: str
) -> None:
    await spoilt.reading(balance)
    with proxy.toxic(Timeout(stream=stream)):  # type: ignore[arg-type]  # they are its streams
        # As often as there are connections, and once more.
        for _ in range(2):
            begun = time.monotonic()
            ends = await asyncio.gather(
                spoilt.reading(balance), *(_charge(spoilt, 1) for _ in range(2)), return_exceptions=True
            )
            assert [isinstance(end, Fault) for end in ends] == [True] * 3, ends
            assert time.monotonic() - begun < PATIENT_S

    await asyncio.gather(*(_charge(spoilt, 3) for _ in range(4)))
    assert await spoilt.reading(balance) == 3


class TestCommits:
    """Whatever happens to a commit on its way, its caller is told what became of it."""

    async def commit(self, spoilt: ServerLanes, proxy: Proxy, toxic: Once) -> None:
        async with spoilt.writing() as transaction:
            await transaction.run(lambda connection: set_balance(connection, ANN, 9))
            proxy.add(toxic)
            await transaction.commit(proof=lambda connection: balance(connection) == 9)

    async def test_its_answer_is_lost(self, proxy: Proxy, spoilt: ServerLanes, lanes: ServerLanes) -> None:
        toxic = Once(stream=DOWN)

        await self.commit(spoilt, proxy, toxic)

        assert toxic.met
        assert await lanes.reading(balance) == 9

    async def test_it_is_lost_itself(self, proxy: Proxy, spoilt: ServerLanes, lanes: ServerLanes) -> None:
        toxic = Once(stream=UP)

        with pytest.raises(Fault):
            await self.commit(spoilt, proxy, toxic)

        assert toxic.met
        assert await lanes.reading(balance) == BALANCE

    async def test_its_answer_hangs(self, proxy: Proxy, spoilt: ServerLanes, lanes: ServerLanes) -> None:
        toxic = Once(stream=DOWN, holds=True)

        await self.commit(spoilt, proxy, toxic)

        assert toxic.met
        assert await lanes.reading(balance) == 9

    async def late(self, proxy: Proxy, spoilt: ServerLanes, lanes: ServerLanes) -> int:
        """Have a commit come to the server long after its caller was told that it failed; return the balance then."""
        toxic = Once(stream=UP, holds=True)
        with pytest.raises(Fault):
            await self.commit(spoilt, proxy, toxic)
        assert await lanes.reading(balance) == BALANCE
        proxy.remove(toxic)
        # Whatever the old session still does, it does before somebody else gets the lock.
        async with lanes.writing() as transaction:
            await transaction.run(lambda connection: lock_wallet(connection, ANN))
            return await transaction.run(balance)

    async def test_one_that_comes_late_does_nothing_any_more(
        self, proxy: Proxy, spoilt: ServerLanes, lanes: ServerLanes
    ) -> None:
        assert await self.late(proxy, spoilt, lanes) == BALANCE

    # The session that is kept alive is closed by nobody but the collector, which the driver complains of.
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
    async def test_control_with_its_session_alive_she_is_told_a_lie(
        self, proxy: Proxy, spoilt: ServerLanes, lanes: ServerLanes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def nothing(*_arguments: object) -> None:
            return None

        set_up = lanes.dialect.set_up
        still_there: list[object] = []

        async def kept(session: object) -> None:
            still_there.append(session._connection)  # type: ignore[attr-defined]  # noqa: SLF001 -- it is not closed
            session._connection = None  # type: ignore[attr-defined]  # noqa: SLF001 -- as above

        def patient(*, idle_ms: int, **said: Any) -> Sequence[str]:  # noqa: ANN401 -- whatever else is said
            return set_up(idle_ms=idle_ms * 60, **said)

        # Or the server would end the session by itself, since nothing is asked in it.
        monkeypatch.setattr(lanes.dialect, "set_up", patient)
        monkeypatch.setattr(lanes.dialect, "cut", nothing)
        monkeypatch.setattr(lanes.dialect, "end_session", nothing)
        monkeypatch.setattr(lanes.dialect, "has_session", nothing)
        monkeypatch.setattr(server_lanes._Session, "discard", kept)  # noqa: SLF001 -- as above

        assert await self.late(proxy, spoilt, lanes) == 9
        still_there.clear()
        gc.collect()


class TestDeadlines:
    """Of the caller: a connection is waited for until then; what was begun on it is finished."""

    async def test_nobody_waits_for_a_connection_beyond_her_deadline(self, proxy: Proxy, spoilt: ServerLanes) -> None:
        soon = hers(0.1)
        with proxy.toxic(Timeout(stream=DOWN)):
            with due(soon), pytest.raises(TurnedAway):
                await spoilt.reading(balance)
            with due(soon), pytest.raises(TurnedAway):
                await _charge(spoilt, 1)
            # The control: who has none waits as long as the lanes do, which says something of the server.
            with pytest.raises(DeadlineMissed):
                await spoilt.reading(balance)

        await _charge(spoilt, 2)
        assert await spoilt.reading(balance) == 2

    async def test_what_comes_too_late_is_not_begun(self, proxy: Proxy, spoilt: ServerLanes) -> None:
        with due(Deadline(0.0)), pytest.raises(TooLate):
            await spoilt.reading(balance)
        with due(Deadline(0.0)), pytest.raises(TooLate):
            await _charge(spoilt, 1)

        assert proxy.accepted == 0

    async def test_a_transaction_that_was_begun_goes_to_its_end(self, proxy: Proxy, spoilt: ServerLanes) -> None:
        toxic = Once(stream=DOWN)

        async with spoilt.writing() as transaction:
            with due(Deadline(0.0)):
                await transaction.run(lambda connection: set_balance(connection, ANN, 9))
                proxy.add(toxic)
                # Its answer is lost, and whether it has happened is asked on another connection.
                await transaction.commit(proof=lambda connection: balance(connection) == 9)

        assert toxic.met
        assert await spoilt.reading(balance) == 9


class TestRetries:
    """A server that drops every connection is asked a tenth more often than it is called, and not in step."""

    @pytest.fixture
    async def patient(self, by_proxy: str, lanes: ServerLanes) -> AsyncIterator[ServerLanes]:
        opened = ServerLanes(by_proxy, replace(SERVING, writers=1, readers=1, deadline_ms=60_000))
        yield opened
        await opened.close()

    async def connects(self, proxy: Proxy, patient: ServerLanes, *, calls: int) -> int:
        """Have every connection reset at its first question; return how many were made for *calls*."""
        asked = ResetPeer(stream=UP, only=lambda piece: b"balance_won" in piece.data)
        before = proxy.accepted
        with proxy.toxic(asked):
            for _ in range(calls):
                with pytest.raises(Fault):
                    await patient.reading(balance)
        return proxy.accepted - before

    async def test_they_are_a_tenth_of_the_calls_and_what_was_saved(self, proxy: Proxy, patient: ServerLanes) -> None:
        assert await self.connects(proxy, patient, calls=100) <= 1.1 * 100 + SAVED

    async def test_control_without_a_budget_every_call_is_seven(
        self, proxy: Proxy, patient: ServerLanes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(RetryBudget, "may_retry", lambda _: True)

        assert await self.connects(proxy, patient, calls=5) == 5 * (TRIES_MAX + 1) > 1.1 * 5 + SAVED

    async def test_before_each_there_is_a_rest_that_may_be_twice_as_long(
        self, proxy: Proxy, patient: ServerLanes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rests: list[int] = []

        def rest(retry: int, **_: object) -> float:
            rests.append(retry)
            return 0.0

        monkeypatch.setattr(server_lanes, "pause_s", rest)

        await self.connects(proxy, patient, calls=1)

        assert rests == list(range(1, TRIES_MAX + 1))


async def test_a_slow_answer_in_time_is_an_answer(spoilt: ServerLanes) -> None:
    def slow_balance(connection: Connection) -> int:
        sleep(connection, 0.2)
        return balance(connection)

    assert await spoilt.reading(slow_balance) == BALANCE


async def _charge(lanes: ServerLanes, balance_won: int) -> None:
    async with lanes.writing() as transaction:
        await transaction.run(lambda connection: set_balance(connection, ANN, balance_won))
        await transaction.commit(proof=lambda connection: balance(connection) == balance_won)
