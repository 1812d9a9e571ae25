import pytest

from stagedoor.kernel.clock import later
from stagedoor.waiting_room.pace import EVIDENCE_MIN, Pace
from tests.builders.line import NOON, TICK_MS


def run(pace: Pace, *, seconds: int, per_second: float, held_back: bool = True, begin_s: int = 0) -> None:
    admitted = 0
    pace.turned(admitted=0, held_back=held_back)
    for tick in range(1, seconds * 4 + 1):
        pace.elapse(later(NOON, begin_s * 1_000 + tick * TICK_MS))
        due = int(tick * per_second / 4) - admitted
        pace.turned(admitted=due, held_back=held_back)
        admitted += due


def test_nothing_is_known_at_first() -> None:
    pace = Pace()
    pace.elapse(NOON)

    assert pace.per_second is None
    assert pace.mean_pass_ms is None


@pytest.mark.parametrize("per_second", [1.0, 8.0, 100.0])
def test_it_measures_what_is_admitted_while_people_are_held_back(per_second: float) -> None:
    pace = Pace()

    run(pace, seconds=60, per_second=per_second)

    assert pace.per_second == pytest.approx(per_second, rel=0.1)


def test_a_pause_does_not_count_as_time() -> None:
    pace = Pace()
    run(pace, seconds=30, per_second=8.0)
    run(pace, seconds=3_600, per_second=0.0, held_back=False, begin_s=30)

    assert pace.per_second == pytest.approx(8.0, rel=0.1)


def test_the_filling_of_an_empty_room_does_not_count() -> None:
    pace = Pace()
    pace.elapse(NOON)
    pace.turned(admitted=500, held_back=True)
    run(pace, seconds=30, per_second=2.0)

    assert pace.per_second == pytest.approx(2.0, rel=0.1)


def test_it_follows_a_change_within_its_window() -> None:
    pace = Pace()
    run(pace, seconds=60, per_second=10.0)
    run(pace, seconds=70, per_second=2.0, begin_s=60)

    assert pace.per_second == pytest.approx(2.0, rel=0.15)


def test_a_line_that_stands_still_slows_down() -> None:
    pace = Pace()
    run(pace, seconds=60, per_second=2.0)
    run(pace, seconds=240, per_second=0.0, begin_s=60)

    assert pace.per_second is not None
    assert pace.per_second < 0.5


def test_a_few_admissions_are_no_rate_yet() -> None:
    pace = Pace()
    pace.elapse(NOON)
    pace.turned(admitted=0, held_back=True)
    pace.turned(admitted=EVIDENCE_MIN - 1, held_back=True)
    pace.elapse(later(NOON, 60_000))

    assert pace.per_second is None


def test_the_mean_pass_follows_the_passes() -> None:
    pace = Pace()
    pace.pass_ended(60_000)
    assert pace.mean_pass_ms == 60_000

    for _ in range(100):
        pace.pass_ended(20_000)

    assert pace.mean_pass_ms == pytest.approx(20_000, rel=0.01)
