"""From the units that people write to those that the code counts in."""

from stagedoor.kernel.clock import HOUR_MS, SECOND_MS


def milliseconds(seconds: float) -> int:
    """Return *seconds* to the nearest millisecond."""
    return round(seconds * SECOND_MS)


def hours_in_ms(hours: float) -> int:
    """Return the milliseconds in *hours*, to the nearest one."""
    return round(hours * HOUR_MS)
