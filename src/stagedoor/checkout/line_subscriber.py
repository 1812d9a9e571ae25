"""Tells the line what the sale has decided: who holds seats, and whose place is used up."""

from collections.abc import Sequence
from dataclasses import dataclass

from stagedoor.checkout.events import OrderPaid, PlaceClosed
from stagedoor.holds.events import HoldEvent, HoldExtended, HoldPlaced
from stagedoor.holds.model import Hold
from stagedoor.kernel.clock import Instant
from stagedoor.kernel.events import DomainEvent
from stagedoor.kernel.ids import PlaceRef
from stagedoor.outbox.ports import Subscriber
from stagedoor.waiting_room.model import EndCause
from stagedoor.waiting_room.ports import EndPlace, HoldNote, WaitingLine


@dataclass(frozen=True, slots=True, kw_only=True)
class TellTheLine(Subscriber):
    """
    Brings the sale's events to the line.

    Everything it does may be done twice: a note replaces the note of the same
    hold, and ending a place that is over changes nothing.
    """

    line: WaitingLine

    async def __call__(self, events: Sequence[DomainEvent]) -> None:
        """Note holds first, then end places: when a place ends, its last hold is known to be gone."""
        if notes := [note for event in events if (note := _note(event)) is not None]:
            await self.line.note_holds(notes)
        if used_up := [_place(event) for event in events if isinstance(event, OrderPaid) and event.place_over]:
            await self.line.use_up(used_up)
        if left := [_place(event) for event in events if isinstance(event, PlaceClosed)]:
            # A rejection among the outcomes says that the line has forgotten the place: as over as it can be.
            await self.line.end([EndPlace(ref=ref, cause=EndCause.LEFT) for ref in left])

    async def tell_of_open(self, holds: Sequence[Hold]) -> None:
        """Tell the line of the holds that are open when the process starts: its notes are not durable."""
        await self.line.note_holds([HoldNote(ref=hold.place, hold_id=hold.id, until=hold.expires_at) for hold in holds])


def _note(event: DomainEvent) -> HoldNote | None:
    until: Instant | None
    match event:
        case HoldPlaced() | HoldExtended():
            until = event.expires_at
        case HoldEvent() | OrderPaid():
            until = None
        case _:
            return None
    return HoldNote(
        ref=_place(event),
        hold_id=event.hold_id,
        until=until,
        known_at=None if until is None else event.occurred_at,
    )


def _place(event: HoldEvent | OrderPaid | PlaceClosed) -> PlaceRef:
    return PlaceRef(room_id=event.room_id, number=event.place_number)
