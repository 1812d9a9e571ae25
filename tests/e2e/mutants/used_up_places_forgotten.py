"""A server whose sale does not remember that a payment used the place up, and whose line is not told."""

from stagedoor.checkout import line_subscriber
from stagedoor.checkout.deciding.desk import Desk
from stagedoor.kernel.events import DomainEvent
from stagedoor.kernel.ids import PlaceRef
from tests.e2e.harness.removed_guard import replace, run


def forget(_desk: Desk, _place: PlaceRef) -> None:
    """Close nothing."""


def nobody_is_told(_event: DomainEvent) -> None:
    """End nothing."""


replace(Desk, "close_place", forget)
replace(line_subscriber, "_ending", nobody_is_told)
run()
