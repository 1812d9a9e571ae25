"""What a buyer, and the clock, can ask of the waiting room."""

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from stagedoor.kernel.clock import Clock, Instant
from stagedoor.kernel.errors import Fault, Rejection
from stagedoor.kernel.idempotency import IdempotencyKey
from stagedoor.kernel.ids import BuyerId, PlaceRef, RoomId
from stagedoor.waiting_room.model import EndCause, LineView, PlaceView, SignedPlace, Standing
from stagedoor.waiting_room.ports import (
    Conditions,
    EndPlace,
    Join,
    Joined,
    Members,
    PlaceEnded,
    Rooms,
    RoomSupply,
    Supply,
    Turn,
    TurnReport,
    WaitingLine,
)
from stagedoor.waiting_room.rejections import PlaceIsOver, StillWaiting, UnknownBuyer, UnknownPlace, UnknownRoom
from stagedoor.waiting_room.room import Room, RoomState

InTurn = TypeVar("InTurn")
"""What is waited for until a batch has come to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinMembers:
    """Lets members into the line, a batch of them at a time."""

    members: Members
    line: WaitingLine

    async def join(self, joins: Sequence[Join]) -> Sequence[Joined | Rejection | Fault]:
        """
        Give each member her living place, or a new one at the back.

        Who is none gets `UnknownBuyer`, and who cannot be looked for the `Fault`: it is hers alone, or one made-up id
        would take everybody down who came with it. Raises a `Fault` of the line.
        """
        known = await self.members.known([join.buyer_id for join in joins])
        of_members = [join for join, is_known in zip(joins, known, strict=True) if is_known is True]
        joined = iter(await self.line.join(of_members) if of_members else ())
        return [
            next(joined) if is_known is True else UnknownBuyer() if is_known is False else is_known
            for is_known in known
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueToken(Generic[InTurn]):
    """
    Gives a member her place in a room's line.

    *join* is `JoinMembers`, with those who ask gathered into batches: what it
    returns is waited for, and then a `Joined` or a `Rejection`.
    """

    rooms: Rooms
    join: Callable[[Join], InTurn]

    def issue(self, *, buyer_id: BuyerId, room_id: RoomId, key: IdempotencyKey | None) -> InTurn:
        """
        Ask for her living place, or a new one at the back; return what is to be waited for.

        Raises `UnknownRoom`, and what *join* raises at once. What is waited for may be `UnknownBuyer`, `KeyReused`,
        `TooManyKeys`, `RoomIsClosed`, `LineIsFull`.
        """
        room = self.rooms.get(room_id)
        if room is None:
            raise UnknownRoom
        return self.join(Join(room=room, buyer_id=buyer_id, key=key))


class AsUsual(Conditions):
    """A service that nothing ails."""

    is_paused = False
    is_stale = False


AS_USUAL = AsUsual()


class PlaceStatus(NamedTuple):
    """
    A place, with what its buyer wants to know of what surrounds it; a tuple, because one is made for every poll.

    *is_paused* and *is_stale* are the `Conditions`.
    """

    place: PlaceView
    room: Room
    room_state: RoomState
    supply: RoomSupply
    now: Instant
    is_paused: bool = False
    is_stale: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPlace:
    """Tells a buyer how her place stands."""

    line: WaitingLine
    rooms: Rooms
    supply: Supply
    clock: Clock
    conditions: Conditions = AS_USUAL

    def is_settled(self, ref: PlaceRef) -> bool:
        """Say whether the place can be checked without waiting."""
        return self.line.is_settled(ref)

    async def settled(self, ref: PlaceRef, *, signed: SignedPlace | None = None) -> None:
        """Return once the place can be checked. Raises `Fault` where nobody can say how it stands."""
        await self.line.settled(ref, signed=signed)

    def check(self, ref: PlaceRef) -> PlaceStatus:
        """Return the place, which is settled; asking is a sign of presence. Raises `UnknownPlace`."""
        place = self.line.look_at_once(ref, telling=True)
        room = self.rooms.get(ref.room_id)
        if place is None or room is None:
            raise UnknownPlace
        now, conditions = self.clock.now(), self.conditions
        supply = self.supply.of(ref.room_id)
        return PlaceStatus(place, room, room.state_at(now), supply, now, conditions.is_paused, conditions.is_stale)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomReport:
    """A room as everybody may see it; *is_paused* and *is_stale* are the `Conditions`."""

    room: Room
    room_state: RoomState
    supply: RoomSupply
    line: LineView
    now: Instant
    is_paused: bool = False
    is_stale: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomStatus:
    """Tells everybody how a room stands."""

    line: WaitingLine
    rooms: Rooms
    supply: Supply
    clock: Clock
    conditions: Conditions = AS_USUAL

    def status(self, *, room_id: RoomId) -> RoomReport:
        """Return the room with its line and what is left in it. Raises `UnknownRoom`."""
        room = self.rooms.get(room_id)
        if room is None:
            raise UnknownRoom
        now = self.clock.now()
        return RoomReport(
            room=room,
            room_state=room.state_at(now),
            supply=self.supply.of(room_id),
            line=self.line.view(room_id),
            now=now,
            is_paused=self.conditions.is_paused,
            is_stale=self.conditions.is_stale,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EnterRoom:
    """Lets the admitted, and nobody else, pass."""

    line: WaitingLine

    def is_settled(self, ref: PlaceRef) -> bool:
        """Say whether it can be decided without waiting."""
        return self.line.is_settled(ref, entering=True)

    async def settled(self, ref: PlaceRef, *, signed: SignedPlace | None = None) -> None:
        """Return once it can be decided. Raises `Fault` where nobody can say how the place stands."""
        await self.line.settled(ref, signed=signed, entering=True)

    def enter(self, ref: PlaceRef) -> PlaceView:
        """
        Return the place, which is settled, of somebody admitted; entering is a sign of presence.

        Raises `UnknownPlace`, `PlaceIsOver`, `StillWaiting`.
        """
        place = self.line.look_at_once(ref)
        if place is None:
            raise UnknownPlace
        if place.standing is Standing.OVER:
            raise PlaceIsOver
        if place.standing is Standing.WAITING:
            raise StillWaiting
        return place


@dataclass(frozen=True, slots=True, kw_only=True)
class RecognizePlace:
    """Takes a genuine token for what it proves: who its buyer is, her place over or not, and that she is there."""

    line: WaitingLine

    async def recognize(self, *, ref: PlaceRef, signed: SignedPlace | None = None) -> None:
        """
        Note the buyer's presence. Raises `UnknownPlace` for a place that was revoked, or forgotten since.

        A line that cannot be asked stops nobody: the token's signature has
        said who she is, and a lost line must stop no payment.
        """
        with contextlib.suppress(Fault):
            await self.line.settled(ref, signed=signed)
            if not self.line.notice(ref):
                raise UnknownPlace


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveLine:
    """Takes a buyer out of the line, and what she holds off her."""

    end: Callable[[EndPlace], Awaitable[PlaceEnded | Rejection]]
    close_place: Callable[[BuyerId, PlaceRef], Awaitable[None]]

    async def leave(self, *, ref: PlaceRef, key: IdempotencyKey | None) -> PlaceEnded:
        """
        End the place, then let go of what is held under it. Raises `UnknownPlace`, `KeyReused`, `TooManyKeys`.

        A crash in between leaves a place that is over with seats still held;
        whoever leaves again (she had no answer) finishes it. So the second step
        is taken whatever the first one found.
        """
        outcome = await self.end(EndPlace(ref=ref, cause=EndCause.LEFT, key=key))
        if isinstance(outcome, Rejection):
            raise outcome
        await self.close_place(outcome.place.buyer_id, ref)
        return outcome


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmitNext:
    """Lets time act on every room's line: one tick. While *may_admit* says no, nobody is let in."""

    line: WaitingLine
    rooms: Rooms
    supply: Supply
    may_admit: Callable[[], bool] = _always

    async def admit(self) -> Sequence[TurnReport]:
        """Return what came of it. Raises `Fault` if it could not be made durable: then nothing has changed."""
        may_admit = self.may_admit()
        turns = [
            Turn(room=room, seats_free=may_admit and self.supply.of(room.id).can_be_held) for room in self.rooms.all()
        ]
        return await self.line.turn(turns)
