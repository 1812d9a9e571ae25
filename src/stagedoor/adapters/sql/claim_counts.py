"""How many seats of each performance are claimed at an instant, counted in the index alone."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, select

from stagedoor.adapters.sql.tables import seat_claim
from stagedoor.kernel.clock import Instant
from stagedoor.kernel.ids import PerformanceId
from stagedoor.seating.model import ClaimState

_COUNTS = (
    select(seat_claim.c.performance_id, seat_claim.c.state, func.count(), func.min(seat_claim.c.held_until))
    .where(
        seat_claim.c.performance_id.in_(bindparam("ids", expanding=True)),
        seat_claim.c.held_until > bindparam("at"),
    )
    .group_by(seat_claim.c.performance_id, seat_claim.c.state)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimCounts:
    """The claimed seats of one performance; *next_hold_ends_at* is the earliest deadline among the held ones."""

    held: int = 0
    sold: int = 0
    blocked: int = 0
    next_hold_ends_at: Instant | None = None


NOTHING_CLAIMED = ClaimCounts()


def count_claims(
    connection: Connection, ids: Collection[PerformanceId], at: Instant
) -> Mapping[PerformanceId, ClaimCounts]:
    """Count the claims of the performances *ids* that hold at *at*."""
    found: dict[PerformanceId, dict[ClaimState, tuple[int, int]]] = {PerformanceId(id_): {} for id_ in ids}
    if found:
        for id_, state, count, first_end in connection.execute(_COUNTS, {"ids": list(found), "at": at}).all():
            found[PerformanceId(id_)][ClaimState(state)] = (count, first_end)
    return {id_: _counts(by_state) for id_, by_state in found.items()}


def _counts(by_state: Mapping[ClaimState, tuple[int, int]]) -> ClaimCounts:
    def count(state: ClaimState) -> int:
        return by_state[state][0] if state in by_state else 0

    held = by_state.get(ClaimState.HELD)
    return ClaimCounts(
        held=count(ClaimState.HELD),
        sold=count(ClaimState.SOLD),
        blocked=count(ClaimState.BLOCKED),
        next_hold_ends_at=None if held is None else Instant(held[1]),
    )
