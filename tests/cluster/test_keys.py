"""The same key, sent to two processes at the same moment: one effect, and one answer."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from tests.cluster.conftest import Open
from tests.cluster.evening import Cluster, RoundRobin
from tests.e2e.harness.answers import Answer
from tests.e2e.harness.checkers import (
    GRANTED,
    keys_with_two_effects,
    money_astray,
    paid_twice,
    seats_promised_twice,
    unexpected,
)
from tests.e2e.harness.evening import OPENING_BALANCE_WON
from tests.e2e.harness.fan import Fan
from tests.e2e.harness.programme import a_room, a_show
from tests.e2e.harness.promises import PAY, RESERVE, calls
from tests.e2e.harness.server import PRODUCT

BUYERS = 40
HALL = a_room("hall", a_show(seats=BUYERS))
LATE = (str(Path(__file__).with_name("stores_keys_late.py")),)
OVERWRITTEN = (str(Path(__file__).with_name("mutants") / "keys_overwritten.py"),)
Call = Callable[[Fan, int], Awaitable[Answer]]


async def at_once(fans: Sequence[Fan], client: RoundRobin, call: Call) -> None:
    """Have everybody send the same call to each process at the same moment, and to each once more after it."""

    async def by_all(i: int, fan: Fan) -> list[Answer]:
        return list(await asyncio.gather(*(call(fan.at(each), i) for each in client.clients)))

    first = await asyncio.gather(*(by_all(i, fan) for i, fan in enumerate(fans)))
    second = await asyncio.gather(*(by_all(i, fan) for i, fan in enumerate(fans)))

    for answers, again in zip(first, second, strict=True):
        assert {answer.status for answer in (*answers, *again)} == {200}, [str(answer) for answer in answers]
        assert sum(not answer.replayed for answer in answers) == 1, "answered anew twice"
        assert all(answer.replayed for answer in again)
        assert len({answer.raw for answer in (*answers, *again)}) == 1


async def joined(fans: Sequence[Fan]) -> None:
    """Let each keep the token of the place that her key names."""
    for answer in await asyncio.gather(*(fan.join(key="join") for fan in fans)):
        assert answer.replayed


@pytest.mark.parametrize("program", [tuple(PRODUCT), LATE], ids=["as it is", "both have read the keys"])
def test_one_key_at_two_processes_at_once_has_one_effect_and_one_answer(
    cluster: Open, program: tuple[str, ...]
) -> None:
    async def story(opened: Cluster) -> None:
        async with opened.client() as client:
            fans, show = opened.fans(BUYERS, client, HALL.id), opened.show(HALL.id)
            await at_once(fans, client, lambda fan, _: fan.join(key="join"))
            await joined(fans)
            assert sorted(fan.number for fan in fans) == list(range(1, BUYERS + 1))
            await asyncio.gather(*(fan.admitted() for fan in fans))

            await at_once(fans, client, lambda fan, i: fan.reserve(show.schedule_id, show.seat_ids[i], key="hold"))
            held = [await fan.reserve(show.schedule_id, show.seat_ids[i], key="hold") for i, fan in enumerate(fans)]
            buyers, leavers = fans[::2], fans[1::2]
            ids = [answer.data["reservationId"] for answer in held[::2]]
            await at_once(buyers, client, lambda fan, i: fan.pay(ids[i], key="pay"))
            await at_once(leavers, client, lambda fan, _: fan.leave(key="leave"))
            balances = {fan.buyer_id: await fan.balance() for fan in buyers}

        assert unexpected([*calls(client.record, RESERVE), *calls(client.record, PAY)], GRANTED) == []
        assert keys_with_two_effects(client.record) == []
        assert seats_promised_twice(client.record) == []
        assert paid_twice(client.record) == []
        assert money_astray(client.record, opening=OPENING_BALANCE_WON, balances=balances) == []
        await opened.checked()

    with cluster(2, HALL, program=program) as opened:
        asyncio.run(story(opened))


def test_control_where_the_store_does_not_compare_one_key_has_two_answers(cluster: Open) -> None:
    async def story(opened: Cluster) -> None:
        async with opened.client() as client:
            fans = opened.fans(BUYERS, client, HALL.id)
            with pytest.raises(AssertionError, match="answered anew twice"):
                await at_once(fans, client, lambda fan, _: fan.join(key="join"))

    with cluster(2, HALL, program=OVERWRITTEN) as opened:
        asyncio.run(story(opened))
