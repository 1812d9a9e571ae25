"""A switch that is turned at one server is gone by at another within a second, and for nothing but what it is about."""

import asyncio
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from tests.cluster.conftest import Open
from tests.cluster.evening import Cluster
from tests.e2e.harness.answers import Answer, now_ms
from tests.e2e.harness.client import Client
from tests.e2e.harness.evening import OPENING_BALANCE_WON
from tests.e2e.harness.fan import Fan
from tests.e2e.harness.programme import Staged, a_room, a_show
from tests.e2e.harness.until import until

IN_FORCE_MS = 1_000
LOOK_EVERY_S = 0.05
TOO_DEAR_WON = 2 * OPENING_BALANCE_WON
"""A hold that nobody can pay for can be asked to be paid again and again, and nothing comes of it."""

HALL = a_room(
    "hall",
    *[a_show(seats=2, price_won=TOO_DEAR_WON) for _ in range(2)],
    idle_timeout_ms=600_000,
    away_after_ms=600_000,
)
OPERA = a_room("opera", a_show(seats=6), idle_timeout_ms=600_000, away_after_ms=600_000)
BLIND = (str(Path(__file__).with_name("mutants") / "switches_not_read.py"),)

IS_STOPPED = (503, "503", "10")
SEAT_TAKEN = (409, "004", None)
BALANCE_SMALL = (402, "005", None)
REFUSALS = {
    "OPEN": (SEAT_TAKEN, BALANCE_SMALL),
    "HOLDS_ONLY_FINISH": (IS_STOPPED, BALANCE_SMALL),
    "STOPPED": (IS_STOPPED, IS_STOPPED),
}
"""By the switch, what a reserve of a seat that is held and a payment for a hold that is too dear are refused with."""

LATE = re.compile(r"^stagedoor_loop_lag_seconds_sum (\S+)$", re.MULTILINE)


class StillOtherwiseError(AssertionError):
    """The server goes by a switch as it was more than a second ago."""


class Reader:
    """A server that was not told, asked by somebody who holds a seat of each show and somebody who wants the same."""

    def __init__(self, client: Client, shows: Sequence[Staged], holder: Fan, other: Fan) -> None:
        """Ask through *client*; nobody holds anything yet."""
        self._client = client
        self._shows = shows
        self._holder = holder
        self._other = other
        self._holds: list[int] = []

    async def begin(self) -> None:
        """Let both in, and one of them hold."""
        await asyncio.gather(self._holder.enter(), self._other.enter())
        for show in self._shows:
            held = await self._holder.reserve(show.schedule_id, show.seat_ids[0])
            self._holds.append(held.data["reservationId"])

    async def refusals(self, which: int) -> tuple[object, object]:
        """Ask for what changes nothing, whatever the switch says: a seat that is held, and to pay what is too dear."""
        show = self._shows[which]
        reserved = await self._other.reserve(show.schedule_id, show.seat_ids[0])
        paid = await self._holder.pay(self._holds[which])
        return _refusal(reserved), _refusal(paid)

    async def follows(self, state: str, which: int, turned_at: int, late_before_ms: float) -> None:
        """
        Return once the show *which* is in *state* here. Raises `StillOtherwiseError`.

        A look counts that began a second or more after the turn was answered.
        What a slow machine adds is taken from this server alone: how late its
        loop says it was since the turn, and twice the longest look, since a
        look goes to the same database as the reading of a switch, and a reading
        may have begun just before the turn.
        """
        longest_ms = 0
        while True:
            began = now_ms()
            seen = await self.refusals(which)
            if seen == REFUSALS[state]:
                return
            longest_ms = max(longest_ms, now_ms() - began)
            if began - turned_at > IN_FORCE_MS:
                allowed_ms = IN_FORCE_MS + 2 * longest_ms + await self.late_ms() - late_before_ms
                if began - turned_at > allowed_ms:
                    raise StillOtherwiseError(f"{began - turned_at} ms after {state}, of {allowed_ms}: {seen}")
            await asyncio.sleep(LOOK_EVERY_S)

    async def late_ms(self) -> float:
        """Return by how much this server's loop was late in all of its life."""
        page = (await self._client.ask("GET", "//metrics")).raw.decode()
        [seconds] = LATE.findall(page)
        return 1_000 * float(seconds)


def _refusal(answer: Answer) -> tuple[int, str | None, str | None]:
    return (*answer.verdict, answer.headers.get("retry-after"))


async def turned(client: Client, operator: str, state: str, schedule_id: int | None) -> int:
    """Turn the switch, and return when that was answered. A new key is known to the server within a second."""
    body = {"saleState": state} | ({} if schedule_id is None else {"scheduleId": schedule_id})
    turn = partial(client.ask, "POST", "//ops/api/sale", body=body, token=operator)
    return (await until(turn, lambda answer: answer.ok)).answered_at


async def story(opened: Cluster, states: Sequence[str], *, of_one_show: bool) -> None:
    """Turn the switch for everything, or of the first show, at the first server, and have the second one go by it."""
    shows = [opened.show(HALL.id, which) for which in range(2)]
    operator = opened.command("key", "create", "stopper", "--role", "operate").strip()
    told, untold = opened.servers
    async with Client.on(told.port) as turning, Client.on(untold.port) as reading:
        reader = Reader(reading, shows, *opened.fans(2, reading, HALL.id))
        await reader.begin()
        for state in states:
            late_ms = await reader.late_ms()
            turned_at = await turned(turning, operator, state, shows[0].schedule_id if of_one_show else None)
            await reader.follows(state, 0, turned_at, late_ms)
            # Both are read at once, so there is nothing more to wait for.
            assert await reader.refusals(1) == REFUSALS["OPEN" if of_one_show else state]


@pytest.mark.parametrize("of_one_show", [False, True], ids=["everything", "one show"])
def test_the_other_server_follows_within_a_second(cluster: Open, *, of_one_show: bool) -> None:
    with cluster(2, HALL) as opened:
        asyncio.run(story(opened, ["HOLDS_ONLY_FINISH", "STOPPED", "OPEN"], of_one_show=of_one_show))


async def without_writes(opened: Cluster) -> None:
    """Have one server write nothing for a while: it goes by what the other one turns and sells, as it can read."""
    show = opened.show(OPERA.id)
    operator = opened.command("key", "create", "stopper", "--role", "operate").strip()
    cut_off, other = opened.servers

    async with Client.on(cut_off.port) as here, Client.on(other.port) as there:
        [holder], [buyer] = opened.fans(1, here, OPERA.id), opened.fans(1, there, OPERA.id)
        for fan in (holder, buyer):
            await fan.enter()
        held = (await holder.reserve(show.schedule_id, show.seat_ids[0])).data["reservationId"]
        free = len((await holder.seats(show.schedule_id)).data)
        steer = partial(here.ask, "POST", token=operator)
        await until(partial(steer, "//ops/api/breakers/database/force-open"), lambda answer: answer.ok)

        sold = await buyer.reserve(show.schedule_id, show.seat_ids[1])
        assert sold.ok, str(sold)
        await until(partial(holder.seats, show.schedule_id), lambda answer: len(answer.data) == free - 1)
        await turned(there, operator, "STOPPED", None)
        await until(
            partial(here.ask, "GET", "//ops/api/sale", token=operator),
            lambda answer: answer.data["saleState"] == "STOPPED",
        )
        await steer("//ops/api/breakers/database/close")
        refused = await holder.pay(held)

    assert _refusal(refused) == IS_STOPPED


def test_a_server_that_can_only_read_follows_as_well(cluster: Open) -> None:
    with cluster(2, OPERA) as opened:
        asyncio.run(without_writes(opened))


def test_control_a_server_that_does_not_read_the_switches_is_found_out(cluster: Open) -> None:
    with cluster(1, HALL) as opened:
        opened.start(program=BLIND)
        with pytest.raises(StillOtherwiseError):
            asyncio.run(story(opened, ["STOPPED"], of_one_show=False))
