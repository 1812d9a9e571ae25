"""Parts of a cluster are killed or frozen in the middle of a sale: how long until it goes on, and is all true?"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from scripts.services.server import Server as Engine
from tests.cluster.falls_asleep import NOTE, TURN, ask_one_to_sleep
from tests.cluster.house import House, Part
from tests.cluster.rush import SALE_LOOKS, Need, Rush
from tests.cluster.truth import Stored, contradictions, read
from tests.e2e.harness.answers import Answer, now_ms
from tests.e2e.harness.client import Client
from tests.e2e.harness.promises import JOIN, PAY, granted
from tests.e2e.harness.until import NeverSeenError, until
from tests.kafka.house import EventsHouse

SLEEP_S = 10.0
"""For so long a process is frozen."""

REFUSED_LOOKS = 800
UNAVAILABLE = 503
STEPS = 4
"""Joining, being let in, paying, being told of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Harmed:
    """
    What was done: from *began_at* on the part was gone, *over_at* it was back.

    *refused* counts how often the store refused a sleeper, None where nobody slept.
    """

    began_at: int
    over_at: int
    refused: int | None = None


Harm = Callable[[House], Awaitable[Harmed]]
Followed = Callable[[Part, int], Awaitable[bool]]
Refused = Callable[[Part], Awaitable[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """So many *buyers* come, *present* at a time; the harm is done once *before* of them have a seat."""

    buyers: int
    present: int
    before: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """
    What came of it.

    *after* has how many milliseconds after the harm somebody joined, was let
    in, paid, and was told of her order, each of which began after it;
    *asked_longest* is what a buyer had to ask for longest. *put_off* counts
    answers 503 from then on, *unanswered* the requests without an answer.
    *wrong* has every contradiction, *check* what `stagedoor check` complained of.
    """

    harmed: Harmed
    after: Mapping[str, int]
    asked_longest: Need
    put_off: int
    unanswered: int
    answers: int
    sold: int
    sent: int
    acted_on: int
    wrong: Sequence[str]
    check: str

    @property
    def recovered_ms(self) -> int:
        """How long it took until buyers joined, were let in, paid and were told of their orders again."""
        return max(self.after.values())

    @property
    def holds(self) -> bool:
        """Whether everything was true."""
        return not self.wrong and not self.check


async def play(harm: Harm, house: House, room_id: str, crowd: Crowd) -> Round:
    """Sell everything there is, do *harm* in the middle of it, and judge when all is over."""
    async with Client.on(house.nginx.port) as client:
        rush = Rush(house.cluster, client, room_id, buyers=crowd.buyers, present=crowd.present)
        async with asyncio.TaskGroup() as group:
            group.create_task(rush.goes_on())
            await rush.has_sold(crowd.before)
            harmed = await harm(house)
    late = await _all_is_told(house, rush.sold)
    check = await _checked(house)
    stored = await read(house)
    seats = len(house.cluster.show(room_id).seat_ids)
    return Round(
        harmed=harmed,
        after=_after(harmed.began_at, client.record, stored),
        asked_longest=max(
            (need for need in rush.needs if need.until > harmed.began_at), key=lambda need: need.until - need.since
        ),
        put_off=sum(each.status == UNAVAILABLE and each.answered_at > harmed.began_at for each in client.record),
        unanswered=len(client.cut),
        answers=len(client.record),
        sold=len(stored.orders),
        sent=stored.sent.total(),
        acted_on=len(stored.notified),
        wrong=[
            *rush.wrong,
            *late,
            *contradictions(client.record, stored, seats=seats),
            *_missed(harmed, client.record, stored, seats),
        ],
        check=check,
    )


async def killed(part: Engine) -> Harmed:
    """Kill it, and start it again at once, as whoever watches over it would."""
    began_at = now_ms()
    await asyncio.to_thread(part.kill)
    await asyncio.to_thread(part.start)
    return Harmed(began_at=began_at, over_at=now_ms())


async def asleep(parts: Sequence[Part], where: str, *, followed: Followed, refused: Refused, seconds: float) -> Harmed:
    """
    Have whichever of *parts* leads stop just before it tells the store.

    It wakes up *seconds* later, and not before another one has *followed* it
    since; *refused* says how often the store has refused a part.
    """
    ask_one_to_sleep([part.folder for part in parts], where)
    sleeper = await until(partial(_sleeper, parts), lambda found: found is not None, looks=SALE_LOOKS)
    assert sleeper is not None
    began_at = now_ms()
    before = await refused(sleeper)
    await asyncio.sleep(seconds)
    await until(partial(followed, sleeper, began_at), bool, looks=SALE_LOOKS)
    sleeper.resume()
    over_at = now_ms()
    try:
        count = await until(partial(refused, sleeper), lambda seen: seen > before, looks=REFUSED_LOOKS)
    except NeverSeenError:
        count = before
    return Harmed(began_at=began_at, over_at=over_at, refused=count - before)


async def kill_a_server(house: House) -> Harmed:
    """Kill a server that does not lead the line."""
    return await killed(house.follower())


async def kill_the_admitter(house: House) -> Harmed:
    """Kill the server that leads the line."""
    return await killed(house.admitter())


async def kill_redis(house: House) -> Harmed:
    """Kill Redis; it comes back empty."""
    return await killed(house.redis)


async def kill_the_database(house: House) -> Harmed:
    """Kill the database server; it comes back with what is on its disk."""
    return await killed(house.database)


async def kill_kafka(house: House) -> Harmed:
    """Kill the broker."""
    return await killed(house.kafka)


async def kill_the_relay(house: House) -> Harmed:
    """Kill the relay that publishes."""
    relay = await house.relay()
    assert relay is not None
    return await killed(relay)


async def kill_the_consumer(house: House) -> Harmed:
    """Kill the consumer, of which there is one."""
    return await killed(house.consumer)


async def freeze_the_admitter(house: House, *, seconds: float = SLEEP_S) -> Harmed:
    """Freeze the server that leads the line, with a turn in its hand, until another one has let somebody in."""

    async def followed(_sleeper: Part, since: int) -> bool:
        return await house.admissions(since) > 0

    async def refused(sleeper: Part) -> int:
        return len(sleeper.said("line.turn_refused"))

    return await asleep(house.servers, TURN, followed=followed, refused=refused, seconds=seconds)


async def freeze_the_relay(house: House, *, seconds: float = SLEEP_S) -> Harmed:
    """Freeze the relay that publishes, between sending and noting that, until the other one leads."""

    async def followed(sleeper: Part, _since: int) -> bool:
        return await house.relay() not in {None, sleeper}

    async def refused(sleeper: Part) -> int:
        return sum("has taken the lease relay.broker" in str(line) for line in sleeper.said("worker.failed"))

    return await asleep(house.relays, NOTE, followed=followed, refused=refused, seconds=seconds)


HARMS: Mapping[str, Harm] = {
    "a server is killed": kill_a_server,
    "the admitter is killed": kill_the_admitter,
    "Redis is killed": kill_redis,
    "the database is killed": kill_the_database,
    "Kafka is killed": kill_kafka,
    "the relay is killed": kill_the_relay,
    "the consumer is killed": kill_the_consumer,
    "the admitter is frozen": freeze_the_admitter,
    "the relay is frozen": freeze_the_relay,
}


async def _sleeper(parts: Sequence[Part]) -> Part | None:
    return next((part for part in parts if part.sleeps), None)


async def _all_is_told(house: House, orders: int) -> list[str]:
    """Wait until the line and Kafka have heard of everything, and every buyer of her order; say what has not come."""
    async with house.lanes() as lanes:
        events = EventsHouse(lanes)
        try:
            await until(events.waiting, lambda waiting: waiting == 0, looks=SALE_LOOKS)
            await until(events.untold, lambda untold: untold == 0, looks=SALE_LOOKS)
            await until(events.told, lambda told: len(told) >= orders, looks=SALE_LOOKS)
        except NeverSeenError as late:
            return [f"not everything was told: {str(late)[:200]}"]
    return []


async def _checked(house: House) -> str:
    try:
        await house.cluster.checked()
    except AssertionError as error:
        return str(error)
    return ""


def _after(began_at: int, record: Sequence[Answer], stored: Stored) -> Mapping[str, int]:
    paid = {row.id for row in stored.orders.values() if row.paid_at >= began_at}
    passes = [row.admitted_at for some in stored.passes.values() for row in some]
    instants = {
        "joined": [each.answered_at for each in granted(record, JOIN) if each.sent_at >= began_at],
        "let in": [at for at in passes if at >= began_at],
        "paid": [each.answered_at for each in granted(record, PAY) if each.sent_at >= began_at],
        "told": [row.noted_at for row in stored.notified if row.order_id in paid],
    }
    return {what: min(some) - began_at for what, some in instants.items() if some}


def _missed(harmed: Harmed, record: Sequence[Answer], stored: Stored, seats: int) -> Sequence[str]:
    """Return why this was no sale of all seats with a harm in the middle of it."""
    missed = []
    if len(stored.orders) != seats:
        missed.append(f"{len(stored.orders)} of {seats} seats are sold")
    if harmed.refused == 0:
        missed.append("who slept was not refused")
    if len(_after(harmed.began_at, record, stored)) < STEPS:
        missed.append("the sale was over before it was harmed")
    return missed
