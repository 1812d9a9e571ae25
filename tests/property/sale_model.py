"""
A sale as plain as can be: a list of holds, and every question answered by going through all of it.

No claims, no batches, no rows. A seat is taken if some hold that is paid or
runs has it; what a buyer owns is what was charged less what was paid.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from stagedoor.checkout.commands import ChargeWallet, ClosePlace, PayForHold, PlaceHold, ReleaseHold, SaleCommand
from stagedoor.checkout.keys import call_of

HOLD_MS = 300_000
CLOSED_TO_HER_MS = 60_000
SEATS_MOST = 4
CREDIT_MOST_MS = 200_000
"""So little that a few outages reach it."""

Answer = tuple[object, ...]
"""What was answered: a word, and the figures that go with it."""


@dataclass(slots=True, kw_only=True)
class ModelHold:
    """One hold; *stands* is open, paid, released or expired."""

    id: int
    buyer: int
    seats: frozenset[int]
    place: object
    placed_at: int
    ends_at: int
    stands: str = "open"
    ended_at: int = 0
    had_back_ms: int = 0

    def runs(self, now: int) -> bool:
        """Whether it can be paid."""
        return self.stands == "open" and now < self.ends_at

    def let_go_at(self) -> int:
        """When its seats were let go: by her, or by the clock."""
        return self.ended_at if self.stands == "released" else self.ends_at


@dataclass(slots=True, kw_only=True)
class ModelSale:
    """All holds ever, everybody's money, and the places that are over."""

    seats: Collection[int]
    price: int
    money: dict[int, int]
    holds: list[ModelHold] = field(default_factory=list)
    closed: set[object] = field(default_factory=set)
    keys: dict[tuple[object, ...], tuple[str, Answer]] = field(default_factory=dict)
    taken_in: int = 0
    charged: int = 0

    def one(self, command: SaleCommand, now: int) -> Answer:
        """Answer one request."""
        if isinstance(command, ClosePlace):
            return self._close(command, now)
        if isinstance(command, PayForHold | ReleaseHold) and self._find(command) is None:
            return ("UnknownHold",)
        if command.key is None:
            return self._fresh(command, now)
        scope = (command.buyer_id, call_of(command), command.key.value)
        if scope in self.keys:
            fingerprint, answer = self.keys[scope]
            return answer if fingerprint == command.key.fingerprint else ("KeyReused",)
        answer = self._fresh(command, now)
        if len(answer) > 1:
            self.keys[scope] = (command.key.fingerprint, answer)
        return answer

    def sweep(self, now: int) -> None:
        """Write down what is over."""
        for hold in self.holds:
            if hold.stands == "open" and now >= hold.ends_at:
                hold.stands = "expired"

    def give_back(self, began_at: int, now: int) -> None:
        """Move the end of every hold that ran when the outage began, unless its seats or its buyer have gone on."""
        lost_ms = min(now - began_at, CREDIT_MOST_MS)
        running = [hold for hold in self.holds if hold.stands == "open" and hold.ends_at > began_at]
        moved = [hold for hold in running if not self._overtaken(hold)]
        for hold in moved:
            back_ms = max(0, min(lost_ms, now - hold.placed_at, CREDIT_MOST_MS - hold.had_back_ms))
            hold.ends_at += back_ms
            hold.had_back_ms += back_ms

    def _overtaken(self, hold: ModelHold) -> bool:
        after = [other for other in self.holds if other.placed_at >= hold.ends_at]
        return any(other.buyer == hold.buyer or other.seats & hold.seats for other in after)

    def _fresh(self, command: SaleCommand, now: int) -> Answer:
        match command:
            case PlaceHold():
                return self._reserve(command, now)
            case PayForHold():
                return self._pay(command, now)
            case ReleaseHold():
                return self._release(command, now)
            case ChargeWallet():
                self.money[command.buyer_id] += command.amount_won
                self.charged += command.amount_won
                return ("charged", self.money[command.buyer_id])
            case _:
                raise AssertionError(command)

    def _reserve(self, command: PlaceHold, now: int) -> Answer:
        asked = frozenset(int(seat_id) for seat_id in command.seat_ids)
        hers = [hold for hold in self.holds if hold.buyer == command.buyer_id]
        for hold in hers:
            if hold.runs(now) and hold.seats == asked:
                return ("held", hold.id, hold.ends_at)
        if command.place in self.closed:
            return ("PlaceIsOver",)
        if len(asked.union(*(hold.seats for hold in hers if hold.stands == "paid" or hold.runs(now)))) > SEATS_MOST:
            return ("TooManySeats",)
        if any(hold.seats & asked and (hold.stands == "paid" or hold.runs(now)) for hold in self.holds):
            sold = [seat for hold in self.holds if hold.stands == "paid" for seat in hold.seats]
            return ("SoldOut",) if len(sold) == len(self.seats) else ("SeatsTaken",)
        for hold in hers:
            let_go = hold.stands != "paid" and not hold.runs(now)
            if let_go and hold.seats & asked and now < hold.let_go_at() + CLOSED_TO_HER_MS:
                return ("SeatsTaken",)
        ends_at = now + HOLD_MS
        self.holds.append(
            ModelHold(
                id=command.hold_id,
                buyer=command.buyer_id,
                seats=asked,
                place=command.place,
                placed_at=now,
                ends_at=ends_at,
            )
        )
        return ("held", command.hold_id, ends_at)

    def _pay(self, command: PayForHold, now: int) -> Answer:
        hold = self._find(command)
        assert hold is not None
        amount = self.price * len(hold.seats)
        if (refused := self._over(hold, now)) is not None:
            return refused
        if self.money[hold.buyer] < amount:
            return ("BalanceTooSmall",)
        self.money[hold.buyer] -= amount
        self.taken_in += amount
        hold.stands = "paid"
        last = not any(
            other.runs(now) and other.place == hold.place and other.buyer == hold.buyer for other in self.holds
        )
        if last:
            self.closed.add(hold.place)
        return ("paid", hold.id, amount, last)

    def _release(self, command: ReleaseHold, now: int) -> Answer:
        hold = self._find(command)
        assert hold is not None
        if (refused := self._over(hold, now)) is not None:
            return refused
        hold.stands, hold.ended_at = "released", now
        return ("released", hold.id)

    def _close(self, command: ClosePlace, now: int) -> Answer:
        if command.place in self.closed:
            return ("closed", frozenset[int]())
        going = [
            hold
            for hold in self.holds
            if hold.runs(now) and hold.place == command.place and hold.buyer == command.buyer_id
        ]
        for hold in going:
            hold.stands, hold.ended_at = "released", now
        self.closed.add(command.place)
        return ("closed", frozenset(hold.id for hold in going))

    def _over(self, hold: ModelHold, now: int) -> Answer | None:
        if hold.stands == "paid":
            return ("AlreadyPaid",)
        return None if hold.runs(now) else ("HoldIsOver",)

    def _find(self, command: PayForHold | ReleaseHold) -> ModelHold | None:
        for hold in self.holds:
            if (hold.id, hold.buyer) == (command.hold_id, command.buyer_id):
                return hold
        return None
