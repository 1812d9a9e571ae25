"""The bench's own logic: which rounds count, what is made of them, and how it is written down."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from scripts.bench import goals, paced
from scripts.bench.__main__ import main
from scripts.bench.calls import Request
from scripts.bench.cores import NS_PER_TICK, Cores, cpu_ns, family_cpu_ns
from scripts.bench.floor import QUESTION, answer
from scripts.bench.goals import Goal
from scripts.bench.paced import Ask
from scripts.bench.report import Report, compared_figures_of, figures_of
from scripts.bench.rounds import VOID_MAX, Measured, VoidError, measure
from scripts.bench.rows import sale
from scripts.bench.stage import Size
from scripts.bench.wrk import Round


def a_round(finished: int, **differing: int) -> Round:
    """Describe a sound round of one second in which the server used nearly all of its core."""
    usual = Round(
        answered=finished,
        finished=finished,
        wrong=0,
        broken=0,
        us=1_000_000,
        p50_us=2_000,
        p99_us=5_000,
        taken=finished,
        cpu_ns=960_000_000,
    )
    return msgspec.structs.replace(usual, **differing)


class Scripted:
    """A call whose rounds are known beforehand; *order* is told whose turn it is."""

    def __init__(self, name: str, rounds: list[Round], order: list[tuple[str, int]]) -> None:
        self.name = name
        self._rounds: Iterator[Round] = iter(rounds)
        self._order = order

    def round(self, seconds: int) -> Round:
        self._order.append((self.name, seconds))
        return next(self._rounds)

    def asks(self) -> Iterator[Ask]:
        raise NotImplementedError


def silent(_sentence: str) -> None:
    """Take no notes."""


def measured(others: list[Round], calls: list[Round], *, pairs: int, order: list[tuple[str, int]]) -> Measured:
    return measure(
        Scripted("floor", others, order), Scripted("call", calls, order), pairs=pairs, seconds=3, note=silent
    )


def test_floor_and_call_take_turns_after_a_second_each_that_does_not_count() -> None:
    order: list[tuple[str, int]] = []

    found = measured([a_round(n) for n in (1, 100, 200)], [a_round(n) for n in (1, 50, 60)], pairs=2, order=order)

    assert order == [("floor", 1), ("call", 1), ("floor", 3), ("call", 3), ("floor", 3), ("call", 3)]
    assert found.ratios == [0.5, 0.3]


def test_a_ratio_is_the_median_of_the_pairs() -> None:
    others = [a_round(n) for n in (1_000, 100, 1_000, 1_000)]
    calls = [a_round(n) for n in (600, 600, 400, 500)]

    found = Measured(others=others[:3], calls=calls[:3])

    assert found.ratio == 0.6  # of 0.6, 6.0 and 0.4: what one pair was disturbed by does not show
    assert found.floor_rps == 1_000
    assert found.of_calls(lambda each: each.rps) == 600


def test_processor_time_is_counted_for_each_that_was_finished() -> None:
    orders = a_round(1_000, answered=2_000)

    found = Measured(others=[a_round(4_000)], calls=[orders])

    assert orders.cpu_us == 960
    assert found.cpu_ratio == 0.25


def test_the_floor_is_not_charged_for_what_the_server_beside_it_does_unasked() -> None:
    floor = a_round(900, lent_ns=100_000_000)

    assert floor.rps == 1_000
    assert Measured(others=[floor], calls=[a_round(500)]).ratio == 0.5


@pytest.mark.parametrize("void", [{"wrong": 1}, {"broken": 1}, {"finished": 0}])
def test_a_void_round_is_repeated_and_told(void: dict[str, int]) -> None:
    order: list[tuple[str, int]] = []

    found = measured(
        [a_round(100)] * 2,
        [a_round(50), msgspec.structs.replace(a_round(99), **void), a_round(50)],
        pairs=1,
        order=order,
    )

    assert [name for name, _ in order] == ["floor", "call", "floor", "call", "call"]
    assert found.ratios == [0.5]
    assert found.voided == 1


def test_too_many_void_rounds_fail_the_run_with_what_was_answered() -> None:
    void = msgspec.structs.replace(a_round(100), wrong=1, sample=b"500 oh".hex())

    with pytest.raises(VoidError, match=r"call: 4 rounds were void.*1 of 100 answers wrong.*500 oh"):
        measured([a_round(100)], [void] * (VOID_MAX + 1), pairs=7, order=[])


def test_a_house_has_no_more_inside_than_a_room_takes() -> None:
    assert sale(Size(pairs=300, seconds=3)).inside == 1_000_000


def reported(rows: dict[str, tuple[Measured, Goal | None]]) -> Report:
    report = Report()
    for name, (found, goal) in rows.items():
        report.add(name, figures_of(found), goal)
    return report


def test_the_file_says_what_others_read_from_it(tmp_path: Path) -> None:
    found = Measured(others=[a_round(1_000)], calls=[a_round(500)])
    report = reported({"check_waiting": (found, None)})
    report.add("memory", {"bytes_per_waiting_buyer": 120.5}, None)

    report.write(tmp_path / "new" / "bench.json")

    written = json.loads((tmp_path / "new" / "bench.json").read_bytes())
    assert list(written) == ["check_waiting", "memory"]
    assert {key: written["check_waiting"][key] for key in ("rps", "p50_ms", "p99_ms", "cpu_us", "ratio")} == {
        "rps": 500,
        "p50_ms": 2,
        "p99_ms": 5,
        "cpu_us": 1_920,
        "ratio": 0.5,
    }
    assert written["memory"] == {"bytes_per_waiting_buyer": 120.5}


def test_the_table_says_what_was_hoped_for_and_missed() -> None:
    found = Measured(others=[a_round(1_000)] * 2, calls=[a_round(500), a_round(560)])
    report = reported({"one": (found, goals.ratio(0.6)), "two": (found, goals.ratio(0.5)), "three": (found, None)})
    report.add("restart", {"seconds": 10.5}, goals.at_most("seconds", 10, text="10 s"))

    _, _, one, two, three, _, _, _, restart = report.lines()

    assert "| 0.53 (0.50-0.56) |" in one
    assert "| 0.60 **missed** |" in one
    assert "| 0.50 |" in two
    assert "missed" not in two + three
    assert restart == "| restart | seconds 10.5 | 10 s **missed** |"


def test_the_table_says_that_others_used_the_machine() -> None:
    quiet = Measured(others=[a_round(1_000)], calls=[a_round(500)])
    disturbed = Measured(others=[a_round(1_000, cpu_ns=170_000_000)], calls=[a_round(500)])

    assert not any("Not a quiet machine" in line for line in reported({"one": (quiet, None)}).lines())
    [said] = [
        line for line in reported({"one": (quiet, None), "two": (disturbed, None)}).lines() if "Not a quiet" in line
    ]
    assert "in 1 of 2 rows" in said
    assert "(17% at the least)" in said


def test_the_table_says_that_the_client_was_measured_instead() -> None:
    found = Measured(others=[a_round(1_000, client_ns=950_000_000)], calls=[a_round(500)])

    assert "**The client was the slower one** in one: their ratios come out too high." in [
        *reported({"one": (found, None)}).lines()
    ]


@pytest.mark.parametrize(("ratio", "verdict"), [(0.53, "0.9 of other **missed**"), (0.54, "0.9 of other")])
def test_a_goal_beside_another_row_is_judged_where_that_row_was_measured(ratio: float, verdict: str) -> None:
    goal = goals.ratio_beside("other", 0.9)

    assert goal.verdict({"ratio": ratio}, {"other": {"ratio": 0.6}}) == verdict
    assert goal.verdict({"ratio": ratio}, {}) == "0.9 of other"


def test_several_processes_are_judged_by_what_one_takes_in_the_same_pair() -> None:
    pairs = [(1_000, 1_000), (500, 1_000), (400, 500)]
    found = Measured(
        others=[a_round(rps) for _, rps in pairs], calls=[a_round(rps, engines_ns=40_000_000) for rps, _ in pairs]
    )

    figures = compared_figures_of(found)

    assert [figures[name] for name in ("least", "more_cpu_percent", "most")] == pytest.approx([4.17, 30.21, 108.33])
    assert figures["other_all_cpu_us"] == 960
    assert figures["other_rps"] == 1_000


def test_what_the_engines_took_stands_beside_what_the_server_did_and_below_what_it_stood_on() -> None:
    found = Measured(others=[a_round(1_000)], calls=[a_round(500, engines_ns=40_000_000)])
    report = reported({"one": (found, None)})
    report.remarks["one"] = "2 processes"

    _, _, one, _, remark = report.lines()

    assert "| 1920.0 + 80.0 |" in one
    assert remark == "- one: 2 processes"


def test_half_of_the_peak_is_judged_by_its_slowest_hundredth() -> None:
    figures = paced.figures([0.001] * 99 + [0.2] + [0.001] * 99 + [0.1], rate=50)

    assert figures == {"rate": 50, "answers": 200, "p50_ms": 1, "p99_ms": 1, "max_ms": 200}
    assert paced.figures([0.001] * 98 + [0.2, 0.3], rate=50)["p99_ms"] == 200


def test_without_wrk_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(SystemExit, match="apt install wrk"):
        main(["check_waiting"])


@pytest.mark.parametrize(
    ("allowed", "said"),
    [({0, 1}, "server on core 1, client on core 0"), ({3}, "client and server share the one core 3")],
)
def test_server_and_client_have_a_core_each_where_there_are_two(
    monkeypatch: pytest.MonkeyPatch, allowed: set[int], said: str
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: allowed)

    cores = Cores.choose()

    assert str(cores).startswith(said)
    assert cores.for_all().client == cores.for_all().server == allowed


def test_processor_time_of_a_family_has_that_of_children_that_are_gone() -> None:
    before = family_cpu_ns(os.getpid()) - cpu_ns(os.getpid())

    subprocess.run([sys.executable, "-IS", "-c", "sum(range(10_000_000))"], check=True)

    # Ticks are a hundredth of a second; this takes at least a few of them anywhere.
    assert family_cpu_ns(os.getpid()) - cpu_ns(os.getpid()) - before >= 2 * NS_PER_TICK


def test_processor_time_only_grows() -> None:
    before = cpu_ns(os.getpid())

    # The scheduler counts a running thread now and then, so a second's work is surely seen, but no single step of it.
    worked_until = time.process_time() + 1
    while cpu_ns(os.getpid()) == before and time.process_time() < worked_until:
        pass
    assert cpu_ns(os.getpid()) > before > 0


def test_the_floor_is_asked_with_20_bytes_and_answers_with_as_many_as_it_is_told_to() -> None:
    assert len(QUESTION) == 20
    assert msgspec.json.decode(QUESTION) == {"amount": 123456789}
    assert len(answer(150)) == 150
    assert list(msgspec.json.decode(answer(4_000))) == ["data"]


def test_a_request_is_written_as_it_goes_over_the_wire() -> None:
    request = Request(method="POST", path="/v1/api/queue/token", headers={"Authorization": "T"}, body=b'{"userId":1}')

    assert request.encode() == (
        b"POST /v1/api/queue/token HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: T\r\n"
        b'Content-Type: application/json\r\nContent-Length: 12\r\n\r\n{"userId":1}'
    )
