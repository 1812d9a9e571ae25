"""Members: who may join."""

from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.adapters.sql.members import SqlMembers
from tests.builders.sale import ANN, BOB, NOBODY


async def test_each_is_known_or_not_in_the_order_asked(lanes: Lanes) -> None:
    members = SqlMembers(lanes)

    assert await members.known([BOB, NOBODY, ANN, BOB]) == [True, False, True, True]
    assert await members.known([]) == []
