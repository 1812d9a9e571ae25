"""Which call stands behind which breaker; what is answered from memory stands behind none, and is counted by none."""

from collections.abc import Mapping
from typing import Any

import pytest

from stagedoor.holds.rejections import SeatsTaken, UnknownHold
from stagedoor.kernel.errors import Fault
from stagedoor.resilience.breaker import State
from stagedoor.resilience.breakers import SERVICES, Instance
from stagedoor.waiting_room.rejections import UnknownBuyer
from tests.integration.http.asking import Asking, Reply
from tests.integration.http.stage import CLUB_NIGHT, Stage, a_place, an_admitted_place

RESERVE = {"scheduleId": CLUB_NIGHT, "seatId": 1}

Sent = tuple[str, str, Any]
"""Method, path and body."""

GUARDED: Mapping[Instance, list[Sent]] = {
    Instance.QUEUE: [("POST", "/queue/token", {"userId": 7}), ("DELETE", "/queue/token", None)],
    Instance.CONCERT: [
        ("GET", "/concerts", None),
        ("GET", "/concerts/schedule", None),
        ("GET", f"/concerts/seat?scheduleId={CLUB_NIGHT}", None),
    ],
    Instance.SALE: [
        ("POST", "/concerts/reserve", RESERVE),
        ("DELETE", "/concerts/reserve/9", None),
        ("POST", "/concerts/payment", {"reservationId": 9}),
        ("POST", "/user/amount", {"amount": 1_000}),
    ],
}
UNGUARDED = [
    ("POST", "/queue/token/check", None),
    ("GET", "/queue/status", None),
    ("GET", "/user/amount", None),
    ("GET", "/user/orders", None),
    ("GET", "//healthz", None),
]
SAID_NO: Mapping[str, Exception] = {"/concerts/reserve": SeatsTaken(), "/user/amount": UnknownBuyer()}
CASES = [(instance, sent) for instance, calls in GUARDED.items() for sent in calls]


async def ask(stage: Stage, client: Asking, sent: Sent) -> Reply:
    method, path, body = sent
    return await client.ask(method, path, json=body, token=None if path == "/queue/token" and body else stage.token())


@pytest.fixture(autouse=True)
async def admitted(stage: Stage, client: Asking) -> None:
    stage.door.place = an_admitted_place()
    # Where a venue is, which a reservation tells, is known from an earlier look.
    await client.ask("GET", "/concerts")


@pytest.mark.parametrize(("instance", "sent"), CASES)
async def test_an_open_breaker_refuses_its_calls_with_what_is_left_of_its_wait(
    stage: Stage, client: Asking, instance: Instance, sent: Sent
) -> None:
    stage.breakers.of(instance).transition_to(State.OPEN)
    stage.clock.advance(10_000)

    reply = await ask(stage, client, sent)

    if sent[1] == "/concerts":  # read a moment ago, so it is shown as it was then
        assert (reply.status, reply.document["stale"]) == (200, True)
        return
    assert reply.verdict == (503, "503")
    assert reply.headers["retry-after"] == "21"  # 20.001 s are left


@pytest.mark.parametrize(("instance", "sent"), CASES)
async def test_another_breaker_that_is_open_makes_no_difference(
    stage: Stage, client: Asking, instance: Instance, sent: Sent
) -> None:
    for other in SERVICES - {instance}:
        stage.breakers.of(other).transition_to(State.FORCED_OPEN)
    stage.till.outcomes.append(SAID_NO.get(sent[1], UnknownHold()))

    # The sale, where it is asked, says no by its rules: that is an answer.
    assert (await ask(stage, client, sent)).status in {200, 404, 409}


@pytest.mark.parametrize("sent", UNGUARDED)
async def test_what_is_known_is_told_whatever_is_open(stage: Stage, client: Asking, sent: Sent) -> None:
    for instance in Instance:
        stage.breakers.of(instance).transition_to(State.FORCED_OPEN)

    assert (await ask(stage, client, sent)).status == 200


async def test_polls_are_counted_by_no_breaker(stage: Stage, client: Asking) -> None:
    stage.door.place = a_place()
    before = {breaker.name: breaker.snapshot() for breaker in stage.breakers.all()}

    for _ in range(3):
        await client.ask("POST", "/queue/token/check", token=stage.token())

    assert {breaker.name: breaker.snapshot() for breaker in stage.breakers.all()} == before


@pytest.mark.parametrize(
    ("outcome", "status", "counted"),
    [(Fault("gone"), 503, (1, 1)), (SeatsTaken(), 409, (0, 0)), (KeyError(), 500, (0, 0))],
)
async def test_a_reservation_counts_if_it_fails_and_not_if_the_rules_say_no(
    stage: Stage, client: Asking, outcome: Exception, status: int, counted: tuple[int, int]
) -> None:
    stage.till.outcomes.append(outcome)

    answered = await ask(stage, client, ("POST", "/concerts/reserve", RESERVE))

    now = stage.breakers.of(Instance.SALE).snapshot()
    assert (answered.status, (now.buffered_calls, now.failed_calls)) == (status, counted)
