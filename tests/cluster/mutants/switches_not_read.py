"""A server that never reads how the switches are stored."""

from stagedoor.seating.switch import ReadSwitches, SaleSwitches
from tests.e2e.harness.removed_guard import replace, run


def take_nothing(_switches: ReadSwitches, _read: SaleSwitches) -> int:
    """Leave everything open."""
    return 0


if __name__ == "__main__":
    replace(ReadSwitches, "take", take_nothing)
    run()
