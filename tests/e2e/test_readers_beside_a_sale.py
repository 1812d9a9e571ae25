"""
A hundred readers beside one sale a second: nearly every list is there, and the database hardly notices them.

Each second has one sale and so many looks at the lists. On a slow machine it
takes longer than a second, and what is allowed in it is allowed in that time.
"""

import asyncio
import re
from dataclasses import dataclass

from tests.e2e.harness.answers import now_ms
from tests.e2e.harness.client import Client
from tests.e2e.harness.evening import Evening, Evenings
from tests.e2e.harness.fan import Fan, let_in
from tests.e2e.harness.programme import Staged, a_room, a_show
from tests.e2e.harness.told_reads import READ
from tests.e2e.harness.until import at_instant

READERS = 100
LOOKS = 2
"""Of each reader in each second, at either list."""
LISTS = 2
SECONDS = 10
CONTROL_SECONDS = 2
READS_A_SECOND_MAX = 5
ROOM = a_room("read", a_show(seats=50), idle_timeout_ms=600_000)
COUNTED = re.compile(
    r'^stagedoor_cache_requests_total\{cache="(?:schedule|seats)",result="(\w+)"\} (\S+)$', re.MULTILINE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What so many seconds of sales came to: looks into the caches, reads of the database."""

    hits: float
    others: float
    reads: int
    seconds: float

    @property
    def hit_rate(self) -> float:
        """Which part of the looks were hits."""
        return self.hits / (self.hits + self.others)


async def looks_at_lists(client: Client) -> dict[str, float]:
    metrics = (await client.ask("GET", "//metrics")).raw.decode()
    found: dict[str, float] = {}
    for result, count in COUNTED.findall(metrics):
        found[result] = found.get(result, 0.0) + float(count)
    return found


async def look(fan: Fan, show: Staged) -> None:
    for _ in range(LOOKS):
        for answer in (await fan.schedule(), await fan.seats(show.schedule_id)):
            assert answer.ok, str(answer)


async def buy(fan: Fan, show: Staged, seat_id: int) -> None:
    held = await fan.reserve(show.schedule_id, seat_id)
    paid = await fan.pay(held.data["reservationId"])
    assert paid.ok, str(paid)


async def read_beside_sales(evening: Evening, *, seconds: int) -> Seen:
    """Let a hundred read while one buys, each second anew; the server is stopped at the end."""
    show = evening.show(ROOM.id)
    async with evening.client() as client:
        readers, buyers = evening.fans(READERS, client, ROOM.id), evening.fans(seconds, client, ROOM.id)
        await let_in([*readers, *buyers])
        await look(readers[0], show)
        before, read_before = await looks_at_lists(client), evening.server.said.count(READ)
        began = now_ms()
        for second, buyer in enumerate(buyers):
            await asyncio.gather(buy(buyer, show, show.seat_ids[second]), *(look(fan, show) for fan in readers))
            await at_instant(began + (second + 1) * 1_000)
        took_ms = now_ms() - began
        after = await looks_at_lists(client)
    assert evening.server.stop() == 0
    counted = {result: count - before.get(result, 0.0) for result, count in after.items()}
    return Seen(
        hits=counted.pop("hit"),
        others=sum(counted.values()),
        reads=evening.server.said.count(READ) - read_before,
        seconds=took_ms / 1_000,
    )


async def test_nearly_every_list_is_there_and_the_database_is_hardly_read(evenings: Evenings) -> None:
    with evenings(ROOM, mutant="reads_told") as evening:
        seen = await read_beside_sales(evening, seconds=SECONDS)
        evening.check()

    assert seen.hits + seen.others == READERS * LOOKS * LISTS * SECONDS
    assert seen.hit_rate >= 0.99
    # Every sale was seen, and that is what was read for.
    assert SECONDS <= seen.reads <= READS_A_SECOND_MAX * seen.seconds


async def test_control_a_server_that_keeps_no_list_is_found_out(evenings: Evenings) -> None:
    with evenings(ROOM, mutant="lists_not_kept") as evening:
        seen = await read_beside_sales(evening, seconds=CONTROL_SECONDS)

    # Each round has the most reads that a second of it allows and more, however long the machine takes over it.
    assert seen.reads > READS_A_SECOND_MAX * CONTROL_SECONDS
