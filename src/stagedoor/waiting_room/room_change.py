"""What can be changed in a stored room, and what such a change must not come to."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, unique
from types import MappingProxyType
from typing import Final, Literal, Protocol

from stagedoor.kernel.clock import DAY_MS, Instant
from stagedoor.kernel.ids import RoomId
from stagedoor.waiting_room.rejections import RoomIsClosed
from stagedoor.waiting_room.room import Room, RoomState

LAST_INSTANT = Instant(253_402_300_799_999)
"""The end of the year 9999: later instants cannot be written as dates."""


@unique
class Unchanged(Enum):
    """Stands for a field that a change leaves alone, where None is a value."""

    UNCHANGED = "unchanged"


UNCHANGED: Final = Unchanged.UNCHANGED


@unique
class RoomAction(Enum):
    """What an operator does to a room as a whole."""

    OPEN = "open"
    PAUSE = "pause"
    CLOSE = "close"


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The values a figure may have, both ends included; *whole* ones only."""

    least: float
    most: float
    whole: bool = True

    def holds(self, value: float) -> bool:
        """Whether *value* is one of them; NaN and True are none."""
        if isinstance(value, bool) or not math.isfinite(value) or not self.least <= value <= self.most:
            return False
        return not self.whole or isinstance(value, int)


POLICY_RANGES: Mapping[str, Range] = MappingProxyType(
    {
        "max_active": Range(least=0, most=1_000_000),
        "rate": Range(least=0.001, most=1_000_000, whole=False),
        "idle_timeout_ms": Range(least=1, most=DAY_MS),
        "session_max_ms": Range(least=1, most=DAY_MS),
        "away_after_ms": Range(least=1, most=DAY_MS),
        "entry_window_ms": Range(least=1, most=DAY_MS),
        "line_max": Range(least=1, most=100_000_000),
        "polls_per_second": Range(least=1, most=1_000_000),
    }
)
"""Every field of `RoomPolicy`, with what a room can work with."""


class ImpossibleRoomChange(Exception):  # noqa: N818 -- it becomes a sentence to the operator
    """
    A change no room can work with; *field* names what is wrong with it.

    *field* is the name inside (`opens_at`, `max_active`), *problem* the rest of the sentence.
    """

    def __init__(self, field_name: str, problem: str) -> None:
        """Name the field and the problem."""
        super().__init__(f"{field_name} {problem}")
        self.field = field_name
        self.problem = problem


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomChange:
    """
    What is to change; the rest stays as it is.

    In *policy* (fields of `RoomPolicy`) None follows the setting again;
    *opens_at* and *closes_at* None: never closed because of the time.
    Raises `ImpossibleRoomChange` for a value out of range.
    """

    policy: Mapping[str, float | None] = field(default_factory=dict)
    opens_at: Instant | Literal[Unchanged.UNCHANGED] | None = UNCHANGED
    closes_at: Instant | Literal[Unchanged.UNCHANGED] | None = UNCHANGED

    def __post_init__(self) -> None:
        """Check what can be checked without the room."""
        for name, value in self.policy.items():
            allowed = POLICY_RANGES.get(name)
            if allowed is None:
                raise ImpossibleRoomChange(name, "is not part of a room's policy")
            if value is not None and not allowed.holds(value):
                kind = "a whole number" if allowed.whole else "a number"
                raise ImpossibleRoomChange(name, f"must be {kind} from {allowed.least:.12g} to {allowed.most:.12g}")
        for name, instant in (("opens_at", self.opens_at), ("closes_at", self.closes_at)):
            if isinstance(instant, int) and not 0 <= instant <= LAST_INSTANT:
                bound = "must be before the year 10000" if instant > 0 else "must not be before the year 1970"
                raise ImpossibleRoomChange(name, bound)

    @property
    def is_empty(self) -> bool:
        """Whether it changes nothing."""
        return not self.policy and self.opens_at is UNCHANGED and self.closes_at is UNCHANGED

    def times_of(self, room: Room) -> Room:
        """Return *room* with the changed times. Raises `ImpossibleRoomChange` if it would close before it opens."""
        opens_at = room.opens_at if self.opens_at is UNCHANGED else self.opens_at
        closes_at = room.closes_at if self.closes_at is UNCHANGED else self.closes_at
        if opens_at is not None and closes_at is not None and opens_at >= closes_at:
            changed = "opens_at" if self.closes_at is UNCHANGED else "closes_at"
            raise ImpossibleRoomChange(changed, "must have the room open before it closes")
        return replace(room, opens_at=opens_at, closes_at=closes_at)


def act_on(room: Room, action: RoomAction, now: Instant) -> Room:
    """
    Return *room* after *action* at *now*.

    To open means now: an opening still to come is brought forward, a closing
    that has passed is taken away. To pause keeps every place and admits
    nobody. To close ends the waiting places, and with them the numbers: a
    closed room can be opened again, with an empty line, but not paused
    (`RoomIsClosed`).
    """
    match action:
        case RoomAction.OPEN:
            opens_at = room.opens_at if room.opens_at is None or room.opens_at <= now else now
            closes_at = room.closes_at if room.closes_at is None or room.closes_at > now else None
            return replace(room, state=RoomState.OPEN, opens_at=opens_at, closes_at=closes_at)
        case RoomAction.PAUSE:
            if room.state_at(now) is RoomState.CLOSED:
                raise RoomIsClosed
            return replace(room, state=RoomState.PAUSED)
        case RoomAction.CLOSE:
            return replace(room, state=RoomState.CLOSED)


class RoomDesk(Protocol):
    """
    Where rooms are changed: by the operators' calls and by the command line alike.

    Each change is one transaction with its audit entry and raises the room's
    version by one. Raises `UnknownRoom`, `ImpossibleRoomChange`, `RoomIsClosed`, `Fault`.
    """

    async def change(self, room_id: RoomId, change: RoomChange, *, actor: str) -> Room:
        """Change policy and times; return the room as it is then."""
        ...

    async def act(self, room_id: RoomId, action: RoomAction, *, actor: str) -> Room:
        """Open, pause or close the room; return it as it is then."""
        ...
