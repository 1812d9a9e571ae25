"""
Doors that let in a few at a time, or so many a second.

What a buyer is told may be a second old, so that she may seem to come late: it is
the record, in the order of the store, that says who came when.
"""

from tests.cluster.log_record import passes_in
from tests.e2e.test_order_of_admission import METERED, METERED_CROWD, NARROW, NARROW_CROWD, metered_door, narrow_door
from tests.races_cluster.stage import Stage


async def test_a_narrow_door_is_passed_in_order(stage: Stage) -> None:
    await narrow_door(stage.cluster)

    assert await stage.astray(NARROW) == []
    assert [one.number for one in passes_in(stage.record(NARROW))] == list(range(1, NARROW_CROWD + 1))


async def test_a_metered_door_keeps_its_rate(stage: Stage) -> None:
    await metered_door(stage.cluster)

    assert await stage.astray(METERED) == []
    assert [one.number for one in passes_in(stage.record(METERED))] == list(range(1, METERED_CROWD + 1))
