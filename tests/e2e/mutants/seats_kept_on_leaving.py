"""A server that does not tell the sale when somebody leaves."""

from stagedoor.checkout.use_cases import CloseLeftPlace
from stagedoor.kernel.ids import BuyerId, PlaceRef
from tests.e2e.harness.removed_guard import replace, run


async def keep(_close: CloseLeftPlace, _buyer_id: BuyerId, _ref: PlaceRef) -> None:
    """Let nothing go."""


replace(CloseLeftPlace, "close", keep)
run()
