"""What seating needs to read."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from stagedoor.kernel.clock import Instant
from stagedoor.kernel.ids import PerformanceId
from stagedoor.seating.model import Availability, Claims, Performance, Seat


class SeatingPlan(Protocol):
    """
    The part of seating that a sale does not change, and what is left at an instant.

    Every method raises `Fault` where it cannot be read. Whoever shows it may
    then show what was read last, marked as such and for a set time, but never
    an empty list.
    """

    async def performances(self) -> Sequence[Performance]:
        """Return every performance of every room, ordered by start, then id; past ones too."""
        ...

    async def seats(self, performance_id: PerformanceId) -> Sequence[Seat]:
        """Return the seats of the performance ordered by position; empty if there is none such."""
        ...

    async def claims(self, performance_id: PerformanceId, *, at: Instant) -> Claims:
        """Return which seats are not free at *at*. A hold that ended at or before *at* claims nothing."""
        ...

    async def availability(self, *, at: Instant) -> Mapping[PerformanceId, Availability]:
        """Count what is left of every performance at *at*."""
        ...
