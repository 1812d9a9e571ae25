"""What happened at a door, as the judge wants it: what each buyer was told, and the passes in the store's order."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

from stagedoor.kernel.clock import Instant
from stagedoor.waiting_room.model import PlaceState


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the room promises, and for how long a silent buyer counts as present."""

    max_active: int
    rate: float
    away_after_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """One answer she got *at* this instant; she was there when she asked. *by* numbers the process that told her."""

    asked_at: Instant
    at: Instant
    state: PlaceState
    position: int
    poll_after_ms: int
    by: int = 0


@dataclass(slots=True, kw_only=True)
class Fan:
    """One buyer and her record; *absences* counts how often she went away without a word."""

    buyer_id: int
    number: int = 0
    signs: list[Sign] = field(default_factory=list)
    left_at: Instant | None = None
    absences: int = 0

    def last_sign_before(self, at: Instant) -> Sign | None:
        """Return the last answer that she had got by then."""
        index = bisect_left(self.signs, at, key=lambda sign: sign.at)
        return self.signs[index - 1] if index else None

    def left_by(self, at: Instant) -> bool:
        """Say whether she had asked to leave by then."""
        return self.left_at is not None and self.left_at <= at


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One admission, as the server has it."""

    number: int
    returner: bool
    admitted_at: Instant
    ended_at: Instant | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What happened: each fan's own account, and every pass in the order of admission."""

    limits: Limits
    fans: Sequence[Fan]
    passes: Sequence[Pass]
    seconds: float
