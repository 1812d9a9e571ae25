"""
The line, with its journal, against a model that goes through a list.

Whatever is done in whatever order: both have the same people at the same
positions, in the same states, and admit the same ones in the same order; no
position rises for anybody present, and no more are let in than may be.
"""

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import StaticPool

from stagedoor.adapters.embedded.line_journal import JournalEntry
from stagedoor.adapters.embedded.line_restore import credit_passes, read_lines
from stagedoor.adapters.sql.tables import metadata
from stagedoor.kernel.clock import ManualClock, Outage, later
from stagedoor.kernel.ids import MAIN_ROOM, BuyerId, HoldId
from stagedoor.waiting_room.changes import Change
from stagedoor.waiting_room.line import Line
from stagedoor.waiting_room.line_state import LineState
from stagedoor.waiting_room.model import EndCause, PlaceState, PlaceView
from stagedoor.waiting_room.restoring import take_up
from stagedoor.waiting_room.room import RoomState
from tests.builders.line import NOON, a_ref, a_room
from tests.property.line_model import ModelLine, ModelPlace

BUYERS = st.integers(1, 12)
STANDS = {
    PlaceState.WAITING: "waiting",
    PlaceState.ADMITTED: "admitted",
    PlaceState.PASSED_OVER: "passed over",
    PlaceState.DONE: "over",
    PlaceState.EXPIRED: "over",
}
# Exact in binary, so that the line's floats and the model's fractions agree to the last admission.
RATES = st.sampled_from([None, 2.0, 4.0, 8.0, 16.0])
TICKS_MS = st.sampled_from([125, 250, 500, 1_000, 2_500, 3_000])
STEPS_MS = st.sampled_from([125, 250, 250, 1_000, 4_000, 5_000, 10_000, 30_000, 90_000])


class LineMachine(RuleBasedStateMachine):
    """One room, a dozen buyers, one database."""

    def __init__(self) -> None:
        super().__init__()
        engine = create_engine("sqlite://", poolclass=StaticPool)
        self.connection: Connection = engine.connect()
        metadata.create_all(self.connection)
        self.clock = ManualClock(NOON)
        self.room = a_room(
            max_active=2, away_after_ms=5_000, idle_timeout_ms=4_000, session_max_ms=30_000, entry_window_ms=4_000
        )
        self.line = Line(LineState(MAIN_ROOM))
        self.model = ModelLine()
        self.seats_free = True
        self.told_positions: dict[int, int] = {}

    def teardown(self) -> None:
        self.connection.close()
        self.connection.engine.dispose()

    @initialize(opens_in_ms=st.sampled_from([None, 0, 6_000]))
    def opening(self, opens_in_ms: int | None) -> None:
        if opens_in_ms is not None:
            self.room = replace(self.room, opens_at=later(NOON, opens_in_ms))

    @rule(buyers=st.lists(BUYERS, min_size=1, max_size=8))
    def join(self, buyers: list[int]) -> None:
        now = self.clock.now()
        closed = self.room.state_at(now) is RoomState.CLOSED
        plan = self.line.plan_joins(self.room, now)
        numbers = [plan.join(BuyerId(buyer)) for buyer in buyers]
        self.make_so(plan.change())
        for buyer, number in zip(buyers, numbers, strict=True):
            if closed and self.model.living(buyer) is None:
                assert not isinstance(number, int)
                continue
            place = self.model.join(buyer, now)
            assert number == place.number
            self.heard_of(place)

    @rule(data=st.data(), telling=st.booleans())
    def look(self, data: st.DataObject, *, telling: bool) -> None:
        for place in self.some(data):
            self.heard_of(place, telling=telling)

    @rule(data=st.data(), cause=st.sampled_from([EndCause.LEFT, EndCause.PAID]))
    def end(self, data: st.DataObject, cause: EndCause) -> None:
        plan = self.line.plan_ends(self.clock.now())
        for place in self.some(data, most=2):
            assert plan.end(place.number, cause) is (place.stands == "admitted")
            self.model.end(place)
        self.make_so(plan.change())

    @rule(data=st.data(), hold=st.integers(1, 2), for_ms=st.sampled_from([None, 3_000, 60_000]))
    def note_hold(self, data: st.DataObject, hold: int, for_ms: int | None) -> None:
        now = self.clock.now()
        until = None if for_ms is None else later(now, for_ms)
        for place in self.some(data, most=1):
            self.line.note_hold(place.number, HoldId(hold), until, now)
            if place.stands != "admitted":
                continue
            if until is None:
                place.holds.pop(hold, None)
            else:
                place.holds[hold], place.entered = until, True

    @rule(ticks=st.integers(1, 12), every_ms=TICKS_MS, absent=st.sets(BUYERS, max_size=4))
    def go_on(self, ticks: int, every_ms: int, absent: set[int]) -> None:
        """What happens most: all but a few poll, and turns are taken."""
        for _ in range(ticks):
            for place in self.model.places:
                if place.stands != "over" and place.buyer not in absent:
                    self.heard_of(place)
            self.turn(every_ms)

    @rule(after_ms=STEPS_MS)
    def turn(self, after_ms: int) -> None:
        now = self.clock.advance(after_ms)
        self.line.elapse(self.room, seats_free=self.seats_free, now=now)
        change = self.line.plan_turn(self.room, seats_free=self.seats_free, now=now)
        self.make_so(change)

        admitted = self.model.turn(self.room, now, seats_free=self.seats_free)

        assert [admission.number for admission in change.admitted] == admitted
        assert not admitted or len(self.model.inside()) <= self.room.policy.max_active
        assert not admitted or (self.room.opens_at or 0) <= now

    @rule(after_ms=STEPS_MS)
    def turn_that_fails(self, after_ms: int) -> None:
        now = self.clock.advance(after_ms)
        self.line.elapse(self.room, seats_free=self.seats_free, now=now)
        self.line.plan_turn(self.room, seats_free=self.seats_free, now=now)
        self.model.let_time_pass(self.room, now)

    @rule(state=st.sampled_from([RoomState.OPEN, RoomState.OPEN, RoomState.PAUSED, RoomState.CLOSED]))
    def set_state(self, state: RoomState) -> None:
        self.room = replace(self.room, state=state)

    @rule(max_active=st.integers(0, 4), rate=RATES)
    def change_policy(self, max_active: int, rate: float | None) -> None:
        self.room = replace(self.room, policy=replace(self.room.policy, max_active=max_active, rate=rate))

    @rule(free=st.booleans())
    def sell(self, *, free: bool) -> None:
        self.seats_free = free

    @rule(outage_ms=STEPS_MS)
    def restart(self, outage_ms: int) -> None:
        now = self.clock.advance(outage_ms)
        for stored in read_lines(self.connection, now):
            self.line = take_up(stored, self.room.policy, at=now)
        self.model.restart(self.room, now)

    @rule(outage_ms=STEPS_MS)
    def stand_still(self, outage_ms: int) -> None:
        outage = Outage(self.clock.now(), self.clock.advance(outage_ms), outage_ms)
        credit_passes(self.connection, outage)
        self.connection.commit()
        self.line.give_back(self.room, outage)
        self.model.stand_still(outage_ms)

    @invariant()
    def both_tell_the_same(self) -> None:
        for place in self.model.places:
            view = self.view(place)
            assert (view.buyer_id, STANDS[view.state]) == (place.buyer, place.stands), place
            assert view.position == self.model.position(place), place
        line = self.line.view()
        assert line.last_number == len(self.model.places)
        assert line.waiting == sum(place.counts for place in self.model.places)
        assert line.active == len(self.model.inside())

    @invariant()
    def no_position_rises_but_by_absence(self) -> None:
        for place in self.model.places:
            position = self.model.position(place)
            before = self.told_positions.get(place.number, position)
            assert position <= before or place.stands == "passed over"
            self.told_positions[place.number] = position

    def some(self, data: st.DataObject, *, most: int = 6) -> list[ModelPlace]:
        """Draw some places."""
        if not self.model.places:
            return []
        return data.draw(st.lists(st.sampled_from(self.model.places), max_size=most, unique_by=lambda p: p.number))

    def heard_of(self, place: ModelPlace, *, telling: bool = True) -> None:
        """Look as the buyer of *place*."""
        view = self.line.look(a_ref(place.number), self.room, self.clock.now(), telling=telling)
        assert view is not None
        self.model.hear_of(place, self.clock.now())
        if telling and view.position:
            place.told_ms = view.poll_after_ms

    def view(self, place: ModelPlace) -> PlaceView:
        """Look without being taken for anybody."""
        view = self.line.show(a_ref(place.number), self.room, self.clock.now())
        assert view is not None
        return view

    def make_so(self, change: Change) -> None:
        """Journal, then apply."""
        entry = JournalEntry(at=change.at, changes={MAIN_ROOM: change})
        if not entry.is_empty:
            proof = entry.write(self.connection)
            self.connection.commit()
            assert proof(self.connection)
        self.line.apply(change)


LineMachine.TestCase.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
TestLine = LineMachine.TestCase
