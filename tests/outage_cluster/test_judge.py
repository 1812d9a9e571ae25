"""The judge of outages can fail: servers without a guard are found out, and so is every record that was doctored."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
import pytest

from tests.e2e.harness.answers import Answer
from tests.e2e.harness.client import Client
from tests.e2e.harness.promises import CHECK, JOIN, RESERVE
from tests.outage_cluster import rules
from tests.outage_cluster.cells import Cell, Dependency, Kind, Stage
from tests.outage_cluster.facts import CLOSED, FILE, HALF_OPEN, LOOKS, OPEN, Facts, tried_beyond
from tests.outage_cluster.house import DEADLINE_S, PROGRAM, Engines, Row, opened
from tests.outage_cluster.play import Played, play_cell
from tests.outage_cluster.verdict import broken, too_slow

MUTANTS = "tests.outage_cluster.mutants"
BEGAN_AT, ENDED_AT = 1_000_000, 1_008_000
STATUS = ("GET", "/queue/status?room=line")
SCHEDULE = ("GET", "/concerts/schedule")
TOLD = {"status": "WAITING", "stale": True}


async def came_of(
    engines: Engines, cell: Cell, folder: Path, mutant: str = "", *, charged: int = 0, **settings: str
) -> Played:
    """Play one cell on a server of its own."""
    row = Row(dependency=cell.dependency, stage=cell.stage, cells=[cell])
    program = ("-m", f"{MUTANTS}.{mutant}") if mutant else PROGRAM
    async with opened(engines, row, folder / "house", program=program, **settings) as house:
        return await play_cell(house, cell, charged=charged)


def test_control_a_server_that_asks_a_database_cut_off_is_found_out(started: Engines, tmp_path: Path) -> None:
    cell = Cell(dependency=Dependency.MARIADB, kind=Kind.REFUSED, stage=Stage.BEFORE)

    found = asyncio.run(came_of(started, cell, tmp_path, "asks_though_open"))

    assert any(what.startswith("reached while open") for what in broken(found))


def test_control_a_server_that_loses_a_connection_is_found_out(started: Engines, tmp_path: Path) -> None:
    cell = Cell(dependency=Dependency.KAFKA, kind=Kind.REFUSED, stage=Stage.BEFORE)

    found = asyncio.run(came_of(started, cell, tmp_path, "loses_a_connection"))

    assert {"1 of writers are lost", "1 of readers are lost"} & {*found.wrong}, found.wrong


def test_control_a_server_that_forgets_keys_loses_money_in_an_outage(started: Engines, tmp_path: Path) -> None:
    cell = Cell(dependency=Dependency.POSTGRESQL, kind=Kind.HANGS, stage=Stage.DURING)

    # Charged before any breaker is open: each of them is committed, its answer hangs, and she has to ask again.
    found = asyncio.run(came_of(started, cell, tmp_path, "charges_again", charged=3))

    assert any(what.startswith("buyer") for what in found.wrong), found.wrong


def test_control_a_server_that_waits_for_longer_than_it_may_is_late(started: Engines, tmp_path: Path) -> None:
    cell = Cell(dependency=Dependency.MARIADB, kind=Kind.HANGS, stage=Stage.BEFORE)
    long = str(2 * DEADLINE_S)

    found = asyncio.run(came_of(started, cell, tmp_path, DEADLINE_CHANGE_SECONDS=long, DEADLINE_READ_SECONDS=long))

    assert any(what.startswith("answered after") for what in too_slow(found))


GOOD = Played(
    cell=Cell(dependency=Dependency.REDIS, kind=Kind.REFUSED, stage=Stage.BEFORE), took=[0.1, DEADLINE_S], recovered_s=1
)


def test_a_cell_that_is_as_it_has_to_be_is_not_blamed() -> None:
    assert [*broken(GOOD), *too_slow(GOOD)] == []


@pytest.mark.parametrize(
    ("doctored", "found"),
    [
        (replace(GOOD, wrong=["a seat was sold twice"]), "a seat was sold twice"),
        (replace(GOOD, unkept=["joins fail closed"]), "joins fail closed"),
        (replace(GOOD, reached_while_open=Counter(redis=1)), "reached while open"),
        (replace(GOOD, tried_beyond=Counter(redis=1)), "tried while half open"),
    ],
    ids=["wrong", "unkept", "reached", "tried"],
)
def test_what_no_machine_excuses_is_found_on_one_that_stood_still_too(doctored: Played, found: str) -> None:
    assert any(found in what for what in broken(replace(doctored, lag_s=9.0)))


def test_what_is_late_is_found() -> None:
    assert list(too_slow(replace(GOOD, took=[DEADLINE_S + 0.6]))) != []
    assert list(too_slow(replace(GOOD, recovered_s=4.1))) != []


def an_answer(
    call: tuple[str, str],
    status: int = 200,
    data: object = None,
    *,
    at: int = BEGAN_AT + 5_000,
    headers: Mapping[str, str] = MappingProxyType({"retry-after": "1"}),
) -> Answer:
    """Make what a client writes down."""
    method, path = call
    document = {"data": data} if status == rules.OK else {"exception": {"code": "X"}}
    return Answer(
        method=method,
        path=path,
        asked={},
        buyer_id=1,
        key=None,
        status=status,
        headers=headers,
        raw=msgspec.json.encode(document),
        sent_at=at,
        answered_at=at + 10,
    )


def paused(*, serving: int = 7, at: int = BEGAN_AT + 5_000) -> Answer:
    """Make what a line that lets nobody in says of itself."""
    return an_answer(STATUS, data={"admissionPaused": True, "servingNumber": serving, "stale": True}, at=at)


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (an_answer(RESERVE, 500), "neither granted nor put off"),
        (an_answer(JOIN, 503, headers={}), "without Retry-After"),
        (an_answer(SCHEDULE, data=[]), "an empty list"),
    ],
    ids=["500", "no Retry-After", "empty list"],
)
def test_an_answer_that_no_outage_may_bring_about_is_found(answer: Answer, found: str) -> None:
    client = Client(0)
    client.record.append(answer)

    assert any(what.startswith(found) for what in rules.broken(client))


def in_an_outage(dependency: Dependency, record: Sequence[Answer]) -> list[str]:
    """Judge *record* as one of a total outage."""
    cell = Cell(dependency=dependency, kind=Kind.HANGS, stage=Stage.BEFORE)
    outage = rules.Outage(began_at=BEGAN_AT, ended_at=ENDED_AT)
    return list(rules.unkept(cell, outage, record))


PUT_OFF: Callable[[tuple[str, str]], Answer] = lambda call: an_answer(call, 503)  # noqa: E731 -- short in the tables below
KEPT: Sequence[tuple[Dependency, Sequence[Answer]]] = [
    (Dependency.REDIS, [paused(), an_answer(RESERVE, data={}), PUT_OFF(JOIN), an_answer(CHECK, data=TOLD)]),
    (Dependency.MARIADB, [paused(), PUT_OFF(RESERVE), PUT_OFF(JOIN), an_answer(CHECK, data=TOLD)]),
    (Dependency.KAFKA, [an_answer(RESERVE, data={}), an_answer(JOIN, data={})]),
]


@pytest.mark.parametrize(("dependency", "record"), KEPT)
def test_promises_that_are_kept_are_not_blamed(dependency: Dependency, record: Sequence[Answer]) -> None:
    assert in_an_outage(dependency, record) == []


@pytest.mark.parametrize(
    ("dependency", "more", "found"),
    [
        (Dependency.REDIS, PUT_OFF(CHECK), "who waits is told how she stands"),
        (Dependency.REDIS, PUT_OFF(RESERVE), "who is inside goes on buying"),
        (Dependency.REDIS, an_answer(JOIN, data={}), "joins fail closed"),
        (Dependency.REDIS, paused(serving=8, at=BEGAN_AT + 6_000), "let in while admission was paused"),
        (Dependency.REDIS, an_answer(CHECK, data={**TOLD, "stale": False}), "shown as if it were fresh"),
        (Dependency.MARIADB, an_answer(RESERVE, data={}), "what has to be written fails closed"),
        (Dependency.MARIADB, an_answer(JOIN, data={}), "joins fail closed"),
        (Dependency.KAFKA, PUT_OFF(RESERVE), "Kafka stops nothing"),
    ],
)
def test_a_promise_that_is_not_kept_is_found(dependency: Dependency, more: Answer, found: str) -> None:
    record = dict(KEPT)[dependency]

    assert any(what.startswith(found) for what in in_an_outage(dependency, [*record, more]))


def test_a_line_that_never_says_that_it_is_paused_is_found() -> None:
    assert in_an_outage(Dependency.REDIS, []) == ["nobody was told that admission is paused"]


def test_a_connection_that_never_comes_back_and_a_breaker_that_stays_open_are_found(tmp_path: Path) -> None:
    looks: list[dict[str, Any]] = [
        {"at": 1.0 + nth, "taken": {"writes": 2, "writers": 1 + nth % 2, "readers": nth % 2, "redis": 0}}
        for nth in range(LOOKS)
    ]
    lines = [*looks, {"at": 99.0, "breaker": "redis", "left": "closed", "entered": OPEN}]
    (tmp_path / FILE).write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))

    facts = Facts(tmp_path)

    assert facts.taken() == {"writes": 2, "writers": 1}
    assert facts.not_closed() == {"redis": OPEN}


def entered(state: str) -> Mapping[str, Any]:
    return {"breaker": "redis", "left": "whatever was before", "entered": state}


TRIED = {"tried": "redis", "permitted": 3}
GIVEN_BACK = {"given_back": "redis"}


def test_as_many_trial_calls_as_are_permitted_are_not_blamed() -> None:
    one = [entered(HALF_OPEN), TRIED, TRIED, GIVEN_BACK, TRIED, TRIED]

    assert tried_beyond([*one, entered(OPEN), *one, entered(CLOSED)]) == {}


@pytest.mark.parametrize(
    "more",
    [
        pytest.param([TRIED, TRIED, TRIED, TRIED], id="one too many"),
        pytest.param([TRIED, GIVEN_BACK, entered(OPEN), entered(HALF_OPEN), *[TRIED] * 4], id="given back before"),
    ],
)
def test_a_call_beyond_the_trials_of_one_half_open_is_found(more: Sequence[Mapping[str, Any]]) -> None:
    assert tried_beyond([entered(HALF_OPEN), *more]) == {"redis": 1}
