"""Placing a hold: who may, on which seats, until when."""

from stagedoor.checkout.commands import PlaceHold
from stagedoor.checkout.deciding.desk import Desk
from stagedoor.checkout.outcomes import HoldReceipt, Outcome, Settled
from stagedoor.checkout.rejections import SaleIsStopped
from stagedoor.holds.events import HoldPlaced
from stagedoor.holds.model import HeldSeat, Hold, HoldState
from stagedoor.holds.rejections import SeatsTaken, SoldOut, TooManySeats
from stagedoor.kernel.clock import Instant, later
from stagedoor.kernel.errors import Rejection
from stagedoor.kernel.ids import SeatId
from stagedoor.kernel.sale_state import SaleState
from stagedoor.seating.rejections import UnknownPerformance, UnknownSeat
from stagedoor.waiting_room.model import Standing
from stagedoor.waiting_room.rejections import PlaceIsOver, StillWaiting, UnknownBuyer


def place_hold(desk: Desk, command: PlaceHold) -> Outcome:
    """Decide in order: unknown, answered before, held already, the place, a stopped sale, the limit, the seats."""
    return (
        _unknown(desk, command)
        or desk.known_answer(command)
        or _held_already(desk, command)
        or _place_refused(desk, command)
        or _stopped(desk, command)
        or _seats_refused(desk, command)
        or _placed(desk, command)
    )


def _unknown(desk: Desk, command: PlaceHold) -> Rejection | None:
    if not desk.is_member(command.buyer_id):
        return UnknownBuyer()
    performance = desk.rows.performances.get(command.performance_id)
    # A performance is on sale until it ends; its last instant is not part of it.
    if performance is None or performance.room_id != command.place.room_id or performance.ends_at <= desk.now:
        return UnknownPerformance()
    for seat_id in command.seat_ids:
        seat = desk.rows.seats.get(seat_id)
        if seat is None or seat.performance_id != command.performance_id:
            return UnknownSeat()
    return None


def _held_already(desk: Desk, command: PlaceHold) -> Settled | None:
    asked = frozenset(command.seat_ids)
    for hold in desk.holds_of(command.buyer_id):
        if hold.is_open_at(desk.now) and hold.seat_ids == asked:
            return desk.settle(command, _receipt(hold, desk.now))
    return None


def _place_refused(desk: Desk, command: PlaceHold) -> Rejection | None:
    session_over = command.session_ends_at is not None and desk.now >= command.session_ends_at
    if command.standing is Standing.OVER or session_over or command.place in desk.closed_places:
        return PlaceIsOver()
    return StillWaiting() if command.standing is Standing.WAITING else None


def _stopped(desk: Desk, command: PlaceHold) -> Rejection | None:
    return None if desk.switches.state_of(command.performance_id) is SaleState.OPEN else SaleIsStopped()


def _seats_refused(desk: Desk, command: PlaceHold) -> Rejection | None:
    hers = set(command.seat_ids)
    let_go: set[SeatId] = set()
    for hold in desk.holds_of(command.buyer_id):
        if hold.performance_id != command.performance_id:
            continue
        if hold.state is HoldState.PAID or hold.is_open_at(desk.now):
            hers |= hold.seat_ids
        elif desk.now < later(_let_go_at(hold), desk.policy.closed_to_her_ms):
            let_go |= hold.seat_ids
    if len(hers) > desk.policy.seats_per_buyer:
        return TooManySeats(desk.policy.seats_per_buyer)
    if any(desk.is_claimed(seat_id) for seat_id in command.seat_ids):
        return SoldOut() if desk.is_sold_out(command.performance_id) else SeatsTaken()
    return SeatsTaken() if not let_go.isdisjoint(command.seat_ids) else None


def _let_go_at(hold: Hold) -> Instant:
    # Expired but not tidied yet: it ended at its deadline all the same.
    return hold.expires_at if hold.ended_at is None else hold.ended_at


def _placed(desk: Desk, command: PlaceHold) -> Settled:
    hold = Hold(
        id=command.hold_id,
        buyer_id=command.buyer_id,
        place=command.place,
        performance_id=command.performance_id,
        seats=tuple(
            HeldSeat(seat_id=seat_id, price_won=desk.rows.seats[seat_id].price_won)
            for seat_id in sorted(command.seat_ids)
        ),
        placed_at=desk.now,
        expires_at=later(desk.now, desk.policy.hold_ms),
    )
    desk.open_hold(hold)
    desk.writes.events.append(
        HoldPlaced(
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
    return desk.settle(command, _receipt(hold, desk.now))


def _receipt(hold: Hold, answered_at: Instant) -> HoldReceipt:
    return HoldReceipt(
        hold_id=hold.id,
        buyer_id=hold.buyer_id,
        performance_id=hold.performance_id,
        seat_ids=tuple(seat.seat_id for seat in hold.seats),
        amount_won=hold.amount_won,
        placed_at=hold.placed_at,
        expires_at=hold.expires_at,
        answered_at=answered_at,
    )
