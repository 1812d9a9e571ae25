"""What the processes of a sale say of themselves: by their metrics, and of their breakers in their logs."""

import asyncio
import datetime as dt
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.chaos.crowd import Crowd
from tests.chaos.house import House
from tests.e2e.harness.client import Client
from tests.kill.journeys import GONE

LOOK_EVERY_S = 0.5
ANSWER_S_MAX = 2.0
PAUSED = re.compile(r'^stagedoor_admission_paused\{cause="(\w+)"\} 1\.0$', re.MULTILINE)
WAITING = re.compile(r"^stagedoor_line_places_waiting\{[^}]*\} ([0-9.e+]+)$", re.MULTILINE)
CLOSED = "closed"


class Look(NamedTuple):
    """What one process said at one moment: why it lets nobody in, and how many wait."""

    at_s: float
    process: str
    paused: frozenset[str]
    waiting: int


class Change(NamedTuple):
    """A breaker of a process entered a state."""

    at_s: float
    process: str
    breaker: str
    state: str


class Span(NamedTuple):
    """From when to when something was so."""

    from_s: float
    to_s: float
    what: str


@dataclass(slots=True)
class Watch:
    """Looks at the servers of a house twice a second until told to end; what does not answer has no look."""

    house: House
    crowd: Crowd
    looks: list[Look] = field(default_factory=list)

    async def go_on(self, over: asyncio.Event) -> None:
        """Look until it is *over*."""
        async with asyncio.TaskGroup() as group:
            for server in self.house.servers:
                group.create_task(self._watch(server.title, server.port, over))

    async def _watch(self, process: str, port: int, over: asyncio.Event) -> None:
        client = Client(port)
        try:
            while not over.is_set():
                at_s = self.crowd.now_s
                if page := await page_of(client):
                    paused = frozenset(PAUSED.findall(page))
                    waiting = max(map(float, WAITING.findall(page)), default=0.0)
                    self.looks.append(Look(at_s, process, paused, int(waiting)))
                await self.crowd.until(at_s + LOOK_EVERY_S)
        finally:
            client.hang_up()

    def changes(self) -> list[Change]:
        """Return what every breaker of every process did, in order of time."""
        found = [
            change
            for name, process in self.house.processes.items()
            for change in changes_in(name, process.log, opened_at_ms=self.crowd.opened_at_ms)
        ]
        return sorted(found)


async def page_of(client: Client) -> str:
    """Return the metrics of a process as it tells them, nothing if it did not answer in time."""
    try:
        async with asyncio.timeout(ANSWER_S_MAX):
            answer = await client.ask("GET", "//metrics")
    except GONE:
        return ""
    client.record.clear()
    return answer.raw.decode()


def changes_in(process: str, log: str, *, opened_at_ms: int) -> list[Change]:
    """Return the changes of breakers that a process's *log* tells of."""
    found = []
    for line in log.splitlines():
        if '"breaker.changed"' not in line:
            continue
        told = json.loads(line)
        at = dt.datetime.fromisoformat(told["timestamp"])
        at_s = (at.timestamp() * 1_000 - opened_at_ms) / 1_000
        found.append(Change(at_s, process, told["breaker"], told["entered"]))
    return found


def spans_of(changes: Sequence[Change], *, seconds: float) -> dict[tuple[str, str], list[Span]]:
    """Return for each process and breaker what it was from when to when; before its first change it was closed."""
    found: dict[tuple[str, str], list[Span]] = {}
    for change in changes:
        spans = found.setdefault((change.process, change.breaker), [])
        since, state = (spans[-1].to_s, spans[-1].what) if spans else (0.0, CLOSED)
        at_s = min(max(0.0, change.at_s), seconds)
        if spans:
            spans[-1] = Span(spans[-1].from_s, at_s, state)
        else:
            spans.append(Span(since, at_s, state))
        spans.append(Span(at_s, seconds, change.state))
    return found


def paused_spans(looks: Sequence[Look], *, seconds: float) -> list[Span]:
    """Return when any server said that nobody is let in, and why."""
    found: list[Span] = []
    for look in sorted(looks):
        if not look.paused or look.at_s >= seconds:
            continue
        why = ", ".join(sorted(look.paused))
        end = min(seconds, look.at_s + LOOK_EVERY_S)
        if found and found[-1].what == why and look.at_s <= found[-1].to_s + LOOK_EVERY_S:
            found[-1] = Span(found[-1].from_s, max(end, found[-1].to_s), why)
        else:
            found.append(Span(look.at_s, end, why))
    return found
