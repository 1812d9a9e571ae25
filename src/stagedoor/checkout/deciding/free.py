"""Letting seats go: the buyer releases a hold or leaves her place, or the deadline has passed."""

from stagedoor.checkout.commands import ClosePlace, ReleaseHold
from stagedoor.checkout.deciding.desk import Desk
from stagedoor.checkout.events import PlaceClosed
from stagedoor.checkout.outcomes import CloseReceipt, Outcome, ReleaseReceipt, Settled
from stagedoor.checkout.rejections import AlreadyPaid
from stagedoor.holds.events import HoldExpired, HoldReleased
from stagedoor.holds.model import Hold, HoldState
from stagedoor.holds.rejections import HoldIsOver, UnknownHold
from stagedoor.waiting_room.rejections import UnknownBuyer


def release_hold(desk: Desk, command: ReleaseHold) -> Outcome:
    """Let the hold go if it is hers, unpaid, and still open."""
    if not desk.is_member(command.buyer_id):
        return UnknownBuyer()
    hold = desk.hold(command.hold_id, command.buyer_id)
    if hold is None:
        return UnknownHold()
    if (known := desk.known_answer(command)) is not None:
        return known
    if hold.state is HoldState.PAID:
        return AlreadyPaid()
    if not hold.is_open_at(desk.now):
        return HoldIsOver()
    _release(desk, hold)
    return desk.settle(command, ReleaseReceipt(hold_id=hold.id, released_at=desk.now))


def close_place(desk: Desk, command: ClosePlace) -> Outcome:
    """Let everything go that is held under the place, and take no more under it. Closing twice changes nothing."""
    if not desk.is_member(command.buyer_id):
        return UnknownBuyer()
    if command.place in desk.closed_places:
        return Settled(receipt=CloseReceipt(place=command.place, released=()))
    released = [
        hold for hold in desk.holds_of(command.buyer_id) if hold.place == command.place and hold.is_open_at(desk.now)
    ]
    for hold in released:
        _release(desk, hold)
    desk.close_place(command.place)
    desk.writes.events.append(
        PlaceClosed(
            event_id=desk.new_event_id(desk.now),
            occurred_at=desk.now,
            buyer_id=command.buyer_id,
            room_id=command.place.room_id,
            place_number=command.place.number,
        )
    )
    return Settled(receipt=CloseReceipt(place=command.place, released=tuple(hold.id for hold in released)))


def expire_hold(desk: Desk, hold: Hold) -> None:
    """Write down that the deadline has passed: nobody is refused or let in by it, that was so from that instant on."""
    assert hold.state is HoldState.OPEN
    assert hold.expires_at <= desk.now
    desk.free_hold(hold, HoldState.EXPIRED, hold.expires_at)
    desk.writes.events.append(
        HoldExpired(
            event_id=desk.new_event_id(desk.now),
            occurred_at=desk.now,
            hold_id=hold.id,
            buyer_id=hold.buyer_id,
            room_id=hold.place.room_id,
            place_number=hold.place.number,
            performance_id=hold.performance_id,
            seat_ids=tuple(seat.seat_id for seat in hold.seats),
            expires_at=hold.expires_at,
        )
    )


def _release(desk: Desk, hold: Hold) -> None:
    desk.free_hold(hold, HoldState.RELEASED, desk.now)
    desk.writes.events.append(
        HoldReleased(
            event_id=desk.new_event_id(desk.now),
            occurred_at=desk.now,
            hold_id=hold.id,
            buyer_id=hold.buyer_id,
            room_id=hold.place.room_id,
            place_number=hold.place.number,
            performance_id=hold.performance_id,
            seat_ids=tuple(seat.seat_id for seat in hold.seats),
        )
    )
