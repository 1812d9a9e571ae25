"""Every row of the bench is measured and found sound; nothing is said here about how fast anything is."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.bench import CONNECTIONS
from scripts.bench.calls import floor_of
from scripts.bench.cores import Cores
from scripts.bench.house import House, build
from scripts.bench.rounds import VoidError, measure
from scripts.bench.rows import PAIRS_TIMES, ROWS, Row, check_waiting, crowd, orders, sale
from scripts.bench.run import EMBEDDED, Run
from scripts.bench.served import FLOOR, PRODUCT, SWITCHED, NotServedError, Served, served
from scripts.bench.stage import Size, Stage

SMALL = Size(pairs=1, seconds=1, crowd=2_000, million=3_000)
ROUNDS_MAX = 5

GUARD_ROWS = [row for row in ROWS if row.guards]

CORES = Cores.choose()

Opened = Callable[[House], AbstractContextManager[Stage]]


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Served]:
    with served(FLOOR, cores=CORES, log=tmp_path / "floor.log") as server:
        yield server


@pytest.fixture
def opened() -> Opened:
    """Serves a house of the test's own."""

    @contextmanager
    def open_(house: House) -> Iterator[Stage]:
        log = house.folder / "server.log"
        with served(PRODUCT, cores=CORES, settings=house.settings, log=log) as server:
            yield Stage(house=house, server=server, cores=CORES, size=SMALL, folder=house.folder)

    return open_


GROUPS: Sequence[tuple[Sequence[str], frozenset[str], int]] = (
    (("floor", "check_waiting", "token_issue"), frozenset({"half_peak_check"}), 1),
    (("schedule", "seats_50", "seats_20000"), frozenset(), 1),
    (("check_waiting_1m",), frozenset({"memory", "restart"}), 1),
    # Two calls and two commits each, and 64 at once: the slowest machine finishes some in two seconds.
    (("orders",), frozenset({"half_peak_reserve", "half_peak_pay"}), 2),
)
"""Rows that share a house, what is told beside them, and for how many seconds they are called."""


@pytest.mark.parametrize(("names", "extras", "seconds"), GROUPS)
def test_every_row_is_measured(tmp_path: Path, names: Sequence[str], extras: frozenset[str], seconds: int) -> None:
    run = Run(size=replace(SMALL, seconds=seconds), cores=CORES, folder=tmp_path)

    run.rows(names)

    figures = run.report.figures
    assert set(figures) == {*names, *extras}
    for name in names:
        measured = figures[name]
        assert {"rps", "p50_ms", "p99_ms", "cpu_us", "ratio"} <= set(measured)
        assert min(measured[figure] for figure in ("rps", "p50_ms", "p99_ms", "cpu_us", "ratio")) > 0
    for name in extras & {"half_peak_check", "half_peak_reserve", "half_peak_pay"}:
        assert figures[name]["answers"] > 0
    for name in extras & {"memory", "restart"}:
        assert SMALL.million in figures[name].values()


@pytest.mark.parametrize("row", GUARD_ROWS, ids=lambda row: row.name)
def test_the_guards_are_measured_beside_the_same_server_without(tmp_path: Path, row: Row) -> None:
    run = Run(size=replace(SMALL, seconds=2), cores=CORES, folder=tmp_path)

    run.rows([row.name])

    figures = run.report.figures[row.name]
    assert min(figures["all_cpu_us"], figures["other_all_cpu_us"]) > 0
    assert figures["least"] <= figures["more_cpu_percent"] <= figures["most"]
    assert figures["pairs"] == PAIRS_TIMES * SMALL.pairs


def test_a_server_is_without_guards_while_they_are_out(tmp_path: Path) -> None:
    house = build(replace(crowd(SMALL), waiting=100), tmp_path / "house")
    charged = re.compile(
        r'resilience4j_circuitbreaker_calls_seconds_count\{kind="successful",name="saleService"\} (\d+)'
    )
    counted = []
    with served(SWITCHED, cores=CORES, settings=house.plan.settings(), log=house.folder / "server.log") as server:
        for guards in (True, False, True):
            server.switch(guards=guards)
            headers = {"Authorization": house.inside[0], "Content-Type": "application/json"}
            server.call("POST", "/v1/api/user/amount", headers, b'{"amount":1}')
            found = charged.search(server.call("GET", "/metrics", {}).decode())
            assert found is not None
            counted.append(int(found[1]))

    assert counted == [1, 1, 2]


def test_no_row_is_left_out() -> None:
    beside_the_floor = [name for names, _, _ in GROUPS for name in names]

    assert sorted([*beside_the_floor, *(row.name for row in GUARD_ROWS)]) == sorted(EMBEDDED.names)


def test_an_answer_with_another_body_makes_a_round_void(tmp_path: Path, floor: Served) -> None:
    call = floor_of(150, server=floor, cores=CORES, folder=tmp_path)
    call.right.write_bytes(call.right.read_bytes().replace(b"xx", b"xy"))

    came = call.round(1)

    assert came.is_void
    assert came.wrong == came.answered > 0
    assert '200 {"data":"xxx' in came.complaint()


def test_a_refusal_makes_a_round_void_and_in_the_end_the_run(tmp_path: Path, floor: Served, opened: Opened) -> None:
    house = build(replace(crowd(SMALL), waiting=100), tmp_path / "house")
    beside = floor_of(150, server=floor, cores=CORES, folder=tmp_path)
    with opened(house) as stage:
        call, _ = check_waiting(stage)
        genuine = call.requests.read_bytes()
        call.requests.write_bytes(genuine.replace(b"Authorization: ", b"Authorization: x", 1))

        with pytest.raises(VoidError, match="401"):
            measure(beside, call, pairs=1, seconds=1, note=print)


def test_a_seat_is_not_bought_twice(tmp_path: Path, opened: Opened) -> None:
    house = build(replace(sale(SMALL), waiting=100, arenas=1), tmp_path / "house")
    with opened(house) as stage:
        call, _ = orders(stage)
        begun, first = 0, call.round(1)
        for _ in range(ROUNDS_MAX):
            if first.finished:
                break
            # The machine stood still for all of it; the next buyers have tried nothing yet.
            begun, first = begun + first.taken, call.round(1)

        # The buyers of that round again, until one is answered.
        rounds = (replace(call, errands=call.errands[begun:], _next=0).round(1) for _ in range(ROUNDS_MAX))
        again = next(came for came in rounds if came.answered)

    assert not first.is_void
    assert 2 * first.finished <= first.answered <= 2 * first.finished + CONNECTIONS
    assert again.is_void
    assert again.finished < again.answered


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    log = tmp_path / "server.log"

    with (
        pytest.raises(NotServedError, match="There is no setting STAGEDOOR_NONSENSE"),
        served(PRODUCT, cores=CORES, settings={"NONSENSE": "1"}, log=log),
    ):
        raise AssertionError("it has started")
