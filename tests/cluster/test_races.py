"""The races of one process, over several: buyers reach another process with every request."""

import asyncio
import random

import pytest

from tests.cluster.conftest import Open
from tests.cluster.evening import Cluster, RoundRobin
from tests.e2e.harness.checkers import (
    GRANTED,
    SOLD_OUT,
    TAKEN,
    money_astray,
    paid_twice,
    seats_promised_twice,
    sold_out_too_soon,
    unexpected,
)
from tests.e2e.harness.evening import OPENING_BALANCE_WON
from tests.e2e.harness.fan import Fan, let_in
from tests.e2e.harness.programme import Staged, a_room, a_show
from tests.e2e.harness.promises import PAY, RESERVE, calls, granted, promises

SEATS, BUYERS, TRIES = 50, 150, 3
CLUB = a_room("club-night", a_show(seats=SEATS))
NARROW_CROWD = 60
NARROW = a_room("narrow", a_show(seats=50), max_active=4, rate=25.0)


async def try_for_a_seat(fan: Fan, show: Staged, wishes: list[int]) -> None:
    """Try one seat after another; pay for the first that is hers."""
    for seat_id in wishes:
        held = await fan.reserve(show.schedule_id, seat_id)
        if held.ok:
            await fan.pay(held.data["reservationId"])
            return


async def sale(cluster: Cluster, client: RoundRobin) -> None:
    """Let everybody in, and let all of them try at once."""
    fans, show = cluster.fans(BUYERS, client, CLUB.id), cluster.show(CLUB.id)
    await let_in(fans)
    dice = random.Random(50)
    wishes = [dice.sample(show.seat_ids, TRIES) for _ in fans]
    await asyncio.gather(*(try_for_a_seat(fan, show, wanted) for fan, wanted in zip(fans, wishes, strict=True)))
    buyers = {answer.buyer_id for answer in granted(client.record, PAY)}
    balances = {fan.buyer_id: await fan.balance() for fan in fans if fan.buyer_id in buyers}

    sold = [seat_id for promise in promises(client.record) for seat_id in promise.seat_ids if promise.is_paid]
    assert sorted(sold) == list(show.seat_ids)
    assert unexpected(calls(client.record, RESERVE), GRANTED, TAKEN, SOLD_OUT) == []
    assert unexpected(calls(client.record, PAY), GRANTED) == []
    assert seats_promised_twice(client.record) == []
    assert sold_out_too_soon(client.record, SEATS) == []
    assert paid_twice(client.record) == []
    assert money_astray(client.record, opening=OPENING_BALANCE_WON, balances=balances) == []
    assert client.cut == []
    await cluster.checked()


async def through_the_door(fan: Fan) -> None:
    """Wait for admission, look around, go."""
    await fan.admitted()
    await fan.schedule()
    await fan.leave()


@pytest.mark.parametrize("size", [2, 4])
def test_fifty_seats_are_sold_once_each(cluster: Open, size: int) -> None:
    async def story(opened: Cluster) -> None:
        async with opened.client() as client:
            await sale(opened, client)

    with cluster(size, CLUB) as opened:
        asyncio.run(story(opened))


def test_a_narrow_door_is_passed_in_order(cluster: Open) -> None:
    """What a process knows may be a moment old, so order, limit and rate are judged by the record of admissions."""

    async def story(opened: Cluster) -> str:
        async with opened.client() as client:
            fans = opened.fans(NARROW_CROWD, client, NARROW.id)
            await asyncio.gather(*(fan.join() for fan in fans))

            # Those at the back poll first, and everybody polls as fast as she can.
            backwards = sorted(fans, key=lambda fan: fan.number, reverse=True)
            await asyncio.gather(*(through_the_door(fan) for fan in backwards))
        return await opened.checked()

    with cluster(2, NARROW) as opened:
        said = asyncio.run(story(opened))
    for invariant in ("admission-order", "passes-overlap", "admission-rate"):
        [line] = [line for line in said.splitlines() if line.startswith(f"{invariant} ")]
        assert line.split()[1:3] == [str(NARROW_CROWD), "0"]
