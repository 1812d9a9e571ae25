"""
What a stalled SQLite does to buyers, cell by cell: how it fails, and at which point of a transaction.

The whole server runs in virtual time, so a cell is the same each time. Run
`python -m tests.outage.matrix` to write the table in docs/reference/outages.md.
"""

import asyncio
import itertools
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from random import Random
from typing import TypeVar

from sqlalchemy import create_engine

from stagedoor.adapters.sql.invariants import check_all
from stagedoor.adapters.sql.lanes import DatabaseFault
from stagedoor.kernel.clock import SECOND_MS, later
from stagedoor.kernel.ids import MAIN_ROOM, BuyerId
from stagedoor.resilience.breaker import BreakerEvent, State, StateChanged
from stagedoor.resilience.breakers import Instance
from tests.builders.line import taken
from tests.builders.sale import BALANCE, NOON
from tests.builders.store import MEMBERS, before_the_sale
from tests.outage.page import Section
from tests.simulation.disk import Disk
from tests.simulation.process import Server, live, seeded, settings_for
from tests.simulation.test_deadlines import CHANGE_S, READ_S, Caller

HEALTHY_S, OUTAGE_S, AFTER_S = 4.0, 40.0, 40.0
HANG_S = 15.0
SLOW_S = 0.3
GRACE_S = 0.05
CALLS_A_SECOND = 6
ROUND = 12
OK, UNAVAILABLE = 200, 503
BUYERS = 50
CHARGER = MEMBERS

T = TypeVar("T")


class Kind(Enum):
    """How the database fails."""

    REFUSED = "refused"
    HANGS = "hangs for 15 s"
    SLOW = "300 ms slower"
    HALF = "every second one refused"


class Stage(Enum):
    """At which point of a transaction that writes."""

    BEFORE = "before the commit"
    DURING = "during it"
    AFTER = "after it, so that its answer is lost"


CELLS = tuple(itertools.product(Kind, Stage))


@dataclass(slots=True)
class Cell:
    """What came of one cell; times are seconds of virtual time."""

    kind: Kind
    stage: Stage
    answers: Counter[int] = field(default_factory=Counter)
    began_s: float = 0.0
    ended_s: float = 0.0
    first_failure_s: float | None = None
    last_failure_s: float | None = None
    opened_s: float | None = None
    worst_s: float = 0.0
    late: list[str] = field(default_factory=list)
    reached_while_open: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def recovery_s(self) -> float:
        """From the end of the outage until nothing failed any more."""
        return max(0.0, (self.last_failure_s or 0.0) - self.ended_s)

    def row(self) -> Sequence[str]:
        """Return what the table says of the cell."""
        since = [None if at is None else at - self.began_s for at in (self.first_failure_s, self.opened_s)]
        failed, opened = ("never" if seconds is None else f"{seconds:.1f} s" for seconds in since)
        told = ", ".join(f"{status}: {self.answers[status]}" for status in sorted(self.answers))
        return (
            self.kind.value,
            self.stage.value,
            failed,
            opened,
            told,
            f"{self.worst_s:.2f} s",
            str(self.reached_while_open),
            f"{self.recovery_s:.1f} s",
            "hold" if not self.wrong else "; ".join(self.wrong),
        )


class Faults:
    """Makes the thread that writes fail as a cell asks, while *on*."""

    def __init__(self, server: Server, cell: Cell) -> None:
        self.on = False
        self._cell = cell
        self._turn = itertools.count()
        self._order = asyncio.Lock()
        self._database = server.services.breakers.of(Instance.DATABASE)
        self._really = server.disk.file.in_writer
        server.disk.file.in_writer = self._in_writer  # type: ignore[method-assign]  # where all its work passes

    async def _in_writer(self, work: Callable[[], T]) -> T:
        # A thread does what it was asked for, one thing after the other, also when its caller has gone.
        return await asyncio.shield(asyncio.ensure_future(self._in_order(work)))

    async def _in_order(self, work: Callable[[], T]) -> T:
        name = getattr(work, "__name__", "")
        async with self._order:
            if name == "open" and self._database.state is State.OPEN:
                self._cell.reached_while_open += 1
            if not self.on or name != ("open" if self._cell.stage is Stage.BEFORE else "_commit_and_close"):
                return await self._really(work)
            if self._cell.stage is not Stage.AFTER:
                await self._fail()
                return await self._really(work)
            await self._really(work)
            await self._fail()
            raise DatabaseFault("the answer was lost")

    async def _fail(self) -> None:
        match self._cell.kind:
            case Kind.HANGS:
                await asyncio.sleep(HANG_S)
            case Kind.SLOW:
                await asyncio.sleep(SLOW_S)
            case Kind.HALF if next(self._turn) % 2:
                pass
            case _:
                raise DatabaseFault("the disk says no")


class Crowd:
    """Calls at a constant rate, and notes in the cell what comes of it."""

    def __init__(self, server: Server, cell: Cell) -> None:
        self._server, self._cell = server, cell
        self._caller = Caller(server)
        self._calls: set[asyncio.Task[None]] = set()
        self._tokens: dict[int, str] = {}
        self._newcomers = itertools.count(BUYERS + 1)
        self._buyers = itertools.count(1)
        self.charged: Counter[int] = Counter()

    async def enter(self) -> None:
        """Let those in who will buy."""
        issue = self._server.services.issue_token.issue
        buyers = [BuyerId(1 + nth) for nth in range(BUYERS)]
        joined = [await taken(issue(room_id=MAIN_ROOM, buyer_id=buyer_id, key=None)) for buyer_id in buyers]
        await asyncio.sleep(2.0)
        self._tokens = {1 + nth: self._server.services.tokens.issue(one.place) for nth, one in enumerate(joined)}

    async def call_for(self, seconds: float) -> None:
        """Call for so long."""
        began = self._server.loop.time()
        for nth in range(round(seconds * CALLS_A_SECOND)):
            await asyncio.sleep(max(0.0, began + nth / CALLS_A_SECOND - self._server.loop.time()))
            task = asyncio.ensure_future(self._call(nth))
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)

    async def all_answered(self) -> None:
        """Return when nobody waits any more."""
        if self._calls:
            await asyncio.wait(self._calls)

    async def _call(self, nth: int) -> None:
        match nth % ROUND:
            case 0:
                await self._buy(next(self._buyers))
            case 1 | 2 | 3 | 4 | 5:
                status = await self._ask("POST", "/user/amount", CHANGE_S, json={"userId": CHARGER, "amount": 1})
                self.charged[status] += 1
            case 6 | 7 if (buyer := next(self._newcomers)) <= MEMBERS:
                await self._ask("POST", "/queue/token", CHANGE_S, json={"userId": buyer})
            case 8 | 9 | 10:
                await self._ask("POST", "/queue/token/check", READ_S, authorization=self._tokens[BUYERS])
            case _:
                await self._ask("GET", "/concerts/schedule", READ_S, authorization=self._tokens[BUYERS])

    async def _buy(self, buyer: int) -> None:
        token = self._tokens[buyer]
        held = await self._caller.asks(
            "POST", "/concerts/reserve", json={"scheduleId": 1, "seatId": buyer}, authorization=token
        )
        self._note("reserve", held.status, held.seconds, CHANGE_S)
        if held.status == OK:
            wanted = {"reservationId": held.body["data"]["reservationId"]}
            await self._ask("POST", "/concerts/payment", CHANGE_S, json=wanted, authorization=token)

    async def _ask(self, method: str, path: str, deadline_s: float, *, json: object = None, **headers: str) -> int:
        reply = await self._caller.asks(method, path, json=json, **headers)
        self._note(path, reply.status, reply.seconds, deadline_s)
        return reply.status

    def _note(self, path: str, status: int, seconds: float, deadline_s: float) -> None:
        cell, now = self._cell, self._server.loop.time()
        cell.answers[status] += 1
        cell.worst_s = max(cell.worst_s, seconds)
        if seconds > deadline_s + GRACE_S:
            cell.late.append(f"{path} after {seconds:.2f} s")
        if status != OK and cell.began_s:
            cell.first_failure_s = now if cell.first_failure_s is None else cell.first_failure_s
            cell.last_failure_s = now


async def _story(server: Server, cell: Cell) -> Counter[int]:
    sale = server.services.breakers.of(Instance.SALE)

    def noted(event: BreakerEvent) -> None:
        if isinstance(event, StateChanged) and event.entered is State.OPEN and cell.opened_s is None:
            cell.opened_s = server.loop.time()

    server.services.breakers.subscribe(noted)
    crowd, faults = Crowd(server, cell), Faults(server, cell)
    await crowd.enter()
    await crowd.call_for(HEALTHY_S)
    cell.began_s, faults.on = server.loop.time(), True
    await crowd.call_for(OUTAGE_S)
    cell.ended_s, faults.on = server.loop.time(), False
    await crowd.call_for(AFTER_S)
    await crowd.all_answered()
    if sale.state is not State.CLOSED:
        cell.wrong.append(f"saleService is still {sale.state.value}")
    return crowd.charged


def play(kind: Kind, stage: Stage) -> Cell:
    """Play one cell on a server of its own, and look at what it has left."""
    cell = Cell(kind, stage)
    charged: list[Counter[int]] = []

    async def story(server: Server) -> None:
        charged.append(await _story(server, cell))

    with tempfile.TemporaryDirectory() as folder, seeded(Random(1)) as bugs:
        database = Path(folder) / "outage.db"
        database.write_bytes(before_the_sale())
        settings = settings_for(
            database,
            max_active=MEMBERS,
            idle_timeout_seconds=3_600,
            session_max_seconds=3_600,
            entry_window_seconds=3_600,
            wait_target_seconds=60,
        )
        ended_s = live(settings, story, disk=Disk(database))
        engine = create_engine(f"sqlite:///{database}")
        with engine.connect() as connection:
            found = check_all(connection, now=later(NOON, round(ended_s * SECOND_MS)), seats_per_buyer=4)
        engine.dispose()
        cell.wrong += [f"{one.name} does not hold" for one in found if not one.holds]
        cell.wrong += bugs
        cell.wrong += _money(database, charged[0])
    return cell


def _money(database: Path, charged: Counter[int]) -> Iterator[str]:
    """Say if a charge that was answered is missing, or one was made that nobody asked for."""
    with closing(sqlite3.connect(database)) as reader:
        [(won,)] = reader.execute("SELECT balance_won FROM wallet WHERE buyer_id = ?", (CHARGER,))
    unknown = charged[UNAVAILABLE]
    if not charged[OK] <= won - BALANCE <= charged[OK] + unknown:
        yield f"{won - BALANCE} won charged, {charged[OK]} answered, {unknown} without an answer"


SECTION = Section(
    title="The database file",
    introduction="""\
<!-- Written by `python -m tests.outage.matrix`. -->

What buyers see while the embedded database fails: how it does, and at which point of a transaction that writes. A
crowd makes six calls a second (charges, purchases, joins, polls, a list), before, for forty seconds of outage and
after, with the settings' own deadlines and breakers. The whole server runs in virtual time, so these are the figures
of its rules and not of a machine. Lists and polls are read from elsewhere and are answered in all cells.
`tests/outage/test_matrix.py` plays each cell again and holds it to its bounds: no answer later than its deadline and
50 ms, nothing at the database while its breaker is open, recovery within the wait and one deadline, the invariants.

- *first failure*, *a breaker opens*: seconds from the beginning of the outage.
- *slowest answer*: the deadline is 10 s for what changes something, 5 s for the rest.
- *reached it while open*: transactions begun although the breaker before the database was open.
- *recovered in*: from the end of the outage until no call failed any more; the wait of an open breaker (30 s) counts.
- *invariants*: no seat sold twice, no won lost or made, every charge that was answered stored.
""",
    columns=(
        "it is",
        "where",
        "first failure",
        "a breaker opens",
        "answers",
        "slowest answer",
        "reached it while open",
        "recovered in",
        "invariants",
    ),
)


if __name__ == "__main__":
    SECTION.write([play(*cell).row() for cell in CELLS])
