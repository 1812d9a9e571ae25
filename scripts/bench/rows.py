"""The rows: which call, in which house, and what is hoped for."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.bench.calls import API, InTurn, Request, in_turn
from scripts.bench.cores import Cores
from scripts.bench.house import House, Plan
from scripts.bench.rounds import Call
from scripts.bench.served import NotServedError, Served

WAITING_PART = b'"status":"WAITING"'
TOKENS_IN_TURN = 20_000
JOINS_A_SECOND_MAX = 8_000
"""More new buyers than a server on one core takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large a run is: *pairs* of rounds of so many *seconds*, and lines so long."""

    pairs: int
    seconds: int
    crowd: int = 100_000
    million: int = 1_000_000

    @property
    def calling_s(self) -> int:
        """For how many seconds a row is called in all, with those that do not count."""
        return (self.pairs + 4) * self.seconds + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A server on a copy of *house*, and where a call may keep its files."""

    house: House
    server: Served
    cores: Cores
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """
    One row of the table.

    *target* is the least ratio hoped for, None where the issue names none. *call* makes ready what is called and
    says how long its answer is.
    """

    name: str
    plan: Callable[[Size], Plan]
    call: Callable[[Stage], tuple[Call, int]]
    target: float | None = None


def crowd(size: Size) -> Plan:
    """Return a house with 100,000 in line."""
    newcomers = JOINS_A_SECOND_MAX * size.calling_s
    return Plan(name="crowd", inside=500, waiting=size.crowd, newcomers=newcomers, names_waiting=TOKENS_IN_TURN)


def check_waiting(stage: Stage) -> tuple[InTurn, int]:
    """Poll with 20,000 different tokens, taken from the whole length of the line."""
    requests = [with_token("POST", "/queue/token/check", token) for token in stage.house.waiting]
    call = _in_turn(stage, "check_waiting", requests, right=WAITING_PART, whole=False)
    return call, len(_asked(stage, requests[-1]))


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
    return _list(stage, "schedule", "/concerts/schedule", items=None)


def seats_50(stage: Stage) -> tuple[InTurn, int]:
    """List the 50 free seats of the club."""
    return _list(stage, "seats_50", f"/concerts/seat?scheduleId={stage.house.smallest}", items=50)


def _list(stage: Stage, name: str, path: str, *, items: int | None) -> tuple[InTurn, int]:
    requests = [with_token("GET", path, token) for token in stage.house.inside]
    right = _asked(stage, requests[0])
    listed = json.loads(right)["data"]
    if not listed or items not in {None, len(listed)}:
        raise NotServedError(f"{path} lists {len(listed)} items")
    return _in_turn(stage, name, requests, right=right, whole=True), len(right)


def with_token(method: str, path: str, token: str) -> Request:
    """Return a request of the buyer whose *token* that is."""
    return Request(method=method, path=f"{API}{path}", headers={"Authorization": token})


def _in_turn(stage: Stage, name: str, requests: Sequence[Request], *, right: bytes, whole: bool) -> InTurn:
    return in_turn(
        name, requests, right=right, whole=whole, server=stage.server, cores=stage.cores, folder=stage.folder
    )


def _asked(stage: Stage, request: Request) -> bytes:
    """Ask once, before anything is measured, so that the right answer is known."""
    headers = {**request.headers, **({"Content-Type": "application/json"} if request.body else {})}
    return stage.server.call(request.method, request.path, headers, request.body)


ROWS: Sequence[Row] = (
    Row(name="check_waiting", plan=crowd, call=check_waiting, target=0.60),
    Row(name="token_issue", plan=crowd, call=token_issue, target=0.30),
    Row(name="schedule", plan=crowd, call=schedule, target=0.60),
    Row(name="seats_50", plan=crowd, call=seats_50, target=0.50),
)
