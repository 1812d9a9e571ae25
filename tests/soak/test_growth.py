"""The judge of growth tells what leaks from what jumps; and it finds a server that leaks among healthy processes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.services.server import Missing
from tests.chaos.house import python
from tests.soak.flapping import CALM_S, flapping
from tests.soak.growth import FILES, MEMORY, PARTS, SAMPLES_MIN, TASKS, Sample, growths, slope_a_minute
from tests.soak.play import Samples, soak

LEAKS = Path(__file__).parent / "mutants" / "leaks.py"
SECONDS, WARM_UP_S = 32, 8.0
ENOUGH = Samples(count=PARTS * SAMPLES_MIN, since_s=WARM_UP_S)
TIMES = 3
"""What leaks grows by so many times as much as what does not."""

MINUTES = 10


def sampled(what: str, figure: Callable[[int], float]) -> list[Sample]:
    """Ten minutes of samples of one figure by the second."""
    return [Sample(second, "server 1", what, figure(second)) for second in range(60 * MINUTES)]


@pytest.mark.parametrize(
    ("what", "figure", "is_leak"),
    [
        (TASKS, lambda _: 40.0, False),
        (TASKS, lambda second: 40.0 + (200.0 if second % 20 < 8 else 0.0), False),
        (TASKS, lambda second: 40.0 + (second // 60), True),
        (TASKS, lambda second: 40.0 + (200.0 if second % 20 < 8 else 0.0) + second / 60, True),
        (MEMORY, lambda second: 150.0 + second / 60, False),
        (MEMORY, lambda second: 150.0 + 4 * second / 60, True),
        (FILES, lambda second: 60.0 - second / 60, False),
    ],
    ids=["level", "jumps", "one a minute", "jumps and grows", "1 MiB a minute", "4 MiB a minute", "falls"],
)
def test_what_lifts_the_floor_is_a_leak(what: str, figure: Callable[[int], float], is_leak: bool) -> None:  # noqa: FBT001 -- of a table
    [found] = growths(sampled(what, figure), warm_up_s=60)

    assert found.is_leak is is_leak


def test_what_happens_before_it_is_warm_does_not_count() -> None:
    [found] = growths(sampled(MEMORY, lambda second: 50.0 if second < 60 else 150.0), warm_up_s=60)

    assert not found.is_leak


def test_a_slope_is_of_a_minute() -> None:
    assert slope_a_minute(sampled(TASKS, lambda second: second / 30)) == pytest.approx(2.0)


def test_too_few_samples_are_no_proof() -> None:
    with pytest.raises(ValueError, match="say nothing"):
        growths(sampled(TASKS, float)[:10], warm_up_s=0)
    with pytest.raises(ValueError, match="nothing was sampled"):
        growths([], warm_up_s=0)


def test_the_plan_is_of_its_seed_and_ends_in_calm() -> None:
    one, again, other = flapping(300, seed=1), flapping(300, seed=1), flapping(300, seed=2)

    assert one == again
    assert one != other
    assert max(outage.until_s for outage in one.outages) <= 300 - CALM_S


def test_control_a_server_that_leaks_is_found() -> None:
    try:
        done = soak(SECONDS, seed=1, database="mariadb", program=python(LEAKS), samples=ENOUGH, say=lambda _: None)
    except Missing as missing:
        pytest.skip(str(missing))

    found = growths(done.samples, warm_up_s=WARM_UP_S)

    leaking = {(one.process, one.what) for one in found if one.is_leak}
    assert {("server 1", MEMORY), ("server 1", TASKS), ("server 1", FILES)} <= leaking
    # Whatever else a healthy process is still busy to warm up beside it.
    grown = {(one.process, one.what): one.last - one.first for one in found}
    healthy = {("server 2", MEMORY), ("server 2", FILES), ("relay", FILES), ("consumer", FILES)}
    assert {each for each in healthy if TIMES * grown[each] > grown["server 1", each[1]]} == set()
