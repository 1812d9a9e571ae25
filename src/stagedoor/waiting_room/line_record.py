"""What of a line is kept apart from its store, so that a store that was lost gives nothing out twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from stagedoor.kernel.clock import Instant
from stagedoor.kernel.errors import TurnedAway
from stagedoor.kernel.ids import RoomId
from stagedoor.waiting_room.changes import Change, NewPlace
from stagedoor.waiting_room.model import PlaceState
from stagedoor.waiting_room.restoring import StoredPass


class Superseded(TurnedAway):
    """
    The line has begun another epoch: what is decided in the caller's own does not count any more.

    The record has answered, and is well: no breaker counts this.
    """


class Marks(NamedTuple):
    """
    How far a room's line may have gone, at most.

    *epoch* counts the lives of its store. Numbers are handed out below
    *numbers_until* only, and nobody was told to ask again after more than
    *told_ms*. Of the log of this epoch everything up to *position* is recorded,
    from 0 on also what its line began with.
    """

    epoch: int
    numbers_until: int
    told_ms: int
    position: int


class RecordedPlace(NamedTuple):
    """A place that was admitted or has ended: *state* is its last one, *ended_at* when that was, if it is over."""

    place: NewPlace
    state: PlaceState
    ended_at: Instant | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRoom:
    """
    Everybody who was ever let in or has ended, the passes that ran, and what `StoredLine` has besides.

    *closed* are the places that are over in the sale, with how they ended.
    """

    places: Sequence[RecordedPlace]
    closed: Sequence[tuple[int, PlaceState]]
    passes: Sequence[StoredPass]
    serving_number: int
    last_admitted_at: Instant | None


class LineRecord(Protocol):
    """The record of lines whose store is not their journal. Everything raises `Fault`."""

    async def open(self, room_id: RoomId, *, server: str, held_epoch: int | None, lost_epoch: int | None) -> Marks:
        """
        Return the room's marks for a line in the store *server*.

        In another store than before, or where *lost_epoch*, which is the
        present one, was lost, a new epoch has begun by then. *held_epoch* is
        the one that the caller had in *server* last, None if it comes from
        elsewhere. Raises `Superseded` where the line has gone on from there in
        another store: whoever was left behind must not fetch it back.
        """
        ...

    async def confirm(self, room_id: RoomId, *, epoch: int) -> None:
        """Return if *epoch* is still the present one. Raises `Superseded`."""
        ...

    async def reserve(self, room_id: RoomId, *, epoch: int, numbers_until: int, told_ms: int) -> Marks:
        """
        Raise the marks to these at least, before any of it is used; return how they are then.

        Raises `Superseded`.
        """
        ...

    async def write(
        self,
        room_id: RoomId,
        *,
        epoch: int,
        changes: Sequence[tuple[int, Change]],
        places: Mapping[int, NewPlace],
        session_ends: Mapping[int, Instant],
    ) -> None:
        """
        Record whom *changes* admitted and ended; *places* has all of them.

        They are what the log has beyond the record's position, in order, each
        with its own position. Of what somebody else has recorded since, the part
        up to there is left out, so doing it again changes nothing. *session_ends*
        are the ends of running passes that were moved. In another *epoch* than
        the present one nothing is recorded. Raises `Superseded`.
        """
        ...

    async def read(self, room_id: RoomId) -> RecordedRoom:
        """Return what is recorded of the room."""
        ...
