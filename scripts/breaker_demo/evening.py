"""One evening: all is well, then the database is stalled, then it is not; looked at every second."""

import asyncio
import itertools
import json
import re
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from scripts.breaker_demo.caller import Caller
from scripts.breaker_demo.crowd import OK, Answered, Crowd, Group, Rates
from scripts.breaker_demo.house import WAIT_S, House, a_house

HEALTHY, STALLED, AFTER = "healthy", "stalled", "after"
BREAKERS = ("saleService", "queueService", "database", "databaseReads", "concertService")
LONGEST_RECOVERY_S = WAIT_S + 30
SPARE_BUYERS = 100
LOCK_WAIT_S = 10

_COMMANDS = re.compile(rb'^stagedoor_batch_commands_sum\{batch="(?:settle|join)"\} ([0-9.e+]+)$', re.MULTILINE)
_KEPT_AWAY = re.compile(
    rb'^resilience4j_circuitbreaker_not_permitted_calls_total\{[^}]*name="(?:sale|queue)Service"[^}]*\} ([0-9.e+]+)$',
    re.MULTILINE,
)

SALE_OR_LINE = frozenset({Group.SALE, Group.LINE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Second:
    """
    What happened in one second of an evening.

    *changes* are those of the breakers, in order; *reached* how many commands
    of the sale and joins went to the database, *kept_away* how many calls did
    not get so far because a breaker was open.
    """

    number: int
    phase: str
    changes: Sequence[str]
    answers: Sequence[Answered]
    reached: int
    kept_away: int


@dataclass(slots=True)
class Evening:
    """
    What came of one evening, with the instants (of the monotonic clock) at which the stall began and ended.

    *late_s* is how late a look at the server's counters was at most, which wait
    for no database: what something else on the machine has kept from it.
    """

    guarded: bool
    seconds: list[Second] = field(default_factory=list)
    answers: Sequence[Answered] = ()
    stalled_at: float = 0.0
    released_at: float = 0.0
    late_s: float = 0.0

    @property
    def in_the_stall(self) -> Sequence[Answered]:
        """The calls that began while the database was stalled."""
        return [one for one in self.answers if self.stalled_at <= one.began < self.released_at]

    @property
    def recovery_s(self) -> float:
        """How long after the stall the last call of the sale or the line began that failed."""
        late = [
            one.began - self.released_at
            for one in self.answers
            if one.group in SALE_OR_LINE and not one.is_good and one.began >= self.released_at
        ]
        return max(late, default=0.0)

    def of_phase(self, phase: str) -> Sequence[Second]:
        """Return the seconds of *phase*."""
        return [second for second in self.seconds if second.phase == phase]


Show = Callable[[Second], None]


async def an_evening(*, guarded: bool, stall_s: float, rates: Rates, show: Show) -> Evening:
    """Play it on a server of its own; *show* is told each second. Raises `NotServedError`."""
    healthy_s = max(3.0, stall_s / 3)
    longest_s = healthy_s + stall_s + LONGEST_RECOVERY_S
    inside = round(rates.reserve * longest_s) + SPARE_BUYERS
    newcomers = round(rates.join * longest_s) + SPARE_BUYERS
    with a_house(members=inside + newcomers, seats=inside) as house:
        caller = Caller(house.served.port)
        crowd = Crowd(house, caller, rates)
        await crowd.enter(inside)
        if not guarded:
            await _disable_breakers(house, caller)
        watch = Watch(house, caller, crowd, Evening(guarded), show)
        await watch.begin()
        stopped = asyncio.Event()
        calling = asyncio.ensure_future(crowd.call_until(stopped))
        await watch.phase(HEALTHY, healthy_s)
        async with the_database_is_stalled(house.database):
            watch.evening.stalled_at = time.monotonic()
            await watch.phase(STALLED, stall_s)
            watch.evening.released_at = time.monotonic()
        await watch.until_it_goes_well(AFTER, LONGEST_RECOVERY_S)
        stopped.set()
        await calling
        caller.hang_up()
    watch.evening.answers = crowd.answers
    return watch.evening


@asynccontextmanager
async def the_database_is_stalled(database: Path) -> AsyncIterator[None]:
    """Keep the database's write lock, as a tool would that somebody has left open in the middle of something."""
    other = sqlite3.connect(database, timeout=LOCK_WAIT_S, isolation_level=None, check_same_thread=False)
    try:
        await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
        yield
    finally:
        other.close()


async def _disable_breakers(house: House, caller: Caller) -> None:
    for name in BREAKERS:
        path = f"/ops/api/breakers/{name}/disable"
        reply = await caller.call("POST", path, token=f"Bearer {house.operator}")
        assert reply.status == OK, reply


class Watch:
    """Looks once a second at what was answered, what the server counts, and what its breakers did."""

    def __init__(self, house: House, caller: Caller, crowd: Crowd, evening: Evening, show: Show) -> None:
        """Count from `begin` on."""
        self.evening = evening
        self._house = house
        self._caller = caller
        self._crowd = crowd
        self._show = show
        self._seen_answers = 0
        self._seen_log = house.log.stat().st_size
        self._reached = self._kept_away = 0
        self._next_look = time.monotonic()

    async def begin(self) -> None:
        """Leave out what the server has counted until now: those who buy came in before."""
        self._reached, self._kept_away = await self._counted()

    async def phase(self, name: str, seconds: float) -> None:
        """Look for so many *seconds*."""
        for _ in range(max(1, round(seconds))):
            await self._look(name)

    async def until_it_goes_well(self, name: str, longest_s: float) -> None:
        """Look until two seconds on end had no failure, for *longest_s* at most."""
        well = 0
        for _ in range(round(longest_s)):
            second = await self._look(name)
            failed = any(one.group in SALE_OR_LINE and not one.is_good for one in second.answers)
            well = 0 if failed else well + 1
            if well == 2:  # noqa: PLR2004 -- as it says
                return

    async def _look(self, phase: str) -> Second:
        self._next_look += 1.0
        await asyncio.sleep(max(0.0, self._next_look - time.monotonic()))
        answers = self._crowd.answers[self._seen_answers :]
        self._seen_answers += len(answers)
        reached, kept_away = await self._counted()
        self.evening.late_s = max(self.evening.late_s, time.monotonic() - self._next_look)
        second = Second(
            number=len(self.evening.seconds) + 1,
            phase=phase,
            changes=self._changes(),
            answers=answers,
            reached=reached - self._reached,
            kept_away=kept_away - self._kept_away,
        )
        self._reached, self._kept_away = reached, kept_away
        self.evening.seconds.append(second)
        self._show(second)
        return second

    async def _counted(self) -> tuple[int, int]:
        counted = (await self._caller.call("GET", "/metrics")).body
        return _sum(_COMMANDS, counted), _sum(_KEPT_AWAY, counted)

    def _changes(self) -> list[str]:
        with self._house.log.open("rb") as log:
            log.seek(self._seen_log)
            lines = log.read().rpartition(b"\n")[0]
        self._seen_log += len(lines) + bool(lines)
        entries = [json.loads(line) for line in lines.splitlines() if b'"breaker.changed"' in line]
        return [f"{entry['breaker']} {entry['left'].upper()} → {entry['entered'].upper()}" for entry in entries]


def _sum(pattern: re.Pattern[bytes], counted: bytes) -> int:
    return round(sum(float(found) for found in pattern.findall(counted)))


def states_of(seconds: Sequence[Second], breaker: str) -> list[str]:
    """Return the states that *breaker* went through, in order, from the one it began in."""
    changes = itertools.chain.from_iterable(second.changes for second in seconds)
    states = ["CLOSED"]
    for change in changes:
        name, _, states_told = change.partition(" ")
        if name == breaker:
            states.append(states_told.rpartition(" ")[2])
    return states
