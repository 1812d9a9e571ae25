"""Rooms, and a pure line with a clock that is moved by hand: what it plans is applied at once."""

from collections.abc import Awaitable
from dataclasses import replace

from stagedoor.kernel.clock import Instant, ManualClock, later
from stagedoor.kernel.errors import Rejection
from stagedoor.kernel.ids import MAIN_ROOM, BuyerId, HoldId, PlaceRef, QueueNumber, RoomId
from stagedoor.waiting_room.changes import Change
from stagedoor.waiting_room.line import Line
from stagedoor.waiting_room.line_state import LineState
from stagedoor.waiting_room.model import EndCause, PlaceState, PlaceView
from stagedoor.waiting_room.ports import Joined
from stagedoor.waiting_room.room import Room, RoomPolicy, RoomState

NOON = Instant(1_800_000_000_000)
TICK_MS = 250


def a_policy(**figures: float | None) -> RoomPolicy:
    return replace(RoomPolicy(), **figures)  # type: ignore[arg-type]  # each name has its own kind of figure


def a_room(
    room_id: RoomId = MAIN_ROOM,
    *,
    state: RoomState = RoomState.OPEN,
    opens_at: Instant | None = None,
    closes_at: Instant | None = None,
    **figures: float | None,
) -> Room:
    """Return a room; *figures* are of its policy."""
    return Room(
        id=room_id, name="A room", state=state, policy=a_policy(**figures), opens_at=opens_at, closes_at=closes_at
    )


def a_ref(number: int, room_id: RoomId = MAIN_ROOM) -> PlaceRef:
    return PlaceRef(room_id=room_id, number=QueueNumber(number))


class PaperLine:
    """A line without a journal: every plan comes true."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.state = LineState(room.id)
        self.line = Line(self.state)
        self.clock = ManualClock(NOON)
        self.seats_free = True

    def change_room(self, **figures: float | None) -> None:
        """Change the policy live."""
        self.room = replace(self.room, policy=replace(self.room.policy, **figures))  # type: ignore[arg-type]  # as above

    def set_state(self, state: RoomState) -> None:
        self.room = replace(self.room, state=state)

    def advance(self, by_ms: int) -> None:
        self.clock.advance(by_ms)

    def try_join(self, buyer: int) -> int | Rejection:
        plan = self.line.plan_joins(self.room, self.clock.now())
        outcome = plan.join(BuyerId(buyer))
        self.line.apply(plan.change())
        return outcome

    def join(self, *buyers: int) -> list[int]:
        numbers = []
        for buyer in buyers:
            number = self.try_join(buyer)
            assert isinstance(number, int)
            numbers.append(number)
        return numbers

    def look(self, number: int, *, telling: bool = False) -> PlaceView:
        view = self.try_look(number, telling=telling)
        assert view is not None
        return view

    def try_look(self, number: int, *, telling: bool = False) -> PlaceView | None:
        return self.line.look(a_ref(number), self.room, self.clock.now(), telling=telling)

    def show(self, number: int) -> PlaceView:
        """Look without being taken for the buyer."""
        view = self.line.show(a_ref(number), self.room, self.clock.now())
        assert view is not None
        return view

    def state_of(self, number: int) -> PlaceState:
        return self.show(number).state

    def end(self, number: int, cause: EndCause = EndCause.LEFT) -> bool | None:
        plan = self.line.plan_ends(self.clock.now())
        ended = plan.end(number, cause)
        self.line.apply(plan.change())
        return ended

    def note_hold(self, number: int, hold: int, *, for_ms: int | None) -> None:
        now = self.clock.now()
        self.line.note_hold(number, HoldId(hold), None if for_ms is None else later(now, for_ms), now)

    def plan(self) -> Change:
        now = self.clock.now()
        self.line.elapse(self.room, seats_free=self.seats_free, now=now)
        return self.line.plan_turn(self.room, seats_free=self.seats_free, now=now)

    def turn(self, after_ms: int = 0) -> Change:
        """Advance the clock, take a turn."""
        self.advance(after_ms)
        change = self.plan()
        self.line.apply(change)
        return change

    def admitted(self, after_ms: int = 0) -> list[int]:
        """Take a turn; return the numbers it admitted, in order."""
        return [admission.number for admission in self.turn(after_ms).admitted]

    def stay(self, *numbers: int, for_ms: int, every_ms: int = 1_000) -> None:
        """Let time pass in steps while the buyers of *numbers* poll, a turn after each step."""
        passed = 0
        while passed < for_ms:
            step = min(every_ms, for_ms - passed)
            self.advance(step)
            for number in numbers:
                self.try_look(number, telling=True)
            self.turn()
            passed += step


async def taken(asked: Awaitable[Joined | Rejection]) -> Joined:
    """Return the place that was asked for, and got."""
    outcome = await asked
    assert isinstance(outcome, Joined), outcome
    return outcome
