"""A batch of joins or endings: decided in order of arrival, over several rooms, with the keys of their requests."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from stagedoor.adapters.line_keys import JOIN, LEAVE, KeyRing, KeyScope, StoredKey
from stagedoor.kernel.clock import Instant
from stagedoor.kernel.errors import Rejection
from stagedoor.kernel.idempotency import KeyReused, TooManyKeys
from stagedoor.kernel.ids import BuyerId, PlaceRef, QueueNumber, RoomId
from stagedoor.operators.model import AuditEntry
from stagedoor.waiting_room.changes import Change
from stagedoor.waiting_room.ending import EndingPlan
from stagedoor.waiting_room.joining import JoiningPlan
from stagedoor.waiting_room.line import Line
from stagedoor.waiting_room.model import PlaceState
from stagedoor.waiting_room.ports import EndPlace, Join, Joined, PlaceEnded, Rooms
from stagedoor.waiting_room.rejections import UnknownPlace
from stagedoor.waiting_room.room import Room

Lines = Callable[[RoomId], Line]


class _Decision(NamedTuple):
    """
    What was decided of one command.

    *did* says whether it ended a pass, *replayed* that an old key named *ref*;
    *told* is what a key has stored of the place.
    """

    ref: PlaceRef
    did: bool = False
    replayed: bool = False
    told: StoredKey | None = None


class JoinBatch:
    """Joins of any rooms at one instant."""

    def __init__(
        self, lines: Lines, keys: KeyRing, now: Instant, *, given: Mapping[BuyerId, int | Rejection] | None = None
    ) -> None:
        """
        Decide at *now*, knowing *keys*.

        *given* is what the one line of the batch has answered its buyers; None where that is decided here.
        """
        self._lines = lines
        self._keys = keys
        self._now = now
        self._given = given
        self._plans: dict[RoomId, JoiningPlan] = {}

    @staticmethod
    def scopes(joins: Sequence[Join]) -> Sequence[KeyScope]:
        """Return the keys to be looked up."""
        return [KeyScope(join.buyer_id, JOIN, join.key.value) for join in joins if join.key is not None]

    def known(self, join: Join) -> _Decision | Rejection | None:
        """Return what its key says of the join, None where that says nothing."""
        if join.key is None:
            return None
        answered = self._keys.answered(join.buyer_id, JOIN, join.key)
        if isinstance(answered, KeyReused):
            return answered
        if answered is not None:
            return _Decision(ref=answered.ref, replayed=True, told=answered)
        return TooManyKeys() if self._keys.is_full(join.buyer_id) else None

    def decide(self, join: Join) -> _Decision | Rejection:
        """Decide one join: the replay of a known key comes before everything else."""
        if (known := self.known(join)) is not None:
            return known
        number = self._plan(join.room).join(join.buyer_id) if self._given is None else self._given[join.buyer_id]
        if isinstance(number, Rejection):
            return number
        ref = PlaceRef(room_id=join.room.id, number=QueueNumber(number))
        if join.key is None:
            return _Decision(ref=ref)
        state, position = self._standing(ref, join.room)
        return _Decision(ref=ref, told=self._keys.store(join.buyer_id, JOIN, join.key, ref, state, position))

    def changes(self) -> Mapping[RoomId, Change]:
        """Return what has to be durable, with the keys and what is audited, before anybody is answered."""
        return {room_id: plan.change() for room_id, plan in self._plans.items()}

    def outcome(self, join: Join, decision: _Decision | Rejection) -> Joined | Rejection:
        """Return the answer, now that it is durable. To ask for a place is a sign of presence."""
        if isinstance(decision, Rejection):
            return decision
        line, ref = self._lines(decision.ref.room_id), decision.ref
        place = line.look(ref, join.room, self._now, telling=True)
        if place is None:
            # Replayed, and revoked since: the answer is still the first one's place.
            place = line.show(ref, join.room, self._now)
        if place is None:
            return UnknownPlace()
        if decision.told is not None:
            place = place._replace(state=decision.told.state, position=decision.told.position)
        return Joined(place=place, replayed=decision.replayed)

    def _standing(self, ref: PlaceRef, room: Room) -> tuple[PlaceState, int]:
        """Return how the place stands, also one that this very batch gives."""
        line = self._lines(ref.room_id)
        place = line.show(ref, room, self._now)
        if place is not None:
            return place.state, place.position
        before = line.view()
        return PlaceState.WAITING, before.waiting + ref.number - before.last_number

    def _plan(self, room: Room) -> JoiningPlan:
        plan = self._plans.get(room.id)
        if plan is None:
            plan = self._plans[room.id] = self._lines(room.id).plan_joins(room, self._now)
        return plan


class EndBatch:
    """Endings of any rooms at one instant."""

    def __init__(self, lines: Lines, rooms: Rooms, keys: KeyRing, now: Instant) -> None:
        """Decide at *now*, knowing *keys*."""
        self._lines = lines
        self._rooms = rooms
        self._keys = keys
        self._now = now
        self._plans: dict[RoomId, EndingPlan] = {}
        self.audited: list[AuditEntry] = []

    @staticmethod
    def scopes(endings: Sequence[EndPlace], lines: Lines) -> Sequence[KeyScope]:
        """Return the keys to be looked up."""
        return [
            KeyScope(buyer_id, LEAVE, ending.key.value)
            for ending in endings
            if ending.key is not None
            and (buyer_id := lines(ending.ref.room_id).buyer_of(ending.ref.number)) is not None
        ]

    def decide(self, ending: EndPlace) -> _Decision | Rejection:
        """Decide one ending: the replay of a known key comes before everything else."""
        ref, key = ending.ref, ending.key
        buyer_id = self._lines(ref.room_id).buyer_of(ref.number)
        if buyer_id is None or self._rooms.get(ref.room_id) is None:
            return UnknownPlace()
        if key is not None:
            answered = self._keys.answered(buyer_id, LEAVE, key)
            if isinstance(answered, KeyReused):
                return answered
            if answered is not None:
                # The request's body is empty, so it is the place that tells two requests apart.
                return _Decision(ref=ref, replayed=True) if answered.ref == ref else KeyReused()
            if self._keys.is_full(buyer_id):
                return TooManyKeys()
        had_pass = self._plan(ref.room_id).end(ref.number, ending.cause)
        if had_pass is None:
            return UnknownPlace()
        if key is not None:
            self._keys.store(buyer_id, LEAVE, key, ref, PlaceState.EXPIRED, 0)
        if ending.by is not None:
            self._audit(ending, ending.by, had_pass=had_pass)
        return _Decision(ref=ref, did=had_pass)

    def changes(self) -> Mapping[RoomId, Change]:
        """Return what has to be durable, with the keys and what is audited, before anybody is answered."""
        return {room_id: plan.change() for room_id, plan in self._plans.items()}

    def outcome(self, decision: _Decision | Rejection) -> PlaceEnded | Rejection:
        """Return the answer, now that it is durable."""
        if isinstance(decision, Rejection):
            return decision
        room = self._rooms.get(decision.ref.room_id)
        place = None if room is None else self._lines(room.id).show(decision.ref, room, self._now)
        if place is None:
            return UnknownPlace()
        return PlaceEnded(place=place, was_admitted=decision.did, replayed=decision.replayed)

    def _plan(self, room_id: RoomId) -> EndingPlan:
        plan = self._plans.get(room_id)
        if plan is None:
            plan = self._plans[room_id] = self._lines(room_id).plan_ends(self._now)
        return plan

    def _audit(self, ending: EndPlace, actor: str, *, had_pass: bool) -> None:
        ref = ending.ref
        self.audited.append(
            AuditEntry(
                at=self._now,
                actor=actor,
                action="place.revoke",
                subject=f"place:{ref.room_id}/{ref.number}",
                detail={"was_admitted": had_pass},
            )
        )
