"""The races of one process, over several: requests go to them in turn, and one of them knows the line a second late."""

import pytest

from tests.races_cluster.races import Race, races
from tests.races_cluster.stage import Stage


@pytest.mark.parametrize("race", races(), ids=lambda race: race.name)
async def test_it_ends_as_on_one_process(stage: Stage, race: Race) -> None:
    await race.play(stage.cluster)

    assert await stage.astray(*race.rooms) == []
