"""A server whose sale does not remember that a payment used the place up, and whose line is not told."""

from collections.abc import Sequence

from stagedoor.adapters.embedded.line import EmbeddedLine
from stagedoor.adapters.redis.line import RedisLine
from stagedoor.checkout.deciding.desk import Desk
from stagedoor.kernel.ids import PlaceRef
from stagedoor.waiting_room.ports import WaitingLine
from tests.e2e.harness.removed_guard import replace, run


def forget(_desk: Desk, _place: PlaceRef) -> None:
    """Close nothing."""


async def nobody_is_told(_line: WaitingLine, _refs: Sequence[PlaceRef]) -> None:
    """End nothing."""


def nothing_is_marked(_line: WaitingLine, _ref: PlaceRef) -> None:
    """Mark nothing."""


replace(Desk, "close_place", forget)
for line in (EmbeddedLine, RedisLine):
    replace(line, "mark_used_up", nothing_is_marked)
    replace(line, "use_up", nobody_is_told)
run()
