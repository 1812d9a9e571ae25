"""What an outage gives back to whoever held seats in it: her deadline is moved later, and she is told."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from stagedoor.holds.events import HoldExtended
from stagedoor.holds.model import ExtensionCause, Hold
from stagedoor.kernel.clock import Instant, Outage, later
from stagedoor.kernel.ids import EventId, HoldId, SeatId


class Extension(NamedTuple):
    """A hold as it was, and with its later deadline."""

    before: Hold
    after: Hold


def extend(
    holds: Sequence[Hold], claimants: Mapping[SeatId, HoldId | None], outage: Outage, *, sum_max_ms: int
) -> Sequence[Extension]:
    """
    Return which of *holds*, all open when *outage* began, end later because of it.

    *claimants* says which hold has each of their seats. One whose seat has gone
    to somebody else ended between the last sign of life and the stop, and is
    over for good. A hold placed in that time gets what was lost since then. No
    hold gets more than *sum_max_ms* in its life, however many outages there are.
    """
    return [
        Extension(hold, _extended(hold, by_ms))
        for hold in holds
        if (by_ms := min(outage.credit_since(hold.placed_at), sum_max_ms - hold.extended_ms)) > 0
        and all(claimants.get(seat_id) == hold.id for seat_id in hold.seat_ids)
    ]


def tell(extension: Extension, at: Instant) -> HoldExtended:
    """Return the event of *extension*, which is made at *at*."""
    before, after = extension
    return HoldExtended(
        event_id=_event_id(after.id, at),
        occurred_at=at,
        hold_id=after.id,
        buyer_id=after.buyer_id,
        room_id=after.place.room_id,
        place_number=after.place.number,
        performance_id=after.performance_id,
        seat_ids=tuple(held.seat_id for held in after.seats),
        expires_at=after.expires_at,
        extended_ms=after.expires_at - before.expires_at,
        cause=ExtensionCause.OUTAGE.value,
    )


def _extended(before: Hold, by_ms: int) -> Hold:
    return replace(
        before,
        expires_at=later(before.expires_at, by_ms),
        extended_ms=before.extended_ms + by_ms,
        extension_cause=ExtensionCause.OUTAGE,
    )


def _event_id(hold_id: HoldId, at: Instant) -> EventId:
    # A hold is extended once at an instant, so that names the event.
    return EventId(f"{at:012x}{hold_id:020x}")
