"""A server that never reads how the switches are stored."""

from collections.abc import Callable

from stagedoor.seating.switch import ReadSwitches, SaleSwitches
from tests.e2e.harness.removed_guard import replace, run


def take_nothing(_switches: ReadSwitches) -> Callable[[SaleSwitches], None]:
    """Leave everything open."""
    return lambda _read: None


if __name__ == "__main__":
    replace(ReadSwitches, "reading", take_nothing)
    run()
