"""What has to be true of seats, holds and orders: for each sentence a count of what it is about, and its exceptions."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlCheck:
    """*count* returns how many things *sentence* is about, *violations* one row for each that it is not true of."""

    name: str
    sentence: str
    count: str
    violations: str


_SEAT_SOLD_ONCE = SqlCheck(
    name="seat-sold-once",
    sentence="No seat is sold twice.",
    count="SELECT COUNT(*) FROM sold_seat",
    violations="""
        SELECT s.seat_id, COUNT(*) AS orders
        FROM hold_seat s
        JOIN hold h ON h.id = s.hold_id AND h.state = :paid
        LEFT JOIN purchase p ON p.hold_id = h.id
        WHERE p.refunded_at IS NULL
        GROUP BY s.seat_id
        HAVING COUNT(*) > 1
    """,
)

_SOLD_SEATS_AGREE = SqlCheck(
    name="sold-seats-agree",
    sentence="Each seat of an order is claimed as sold by its hold and has its proof of sale, and no other seat has.",
    count="SELECT COUNT(*) FROM seat_claim WHERE state = :sold",
    violations="""
        SELECT s.seat_id, p.id AS order_id, 'has no claim or no proof' AS fault
        FROM purchase p
        JOIN hold_seat s ON s.hold_id = p.hold_id
        LEFT JOIN seat_claim c ON c.seat_id = s.seat_id AND c.hold_id = p.hold_id AND c.state = :sold
        LEFT JOIN sold_seat o ON o.seat_id = s.seat_id AND o.purchase_id = p.id
        WHERE p.refunded_at IS NULL AND (c.seat_id IS NULL OR o.seat_id IS NULL)
        UNION ALL
        SELECT c.seat_id, c.hold_id, 'is claimed as sold by a hold without an order'
        FROM seat_claim c
        LEFT JOIN purchase p ON p.hold_id = c.hold_id AND p.refunded_at IS NULL
        WHERE c.state = :sold AND p.id IS NULL
        UNION ALL
        SELECT o.seat_id, o.purchase_id, 'has a proof of sale that its order knows nothing of'
        FROM sold_seat o
        LEFT JOIN purchase p ON p.id = o.purchase_id AND p.refunded_at IS NULL
        LEFT JOIN hold_seat s ON s.hold_id = p.hold_id AND s.seat_id = o.seat_id
        WHERE s.seat_id IS NULL
    """,
)

_LIVE_CLAIM_HAS_ITS_HOLD = SqlCheck(
    name="claim-has-its-hold",
    sentence="Each seat that is held now is held by an open hold that names it, until the same instant.",
    count="SELECT COUNT(*) FROM seat_claim WHERE state = :held AND held_until > :now",
    violations="""
        SELECT c.seat_id, c.hold_id
        FROM seat_claim c
        LEFT JOIN hold h ON h.id = c.hold_id AND h.state = :open AND h.expires_at = c.held_until
        LEFT JOIN hold_seat s ON s.hold_id = h.id AND s.seat_id = c.seat_id
        WHERE c.state = :held AND c.held_until > :now AND s.seat_id IS NULL
    """,
)

_OPEN_HOLD_HAS_ITS_CLAIMS = SqlCheck(
    name="hold-has-its-claims",
    sentence="Each seat of a hold that is open now is claimed by it.",
    count="SELECT COUNT(*) FROM hold WHERE state = :open AND expires_at > :now",
    violations="""
        SELECT h.id AS hold_id, s.seat_id
        FROM hold h
        LEFT JOIN hold_seat s ON s.hold_id = h.id
        LEFT JOIN seat_claim c ON c.seat_id = s.seat_id AND c.hold_id = h.id AND c.state = :held
        WHERE h.state = :open AND h.expires_at > :now AND c.seat_id IS NULL
    """,
)

_SEATS_OF_ONE_PERFORMANCE = SqlCheck(
    name="hold-in-one-performance",
    sentence="Each seat of a hold is of the performance that the hold, and its room, are for.",
    count="SELECT COUNT(*) FROM hold_seat",
    violations="""
        SELECT h.id AS hold_id, s.seat_id
        FROM hold_seat s
        JOIN hold h ON h.id = s.hold_id
        LEFT JOIN seat ON seat.id = s.seat_id AND seat.performance_id = h.performance_id
        LEFT JOIN performance p ON p.id = seat.performance_id AND p.room_id = h.room_id
        WHERE p.id IS NULL
    """,
)

_PAID_HOLD_IS_ONE_ORDER = SqlCheck(
    name="paid-hold-is-one-order",
    sentence="Each paid hold is exactly one order of the same buyer and performance, for the price of its seats.",
    count="SELECT COUNT(*) FROM purchase",
    violations="""
        SELECT h.id AS hold_id, COUNT(p.id) AS orders
        FROM hold h
        LEFT JOIN purchase p ON p.hold_id = h.id AND p.buyer_id = h.buyer_id AND p.performance_id = h.performance_id
            AND p.amount_won = (SELECT SUM(s.price_won) FROM hold_seat s WHERE s.hold_id = h.id)
        WHERE h.state = :paid
        GROUP BY h.id
        HAVING COUNT(p.id) <> 1
        UNION ALL
        SELECT p.hold_id, 1 FROM purchase p LEFT JOIN hold h ON h.id = p.hold_id WHERE h.id IS NULL OR h.state <> :paid
    """,
)

_PAID_IN_TIME = SqlCheck(
    name="paid-in-time",
    sentence="No hold past its end was sold.",
    count="SELECT COUNT(*) FROM purchase",
    violations="""
        SELECT p.id AS order_id, p.paid_at, h.expires_at
        FROM purchase p
        JOIN hold h ON h.id = p.hold_id
        WHERE p.paid_at >= h.expires_at OR p.paid_at < h.placed_at
    """,
)

_ORDER_IS_PAID_FOR = SqlCheck(
    name="order-is-paid-for",
    sentence="Each order has exactly one payment, from its buyer's wallet, of its amount.",
    count="SELECT COUNT(*) FROM transfer WHERE kind = :payment",
    violations="""
        SELECT p.id AS order_id, COUNT(t.id) AS payments
        FROM purchase p
        LEFT JOIN transfer t ON t.cause_id = p.id AND t.kind = :payment
            AND t.buyer_id = p.buyer_id AND t.amount_won = p.amount_won
        GROUP BY p.id
        HAVING COUNT(t.id) <> 1
        UNION ALL
        SELECT t.cause_id, 0 FROM transfer t LEFT JOIN purchase p ON p.id = t.cause_id
        WHERE t.kind = :payment AND p.id IS NULL
    """,
)

_SEATS_PER_BUYER = SqlCheck(
    name="seats-per-buyer",
    sentence="Nobody holds and owns more seats of a performance than one buyer may.",
    count="SELECT COUNT(*) FROM (SELECT DISTINCT buyer_id, performance_id FROM hold) AS dealings",
    violations="""
        SELECT h.buyer_id, h.performance_id, COUNT(*) AS seats
        FROM hold h
        JOIN hold_seat s ON s.hold_id = h.id
        LEFT JOIN purchase p ON p.hold_id = h.id
        WHERE p.refunded_at IS NULL AND (h.state = :paid OR (h.state = :open AND h.expires_at > :now))
        GROUP BY h.buyer_id, h.performance_id
        HAVING COUNT(*) > :seats_per_buyer
    """,
)

_NOTHING_HELD_UNDER_A_CLOSED_PLACE = SqlCheck(
    name="closed-place-holds-nothing",
    sentence="Nothing is held under a place that is over in the sale.",
    count="SELECT COUNT(*) FROM closed_place",
    violations="""
        SELECT h.id AS hold_id, h.room_id, h.place_number
        FROM hold h
        JOIN closed_place c ON c.room_id = h.room_id AND c.place_number = h.place_number
        WHERE h.state = :open AND h.expires_at > :now
    """,
)

SALE_CHECKS: Final = (
    _SEAT_SOLD_ONCE,
    _SOLD_SEATS_AGREE,
    _LIVE_CLAIM_HAS_ITS_HOLD,
    _OPEN_HOLD_HAS_ITS_CLAIMS,
    _SEATS_OF_ONE_PERFORMANCE,
    _PAID_HOLD_IS_ONE_ORDER,
    _PAID_IN_TIME,
    _ORDER_IS_PAID_FOR,
    _SEATS_PER_BUYER,
    _NOTHING_HELD_UNDER_A_CLOSED_PLACE,
)
