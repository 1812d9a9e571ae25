"""Who leads falls asleep in the middle of a sale and wakes up believing that it still leads: the store refuses it."""

import asyncio
from functools import partial
from pathlib import Path

from tests.cluster.house import House
from tests.cluster.recovery import Crowd, Harm, Round, freeze_the_admitter, freeze_the_relay, play
from tests.e2e.harness.programme import a_room, a_show

HALL = a_room("hall", a_show(seats=80), max_active=8, rate=30.0)
CROWD = Crowd(buyers=90, present=30, before=30)
SLEEPY = ("-m", "tests.cluster.falls_asleep")
UNFENCED = (str(Path(__file__).with_name("mutants") / "no_fence.py"),)
NAP_S = 4.0
"""Longer than any lease."""


def night(kind: str, harm: Harm, program: tuple[str, ...]) -> Round:
    with House.of(kind, HALL, members=CROWD.buyers, program=program) as house:
        return asyncio.run(play(harm, house, HALL.id, CROWD))


def test_an_admitter_that_slept_is_refused() -> None:
    done = night("mariadb", partial(freeze_the_admitter, seconds=NAP_S), SLEEPY)

    assert done.wrong == []
    assert done.check == ""
    assert done.harmed.refused


def test_a_relay_that_slept_is_refused() -> None:
    done = night("postgresql", partial(freeze_the_relay, seconds=NAP_S), SLEEPY)

    assert done.wrong == []
    assert done.check == ""
    assert done.harmed.refused


def test_control_without_the_fence_its_old_turn_counts() -> None:
    done = night("mariadb", partial(freeze_the_admitter, seconds=NAP_S), UNFENCED)

    assert "admission-order does not hold" in done.check
