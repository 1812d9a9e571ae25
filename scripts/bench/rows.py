"""The rows: which call, in which house, what is hoped for, and what is looked at when the rounds are over."""

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil

from scripts.bench import afterwards, goals
from scripts.bench.afterwards import After
from scripts.bench.calls import API, InTurn, Request, in_turn
from scripts.bench.engines import Setup
from scripts.bench.goals import Goal
from scripts.bench.house import Plan
from scripts.bench.orders import Errand, Orders
from scripts.bench.rounds import Call
from scripts.bench.served import NotServedError
from scripts.bench.stage import Size, Stage
from stagedoor.adapters.sql.demo import ARENA
from stagedoor.waiting_room.room_change import POLICY_RANGES

WAITING_PART = b'"status":"WAITING"'
TOKENS_IN_TURN = 20_000

JOINS_A_SECOND_MAX = 24_000
ORDERS_A_SECOND_MAX = 6_000
"""More than a server on one core takes: so many buyers are made ready."""

INSIDE = 500


PAIRS_TIMES = 3
"""
So many times as many pairs as beside the floor, where some hundredths are sought.

A median of few pairs would tell of the machine.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """Another server that a row is measured beside: what it stands on (as in a `Row`)."""

    setup: Setup | None = None
    pairs_times: int = PAIRS_TIMES


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """
    One row of the table.

    *call* makes ready what is called, and says how many bytes it is answered with. It is measured in turn with the
    same call on the *other* server, for what *guards* cost with that on the same server without them, or else with the
    floor. *after* comes when the rounds are over, on the same server, or on both, where it may yield no figures.
    *setup* is what a cluster consists of, None for one process on one file.
    """

    name: str
    plan: Callable[[Size], Plan]
    call: Callable[[Stage], tuple[Call, int]]
    goal: Goal | None = None
    after: Sequence[After] = ()
    setup: Setup | None = None
    other: Other | None = None
    guards: bool = False


def crowd(size: Size) -> Plan:
    """Return a house with 100,000 in line."""
    return Plan(name="crowd", inside=INSIDE, waiting=size.crowd, names_waiting=TOKENS_IN_TURN)


def rush(size: Size) -> Plan:
    """Return a house with 100,000 in line, and so many at its door that nobody has to join twice."""
    return replace(crowd(size), name="rush", newcomers=JOINS_A_SECOND_MAX * size.rounds_s)


def million(size: Size) -> Plan:
    """Return a house with a million in line."""
    return Plan(name="million", inside=INSIDE, waiting=size.million, names_waiting=TOKENS_IN_TURN)


def sale(size: Size) -> Plan:
    """Return a house where so many are inside that nobody has to buy twice, as far as a room takes them."""
    return sale_of(min(ORDERS_A_SECOND_MAX * size.calling_s, int(POLICY_RANGES["max_active"].most)))


def sale_of(buyers: int) -> Plan:
    """Return a house with so many inside, and a seat for each."""
    return Plan(name="sale", inside=buyers, waiting=0, arenas=ceil(buyers / ARENA.seat_count))


def check_waiting(stage: Stage) -> tuple[InTurn, int]:
    """Poll with 20,000 different tokens, taken from the whole length of the line."""
    requests = [with_token("POST", "/queue/token/check", token) for token in stage.house.waiting]
    return _in_turn(stage, "check", requests, right=WAITING_PART, whole=False), len(_asked(stage, requests[-1]))


def token_issue(stage: Stage) -> tuple[InTurn, int]:
    """Take places for buyers who stand nowhere yet, each once."""
    requests = [
        Request(method="POST", path=f"{API}/queue/token", headers={}, body=b'{"userId":%d}' % buyer)
        for buyer in stage.house.newcomers
    ]
    answered = len(_asked(stage, requests.pop()))
    return _in_turn(stage, "token_issue", requests, right=WAITING_PART, whole=False), answered


def schedule(stage: Stage) -> tuple[InTurn, int]:
    """List what is on: the demo's programme."""
    return _list(stage, "schedule", "/concerts/schedule")


def seats_50(stage: Stage) -> tuple[InTurn, int]:
    """List the 50 free seats of the club."""
    return _list(stage, "seats_50", f"/concerts/seat?scheduleId={stage.house.smallest}", items=50)


def seats_20000(stage: Stage) -> tuple[InTurn, int]:
    """List the 20,000 free seats of the arena, compressed, as every browser asks for it."""
    path = f"/concerts/seat?scheduleId={stage.house.largest}"
    return _list(stage, "seats_20000", path, items=20_000, headers={"Accept-Encoding": "gzip"})


def orders(stage: Stage) -> tuple[Orders, int]:
    """Reserve and pay, each buyer for one seat; seats of all arenas in turns."""
    errands = [
        Errand(token=token, performance_id=performance_id, seat_id=seat_id)
        for token, (performance_id, seat_id) in zip(stage.house.inside, stage.house.seats, strict=False)
    ]
    call = Orders(name="orders", server=stage.server, cores=stage.cores, folder=stage.folder, errands=errands)
    return call, ORDER_ANSWER_BYTES


ORDER_ANSWER_BYTES = 350
"""About what a reserve and a payment are answered with."""


def _list(
    stage: Stage, name: str, path: str, *, items: int | None = None, headers: Mapping[str, str] | None = None
) -> tuple[InTurn, int]:
    requests = [with_token("GET", path, token, headers) for token in stage.house.inside]
    right = _asked(stage, requests[0])
    listed = json.loads(gzip.decompress(right) if headers else right)["data"]
    if not listed or items not in {None, len(listed)}:
        raise NotServedError(f"{path} lists {len(listed)} items")
    return _in_turn(stage, name, requests, right=right, whole=True), len(right)


def with_token(method: str, path: str, token: str, headers: Mapping[str, str] | None = None) -> Request:
    """Return a request of the buyer whose *token* that is."""
    return Request(method=method, path=f"{API}{path}", headers={"Authorization": token, **(headers or {})})


def _in_turn(stage: Stage, name: str, requests: Sequence[Request], *, right: bytes, whole: bool) -> InTurn:
    return in_turn(
        name, requests, right=right, whole=whole, server=stage.server, cores=stage.cores, folder=stage.folder
    )


def _asked(stage: Stage, request: Request) -> bytes:
    """Ask once, before anything is measured, so that the right answer is known."""
    headers = {**request.headers, **({"Content-Type": "application/json"} if request.body else {})}
    return stage.server.call(request.method, request.path, headers, request.body)


def _guard(
    name: str, plan: Callable[[Size], Plan], call: Callable[[Stage], tuple[Call, int]], *, percent_max: int
) -> Row:
    """Return a row of what all guards together cost."""
    goal = goals.at_most("more_cpu_percent", percent_max, text=f"{percent_max} %")
    return Row(name=name, plan=plan, call=call, goal=goal, guards=True)


ROWS: Sequence[Row] = (
    Row(
        name="check_waiting",
        plan=crowd,
        call=check_waiting,
        goal=goals.ratio(0.60),
        after=[afterwards.half_peak({"check": 10})],
    ),
    Row(
        name="check_waiting_1m",
        plan=million,
        call=check_waiting,
        goal=goals.ratio_beside("check_waiting", 0.9),
        after=[afterwards.memory, afterwards.restart],
    ),
    Row(name="token_issue", plan=rush, call=token_issue, goal=goals.ratio(0.30), after=[afterwards.all_joined]),
    Row(name="schedule", plan=crowd, call=schedule, goal=goals.ratio(0.60)),
    Row(name="seats_50", plan=crowd, call=seats_50, goal=goals.ratio(0.50)),
    Row(name="seats_20000", plan=crowd, call=seats_20000),
    Row(
        name="orders",
        plan=sale,
        call=orders,
        goal=goals.at_least("rps", 1_600, text="1,600 a second"),
        after=[afterwards.half_peak({"reserve": 50, "pay": 50}), afterwards.sound],
    ),
    _guard("guard_check", crowd, check_waiting, percent_max=5),
    _guard("guard_orders", sale, orders, percent_max=10),
)
