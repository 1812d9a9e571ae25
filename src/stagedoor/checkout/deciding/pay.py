"""Paying: the hold confirmed, the wallet debited, the order written, the place used up: all of it, or none of it."""

from stagedoor.checkout.commands import PayForHold
from stagedoor.checkout.deciding.desk import Desk
from stagedoor.checkout.events import OrderPaid
from stagedoor.checkout.outcomes import OrderReceipt, Outcome, Settled
from stagedoor.checkout.rejections import AlreadyPaid, SaleIsStopped
from stagedoor.checkout.rows import Order
from stagedoor.holds.model import Hold, HoldState
from stagedoor.holds.rejections import HoldIsOver, UnknownHold
from stagedoor.kernel.errors import Rejection
from stagedoor.kernel.money import Won
from stagedoor.kernel.sale_state import SaleState
from stagedoor.waiting_room.rejections import UnknownBuyer
from stagedoor.wallet.model import BOX_OFFICE, Transfer, TransferKind, wallet_account
from stagedoor.wallet.rejections import BalanceTooSmall


def pay_for_hold(desk: Desk, command: PayForHold) -> Outcome:
    """Take the price of the moment of the hold. Her place in the line plays no part: a lost line stops no payment."""
    if not desk.is_member(command.buyer_id):
        return UnknownBuyer()
    hold = desk.hold(command.hold_id, command.buyer_id)
    if hold is None:
        return UnknownHold()
    return desk.known_answer(command) or _refused(desk, hold) or _paid(desk, command, hold)


def _refused(desk: Desk, hold: Hold) -> Rejection | None:
    if hold.state is HoldState.PAID:
        return AlreadyPaid()
    if not hold.is_open_at(desk.now):
        return HoldIsOver()
    # Whoever has paid, and asks again, was told so above: a stop takes nothing back.
    if desk.switches.state_of(hold.performance_id) is SaleState.STOPPED:
        return SaleIsStopped()
    return BalanceTooSmall() if desk.balance(hold.buyer_id) < hold.amount_won else None


def _paid(desk: Desk, command: PayForHold, hold: Hold) -> Settled:
    amount_won = hold.amount_won
    desk.pay_hold(hold)
    desk.set_balance(hold.buyer_id, Won(desk.balance(hold.buyer_id) - amount_won))
    place_over = not any(
        other.place == hold.place and other.is_open_at(desk.now) for other in desk.holds_of(hold.buyer_id)
    )
    if place_over:
        desk.close_place(hold.place)
    desk.writes.orders.append(
        Order(
            id=command.order_id,
            hold_id=hold.id,
            buyer_id=hold.buyer_id,
            performance_id=hold.performance_id,
            amount_won=amount_won,
            paid_at=desk.now,
        )
    )
    desk.writes.transfers.append(
        Transfer(
            id=command.transfer_id,
            buyer_id=hold.buyer_id,
            kind=TransferKind.PAYMENT,
            debit=wallet_account(hold.buyer_id),
            credit=BOX_OFFICE,
            amount_won=amount_won,
            posted_at=desk.now,
            cause_id=command.order_id,
        )
    )
    _tell(desk, command, hold, amount_won, place_over=place_over)
    receipt = OrderReceipt(
        order_id=command.order_id,
        hold_id=hold.id,
        place=hold.place,
        amount_won=amount_won,
        paid_at=desk.now,
        place_over=place_over,
    )
    return desk.settle(command, receipt)


def _tell(desk: Desk, command: PayForHold, hold: Hold, amount_won: Won, *, place_over: bool) -> None:
    desk.writes.events.append(
        OrderPaid(
            event_id=desk.new_event_id(desk.now),
            occurred_at=desk.now,
            order_id=command.order_id,
            hold_id=hold.id,
            buyer_id=hold.buyer_id,
            room_id=hold.place.room_id,
            place_number=hold.place.number,
            performance_id=hold.performance_id,
            seat_ids=tuple(seat.seat_id for seat in hold.seats),
            amount_won=amount_won,
            place_over=place_over,
        )
    )
