"""
An evening with a server that is killed again and again, and a judge who compares what it said with what it kept.

The instant of each kill is drawn from a seeded chance: after so many answers
of the round, and up to a few milliseconds later.
"""

import asyncio
import contextlib
import json
import random
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tests.e2e.harness.answers import now_ms
from tests.e2e.harness.evening import OPENING_BALANCE_WON, Evening
from tests.e2e.harness.programme import a_room, a_show
from tests.e2e.harness.server import ROOT, environment
from tests.e2e.harness.until import until
from tests.kill.answers import Answers
from tests.kill.books import Books
from tests.kill.journeys import BUYERS_MAX
from tests.kill.memory import Outage
from tests.kill.record import RecordReader
from tests.kill.stored import Stored, read

HOLD_SECONDS = "3"
LONG_MS, BRIEF_MS = 3_600_000, 4_000
SESSION_MAX_MS = {"long": LONG_MS, "brief": BRIEF_MS}
"""In one room a session outlasts the evening, in the other it is over in the middle of it."""

SEATS = 8_100
ROOMS = tuple(
    a_room(
        room_id,
        a_show(seats=SEATS),
        max_active=30,
        session_max_ms=session_ms,
        # Nobody is taken for absent here: when she is is kept in memory only, and promised to nobody.
        idle_timeout_ms=LONG_MS,
        entry_window_ms=LONG_MS,
        away_after_ms=LONG_MS,
    )
    for room_id, session_ms in SESSION_MAX_MS.items()
)

PROCESSES = 2
FANS = 48
"""A process."""

ANSWERS_MIN = 30
LATER_MS = 40
START_MS = 1_500
STOP_MS = 1_500
"""A second of it goes by before the server closes its door: readiness says so first."""
LOOKS = 12_000
RELAY_LOOKS = 1_000
BETWEEN_LOOKS_SECONDS = 0.01


@dataclass(kw_only=True)
class Tally:
    """What the kills of one or more evenings came to."""

    in_flight: list[int] = field(default_factory=list)
    answers: int = 0
    starts_killed: int = 0
    stops_killed: int = 0
    ready_late_ms: list[int] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Add what another evening came to."""
        self.in_flight += other.in_flight
        self.answers += other.answers
        self.starts_killed += other.starts_killed
        self.stops_killed += other.stops_killed
        self.ready_late_ms += other.ready_late_ms
        self.wrong += other.wrong

    @property
    def busy(self) -> int:
        """How many of the kills came upon 20 requests or more."""
        return sum(count >= 20 for count in self.in_flight)

    @property
    def median_in_flight(self) -> float:
        """The median over the kills of the requests that had no answer."""
        return median(self.in_flight) if self.in_flight else 0


class Crowd:
    """The client processes of one evening, and their files."""

    def __init__(self, processes: Sequence[asyncio.subprocess.Process], files: Sequence[Path]) -> None:
        self._processes = processes
        self.readers = [RecordReader(path) for path in files]

    @classmethod
    @asynccontextmanager
    async def of(cls, evening: Evening, seed: int) -> AsyncIterator["Crowd"]:
        """Start the processes; they end with the block."""
        shows = {
            room.id: (show.schedule_id, show.seat_ids[0], len(show.seat_ids))
            for room in ROOMS
            for show in [evening.show(room.id)]
        }
        files = [evening.database.with_name(f"client-{n}.jsonl") for n in range(PROCESSES)]
        processes = [
            await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "tests.kill.crowd", str(path), str(seed), str(n * BUYERS_MAX + 1), str(FANS)),
                json.dumps(shows),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                cwd=ROOT,
                env=environment(evening.database, {}),
            )
            for n, path in enumerate(files)
        ]
        try:
            yield cls(processes, files)
        finally:
            for process in processes:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()

    async def go(self, port: int) -> None:
        """Let everybody ask the server on *port*."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(f"{port}\n".encode())
            await process.stdin.drain()

    async def down(self) -> None:
        """Return once nobody waits for an answer any more."""
        for process in self._processes:
            assert process.stdout is not None
            said = await process.stdout.readline()
            assert said == b"down\n", f"a client process said {said!r}"


class Killings:
    """Kills the server of *evening*, starts it again and judges, as often as asked."""

    def __init__(self, evening: Evening, crowd: Crowd, seed: int) -> None:
        self._evening = evening
        self._crowd = crowd
        self._chance = random.Random(seed)
        self._answers = Answers(opening_won=OPENING_BALANCE_WON, session_max_ms=SESSION_MAX_MS)
        self._outages = 0
        self.tally = Tally()
        self.before_the_crowd: Callable[[], None] = _nothing
        self.after_the_kill: Callable[[], None] = _nothing

    async def kill_after(self, answers: int, *, in_a_stop: bool = False) -> int:
        """Kill the server as `kill_when` does, after about so many answers."""
        goal = self._answers.count + answers
        return await self.kill_when(lambda told: told.count >= goal, in_a_stop=in_a_stop)

    async def kill_when(self, enough: Callable[[Answers], bool], *, in_a_stop: bool = False) -> int:
        """
        Let the crowd go until it was told *enough*, kill the server under it, and return when it was dead.

        *in_a_stop* asks the server to stop first, and kills it while it does, or when it just has.
        """
        self.before_the_crowd()
        await self._crowd.go(self._evening.server.port)
        await until(self._read, enough, looks=LOOKS, between_s=BETWEEN_LOOKS_SECONDS)
        await asyncio.sleep(self._chance.random() * LATER_MS / 1_000)
        if in_a_stop:
            self._evening.server.send_signal(signal.SIGTERM)
            await asyncio.sleep(self._chance.random() * STOP_MS / 1_000)
        killed_at = now_ms()
        self._evening.server.kill()
        died_at = now_ms()  # where processors are shared it may have lived on for a while
        self.after_the_kill()
        await self._crowd.down()
        await self._read()
        in_flight = self._answers.lost_since_last_asked(sent_by=killed_at)
        if in_a_stop:
            self.tally.stops_killed += 1
        else:
            self.tally.in_flight.append(in_flight)
        return died_at

    async def judge_after_restart(self, died_at: int, *, kill_a_start: bool = False) -> None:
        """Start the server again, and compare; *kill_a_start* has one start killed before, in the middle of it."""
        started_at = now_ms()
        if kill_a_start:
            self._evening.start()
            await asyncio.sleep(self._chance.random() * START_MS / 1_000)
            self._evening.server.kill()
            self.tally.starts_killed += 1
        await asyncio.to_thread(self._evening.start_again)
        stored = await until(self._stored, lambda stored: not stored.unsent, looks=RELAY_LOOKS)
        self._take_outage(stored, died_at, started_at)
        books = Books(self._answers, stored, opening_won=OPENING_BALANCE_WON)
        self.tally.wrong += self._answers.wrong + books.wrong()
        self._answers.wrong.clear()
        self.tally.answers = self._answers.count
        await asyncio.to_thread(self._check)

    async def _read(self) -> Answers:
        for file, reader in enumerate(self._crowd.readers):
            self._answers.take(file, reader.read())
        return self._answers

    async def _stored(self) -> Stored:
        return read(self._evening.database)

    def _take_outage(self, stored: Stored, died_at: int, started_at: int) -> None:
        """
        Take what was given back at the first start that came so far.

        An outage that was noted apart from that is given back as well, but not to what ended before it was noticed.
        """
        new = stored.outages[self._outages :]
        self._outages = len(stored.outages)
        row = next((row for row in new if row.ended_at >= started_at), None)
        if row is None or row.began_at > died_at or row.credited_ms < row.ended_at - died_at:
            self.tally.wrong.append(f"the server was dead at {died_at}, and was credited with {new}")
            return
        self._answers.outages.append(Outage(down_at=died_at, up_at=row.ended_at))
        self.tally.ready_late_ms.append(self._evening.server.ready_at - new[-1].ended_at)

    def _check(self) -> None:
        try:
            self._evening.check()
        except AssertionError as error:
            self.tally.wrong.append(f"`stagedoor check`: {error}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordeal:
    """
    What is done to one evening: so many *kills*, each after 30 to *answers_max* answers.

    *starts* is the share of the starts that are killed as well; after that
    share *stops* of the kills another one comes in the middle of a stop.
    """

    kills: int
    answers_max: int
    starts: float = 0.0
    stops: float = 0.0


async def play(evening: Evening, plan: Ordeal, *, seed: int) -> Tally:
    """Do what *plan* says, as chance has it, and return what came of it. Ends at the first contradiction."""
    chance = random.Random(f"{seed}/kills")
    async with Crowd.of(evening, seed) as crowd:
        killings = Killings(evening, crowd, seed)
        while len(killings.tally.in_flight) < plan.kills and not killings.tally.wrong:
            in_a_stop = bool(killings.tally.in_flight) and chance.random() < plan.stops
            died_at = await killings.kill_after(chance.randint(ANSWERS_MIN, plan.answers_max), in_a_stop=in_a_stop)
            await killings.judge_after_restart(died_at, kill_a_start=chance.random() < plan.starts)
        return killings.tally


def _nothing() -> None:
    """Do nothing."""
