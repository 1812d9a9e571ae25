"""The limits at their defaults: two thousand people behind one address do not meet them, one script does."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

from tests.e2e.harness.answers import Answer
from tests.e2e.harness.client import Client
from tests.e2e.harness.evening import Evening
from tests.e2e.harness.programme import a_room, a_show
from tests.hostile.conftest import JWT_SETTINGS, OPEN, Houses
from tests.hostile.identities import proof_of

CROWD = 2_000
AT_ONCE = 64
OFFICE, HOME = {"X-Forwarded-For": "203.0.113.9"}, {"X-Forwarded-For": "198.51.100.7"}
# Under the demo identity the very machine is exempt, so everybody comes by way of a proxy that is believed.
BEHIND_A_PROXY = {"TRUSTED_PROXIES": "127.0.0.1"}
LARGE = a_room("large", a_show(seats=3), max_active=CROWD, idle_timeout_ms=600_000, entry_window_ms=600_000)
JOIN, CHARGE = ("POST", "/queue/token"), ("POST", "/user/amount")


async def one_of_the_crowd(house: Evening, client: Client, buyer_id: int, turns: asyncio.Semaphore) -> list[Answer]:
    """Join, ask twice as often as told, charge, and try three times for the last seats."""
    show = house.show(LARGE.id)

    async def ask(method: str, path: str, body: object = None, token: str | None = None) -> Answer:
        async with turns:
            return await client.ask(method, path, body=body, token=token, headers=OFFICE, buyer_id=buyer_id)

    joined = await ask(*JOIN, {"userId": buyer_id, "room": LARGE.id})
    token = joined.data.get("queueToken")
    wanted = {"scheduleId": show.schedule_id, "seatId": show.seat_ids[0]}
    calls = [
        ("/queue/token/check", None),
        ("/queue/token/check", None),
        ("/user/amount", {"amount": 1_000}),
        *[("/concerts/reserve", wanted)] * 3,
    ]
    return [joined, *[await ask("POST", path, body, token) for path, body in calls]]


async def test_a_crowd_behind_one_address_passes(houses: Houses) -> None:
    with houses(LARGE, **BEHIND_A_PROXY) as house:
        async with house.client() as client:
            turns = asyncio.Semaphore(AT_ONCE)
            crowd = (one_of_the_crowd(house, client, number, turns) for number in range(1, CROWD + 1))
            answers = [answer for asked in await asyncio.gather(*crowd) for answer in asked]
        house.check()

    statuses = Counter(answer.status for answer in answers)
    assert statuses.keys() <= {200, 403, 409}, statuses
    assert len(answers) == 7 * CROWD


async def hammer(client: Client, times: int, *call: str, body: object, **more: object) -> Sequence[Answer]:
    """Ask the same thing *times* times, some at once."""
    return [await client.ask(*call, body=body, **more) for _ in range(times)]  # type: ignore[arg-type]  # as `ask`


def held_back(answers: Sequence[Answer]) -> list[Answer]:
    """Return the answers that say "too often", each of which has to say until when."""
    refused = [answer for answer in answers if answer.status == 429]
    for answer in refused:
        assert answer.code == "429"
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.document["exception"]["retryAfterMs"] > 0
    return refused


async def test_one_buyer_is_held_back_at_every_limited_call(houses: Houses) -> None:
    slow = {f"LIMIT_{name}_OF_BUYER": "5+0.001/s" for name in ("JOINS", "EARLY_POLLS", "RESERVES", "CHARGES")}
    with houses(**BEHIND_A_PROXY, **slow) as house:
        async with house.client() as client:
            eager, calm = house.fan(client, OPEN.id), house.fan(client, OPEN.id)
            show = house.show(OPEN.id)
            for fan in (eager, calm):
                answer = await client.ask(
                    *JOIN, body={"userId": fan.buyer_id, "room": OPEN.id}, headers=OFFICE, buyer_id=fan.buyer_id
                )
                fan.token = answer.data["queueToken"]
            wanted = {"scheduleId": show.schedule_id, "seatIds": [1]}
            for call, body in (
                (JOIN, {"userId": eager.buyer_id, "room": OPEN.id}),
                (("POST", "/queue/token/check"), None),
                (("POST", "/concerts/reserve"), wanted),
                (CHARGE, {"amount": 1}),
            ):
                answers = await hammer(client, 12, *call, body=body, token=eager.token, headers=OFFICE)
                # Another address does not help her, and her neighbour is not held back with her.
                [elsewhere] = await hammer(client, 1, *call, body=body, token=eager.token, headers=HOME)
                theirs = {"userId": calm.buyer_id, "room": OPEN.id} if call == JOIN else body
                [neighbour] = await hammer(client, 1, *call, body=theirs, token=calm.token, headers=OFFICE)

                assert len(held_back(answers)) in {6, 7, 8}, call
                assert elsewhere.status == 429, call
                assert neighbour.status != 429, call
        house.check()


async def join_as_many(client: Client, count: int, first: int, headers: Mapping[str, str]) -> Sequence[Answer]:
    """Join as *count* buyers from one place."""
    return [
        await client.ask(*JOIN, body={"room": OPEN.id}, headers={"X-Identity": proof_of(number), **headers})
        for number in range(first, first + count)
    ]


async def test_an_address_with_many_buyers_is_held_back_whatever_it_says_it_is(houses: Houses) -> None:
    with houses(**JWT_SETTINGS, LIMIT_JOINS_OF_ADDRESS="10+0.001/s") as house:
        async with house.client() as client:
            first = await join_as_many(client, 15, 1, {})
            lies = [
                await join_as_many(client, 1, 20 + number, {"X-Forwarded-For": f"192.0.2.{number}"})
                for number in range(5)
            ]

    assert [answer.status for answer in first] == [200] * 10 + [429] * 5
    assert [answer.status for [answer] in lies] == [429] * 5
    assert len(held_back(first)) == 5


async def test_what_a_proxy_says_counts_only_where_it_is_trusted_and_only_its_own_word(houses: Houses) -> None:
    with houses(**JWT_SETTINGS, **BEHIND_A_PROXY, LIMIT_JOINS_OF_ADDRESS="10+0.001/s") as house:
        async with house.client() as client:
            # What stands further left was said by the client.
            office = [
                await join_as_many(client, 1, 1 + number, {"X-Forwarded-For": f"192.0.2.{number}, 203.0.113.9"})
                for number in range(15)
            ]
            home = await join_as_many(client, 5, 30, HOME)

    assert [answer.status for [answer] in office] == [200] * 10 + [429] * 5
    assert [answer.status for answer in home] == [200] * 5


async def test_whoever_guesses_keys_is_not_listened_to_for_a_while(houses: Houses) -> None:
    with houses(**JWT_SETTINGS) as house:
        key = house.cli("key", "create", "desk", "--role", "view").strip()
        async with house.client() as client:
            guesses = [await client.ask("GET", "//ops/api/rooms", token=f"sdk_{number}") for number in range(15)]
            right = await client.ask("GET", "//ops/api/rooms", token=key)
            healthy = await client.ask("GET", "//healthz")

    assert [answer.status for answer in guesses] == [401] * 10 + [429] * 5
    assert right.status == 429
    assert len(held_back([*guesses, right])) == 6
    assert healthy.ok
