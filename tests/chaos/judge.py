"""What has to be true when a sale is over, whatever failed meanwhile: every answer, every seat, every invariant."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from stagedoor.adapters.sql.server_lanes import COMMAND, ServerLanes
from tests.chaos.crowd import Crowd
from tests.chaos.house import ROOM, House
from tests.e2e.harness.evening import OPENING_BALANCE_WON
from tests.kill.answers import Answers
from tests.kill.books import Books
from tests.kill.record import Asked, Entry, Told
from tests.kill.stored import Stored

CATCHING_UP_S = 120.0
LOOK_EVERY_S = 0.5
OPENING_WON = OPENING_BALANCE_WON

_BEHIND = text(
    "SELECT (SELECT count(*) FROM broker_outbox) + (SELECT count(*) FROM outbox WHERE state = 1)"
    " + (SELECT count(*) FROM purchase) - (SELECT count(*) FROM notification)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """
    What came of it. *wrong* has every contradiction in words; nothing in it is a pass.

    *compared* counts the answers that were judged, *sold* the seats; *check* is what the product's own check said.
    *crowd_late_s* is how late the buyers themselves were at most.
    """

    wrong: Sequence[str]
    compared: int
    sold: int
    orders: int
    check: str
    caught_up_s: float
    crowd_late_s: float
    stored: Stored


async def judge(house: House, crowd: Crowd) -> Verdict:
    """Wait until everything that was sold is told of, then compare what buyers were told with what is stored."""
    began = time.monotonic()
    behind = await _caught_up(house)
    holds, said = await _checked(house)
    answers = Answers(opening_won=OPENING_WON, session_max_ms={ROOM.id: ROOM.session_max_ms or 0})
    answers.take(0, crowd.record)
    stored, untrue = await _compared(house, answers)
    caught_up_s = time.monotonic() - began
    wrong = [*answers.wrong, *untrue, *defects(crowd.record), *sold_twice(stored)]
    if behind:
        wrong.append(f"{behind} events or notifications were still under way after {CATCHING_UP_S:g} s")
    if not holds:
        wrong.append(f"`stagedoor check`: {said}")
    return Verdict(
        wrong=wrong,
        compared=answers.count,
        sold=sum(len(stored.seats[hold_id]) for hold_id in stored.orders),
        orders=len(stored.orders),
        check=said.splitlines()[-1] if said else "",
        caught_up_s=caught_up_s,
        crowd_late_s=crowd.late_s,
        stored=stored,
    )


def sold_twice(stored: Stored) -> list[str]:
    """Name each seat that belongs to two orders."""
    times = Counter(seat_id for hold_id in stored.orders for seat_id in stored.seats[hold_id])
    return [f"seat {seat_id} was sold {count} times" for seat_id, count in times.items() if count > 1]


def defects(record: Sequence[Entry]) -> Iterator[str]:
    """Name each answer that blames nobody but us: a 5xx other than 503."""
    asked = {entry.serial: entry for entry in record if isinstance(entry, Asked)}
    for entry in record:
        if isinstance(entry, Told) and entry.status >= 500 and entry.status != 503:
            yield f"{asked[entry.serial]} was answered {entry.status}"


async def _compared(house: House, answers: Answers) -> tuple[Stored, list[str]]:
    """
    Return what is stored, and what it contradicts.

    The record of the line, and what follows a payment, come behind the answer: until they have come, or the time is
    up, it is read again. What is untrue stays untrue.
    """
    deadline = time.monotonic() + CATCHING_UP_S
    while True:
        stored = await house.stored()
        untrue = Books(answers, stored, opening_won=OPENING_WON, waiting_is_stored=False).wrong()
        if not untrue or time.monotonic() > deadline:
            return stored, untrue
        await asyncio.sleep(LOOK_EVERY_S)


async def _caught_up(house: House) -> int:
    """Wait until nothing is on its way any more, for a bounded time; return how much still is."""
    lanes = ServerLanes(house.direct_url, COMMAND)
    try:
        deadline = time.monotonic() + CATCHING_UP_S
        while behind := await lanes.reading(_behind):
            if time.monotonic() > deadline:
                return behind
            await asyncio.sleep(LOOK_EVERY_S)
        return 0
    finally:
        await lanes.close()


def _behind(connection: Connection) -> int:
    return int(connection.scalar(_BEHIND) or 0)


async def _checked(house: House) -> tuple[bool, str]:
    """Let the product check; what the database records of the line is a turn behind it, so a few times if need be."""
    deadline = time.monotonic() + CATCHING_UP_S / 4
    while True:
        holds, said = await house.check()
        if holds or time.monotonic() > deadline:
            return holds, said
        await asyncio.sleep(LOOK_EVERY_S)
