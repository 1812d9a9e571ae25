"""What the waiting room needs from the world: a line that remembers, the rooms, and who is a member."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from stagedoor.kernel.clock import Instant, Outage
from stagedoor.kernel.errors import Fault, Rejection
from stagedoor.kernel.idempotency import IdempotencyKey
from stagedoor.kernel.ids import BuyerId, HoldId, PlaceRef, RoomId
from stagedoor.kernel.sale_state import SaleState
from stagedoor.waiting_room.model import EndCause, LineView, PlaceView, SignedPlace
from stagedoor.waiting_room.room import Room


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """Ask for a place in *room* for *buyer_id*."""

    room: Room
    buyer_id: BuyerId
    key: IdempotencyKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """
    The buyer's place: her living one, a new one, or (*replayed*) the one a known key once got.

    A replayed place has the state and position it was answered with then.
    """

    place: PlaceView
    replayed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EndPlace:
    """
    End *ref* for *cause*; *key* only where the buyer herself asked.

    *by* only where an operator did: it names her in the audit entry
    (`place.revoke`), which is written also for a place that is over already: in
    one transaction with the end where one store has both, and otherwise once
    the place is over, before she is answered if that can be then, or else as
    soon as it can. A crash in between, or a store that does not say whether the
    place is over, leaves it without its entry: the operator, who had no answer,
    asks again.
    """

    ref: PlaceRef
    cause: EndCause
    key: IdempotencyKey | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceEnded:
    """The place as it is after the call; *was_admitted* if this very call ended a pass."""

    place: PlaceView
    was_admitted: bool
    replayed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldNote:
    """
    The buyer at *ref* holds seats under *hold_id* until *until*; *until* None: no longer.

    That was so at *known_at*: an outage that was given back since has moved it.
    None where it is known to be so now.
    """

    ref: PlaceRef
    hold_id: HoldId
    until: Instant | None
    known_at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one tick may do in one room: *seats_free* False admits nobody."""

    room: Room
    seats_free: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnReport:
    """What one tick did in one room."""

    room_id: RoomId
    admitted: int
    passed_over: int
    ended: int


class WaitingLine(Protocol):
    """
    Every room's line: places, numbers, passes.

    Whatever a method has returned survives a crash of the process. Numbers are
    handed out by one counter a room, in the order of the sequence; a living
    place of a buyer in a room is unique.

    Where the line's store cannot be asked, everything that changes the line
    (`join`, `turn`, `end`, `forget`) fails closed: it raises `Fault`, and
    nobody has joined, been let in or lost her place. What only looks
    (`look_at_once`, `view`) goes on from memory, and `Conditions` says that it
    may be out of date.
    """

    async def join(self, joins: Sequence[Join]) -> Sequence[Joined | Rejection]:
        """
        Give each buyer her living place, or a new one at the back.

        Rejections: `RoomIsClosed`, `LineIsFull`, `KeyReused`, `TooManyKeys`.
        Raises `Fault` if it could not be made durable: then nobody has joined.
        """
        ...

    async def look(self, ref: PlaceRef, *, telling: bool = False) -> PlaceView | None:
        """
        Return the place as it is now, and take the look as a sign of its buyer's presence.

        None if the place is not known, or was revoked. With *telling* the
        answer's `poll_after_ms` is what the buyer is told, and her absence is
        judged by it. A returner who looks is in line to enter next.
        """
        await self.settled(ref, entering=True)
        return self.look_at_once(ref, telling=telling)

    def notice(self, ref: PlaceRef) -> bool:
        """Take a sign of the presence of the buyer of a place that `is_settled`: a `look` that shows nothing."""
        return self.look_at_once(ref) is not None

    def is_settled(self, ref: PlaceRef, *, entering: bool = False) -> bool:
        """
        Say whether it is known right now how the place stands: nothing is under way that may admit or end it.

        With *entering* also that nobody else has admitted her: what a poll may
        learn a moment later, nobody is turned away for.
        """
        ...

    async def settled(self, ref: PlaceRef, *, signed: SignedPlace | None = None, entering: bool = False) -> None:
        """
        Return once the place `is_settled`. Raises `Fault` where nobody can say.

        A place that was lost with the line's store is taken back by what is
        *signed* of it.
        """
        ...

    def look_at_once(self, ref: PlaceRef, *, telling: bool = False) -> PlaceView | None:
        """`look` at a place that `is_settled`."""
        ...

    async def turn(self, turns: Sequence[Turn]) -> Sequence[TurnReport]:
        """
        Let time act on each room: end passes, pass over the absent, admit.

        Admits nobody unless the room is open at this instant; never more than
        `max_active` at once, nor more than `rate` allows; strictly by number,
        returners first. Ends the waiting places of a closed room. Raises
        `Fault` if it could not be made durable: then nothing has changed.
        """
        ...

    async def end(self, endings: Sequence[EndPlace]) -> Sequence[PlaceEnded | Rejection]:
        """End each place, unless it is over already. Ending twice is harmless. `UnknownPlace` if not known."""
        ...

    def mark_used_up(self, ref: PlaceRef) -> None:
        """
        End the place because its buyer has paid: before whatever the line decides next, or about 200 ms from now.

        From now on it is shown as over, and `is_settled`, also where the line's
        store cannot be asked: the payment is durable, whatever becomes of the
        mark. A crash loses that; what makes the end sure is `use_up`, which the
        order's event brings about.
        """
        ...

    async def use_up(self, refs: Sequence[PlaceRef]) -> None:
        """
        End each place because its buyer has paid, as `end` does.

        A place that is over, or not known, is passed by: an end that is told
        twice, by the payment and by its event, costs next to nothing.
        """
        await self.end([EndPlace(ref=ref, cause=EndCause.PAID) for ref in refs])

    async def note_holds(self, notes: Sequence[HoldNote]) -> None:
        """
        Remember until when each place's buyer holds seats. Idempotent; rebuilt from the sale at start.

        Raises `Fault` where it is known here, but could not be told to the
        other processes: whoever does not tell it again, leaves it to the
        hold's event.
        """
        ...

    def view(self, room_id: RoomId) -> LineView:
        """Return the room's line as everybody may see it; what others did to it is heard of about every 200 ms."""
        ...

    def give_back(self, outage: Outage) -> None:
        """Leave *outage* out of every deadline and every absence, before the next turn."""
        ...

    async def idle(self) -> None:
        """Return when nothing is under way: to be called before what it stores in is closed."""
        ...


class Conditions(Protocol):
    """How the service is, apart from what its rooms say: as of a moment ago, so that asking costs nothing."""

    @property
    def is_paused(self) -> bool:
        """Whether nobody is let in though the room may be open: a store is out, the disk is nearly full."""
        ...

    @property
    def is_stale(self) -> bool:
        """Whether what is told of a line may be out of date, because its store cannot be asked."""
        ...


class LineLeftovers(Protocol):
    """What a line keeps for a while only, because nobody may ask for it later."""

    async def forget(self, *, ended_before: Instant, keys_before: Instant, limit: int) -> int:
        """
        Forget places over before *ended_before* and keys stored before *keys_before*; return how many of both.

        At most *limit* places a room and *limit* keys, so that nobody waits
        long behind it. A place that a younger key names is kept. Of a long
        line a call looks at a stretch, and the next one goes on behind it.
        Raises `Fault` if it could not be made durable.
        """
        ...


class RoomBook(Protocol):
    """The stored rooms."""

    async def all(self) -> Sequence[Room]:
        """Return every room, ordered by id, with the settings' defaults where its row says nothing."""
        ...


class Members(Protocol):
    """Who may join at all."""

    async def known(self, buyer_ids: Sequence[BuyerId]) -> Sequence[bool | Fault]:
        """
        Say for each buyer whether she is a member; who was one once may be remembered as one.

        A `Fault` for each who has to be looked for and cannot be: that keeps nobody out who is remembered.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomSupply:
    """
    What is left in all performances of a room together.

    Performances that are over do not count. *next_hold_ends_at* is the
    earliest deadline of a running hold. *sale* is how much of the sale goes on,
    for the free seats of which most may be done, or for all if none is free.
    """

    free: int
    held: int
    next_hold_ends_at: Instant | None
    sale: SaleState = SaleState.OPEN

    @property
    def can_be_held(self) -> bool:
        """Whether somebody who is let in may find a seat to hold."""
        return self.free > 0 and self.sale is SaleState.OPEN


class Supply(Protocol):
    """
    What admission must know of the sale: whether anything is free.

    While the sale cannot be read it says what it last knew, and nobody is
    admitted by that.
    """

    def of(self, room_id: RoomId) -> RoomSupply:
        """
        Return the room's supply; nothing free for a room without performances.

        It is read before each turn of admission, about every 100 ms, and what others did is
        heard of about every half a second; where plenty is left, it is half a second older.
        """
        ...


class Rooms(Protocol):
    """The rooms as this process last read them (at most half a second ago)."""

    def get(self, room_id: RoomId) -> Room | None:
        """Return the room, None if there is none of that name."""
        ...

    def all(self) -> Sequence[Room]:
        """Return every room, ordered by id."""
        ...
