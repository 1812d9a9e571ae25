from tests.builders.line import NOON
from tests.contract.line_stage import Stage
from tests.contract.test_waiting_line_restart import *  # noqa: F403 -- the same suite, over the line of this folder

AWAY_MS = 180_000


async def test_a_pass_not_taken_up_can_still_be_after_the_restart(stage: Stage) -> None:  # type: ignore[no-redef]
    """Here the store knows until when, so she has what was left of her time; the outage is given back to her."""
    await stage.join(7)
    await stage.turn(10_000)

    await stage.crash(outage_ms=AWAY_MS)

    assert stage.clock.now() == NOON + 10_000 + AWAY_MS
    assert (await stage.turn(29_999))[0].passed_over == 0
    assert (await stage.turn(1))[0].passed_over == 1
