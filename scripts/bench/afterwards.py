"""What is looked at once the rounds of a row are over, on the server that they ran on."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from scripts.bench import goals, paced
from scripts.bench.calls import API, InTurn
from scripts.bench.cores import resident_bytes
from scripts.bench.goals import Figures, Goal
from scripts.bench.house import Plan, build
from scripts.bench.paced import WrongAnswerError
from scripts.bench.rounds import Call, Measured, VoidError
from scripts.bench.served import PRODUCT, NotServedError, environment, served
from scripts.bench.stage import Stage

BYTES_A_BUYER_MAX = 200
RESTART_S_MAX = 10
CATCHING_UP_LOOKS, CATCHING_UP_S = 20, 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """A row of the second table."""

    name: str
    figures: Figures
    goal: Goal


After = Callable[[Stage, Call, Measured], Iterator[Extra]]
"""Looks at one thing and yields what it found. Raises `NotServedError` for a server that is not in order."""


def half_peak(p99_ms_max: Mapping[str, float]) -> After:
    """Return what calls at half of the rate just measured; *p99_ms_max* is by the name of a call."""

    def look(stage: Stage, call: Call, measured: Measured) -> Iterator[Extra]:
        rate = measured.of_calls(lambda each: each.rps) / 2
        took_s = _paced(stage, call, rate)
        for name, most in p99_ms_max.items():
            yield Extra(
                name=f"half_peak_{name}",
                figures=paced.figures(took_s[name], rate=rate),
                goal=goals.at_most("p99_ms", most, text=f"p99 {most:g} ms"),
            )

    return look


def _paced(stage: Stage, call: Call, rate: float) -> Mapping[str, list[float]]:
    try:
        return paced.pace(call.asks(), port=stage.server.port, rate=rate, seconds=stage.size.paced_s, cores=stage.cores)
    except WrongAnswerError as wrong:
        raise VoidError(f"{call.name} at half of the peak: {wrong}") from wrong


def memory(stage: Stage, _call: Call, _measured: Measured) -> Iterator[Extra]:
    """Say what a waiting buyer takes: all that this server has in memory beyond one with an empty line, by buyers."""
    full = resident_bytes(stage.server.pid)
    house = build(Plan(name="empty", inside=0, waiting=0), stage.folder / "empty")
    with served(PRODUCT, cores=stage.cores, settings=house.settings, log=house.folder / "server.log") as server:
        server.call("GET", f"{API}/queue/status", {})
        empty = resident_bytes(server.pid)
    waiting = stage.house.plan.waiting
    yield Extra(
        name="memory",
        figures={
            "bytes_per_waiting_buyer": round((full - empty) / waiting, 1),
            "waiting": waiting,
            "resident_mb": round(full / 1e6, 1),
            "resident_empty_mb": round(empty / 1e6, 1),
        },
        goal=goals.at_most("bytes_per_waiting_buyer", BYTES_A_BUYER_MAX, text=f"{BYTES_A_BUYER_MAX} bytes"),
    )


def restart(stage: Stage, _call: Call, _measured: Measured) -> Iterator[Extra]:
    """Say how long after `kill -9` the last of the line is answered again, counted from the start of the process."""
    stage.server.kill()
    began = time.monotonic()
    settings = stage.house.settings
    with served(PRODUCT, cores=stage.cores, settings=settings, log=stage.folder / "server.log") as server:
        ready_s = time.monotonic() - began
        server.call("POST", f"{API}/queue/token/check", {"Authorization": stage.house.waiting[-1]})
        answered_s = time.monotonic() - began
        cpu_s = server.cpu_ns() / 1e9
    yield Extra(
        name="restart",
        figures={
            "seconds": round(answered_s, 2),
            "ready_seconds": round(ready_s, 2),
            "cpu_seconds": round(cpu_s, 2),
            "waiting": stage.house.plan.waiting,
        },
        goal=goals.at_most("seconds", RESTART_S_MAX, text=f"{RESTART_S_MAX} s"),
    )


def all_joined(stage: Stage, call: Call, _measured: Measured) -> Iterator[Extra]:
    """See that every answer was a new place: the line has grown by so many, and by no more than were asked for."""
    assert isinstance(call, InTurn)
    document = json.loads(stage.server.call("GET", f"{API}/queue/status", {}))["data"]
    plan = stage.house.plan
    grown = document["lastNumber"] - plan.inside - plan.waiting - 1  # one was asked before the rounds
    if not call.answered <= grown <= call.next:
        raise NotServedError(f"{call.answered} of {call.next} joins were answered, and the line has grown by {grown}")
    yield from ()


def sound(stage: Stage, _call: Call, _measured: Measured) -> Iterator[Extra]:
    """See that what the orders left behind breaks no invariant."""
    # On servers the record of the line follows it by a turn. What the sale has done wrong stays wrong.
    looks = CATCHING_UP_LOOKS if stage.house.engines else 1
    while said := _violated(stage):
        looks -= 1
        if not looks:
            raise NotServedError(f"the orders left something behind that must not be:\n{said}")
        time.sleep(CATCHING_UP_S)
    yield from ()


def _violated(stage: Stage) -> str:
    """Return what `stagedoor check` complains of, nothing if all is well."""
    checked = subprocess.run(
        [sys.executable, "-m", "stagedoor", "check"],
        cwd=stage.folder,
        env=environment(stage.house.settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return f"{checked.stdout}{checked.stderr}" if checked.returncode else ""
