"""
An evening by chance: what a few buyers and an operator do, and what goes wrong meanwhile.

Everything is drawn from one seed, so an evening can be had again. It goes on
over several lives of the server; what the buyers know goes with it.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from sqlalchemy import Engine

from stagedoor.adapters.sql.room_changes import SqlRoomDesk
from stagedoor.kernel.clock import SECOND_MS, Instant
from stagedoor.kernel.errors import Fault, Rejection
from stagedoor.kernel.ids import MAIN_ROOM, BuyerId
from stagedoor.outbox.model import OutboxState
from stagedoor.waiting_room.room import RoomDefaults
from stagedoor.waiting_room.room_change import RoomAction, RoomChange
from tests.builders.sale import VIP_ROOM
from tests.simulation.asking import Asking, Fan
from tests.simulation.disk import Commit, Disk
from tests.simulation.process import Server
from tests.simulation.virtual_time import LATENCY_S
from tests.simulation.witness import Witness

T = TypeVar("T")

BUYERS = 12
AWAY_AFTER_MS = 20 * SECOND_MS
POLITE_S_MAX = 5.0
STUCK_S = 500.0


@dataclass(kw_only=True)
class Evening:
    """What goes on over all lives of the server."""

    random: Random
    steps: int
    looking: Engine
    witness: Witness = field(default_factory=lambda: Witness(AWAY_AFTER_MS))
    fans: list[Fan] = field(default_factory=lambda: [Fan(buyer_id=BuyerId(number)) for number in range(1, BUYERS + 1)])
    happened: Counter[str] = field(default_factory=Counter)
    taken: int = 0

    @property
    def is_over(self) -> bool:
        """Whether all steps were taken, or something was false."""
        return self.taken >= self.steps or bool(self.witness.contradictions)

    def arm(self, disk: Disk) -> None:
        """Let some of the lives end at one of their first steps."""
        if self.random.random() < 0.25:
            self.happened["killed at the start"] += 1
            disk.dies_after = self.random.randrange(1, 60)

    async def story(self, server: Server) -> None:
        """Take steps until the evening is over or this life is to end."""
        async with asyncio.TaskGroup() as group:
            act = Life(self, server, group)
            polls = [group.create_task(act.poll(fan)) for fan in self.fans]
            while not self.is_over:
                self.taken += 1
                if not await act.step():
                    break
                self.look(server.house.stores.clock.now())
            if not self.witness.contradictions:
                await act.calm_down()
            for poll in polls:
                poll.cancel()

    def look(self, now: Instant) -> None:
        """Hold what was told against what is stored."""
        with self.looking.connect() as connection:
            self.witness.look_at(connection, now)


class Life:
    """What is done in one life of the server."""

    def __init__(self, evening: Evening, server: Server, group: asyncio.TaskGroup) -> None:
        """Act on *server*; what is asked of it runs in *group*."""
        self._group = group
        self._asking = Asking(server, evening.random, evening.witness, evening.happened)
        self._evening = evening
        self._random = evening.random
        self._witness = evening.witness
        self._server = server
        self._calls: set[asyncio.Task[None]] = set()
        self._watchdog = server.loop.call_later(STUCK_S, self._stuck)
        self._desk = SqlRoomDesk(server.house.stores.lanes, server.clock, defaults=RoomDefaults())

    async def step(self) -> bool:
        """Let one thing happen; return whether life goes on."""
        events: dict[Callable[[], Awaitable[None]], float] = {
            self.calls: 30,
            self.a_while: 12,
            self.presence: 5,
            self.room: 5,
            self.bad_commits: 6,
            self.locked: 2,
            self.slow_disk: 3,
            self.crowd: 1,
            self.stand_still: 2,
            self.kill: 2,
        }
        if self._random.random() < 0.01:
            self._evening.happened["stopped"] += 1
            return False
        self._watch()
        event = self._random.choices(list(events), list(events.values()))[0]
        self._evening.happened[event.__name__] += 1
        await event()
        return True

    def _watch(self) -> None:
        """Let nothing take for ever."""
        self._watchdog.cancel()
        self._watchdog = self._server.loop.call_later(STUCK_S, self._stuck)

    def _stuck(self) -> None:
        self._witness.contradict("something never ends")
        self._server.disk.die()

    async def poll(self, fan: Fan) -> None:
        """Ask as told, while she is present."""
        pause_s = 1.0
        while True:
            await asyncio.sleep(pause_s)
            pause_s = 1.0
            for ref in [*fan.places.values()]:
                if fan.present:
                    await self._asking.check(fan, ref)
                    pause_s = min(POLITE_S_MAX, self._witness.places[ref].told_ms / SECOND_MS)

    async def calm_down(self) -> None:
        """Let all faults pass: then everything is served again, and everything is told."""
        disk = self._server.disk
        disk.commits.clear()
        disk.locked, disk.latency_s = 0, LATENCY_S
        if self._calls:
            await asyncio.wait(self._calls)
        for _ in range(30):
            await asyncio.sleep(10.0)
            if not await self._untold():
                break
        else:
            self._witness.contradict(f"events wait that nobody relays: {await self._untold()}")
        for fan in self._evening.fans[:3]:
            if not await self._asking.charge(fan, None):
                self._witness.contradict(f"{fan.buyer_id} is not served, and nothing is wrong any more")
        self._evening.look(self._server.house.stores.clock.now())

    async def _untold(self) -> int:
        return (await self._server.house.stores.outbox.backlog()).get(OutboxState.WAITING, 0)

    # What happens.

    async def calls(self) -> None:
        """Some buyers ask for something, at the same time; some of them give up."""
        for _ in range(self._random.choice([1, 2, 4, 8])):
            call = self._group.create_task(self._asking.something(self._random.choice(self._evening.fans)))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
            if self._random.random() < 0.1:
                self._evening.happened["given up"] += 1
                asyncio.get_running_loop().call_later(self._random.choice([0, 0.0003, 0.001]), call.cancel)
        await asyncio.sleep(self._random.choice([0, 0.0005, 0.002, 0.05]))

    async def a_while(self) -> None:
        """Time passes."""
        await asyncio.sleep(self._random.choice([0.1, 0.5, 2.0, 2.0, 7.0, 15.0, 31.0]))

    async def presence(self) -> None:
        """Somebody goes away, or comes back."""
        fan = self._random.choice(self._evening.fans)
        fan.present = not fan.present

    async def room(self) -> None:
        """The operator does something to a room; mostly she opens it."""
        room_id = self._random.choice([MAIN_ROOM, MAIN_ROOM, VIP_ROOM])
        if self._random.random() < 0.5:
            policy: dict[str, float | None] = {
                "max_active": self._random.choice([0, 2, 3, 5, 8]),
                "rate": self._random.choice([None, None, 0.5, 2.0, 9.0]),
            }
            done: Coroutine[Any, Any, object] = self._desk.change(room_id, RoomChange(policy=policy), actor="she")
        else:
            action = self._random.choice([RoomAction.OPEN] * 5 + [RoomAction.PAUSE] * 2 + [RoomAction.CLOSE])
            done = self._desk.act(room_id, action, actor="she")
        with contextlib.suppress(Rejection, Fault):
            await done

    async def bad_commits(self) -> None:
        """Some of the next commits fail, or lose their answers."""
        weights = {Commit.GOES: 2, Commit.FAILS: 2, Commit.LOSES_ITS_ANSWER: 2, Commit.LOSES_SIGHT: 3}
        drawn = self._random.choices(list(weights), list(weights.values()), k=self._random.randrange(1, 4))
        self._server.disk.commits.extend(drawn)
        await self.calls()

    async def locked(self) -> None:
        """For the next transactions the database cannot be had."""
        self._server.disk.locked = self._random.randrange(1, 6)
        await self.calls()

    async def slow_disk(self) -> None:
        """The disk becomes slow, or fast again."""
        self._server.disk.latency_s = self._random.choice([LATENCY_S, LATENCY_S, 0.01, 0.1])

    async def crowd(self) -> None:
        """More is asked for at once than the server takes."""
        fan = self._random.choice(self._evening.fans)
        await asyncio.gather(*(self._asking.charge(fan, None) for _ in range(40)))

    async def stand_still(self) -> None:
        """The process is stopped for a while, and does not know."""
        self._server.loop.stand_still(self._random.choice([0.5, 2.5, 15.0, 90.0]))
        await asyncio.sleep(0)

    async def kill(self) -> None:
        """The process dies, now or within the next steps of the database."""
        await self.calls()
        self._server.disk.dies_after = self._random.randrange(1, 30)
        await asyncio.sleep(self._random.choice([0.01, 0.3]))
