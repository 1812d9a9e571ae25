"""
The judge of the database: it holds every effect that was answered, nothing that nobody asked for, and all of it once.

To be asked once the outbox is empty, and before any client goes on.
"""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from stagedoor.holds.model import HoldState
from stagedoor.waiting_room.model import EndCause, PlaceState
from tests.e2e.harness.promises import seats_asked
from tests.kill.answers import Answers, tries_of
from tests.kill.memory import LEFT, PAID, RELEASED, HoldTold, Memory, PlaceTold
from tests.kill.stored import AnyRow, Stored

OPEN_OR_OVER = (HoldState.OPEN, HoldState.EXPIRED)


class Books:
    """
    Compares what buyers were told with what is *stored*; *opening_won* is what every wallet began with.

    Where the line has a store of its own, the database does not have those who wait: *waiting_is_stored*.
    """

    def __init__(self, answers: Answers, stored: Stored, *, opening_won: int, waiting_is_stored: bool = True) -> None:
        self._answers = answers
        self._waiting_is_stored = waiting_is_stored
        self._stored = stored
        self._opening_won = opening_won

    def wrong(self) -> list[str]:
        """Return every contradiction, in words."""
        found = [*self._of_everybody()]
        for memory in self._answers.memories.values():
            found += [f"buyer {memory.buyer_id}: {what}" for what in self._of(memory)]
        return found

    def _of(self, memory: Memory) -> Iterator[str]:
        for place in memory.places.values():
            yield from self._place(memory, place)
        for hold in memory.holds.values():
            yield from self._hold(hold)
        yield from self._nothing_else(memory)
        yield from self._money(memory)

    def _place(self, memory: Memory, told: PlaceTold) -> Iterator[str]:
        row = self._stored.places.get((told.room_id, told.number))
        if row is None and told.status == "WAITING" and not told.has_left and not self._waiting_is_stored:
            return
        if row is None or row.buyer_id != memory.buyer_id:
            yield f"{told} is {row}"
            return
        state = PlaceState(row.state)
        holds = memory.under(told)
        if state not in self._possible(memory, told, row):
            yield f"{told} is {state.name}, {row}"
        admission = self._stored.passes.get((told.room_id, told.number))
        if told.status == "PROGRESS" and admission is None:
            yield f"{told} was let in, and nothing says so"
        runs = admission is not None and admission.ended_at is None
        if admission is not None and runs and told.session_until is not None and not any(h.may_be_paid for h in holds):
            ends_at = self._answers.session_ends_at(told)
            if admission.session_ends_at < ends_at:
                yield f"{told} lasts until {ends_at}, and {admission} does not"

    def _possible(self, memory: Memory, told: PlaceTold, row: AnyRow) -> set[PlaceState]:
        """Return what may have become of a place."""
        holds = memory.under(told)
        used_up = any(hold.order is not None and hold.order["queueStatus"] == "DONE" for hold in holds)
        possible: set[PlaceState] = set()
        if told.status == "DONE" or used_up or any(hold.may_be_paid for hold in holds):
            possible.add(PlaceState.DONE)
        if told.status == "EXPIRED" or told.has_left or told.may_have_left or self._session_was_over(told, row):
            possible.add(PlaceState.EXPIRED)
        if told.status in {"DONE", "EXPIRED"} or told.has_left or used_up:
            return possible
        return possible | ({PlaceState.WAITING} if told.status == "WAITING" else set()) | {PlaceState.ADMITTED}

    def _session_was_over(self, told: PlaceTold, row: AnyRow) -> bool:
        admission = self._stored.passes.get((told.room_id, told.number))
        return (
            admission is not None
            and row.end_cause == EndCause.SESSION_OVER
            and row.ended_at is not None
            and row.ended_at >= admission.session_ends_at >= self._answers.session_ends_at(told)
        )

    def _hold(self, told: HoldTold) -> Iterator[str]:
        row = self._stored.holds.get(told.id)
        if row is None:
            yield f"{told} is not there"
            return
        state = HoldState(row.state)
        deadline = self._answers.deadline(told)
        if state not in self._outcomes(told, row, deadline):
            yield f"{told} is {state.name}, {row}"
        if self._stored.seats.get(told.id) != told.seat_ids or row.place_number != told.number:
            yield f"{told} keeps {self._stored.seats.get(told.id)}, {row}"
        if row.expires_at < (deadline if state in OPEN_OR_OVER else told.until):
            yield f"{told} lasts until {deadline}, and {row} does not"
        order = self._stored.orders.get(told.id)
        if told.order is not None and (
            order is None or (order.id, order.amount_won) != (told.order["orderId"], told.order["paymentAmount"])
        ):
            yield f"{told} was paid, and its order is {order}"

    def _outcomes(self, told: HoldTold, row: AnyRow, deadline: int) -> set[HoldState]:
        """Return what may have become of a hold."""
        if told.ended == PAID:
            return {HoldState.PAID}
        if told.ended == RELEASED:
            return {HoldState.RELEASED}
        over_by = self._stored.read_at if told.over_since is None else told.over_since
        possible = {HoldState.EXPIRED} if row.ended_at == row.expires_at and deadline <= over_by else set()
        if PAID in told.may_be:
            possible.add(HoldState.PAID)
        if told.may_be_let_go:
            possible.add(HoldState.RELEASED)
        if told.ended != LEFT or deadline <= over_by:
            # Past its deadline it is over, whether or not anything has said so.
            possible.add(HoldState.OPEN)
        return possible

    def _nothing_else(self, memory: Memory) -> Iterator[str]:
        """Of what she was not told there is nothing but what her last request, or a lost one, may have done."""
        pending = memory.pending
        untold = [row for row in self._stored.holds_of.get(memory.buyer_id, ()) if row.id not in memory.holds]
        possible = [*memory.untold]
        if pending is not None and pending.path == "/concerts/reserve":
            possible.append(seats_asked(pending.body))
        for row in untold:
            seats = self._stored.seats.get(row.id)
            if seats in possible:
                possible.remove(seats)
            else:
                yield f"nobody told her of {row}"
        places = self._stored.places_of.get(memory.buyer_id, ())
        new = [row for row in places if (row.room_id, row.number) not in memory.places]
        possible_places = memory.untold_places
        if pending is not None and (pending.method, pending.path) == ("POST", "/queue/token"):
            possible_places += 1 if pending.key is not None else tries_of(memory, pending).sent
        if len(new) > possible_places:
            yield f"nobody told her of {new}"

    def _money(self, memory: Memory) -> Iterator[str]:
        pending = memory.pending
        is_charge = pending is not None and (pending.method, pending.path) == ("POST", "/user/amount")
        lost = [pending.body["amount"]] if pending is not None and is_charge else []
        stored = sorted(self._stored.charges.get(memory.buyer_id, ()))
        known = [self._opening_won, *memory.charges]
        if stored not in (sorted(known), sorted(known + lost)):
            yield f"was charged {known}, perhaps {lost}, and it is {stored}"
        holds = self._stored.holds_of.get(memory.buyer_id, ())
        spent = sum(self._stored.orders[row.id].amount_won for row in holds if row.id in self._stored.orders)
        if self._stored.balances[memory.buyer_id] != sum(stored) - spent:
            yield f"was charged {stored} and paid {spent}, and has {self._stored.balances[memory.buyer_id]}"

    def _of_everybody(self) -> Iterator[str]:
        """Each effect has its event, once, and each order its notification; no seat was two buyers' at once."""
        stored = self._stored
        named = {HoldState.RELEASED: "HoldReleased", HoldState.EXPIRED: "HoldExpired", HoldState.PAID: "OrderPaid"}
        for row in stored.holds.values():
            expected = {name: int(HoldState(row.state) is state) for state, name in named.items()} | {"HoldPlaced": 1}
            found = {name: stored.events[name, row.id] for name in expected}
            if found != expected:
                yield f"{row} has the events {found}"
            if (row.state == HoldState.PAID) != (row.id in stored.orders):
                yield f"{row} has the order {stored.orders.get(row.id)}"
        for order in stored.orders.values():
            if stored.notified[order.id] != 1:
                yield f"{order} has {stored.notified[order.id]} notifications"
        yield from self._seats()

    def _seats(self) -> Iterator[str]:
        held: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        for row in self._stored.holds.values():
            is_paid = row.state == HoldState.PAID
            end = 1 << 62 if is_paid else row.expires_at if row.ended_at is None else row.ended_at
            for seat_id in self._stored.seats[row.id]:
                held[seat_id].append((row.placed_at, end, row.id))
        for seat_id, spans in held.items():
            spans.sort()
            for (_, end, one), (start, _, other) in pairwise(spans):
                if start < end:
                    yield f"seat {seat_id} was held by {one} and by {other} at once"
