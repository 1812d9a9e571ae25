"""
A crowd in front of one room of a cluster, over HTTP: each request reaches another process than the one before.

Everybody comes within a minute or so and polls as she is told. Some leave, some go
away without a word and come back, the others buy a seat once they are let in,
until there are no more. What each was told, and when, is her own record.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from random import Random

from typing_extensions import override

from stagedoor.kernel.clock import SECOND_MS, Instant
from stagedoor.waiting_room.model import PlaceState
from tests.cluster.evening import Cluster, RoundRobin
from tests.e2e.harness.answers import Answer, now_ms
from tests.e2e.harness.checkers import PLACE_OVER, SOLD_OUT, TAKEN, WAITING
from tests.e2e.harness.client import Client
from tests.e2e.harness.fan import Fan as Caller
from tests.e2e.harness.programme import RoomPlan, Staged, a_room, a_show
from tests.e2e.harness.wire import ConnectionCutError
from tests.order.record import Fan, Limits, Sign

ROOM_ID = "crowded"
STATES = {
    "WAITING": PlaceState.WAITING,
    "PROGRESS": PlaceState.ADMITTED,
    "DONE": PlaceState.DONE,
    "EXPIRED": PlaceState.EXPIRED,
}
OVER = frozenset((PlaceState.DONE, PlaceState.EXPIRED))
NO_ANSWER, UNAVAILABLE = 500, 503
"""From the first on a status says that the server could not answer; whoever asked asks again."""

GIVES_UP_S = 30.0
AWAY_S_MAX = 90.0
REST_S = 1.0
TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many come within how many seconds, for how many seats; what the room allows; when the last one gives up."""

    buyers: int = 20_000
    seats: int = 3_000
    leaving: float = 0.3
    going_away: float = 0.2
    max_active: int = 300
    rate: float = 240.0
    away_after_s: float = 10.0
    polls_per_second: int = 500
    coming_s: float = 120.0
    latest_s: float = 1_800.0
    seed: int = 1

    @property
    def limits(self) -> Limits:
        """What the room promises."""
        return Limits(max_active=self.max_active, rate=self.rate, away_after_s=self.away_after_s)

    @property
    def room(self) -> RoomPlan:
        """The room as it is staged."""
        return a_room(
            ROOM_ID,
            a_show(seats=self.seats),
            max_active=self.max_active,
            rate=self.rate,
            away_after_ms=round(self.away_after_s * SECOND_MS),
            entry_window_ms=3_000,
            idle_timeout_ms=5_000,
        )


class WentHomeError(Exception):
    """A buyer got an answer that she should not have got, or none at all."""


class SalesOnly(list[Answer]):
    """A record that keeps what was said of seats and money, and of all answers the slowest and what is not a 200."""

    def __init__(self) -> None:
        super().__init__()
        self.slowest_ms = 0
        self.refused: Counter[tuple[int, str | None]] = Counter()

    @override
    def append(self, answer: Answer) -> None:
        self.slowest_ms = max(self.slowest_ms, answer.answered_at - answer.sent_at)
        if not answer.ok:
            self.refused[answer.verdict] += 1
        elif answer.path.startswith("/concerts/"):
            super().append(answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the crowd was told: each buyer's own account, and what was said of seats."""

    fans: Sequence[Fan]
    sales: SalesOnly
    went_home: Sequence[str]
    cut: int
    seconds: float


class Turns(RoundRobin):
    """Goes to the processes in turn, and tells of each answer which of them gave it."""

    def __init__(self, clients: Sequence[Client], record: list[Answer]) -> None:
        super().__init__(clients)
        self.record = record
        for client in clients:
            client.record = record
        self._numbers = itertools.cycle(range(len(clients)))

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Hang up in the end."""
        try:
            yield
        finally:
            self.hang_up()

    def next(self) -> tuple[int, Client]:
        """Return the process whose turn it is."""
        number = next(self._numbers)
        return number, self.clients[number]


async def run(plan: Plan, cluster: Cluster) -> Told:
    """Let the crowd come; return when the last one is gone."""
    random = Random(plan.seed)
    record = SalesOnly()
    client = Turns([Client(server.port) for server in cluster.servers], record)
    fans = [Fan(buyer_id=number) for number in range(1, plan.buyers + 1)]
    random.shuffle(fans)
    leaving, going_away = round(plan.leaving * plan.buyers), round(plan.going_away * plan.buyers)
    went_home: list[str] = []
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    async with client.open(), asyncio.TaskGroup() as group:
        for index, fan in enumerate(fans):
            member = Member(
                fan=fan,
                client=client,
                show=cluster.show(ROOM_ID),
                random=Random(random.getrandbits(64)),
                until_s=began_at + plan.latest_s,
            )
            comes_s = plan.coming_s * random.random()
            story = member.leave_early if index < leaving else member.stay
            if leaving <= index < leaving + going_away:
                story = member.go_and_return
            group.create_task(_played(story(comes_s), went_home))
    return Told(fans=fans, sales=record, went_home=went_home, cut=len(client.cut), seconds=loop.time() - began_at)


async def _played(story: Awaitable[None], went_home: list[str]) -> None:
    try:
        await story
    except WentHomeError as why:
        went_home.append(str(why))


@dataclass(slots=True, kw_only=True)
class Member:
    """One of the crowd: what she does, and her record."""

    fan: Fan
    client: Turns
    show: Staged
    random: Random
    until_s: float
    token: str = ""
    wait_s: float = 0.0
    sold_out: bool = False
    keys: "itertools.count[int]" = field(default_factory=itertools.count)

    async def stay(self, comes_s: float) -> None:
        """Come, wait, buy."""
        await self._join(comes_s)
        await self._wait(self.until_s)
        await self._buy()

    async def leave_early(self, comes_s: float) -> None:
        """Come, wait for a part of what it would take, and leave."""
        await self._join(comes_s)
        await self._wait(await self._part_of_the_wait())
        self.fan.left_at = Instant(now_ms())
        await self._answered(lambda caller: caller.leave())

    async def go_and_return(self, comes_s: float) -> None:
        """Come, go away without a word after a while, come back about when it would be her turn, and stay."""
        await self._join(comes_s)
        await self._wait(await self._part_of_the_wait())
        if not self._is_over():
            self.fan.absences += 1
            # Where admission stands, nobody can say how long it will take, and nobody is away for ever.
            await asyncio.sleep(min(AWAY_S_MAX, self.wait_s * (0.5 + self.random.random())))
            await self._poll()
        await self._wait(self.until_s)
        await self._buy()

    async def _join(self, comes_s: float) -> None:
        await asyncio.sleep(comes_s)
        await self._answered(lambda caller: caller.join())

    async def _part_of_the_wait(self) -> float:
        await asyncio.sleep(self.random.random())
        await self._poll()
        return asyncio.get_running_loop().time() + self.wait_s * self.random.random()

    def _is_over(self) -> bool:
        last = self.fan.signs[-1] if self.fan.signs else None
        return self.sold_out or (last is not None and last.state is not PlaceState.WAITING)

    async def _wait(self, until_s: float) -> None:
        """Poll as told until she is inside, her place is over, nothing is left, or the time has come."""
        loop = asyncio.get_running_loop()
        while not self._is_over():
            # The network, and the patience of a person, are not exact.
            told_ms = self.fan.signs[-1].poll_after_ms if self.fan.signs else SECOND_MS
            pause_s = told_ms / SECOND_MS * (0.9 + 0.2 * self.random.random())
            await asyncio.sleep(max(0.0, min(pause_s, until_s - loop.time())))
            if loop.time() >= until_s:
                return
            await self._poll()

    async def _poll(self) -> None:
        answer, by = await self._answered(lambda caller: caller.check())
        told = answer.data
        self.sold_out = bool(told.get("soldOut"))
        self.wait_s = float(told.get("estimatedWaitSeconds") or 0)
        self.fan.signs.append(
            Sign(
                asked_at=Instant(answer.sent_at),
                at=Instant(answer.answered_at),
                state=STATES[told["status"]],
                position=told["queuePosition"],
                poll_after_ms=told["pollAfterMs"],
                by=by,
            )
        )

    async def _buy(self) -> None:
        """Take a seat and pay for it; a few never take up their pass."""
        if self.sold_out or self.fan.signs[-1].state is not PlaceState.ADMITTED or self.random.random() < 0.03:
            return
        await asyncio.sleep(2 * self.random.random())
        wishes = self.random.sample(self.show.seat_ids, TRIES)
        held = await self._hold(wishes)
        if held is None:
            listed, _ = await self._answered(lambda caller: caller.seats(self.show.schedule_id), PLACE_OVER)
            free = [row["seatId"] for row in listed.rows] if listed.ok else []
            self.random.shuffle(free)
            held = await self._hold(free[:TRIES])
        if held is None:
            self.fan.left_at = Instant(now_ms())
            await self._answered(lambda caller: caller.leave())
            return
        key = f"pay-{next(self.keys)}"
        await self._answered(lambda caller: caller.pay(held, key=key))

    async def _hold(self, wishes: Sequence[int]) -> int | None:
        for seat_id in wishes:
            key = f"seat-{next(self.keys)}"
            held, _ = await self._answered(partial(self._reserve, seat_id, key), TAKEN, SOLD_OUT, PLACE_OVER, WAITING)
            if held.ok:
                reservation_id: int = held.data["reservationId"]
                return reservation_id
        return None

    def _reserve(self, seat_id: int, key: str, caller: Caller) -> Awaitable[Answer]:
        return caller.reserve(self.show.schedule_id, seat_id, key=key)

    async def _answered(
        self, call: Callable[[Caller], Awaitable[Answer]], *allowed: tuple[int, str | None]
    ) -> tuple[Answer, int]:
        """
        Return the answer, and which process gave it; ask the next one where it was 503, or there was none.

        Raises `WentHomeError` for any other refusal that is not *allowed*.
        """
        while asyncio.get_running_loop().time() < self.until_s + GIVES_UP_S:
            wait_s = REST_S
            by, client = self.client.next()
            caller = Caller(client=client, buyer_id=self.fan.buyer_id, room_id=ROOM_ID, token=self.token)
            with suppress(ConnectionCutError, OSError, TimeoutError):
                answer = await call(caller)
                if answer.ok and caller.token != self.token:
                    self.token, self.fan.number = caller.token, caller.number
                if answer.ok or answer.verdict in allowed:
                    return answer, by
                if answer.status < NO_ANSWER:
                    raise WentHomeError(str(answer))
                wait_s = float(answer.headers.get("retry-after", REST_S))
            # Not all of them at once.
            await asyncio.sleep(wait_s * (1 + self.random.random()))
        raise WentHomeError(f"nobody answers {self.fan.buyer_id}")
