"""A room: its state, its live policy, and what both say at a given instant."""

from dataclasses import dataclass, field
from enum import StrEnum

from stagedoor.kernel.clock import MINUTE_MS, SECOND_MS, Instant
from stagedoor.kernel.ids import RoomId


class RoomState(StrEnum):
    """
    What a room is doing.

    UPCOMING is never stored: it is an OPEN or PAUSED room before its `opens_at`.
    """

    UPCOMING = "UPCOMING"
    OPEN = "OPEN"
    PAUSED = "PAUSED"
    CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomPolicy:
    """
    The rules of one room, as they are at this moment; changed live.

    *rate* is admissions a second, None for no limit beyond *max_active*.
    *line_max* bounds the living places; *polls_per_second* is the budget that
    the line's polls are spread over.
    """

    max_active: int = 30
    rate: float | None = None
    idle_timeout_ms: int = 30 * SECOND_MS
    session_max_ms: int = 10 * MINUTE_MS
    away_after_ms: int = 180 * SECOND_MS
    entry_window_ms: int = 30 * SECOND_MS
    line_max: int = 2_000_000
    polls_per_second: int = 5_000

    def __post_init__(self) -> None:
        """Refuse what no room can work with; input was checked at the edge."""
        assert self.max_active >= 0
        assert self.rate is None or self.rate > 0
        assert min(self.idle_timeout_ms, self.session_max_ms, self.away_after_ms, self.entry_window_ms) > 0
        assert self.line_max > 0
        assert self.polls_per_second > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomDefaults:
    """
    What the settings say where a stored room says nothing.

    The *policy* holds for every room. The times are those of `main` until its
    row is changed for the first time; that change writes them down.
    """

    policy: RoomPolicy = field(default_factory=RoomPolicy)
    opens_at: Instant | None = None
    closes_at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """One waiting room. *version* rises with every change of its row."""

    id: RoomId
    name: str
    state: RoomState
    policy: RoomPolicy
    opens_at: Instant | None = None
    closes_at: Instant | None = None
    version: int = 1

    def state_at(self, now: Instant) -> RoomState:
        """
        Return what the room is doing at *now*.

        The opening is inclusive and the closing too: at `opens_at` the room is
        open, at `closes_at` it is closed; never a millisecond before.
        """
        if self.state is RoomState.CLOSED or (self.closes_at is not None and now >= self.closes_at):
            return RoomState.CLOSED
        if self.opens_at is not None and now < self.opens_at:
            return RoomState.UPCOMING
        return self.state
