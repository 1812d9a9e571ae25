"""A database that says nothing: every call is answered by its deadline, and what came too late never happens."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, cast
from unittest import mock

import httpx
import pytest

from stagedoor.adapters import batching
from stagedoor.checkout.outcomes import HoldReceipt
from stagedoor.checkout.use_cases import RESERVING_MS
from stagedoor.http.app import create_app
from stagedoor.http.operators import READ_WAIT_S_MAX
from stagedoor.kernel.clock import SECOND_MS
from stagedoor.kernel.ids import MAIN_ROOM, BuyerId, PerformanceId, SeatId
from stagedoor.resilience.breaker import State
from stagedoor.resilience.breakers import Instance
from stagedoor.resilience.deadline import Deadline, due
from tests.builders.line import taken
from tests.builders.sale import BALANCE
from tests.builders.store import before_the_sale
from tests.simulation.process import Server, live, seeded, settings_for
from tests.simulation.virtual_time import LATENCY_S

CHANGE_S, READ_S = 10.0, 5.0
STALL_S = 15.0
GRACE_S = 0.05
"""What an answer may come after its deadline; in virtual time nothing of it is used."""

ANN, BOB, CAT = BuyerId(1), BuyerId(2), BuyerId(3)
BASE = "/v1/api"
BARE = ("/healthz", "/metrics", "/ops")


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, and after how many seconds it came."""

    status: int
    seconds: float
    body: Mapping[str, Any]


class Caller:
    """Asks the server as its clients do, without a socket in between."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._http = httpx.AsyncClient(
            transport=httpx.ASGITransport(cast("Any", create_app(server.services))), base_url="http://127.0.0.1"
        )

    async def asks(self, method: str, path: str, *, json: object = None, **headers: str) -> Reply:
        began_s = self.server.loop.time()
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self._http.request(
            method, path if path.startswith(BARE) else BASE + path, json=json, headers=fields
        )
        body = answer.json() if answer.headers["content-type"] == "application/json" else {}
        return Reply(answer.status_code, self.server.loop.time() - began_s, body)

    async def enters(self, buyer_id: BuyerId) -> str:
        """Join and be let in; return the token."""
        joined = await taken(self.server.services.issue_token.issue(room_id=MAIN_ROOM, buyer_id=buyer_id, key=None))
        await asyncio.sleep(1.0)  # of virtual time: long enough for a turn
        return self.server.services.tokens.issue(joined.place)

    async def holds(self, buyer_id: BuyerId, token: str, seat_id: int) -> int:
        ref = self.server.services.tokens.read(token.encode(), now=self.server.clock.now()).ref
        settled = await self.server.services.reserve_seats.reserve(
            ref=ref, buyer_id=buyer_id, performance_id=PerformanceId(1), seat_ids=[SeatId(seat_id)], key=None
        )
        assert isinstance(settled.receipt, HoldReceipt)
        return settled.receipt.hold_id


def run(folder: Path, story: Callable[[Caller], Awaitable[None]], **figures: object) -> None:
    database = folder / "sale.db"
    database.write_bytes(before_the_sale())
    # The breakers would soon answer faster; here it is the deadlines that have to hold.
    settings = settings_for(database, wait_target_seconds=60, **figures)
    ended: list[bool] = []

    async def told(server: Server) -> None:
        await story(Caller(server))
        ended.append(True)

    with seeded(Random(1)):
        live(settings, told)
    assert ended == [True]


def stall(server: Server) -> None:
    """From now on every step that the database is asked for takes longer than anybody waits."""
    server.disk.latency_s = STALL_S


def test_every_call_is_answered_by_its_deadline_and_polls_at_once(tmp_path: Path) -> None:
    async def story(caller: Caller) -> None:
        ann, bob = await caller.enters(ANN), await caller.enters(BOB)
        held = await caller.holds(ANN, ann, 1)
        stall(caller.server)

        changes = await asyncio.gather(
            caller.asks("POST", "/concerts/payment", json={"reservationId": held}, authorization=ann),
            caller.asks("POST", "/concerts/reserve", json={"scheduleId": 1, "seatId": 2}, authorization=bob),
            caller.asks("DELETE", f"/concerts/reserve/{held}", authorization=ann),
            caller.asks("DELETE", "/queue/token", authorization=bob),
            caller.asks("POST", "/user/amount", json={"amount": 1_000}, authorization=ann),
            caller.asks("POST", "/queue/token", json={"userId": CAT}),
        )
        reads = await asyncio.gather(
            caller.asks("GET", "/user/amount", authorization=ann),
            caller.asks("GET", "/user/orders", authorization=ann),
            caller.asks("GET", "/user/reservations", authorization=ann),
            caller.asks("GET", "/user/ledger", authorization=ann),
            caller.asks("GET", "/concerts/schedule", authorization=ann),
            caller.asks("GET", "/concerts/seat?scheduleId=1", authorization=ann),
            caller.asks("GET", "/concerts"),
            caller.asks("GET", "/metrics"),
        )
        polls = [
            await caller.asks("POST", "/queue/token/check", authorization=ann),
            await caller.asks("GET", "/queue/status"),
            await caller.asks("GET", "/healthz"),
        ]

        assert {reply.status for reply in changes} == {503}
        assert {reply.status for reply in reads} <= {200, 503}
        assert max(reply.seconds for reply in changes) <= CHANGE_S + GRACE_S
        assert max(reply.seconds for reply in reads) <= READ_S + GRACE_S
        assert [(reply.status, reply.seconds) for reply in polls] == [(200, 0.0)] * 3
        caller.server.disk.latency_s = 0.0

    run(tmp_path, story)


def test_a_caller_may_wait_less(tmp_path: Path) -> None:
    async def story(caller: Caller) -> None:
        ann = await caller.enters(ANN)
        stall(caller.server)

        replies = await asyncio.gather(
            *(
                caller.asks(method, path, json=json, authorization=ann, stagedoor_deadline_ms="800")
                for method, path, json in [
                    ("POST", "/user/amount", {"amount": 1_000}),
                    ("POST", "/concerts/reserve", {"scheduleId": 1, "seatId": 2}),
                    ("GET", "/user/amount", None),
                    ("GET", "/user/orders", None),
                    ("GET", "/concerts", None),
                ]
            )
        )

        assert {reply.status for reply in replies} == {503}
        assert all(0.8 <= reply.seconds <= 0.8 + GRACE_S for reply in replies)
        # Nobody can bring a breaker to open by being in a hurry.
        assert all(not breaker.snapshot().failed_calls for breaker in caller.server.services.breakers.all())
        caller.server.disk.latency_s = 0.0

    run(tmp_path, story)


async def stall_in_the_next_batch(server: Server) -> None:
    """Return once a batch of the sale has its transaction, and the database says no more."""
    registry, labels = server.services.metrics.registry, {"batch": "settle"}
    before = registry.get_sample_value("stagedoor_batch_commands_count", labels)
    while registry.get_sample_value("stagedoor_batch_commands_count", labels) == before:  # noqa: ASYNC110
        await asyncio.sleep(LATENCY_S)
    await asyncio.sleep(LATENCY_S)
    stall(server)


async def charge_over_a_stall(caller: Caller) -> tuple[int, int]:
    """
    Charge one won five times over a stall that ends after everybody has gone.

    Return by how much the balance has grown, and how many charges never began.
    """
    services, loop = caller.server.services, caller.server.loop
    ann = await caller.enters(ANN)

    async def charge() -> Reply:
        return await caller.asks("POST", "/user/amount", json={"amount": 1}, authorization=ann)

    first = asyncio.ensure_future(charge())
    await stall_in_the_next_batch(caller.server)
    rest = [asyncio.ensure_future(charge()) for _ in range(4)]
    replies = [await first, *[await one for one in rest]]
    assert {reply.status for reply in replies} == {503}
    caller.server.disk.latency_s = 0.0
    await asyncio.sleep(10 * STALL_S)
    await services.under_way.drain()
    balance = await services.wallets.balance(ANN)
    assert balance is not None
    registry = services.metrics.registry
    late = registry.get_sample_value("stagedoor_late_commands_total", {"batch": "settle"}) or 0
    assert loop.time() > STALL_S
    return balance - BALANCE, int(late)


def test_what_was_begun_is_done_and_what_came_too_late_never_happens(tmp_path: Path) -> None:
    """The first had begun when the database fell silent, and goes to its end. The others stood behind it and left."""
    found: list[tuple[int, int]] = []

    async def story(caller: Caller) -> None:
        found.append(await charge_over_a_stall(caller))

    run(tmp_path, story)

    assert found == [(1, 4)]


def test_that_is_so_because_the_late_are_left_out(tmp_path: Path) -> None:
    """The control: without it all of them are charged, whom everybody was told that nothing is known of."""
    found: list[tuple[int, int]] = []

    async def story(caller: Caller) -> None:
        with mock.patch.object(batching, "current", return_value=None):
            found.append(await charge_over_a_stall(caller))

    run(tmp_path, story)

    assert found == [(5, 0)]


def test_who_leaves_too_late_for_half_of_it_has_left_altogether(tmp_path: Path) -> None:
    """Her place is ended, and then the deadline passes: her seats are let go all the same."""

    async def story(caller: Caller) -> None:
        ann = await caller.enters(ANN)
        held = await caller.holds(ANN, ann, 1)
        # Two steps of the line and five of the sale, so slow that only the line's end within her time.
        caller.server.disk.latency_s = 0.15

        reply = await caller.asks("DELETE", "/queue/token", authorization=ann, stagedoor_deadline_ms="800")
        await caller.server.services.under_way.drain()
        caller.server.disk.latency_s = 0.0

        orders = await caller.asks("GET", "/user/reservations", authorization=ann)
        assert reply.status == 503
        assert [(item["reservationId"], item["status"]) for item in orders.body["data"]] == [(held, "RELEASED")]

    run(tmp_path, story)


@pytest.mark.parametrize("said", ["", "0", "-5", "1.5", "soon", "1e3", "9" * 10])
def test_a_deadline_that_is_none_is_refused(tmp_path: Path, said: str) -> None:
    async def story(caller: Caller) -> None:
        ann = await caller.enters(ANN)

        reply = await caller.asks("GET", "/user/amount", authorization=ann, stagedoor_deadline_ms=said)

        assert reply.status == 400
        assert reply.body["exception"]["details"][0]["field"] == "Stagedoor-Deadline-Ms"

    run(tmp_path, story)


@pytest.mark.parametrize(("hers", "waits_s"), [({}, READ_WAIT_S_MAX), ({"stagedoor_deadline_ms": "50"}, 0.05)])
def test_an_operator_who_sends_a_body_has_a_deadline_before_her_key_is_known(
    tmp_path: Path, hers: Mapping[str, str], waits_s: float
) -> None:
    async def story(caller: Caller) -> None:
        stall(caller.server)

        body = {"amount": 1_000}
        reply = await caller.asks("POST", "/ops/api/wallets/1/credit", json=body, authorization="sdk_x", **hers)

        assert reply.status == 503
        assert reply.seconds <= waits_s + GRACE_S
        caller.server.disk.latency_s = 0.0

    run(tmp_path, story)


def test_a_longer_deadline_than_ours_is_ours(tmp_path: Path) -> None:
    async def story(caller: Caller) -> None:
        ann = await caller.enters(ANN)
        stall(caller.server)

        reply = await caller.asks("GET", "/user/amount", authorization=ann, stagedoor_deadline_ms="60000")

        assert reply.seconds <= 2.0 + GRACE_S
        caller.server.disk.latency_s = 0.0

    run(tmp_path, story, deadline_read_seconds=2)


async def cut_off(caller: Caller, path: str, json: object, token: str) -> Reply:
    """Ask without a key, and be answered before the database, which falls silent over it, has come to itself."""
    asking = asyncio.ensure_future(caller.asks("POST", path, json=json, authorization=token))
    await stall_in_the_next_batch(caller.server)
    reply = await asking
    caller.server.disk.latency_s = 0.0
    await asyncio.sleep(10 * STALL_S)
    return reply


def test_a_payment_whose_caller_was_cut_off_is_made_and_her_place_used_up(tmp_path: Path) -> None:
    async def story(caller: Caller) -> None:
        ann = await caller.enters(ANN)
        held = await caller.holds(ANN, ann, 1)

        reply = await cut_off(caller, "/concerts/payment", {"reservationId": held}, ann)

        guard = caller.server.services.breakers.of(Instance.SALE).snapshot()
        orders = await caller.asks("GET", "/user/orders", authorization=ann)
        place = await caller.asks("POST", "/queue/token/check", authorization=ann)
        assert (reply.status, reply.seconds) == (503, CHANGE_S)
        assert (guard.failed_calls, guard.buffered_calls) == (1, 1)
        assert [item["reservationId"] for item in orders.body["data"]] == [held]
        assert place.body["data"]["status"] == "DONE"

    run(tmp_path, story)


def test_a_reserve_whose_caller_was_cut_off_holds_her_seats_and_keeps_her_pass(tmp_path: Path) -> None:
    async def story(caller: Caller) -> None:
        ann = await caller.enters(ANN)

        reply = await cut_off(caller, "/concerts/reserve", {"scheduleId": 1, "seatId": 2}, ann)

        guard = caller.server.services.breakers.of(Instance.SALE).snapshot()
        held = await caller.asks("GET", "/user/reservations", authorization=ann)
        [reservation] = held.body["data"]
        paid = await caller.asks(
            "POST", "/concerts/payment", json={"reservationId": reservation["reservationId"]}, authorization=ann
        )
        assert (reply.status, reply.seconds) == (503, CHANGE_S)
        assert guard.failed_calls == 1
        assert reservation["status"] == "TEMP_RESERVED"
        assert paid.status == 200

    run(tmp_path, story)


SESSION_S = 5


def test_who_reserves_in_a_hurry_again_and_again_stays_no_longer_for_that(tmp_path: Path) -> None:
    """She notes that she may be about to hold seats, and is gone before the sale has heard of it."""

    async def story(caller: Caller) -> None:
        ann, bob = await caller.enters(ANN), await caller.enters(BOB)

        async def bobs_status() -> object:
            place = await caller.asks("POST", "/queue/token/check", authorization=bob)
            return place.body["data"]["status"]

        assert await bobs_status() == "WAITING"
        caller.server.disk.latency_s = 0.01
        until_s = caller.server.loop.time() + SESSION_S + RESERVING_MS / SECOND_MS + 2.0
        while caller.server.loop.time() < until_s:
            seat = {"scheduleId": 1, "seatId": 1}
            await caller.asks("POST", "/concerts/reserve", json=seat, authorization=ann, stagedoor_deadline_ms="1")
            await asyncio.sleep(0.5)
            await bobs_status()

        assert await bobs_status() == "PROGRESS"

    run(tmp_path, story, max_active=1, session_max_seconds=SESSION_S)


def test_a_trial_may_take_as_long_as_the_operator_lets_callers_wait(tmp_path: Path) -> None:
    """A sale whose orders take longer than ours usually do would never reopen otherwise."""

    async def story(caller: Caller) -> None:
        services, loop = caller.server.services, caller.server.loop
        guard = services.breakers.of(Instance.SALE)
        guard.transition_to(State.OPEN)
        guard.transition_to(State.HALF_OPEN)

        async def order() -> str:
            await asyncio.sleep(2 * CHANGE_S)
            return "done"

        with due(Deadline(loop.time() + 3 * CHANGE_S)):
            answer = await services.under_way.settle(order, buyer_id=ANN, call="pay", key=None, guard=guard)

        assert answer == "done"
        assert guard.snapshot().failed_calls == 0

    run(tmp_path, story, deadline_change_seconds=3 * CHANGE_S)
